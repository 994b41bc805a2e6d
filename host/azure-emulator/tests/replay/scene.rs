//! The cloud that captures are replayed into, and what each of them finds there.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use azure_emulator::{Azure, Clock, Config, Fault, Planned};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::builder::FromNothing;
use crate::capture::{Capture, Exchange};
use crate::differences;
use crate::issuer::{self, Issuer};
use crate::shape;
use crate::upstream::{self, Upstream};

const APP: &str = "33333333-3333-3333-3333-333333333333";
const REGISTRIES: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.ContainerRegistry/registries";
const SECRET: &str = "s3cr3t";
const TENANT: &str = "22222222-2222-2222-2222-222222222222";
const GROUP: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1";
const ARM: &str = "management.azure.com";
/// The moment after which the captures were made: times in their bodies have to make sense.
const NOW: i64 = 1_795_361_000;

pub(crate) struct Scene {
    azure: Arc<Azure>,
    _folder: tempfile::TempDir,
    issuer: Issuer,
    _upstream: Upstream,
    /// What the client gives for its secret.
    secret: &'static str,
    /// What was recorded, and what it is here: ids, URLs, tokens.
    learned: BTreeMap<String, String>,
    /// Tokens by audience.
    tokens: BTreeMap<&'static str, String>,
}

pub(crate) struct Came {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path());
        config.clock = Clock::of(|| jiff::Timestamp::from_second(NOW).unwrap());
        let registries =
            ["myregistry", "mysourceregistry", "baseregistry", "freeregistry", "failregistry"];
        config.names.registries = registries.map(str::to_owned).to_vec();
        config.names.vaults = vec!["firstkv".to_owned()];
        config.builder = Some(Arc::new(FromNothing));
        let upstream = Upstream::start().await;
        for host in upstream::HOSTS {
            config.upstreams.insert(host.to_owned(), upstream.url.clone());
        }
        let issuer = Issuer::new();
        config.issuers.insert(issuer::NAME.to_owned(), issuer.keys());
        let azure = Azure::open(config).unwrap();
        let mut scene = Self {
            azure,
            _folder: folder,
            issuer,
            _upstream: upstream,
            secret: SECRET,
            learned: BTreeMap::new(),
            tokens: BTreeMap::new(),
        };
        for audience in [
            "https://management.azure.com",
            "https://graph.microsoft.com",
            "https://vault.azure.net",
            "https://containerregistry.azure.net",
        ] {
            let token = scene.token(audience).await;
            scene.tokens.insert(audience, token);
        }
        scene
    }

    async fn token(&self, audience: &str) -> String {
        let form = format!(
            "client_id={APP}&client_secret={SECRET}&grant_type=client_credentials&scope={audience}/.default"
        );
        let path = format!("/{TENANT}/oauth2/v2.0/token");
        let came = self.send("POST", "login.microsoftonline.com", &path, &[], form).await;
        came.body["access_token"].as_str().unwrap_or_else(|| panic!("{}", came.body)).to_owned()
    }

    async fn send(
        &self,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Came {
        let mut request = Request::builder().method(method).uri(path).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.azure.respond(request.body(body.into()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| match bytes.is_empty() {
            true => Value::Null,
            false => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        });
        Came { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// A request to ARM that has to succeed.
    async fn arm(&self, method: &str, path: &str, version: &str, body: Value) -> Value {
        let bearer = format!("Bearer {}", self.tokens["https://management.azure.com"]);
        let path = format!("{path}?api-version={version}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let came = self.send(method, ARM, &path, &[("authorization", &bearer)], body).await;
        assert!(came.status < 300, "{method} {path}: {} {}", came.status, came.body);
        came.body
    }

    async fn vault(&self, method: &str, vault: &str, path: &str, body: Value) -> Value {
        let bearer = format!("Bearer {}", self.tokens["https://vault.azure.net"]);
        let host = format!("{vault}.vault.azure.net");
        let path = format!("{path}?api-version=7.4");
        let headers = [("authorization", bearer.as_str())];
        let came = self.send(method, &host, &path, &headers, body.to_string()).await;
        assert!(came.status < 300, "{method} {path}: {} {}", came.status, came.body);
        came.body
    }

    /// A request to a registry, by the name and secret of the application.
    async fn registry(&self, method: &str, name: &str, path: &str) -> Came {
        let basic = BASE64_STANDARD.encode(format!("{APP}:{SECRET}"));
        let headers = [("authorization", format!("Basic {basic}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.send(method, &format!("{name}.azurecr.io"), path, &headers, Body::empty()).await
    }

    async fn import(&self, registry: &str, source: &str, target: &str) {
        let host = if source.starts_with("library/") { "docker.io" } else { "mcr.microsoft.com" };
        let body = json!({
            "source": { "registryUri": host, "sourceImage": source }, "targetTags": [target],
        });
        self.arm("POST", &format!("{REGISTRIES}/{registry}/importImage"), "2025-11-01", body).await;
        self.azure.settle().await;
    }

    async fn digest(&self, registry: &str, repository: &str, tag: &str) -> String {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let came = self.registry("HEAD", registry, &path).await;
        came.headers["docker-content-digest"].to_str().unwrap().to_owned()
    }

    async fn empty_registry(&self) {
        let came = self.registry("GET", "myregistry", "/acr/v1/_catalog").await;
        for name in came.body["repositories"].as_array().unwrap() {
            let path = format!("/acr/v1/{}", name.as_str().unwrap());
            assert_eq!(self.registry("DELETE", "myregistry", &path).await.status, 202);
        }
    }

    fn plan(&self, fault: Fault, on: &str, times: u32) {
        self.azure.faults().plan(Planned { fault, on: on.to_owned(), times }).unwrap();
    }

    /// What a capture finds: what its story had done before, and the faults that it met.
    pub(crate) async fn prepare(&mut self, name: &str) {
        self.secret = if name == "login-badsecret" { "bad" } else { SECRET };
        if name.starts_with("import-") && name != "import-conflict" {
            self.empty_registry().await;
        }
        match name {
            "import-same-sub-loginserver" => {
                self.import("mysourceregistry", "hello:1", "aci-helloworld:latest").await;
            }
            "import-resource-id" => {
                // There is one subscription here; the source is in it.
                for (there, here) in [
                    (
                        "00000000-0000-0000-0000-000000000000",
                        "11111111-1111-1111-1111-111111111111",
                    ),
                    ("sourceResourceGroup", "rg1"),
                ] {
                    self.learned.insert(there.to_owned(), here.to_owned());
                }
            }
            "import-digest-no-image" => {
                let digest = self.digest("mysourceregistry", "aci-helloworld", "latest").await;
                self.learned.insert("sha256:123456abcdefg".to_owned(), digest);
            }
            "acr-show-manifests" => {
                self.empty_registry().await;
                self.import("myregistry", "library/hello-world:latest", "hello-world:latest").await;
            }
            "build-not-allowed" => self.plan(Fault::TasksNotAllowed, "freeregistry", 1),
            "task-credential-add-opaque" => {
                let secret = |name| {
                    json!({
                        "type": "Vaultsecret",
                        "value": format!("https://mykeyvault.vault.azure.net/secrets/{name}"),
                    })
                };
                let hub = json!({
                    "identity": "[system]", "userName": secret("user"), "password": secret("pass"),
                });
                let body = json!({ "properties": { "credentials": { "customRegistries": { "docker.io": hub } } } });
                let path = format!("{REGISTRIES}/myregistry/tasks/taskhelloworld");
                self.arm("PATCH", &path, "2025-03-01-preview", body).await;
            }
            "aci-create-full" => {
                self.import("myregistry", "hello:1", "aci-helloworld:v1").await;
            }
            "aci-create-lro-failed" => {
                let message = "The provisioning of container group 'acifail' failed.".to_owned();
                let fault = Fault::OperationFails { code: "InternalError".to_owned(), message };
                self.plan(fault, "acifail", 1);
            }
            "aci-create-vnet" => {
                let path =
                    format!("{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/s");
                let body = json!({ "properties": { "addressPrefix": "10.0.0.0/24", "delegations": [{
                    "name": "aci",
                    "properties": { "serviceName": "Microsoft.ContainerInstance/containerGroups" },
                }] } });
                self.arm("PUT", &path, "2022-01-01", body).await;
            }
            "custom-import" => {
                let path = format!("{REGISTRIES}/myregistry");
                self.arm("DELETE", &path, "2025-11-01", Value::Null).await;
                let body = json!({ "location": "westeurope", "sku": { "name": "Standard" } });
                self.arm("PUT", &path, "2025-11-01", body).await;
            }
            "login-federated" => {
                let graph = format!("Bearer {}", self.tokens["https://graph.microsoft.com"]);
                let headers = [("authorization", graph.as_str())];
                let found = self
                    .send(
                        "GET",
                        "graph.microsoft.com",
                        "/v1.0/applications",
                        &headers,
                        Body::empty(),
                    )
                    .await;
                let id = found.body["value"][0]["id"].as_str().unwrap().to_owned();
                let path = format!("/v1.0/applications/{id}/federatedIdentityCredentials");
                let trust = json!({
                    "name": "ci", "issuer": issuer::NAME, "subject": issuer::SUBJECT,
                    "audiences": [issuer::AUDIENCE],
                });
                let came = self
                    .send("POST", "graph.microsoft.com", &path, &headers, trust.to_string())
                    .await;
                assert_eq!(came.status, 201, "{}", came.body);
            }
            "kv-secret-show" => {
                let secret = json!({
                    "value": "pull", "contentType": "text/plain", "tags": { "a": "b", "file-encoding": "utf-8" },
                    "attributes": { "nbf": 1_767_225_600, "exp": 1_893_456_000 },
                });
                self.vault("PUT", "mykeyvault", "/secrets/myregistry-pull-pwd", secret).await;
            }
            "kv-secret-forbidden" => {
                // The role that lets us read secrets is given for the group of the first vault.
                let group = GROUP.replace("rg1", "rg2");
                let body = json!({ "location": "westeurope" });
                self.arm("PUT", &group, "2024-11-01", body).await;
                let body = json!({ "location": "westeurope", "properties": {
                    "tenantId": TENANT, "sku": { "name": "standard", "family": "A" },
                } });
                let path = format!("{group}/providers/Microsoft.KeyVault/vaults/deniedkv");
                self.arm("PUT", &path, "2026-02-01", body).await;
            }
            "sp-create-for-rbac" => {
                self.plan(Fault::SlowApplication, "myregistry-pull", 1);
                self.plan(Fault::SlowPrincipal, "myregistry-pull", 1);
            }
            "role-assign-objid" => self.plan(Fault::SlowPrincipal, APP_OBJECT, 1),
            _ => {}
        }
    }

    pub(crate) async fn replay(&mut self, capture: &Capture) -> Vec<String> {
        let mut wrong = Vec::new();
        for (at, exchange) in capture.exchanges.iter().enumerate() {
            let came = self.again(exchange).await;
            let recorded = &exchange.emulator_response;
            let path = exchange.request.path.replace(GROUP, "GROUP");
            let here = format!("{at} {} {path}", exchange.request.method);
            if came.status != recorded.status {
                wrong.push(format!(
                    "{here}: {} came, {} recorded: {}",
                    came.status, recorded.status, came.body
                ));
                continue;
            }
            for name in recorded.headers.keys() {
                if !came.headers.contains_key(name.as_str()) {
                    wrong.push(format!("{here}: the header {name} is missing"));
                }
            }
            for (pointer, what) in shape::differences(&recorded.body, &came.body) {
                if !differences::is_argued(&capture.scenario, &pointer) {
                    wrong.push(format!("{here}: {pointer} {what}"));
                }
            }
            self.learn(exchange, &came);
            self.azure.settle().await;
        }
        wrong.dedup();
        wrong
    }

    async fn again(&self, exchange: &Exchange) -> Came {
        let sent = &exchange.request;
        let host = sent.host.as_str();
        let path = self.here(&sent.path);
        let mut headers = Vec::new();
        for (name, value) in &sent.headers {
            let name = name.to_ascii_lowercase();
            let value = value.as_str().unwrap_or_default().to_owned();
            match name.as_str() {
                "host" | "content-length" => {}
                "authorization" => {
                    headers.push((name, format!("Bearer {}", self.bearer(host, &path))));
                }
                _ => headers.push((name, value)),
            }
        }
        let body = match &sent.body {
            Value::Null => String::new(),
            Value::String(text) if text.contains("bytes binary") => {
                return self.upload(exchange).await;
            }
            Value::String(text) => self.form(text, host),
            body @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                // The captures name nobody in particular; here somebody has to be it.
                let user = format!("\"username\":\"{APP}\",\"password\":\"{SECRET}\"");
                self.here(&body.to_string()).replace("\"username\":\"u\",\"password\":\"p\"", &user)
            }
        };
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send(&sent.method, host, &path, &headers, body).await
    }

    /// What was redacted: a context, with every Dockerfile that the captures build.
    async fn upload(&self, exchange: &Exchange) -> Came {
        let sent = &exchange.request;
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        for name in ["Dockerfile", "c5673c1d56bd48918d6f4eebc7464eac_Dockerfile", "acr-task.yaml"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(12);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, b"FROM scratch".as_slice()).unwrap();
        }
        let bytes = archive.into_inner().unwrap().finish().unwrap();
        let headers = [("x-ms-blob-type", "BlockBlob"), ("x-ms-version", "2026-04-06")];
        self.send(&sent.method, &sent.host, &self.here(&sent.path), &headers, bytes).await
    }

    /// The token that the host takes.
    fn bearer(&self, host: &str, path: &str) -> &str {
        let audience = match host {
            // The token that the registry gave last.
            host if host.ends_with(".azurecr.io") => return &self.learned["access_token"],
            _ if path.starts_with("/secrets/") => "https://vault.azure.net",
            "graph.microsoft.com" => "https://graph.microsoft.com",
            host if host.ends_with(".vault.azure.net") => "https://vault.azure.net",
            _ => "https://management.azure.com",
        };
        &self.tokens[audience]
    }

    /// A form with what was redacted put in again.
    fn form(&self, text: &str, _host: &str) -> String {
        let assertion = self.issuer.token(NOW + 600);
        let registry = &self.tokens["https://containerregistry.azure.net"];
        let refresh = self.learned.get("refresh_token").map_or("", String::as_str);
        self.here(text)
            .replace("&access_token=<jwt>", &format!("&access_token={registry}"))
            .replace("refresh_token=<jwt>", &format!("refresh_token={refresh}"))
            .replace("client_secret=<redacted>", &format!("client_secret={}", self.secret))
            .replace("client_assertion=<jwt>", &format!("client_assertion={assertion}"))
    }

    /// Text with everything recorded in the words of here.
    fn here(&self, text: &str) -> String {
        // Longest first: an id is part of the URLs that have it.
        let tokens = ["access_token", "refresh_token"];
        let known = self.learned.iter().filter(|(name, _)| !tokens.contains(&name.as_str()));
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|(recorded, _)| std::cmp::Reverse(recorded.len()));
        known.iter().fold(text.to_owned(), |text, (recorded, here)| {
            // Ids of runs are short: they are only meant where they are a whole segment.
            if recorded.len() > SHORT {
                return text.replace(*recorded, here);
            }
            ["/", "?"].iter().fold(text, |text, end| {
                text.replace(&format!("/{recorded}{end}"), &format!("/{here}{end}"))
            })
        })
    }

    fn learn(&mut self, exchange: &Exchange, came: &Came) {
        let recorded = &exchange.emulator_response;
        for name in ["Location", "Azure-AsyncOperation"] {
            let (Some(recorded), Some(here)) = (recorded.headers.get(name), came.headers.get(name))
            else {
                continue;
            };
            let last = |url: &str| {
                let path = url.split('?').next().unwrap_or_default();
                path.rsplit('/').next().unwrap_or_default().to_owned()
            };
            let recorded = recorded.as_str().unwrap();
            self.learned.insert(last(recorded), last(here.to_str().unwrap()));
        }
        for name in ["access_token", "refresh_token"] {
            if let Some(token) =
                came.body[name].as_str().filter(|_| exchange.request.host.ends_with(".azurecr.io"))
            {
                self.learned.insert(name.to_owned(), token.to_owned());
            }
        }
        // Secrets are asked for by their names, which are the same here.
        if !exchange.request.host.ends_with(".vault.azure.net") {
            self.learn_document("", &recorded.body, &came.body);
        }
    }

    fn learn_document(&mut self, name: &str, recorded: &Value, came: &Value) {
        match (recorded, came) {
            (Value::Object(recorded), Value::Object(came)) => {
                for (name, value) in recorded {
                    if let Some(here) = came.get(name) {
                        self.learn_document(name, value, here);
                    }
                }
            }
            (Value::Array(recorded), Value::Array(came)) if recorded.len() == came.len() => {
                // Lists have orders of their own: what has another name is something else.
                let same = |(one, other): &(&Value, &Value)| one.get("name") == other.get("name");
                for (recorded, came) in recorded.iter().zip(came).filter(same) {
                    self.learn_document(name, recorded, came);
                }
            }
            (Value::String(recorded), Value::String(came))
                if LEARNED.contains(&name) && recorded != came && recorded.len() > 2 =>
            {
                self.learned.insert(recorded.clone(), came.clone());
                // Of links, clients send the path and the query.
                if let (Some(there), Some(here)) = (path_of(recorded), path_of(came)) {
                    self.learned.insert(there, here);
                }
            }
            _ => {}
        }
    }
}

/// Members whose values come back in later requests.
const LEARNED: [&str; 7] =
    ["id", "appId", "keyId", "runId", "uploadUrl", "logLink", "relativePath"];

fn path_of(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    rest.find('/').map(|at| rest[at..].to_owned())
}

/// No GUID and no URL is as short.
const SHORT: usize = 12;

const APP_OBJECT: &str = "44444444-4444-4444-4444-444444444444";
