//! A cloud of a test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use azure_emulator::{Azure, Clock, Config};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use serde_json::{Value, json};

pub(crate) const APP: &str = "33333333-3333-3333-3333-333333333333";
pub(crate) const TENANT: &str = "22222222-2222-2222-2222-222222222222";
pub(crate) const GROUP: &str =
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1";
pub(crate) const REGISTRY: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.ContainerRegistry/registries/myregistry";
pub(crate) const NOW: i64 = 1_795_361_000;

pub(crate) struct Cloud {
    pub(crate) azure: Arc<Azure>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) now: Arc<AtomicI64>,
}

pub(crate) struct Came {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Came {
    /// The error's code.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(NOW));
        let mut config = Config::new(folder.path());
        let clock = Arc::clone(&now);
        config.clock =
            Clock::of(move || jiff::Timestamp::from_second(clock.load(Relaxed)).unwrap());
        change(&mut config);
        Self { azure: Azure::open(config).unwrap(), folder, now }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Relaxed);
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Came {
        let rest = url.strip_prefix("https://").unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        let mut request = Request::builder().method(method).uri(path).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.azure.respond(request.body(body.into()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Came { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Asks for a token; `form` is everything but the scope.
    pub(crate) async fn login(&self, form: &str, audience: &str) -> Came {
        let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
        let form = format!("grant_type=client_credentials&{form}&scope={audience}/.default");
        self.send("POST", &url, &[], form).await
    }

    pub(crate) async fn token_of(&self, app: &str, secret: &str, audience: &str) -> String {
        let came = self.login(&format!("client_id={app}&client_secret={secret}"), audience).await;
        assert_eq!(came.status, 200, "{}", came.body);
        came.body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn token(&self, audience: &str) -> String {
        self.token_of(APP, "s3cr3t", audience).await
    }

    /// With a token, and a document unless it is null.
    pub(crate) async fn with_token(
        &self,
        method: &str,
        url: &str,
        token: &str,
        body: Value,
    ) -> Came {
        let bearer = format!("Bearer {token}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, url, &[("authorization", &bearer)], body).await
    }

    /// ARM, as the first application.
    pub(crate) async fn arm(&self, method: &str, path: &str, body: Value) -> Came {
        let token = self.token("https://management.azure.com").await;
        let url = format!("https://management.azure.com{path}?api-version=2025-11-01");
        self.with_token(method, &url, &token, body).await
    }

    pub(crate) async fn graph(&self, method: &str, path: &str, body: Value) -> Came {
        let token = self.token("https://graph.microsoft.com").await;
        self.with_token(method, &format!("https://graph.microsoft.com/v1.0{path}"), &token, body)
            .await
    }

    pub(crate) async fn secret(&self, method: &str, path: &str, body: Value) -> Came {
        let token = self.token("https://vault.azure.net").await;
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("https://mykeyvault.vault.azure.net{path}{mark}api-version=7.4");
        self.with_token(method, &url, &token, body).await
    }

    /// A registry's host, by a name and a password.
    pub(crate) async fn basic(&self, method: &str, path: &str, login: (&str, &str)) -> Came {
        let basic = BASE64_STANDARD.encode(format!("{}:{}", login.0, login.1));
        let url = format!("https://myregistry.azurecr.io{path}");
        self.send(method, &url, &[("authorization", &format!("Basic {basic}"))], Body::empty())
            .await
    }

    /// A new application with a secret: its id, its secret, and its principal's id.
    pub(crate) async fn principal(&self, name: &str) -> (String, String, String) {
        let app = self.graph("POST", "/applications", json!({ "displayName": name })).await.body;
        let (id, app_id) = (app["id"].as_str().unwrap(), app["appId"].as_str().unwrap().to_owned());
        let secret =
            self.graph("POST", &format!("/applications/{id}/addPassword"), json!({})).await.body;
        let made = self.graph("POST", "/servicePrincipals", json!({ "appId": app_id })).await.body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (app_id, text(&secret["secretText"]), text(&made["id"]))
    }

    /// Gives a role at a scope.
    pub(crate) async fn assign(&self, principal: &str, role: &str, scope: &str) -> Came {
        let name = uuid::Uuid::new_v4();
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
        let body = json!({ "properties": {
            "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": principal, "principalType": "ServicePrincipal",
        } });
        self.arm("PUT", &path, body).await
    }
}
