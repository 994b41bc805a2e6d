//! The emulator as its clients see it: over TLS with its own authority, through its proxy or at its
//! own address. What is behind the door is tested by `services`, without sockets.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says by a panic what is wrong"
)]

use axum::Router;
use axum::extract::Request;
use azure_emulator::{Config, Emulator, EmulatorError};
use http::StatusCode;
use oci::client::{CaFile, ClientOptions, ProxyOptions};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const TENANT: &str = "22222222-2222-2222-2222-222222222222";
const FORM: &str = "grant_type=client_credentials&client_id=33333333-3333-3333-3333-333333333333&client_secret=s3cr3t";

struct Client {
    http: reqwest::Client,
    emulator: Emulator,
    folder: tempfile::TempDir,
}

/// A client that uses the proxy for every name; loopback is reached at once.
async fn start() -> Client {
    start_with(|_| {}).await
}

async fn start_with(change: impl FnOnce(&mut Config)) -> Client {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    change(&mut config);
    let emulator = Emulator::start(config).await.unwrap();
    let http = oci::client::build(&ClientOptions {
        ca_files: vec![CaFile { path: folder.path().join("ca.pem"), only_for: None }],
        proxy: ProxyOptions { https: Some(emulator.proxy_url()), ..ProxyOptions::default() },
        ..ClientOptions::default()
    });
    Client { http: http.unwrap(), emulator, folder }
}

impl Client {
    async fn json(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn token(&self, at: &str, audience: &str) -> String {
        let url = format!("{at}/{TENANT}/oauth2/v2.0/token");
        let form = format!("{FORM}&scope={audience}/.default");
        let (status, body) = self.json(self.http.post(url).body(form)).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn hosts_are_reached_through_the_proxy_by_their_own_names() {
    let client = start().await;
    let token = client.token("https://login.microsoftonline.com", "https://vault.azure.net").await;
    let url = "https://mykeyvault.vault.azure.net/secrets/a?api-version=7.4";
    let put = client.http.put(url).bearer_auth(&token).body(json!({ "value": "v" }).to_string());
    let (status, body) = client.json(put).await;
    assert_eq!(status, 200, "{body}");
    let id = body["id"].as_str().unwrap();
    assert!(id.starts_with("https://mykeyvault.vault.azure.net/secrets/a/"), "{id}");
    let (status, body) =
        client.json(client.http.get(format!("{id}?api-version=7.4")).bearer_auth(&token)).await;
    assert_eq!((status, &body["value"]), (200, &json!("v")));
    client.emulator.shutdown().await;
}

#[tokio::test]
async fn hosts_are_reached_by_explicit_urls_and_links_lead_back() {
    let client = start().await;
    let base = client.emulator.base_url();
    let token = client.token(&base, "https://management.azure.com").await;
    let (status, body) = client
        .json(
            client
                .http
                .get(format!("{base}/subscriptions?api-version=2022-12-01"))
                .bearer_auth(&token),
        )
        .await;
    assert_eq!(status, 200, "{body}");
    let vault = format!("{base}/_host/mykeyvault.vault.azure.net/secrets/a?api-version=7.4");
    let response = client.http.get(vault).send().await.unwrap();
    assert_eq!(response.status(), 401);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains(&format!("authorization=\"{base}/{TENANT}\"")), "{challenge}");
    let url = format!("{base}/{TENANT}/v2.0/.well-known/openid-configuration");
    let (_, body) = client.json(client.http.get(url)).await;
    assert_eq!(body["token_endpoint"], json!(format!("{base}/{TENANT}/oauth2/v2.0/token")));
}

#[tokio::test]
async fn the_proxy_leads_nowhere_else() {
    let client = start().await;
    for url in ["https://example.com/", "https://mcr.microsoft.com/v2/", "https://a.b.azurecr.io/"]
    {
        assert!(client.http.get(url).send().await.is_err(), "{url}");
    }
    let (status, _) = client
        .json(client.http.get(format!("{}/_host/example.com/", client.emulator.base_url())))
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn hosts_that_the_configuration_names_are_read_under_their_own_names() {
    let there = Router::new().fallback(|request: Request| async move {
        let line = format!("{} {}", request.method(), request.uri());
        let place = format!("http://{}/elsewhere", request.headers()["host"].to_str().unwrap());
        match request.uri().path() {
            "/base/moved" => (StatusCode::FOUND, [("location", place)], line),
            _ => (StatusCode::OK, [("docker-content-digest", "sha256:1".to_owned())], line),
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(axum::serve(listener, there).into_future());
    let client = start_with(|config| {
        let url: url::Url = format!("http://{address}").parse().unwrap();
        config.upstreams.insert("git.example".to_owned(), url.join("/base/").unwrap());
        config.upstreams.insert("docker.io".to_owned(), url);
        config.upstreams.insert("gone.example".to_owned(), "http://127.0.0.1:1".parse().unwrap());
    })
    .await;
    let text = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let get = |url: &str| client.http.get(url);
    let hub = "https://registry-1.docker.io/v2/library/node/manifests/9-alpine?n=1";
    let asked = "/v2/library/node/manifests/9-alpine?n=1";
    assert_eq!(text(get(hub)).await, (200, format!("GET {asked}")));
    let head = client.http.head(hub).send().await.unwrap();
    assert_eq!(head.headers()["docker-content-digest"], "sha256:1");
    assert_eq!(text(get("https://git.example/me/app.git")).await.1, "GET /base/me/app.git");
    let pack = "https://git.example/me/app.git/git-upload-pack";
    assert_eq!(text(client.http.post(pack)).await.0, 200);
    let moved = get("https://registry-1.docker.io/base/moved").send().await.unwrap();
    assert_eq!(moved.headers()["location"], "/elsewhere", "followed through the proxy");
    let moved = get("https://git.example/moved").send().await.unwrap();
    // Elsewhere on that server is not below what was named.
    assert_eq!(moved.headers()["location"], format!("http://{address}/elsewhere"));
    for (method, url) in
        [("PUT", hub), ("DELETE", hub), ("POST", "https://git.example/x/git-receive-pack")]
    {
        let request = client.http.request(method.parse().unwrap(), url);
        assert_eq!(text(request).await.0, 405, "{method} {url}");
    }
    assert_eq!(text(get("https://gone.example/")).await.0, 502);
    assert!(get("https://auth.docker.io/token").send().await.is_err());
}

#[tokio::test]
async fn a_stranger_does_not_trust_it() {
    let client = start().await;
    let http = oci::client::build(&ClientOptions::default()).unwrap();
    assert!(http.get(client.emulator.base_url()).send().await.is_err());
    let pem = fs_err::read_to_string(client.folder.path().join("ca.pem")).unwrap();
    assert_eq!(pem, client.emulator.ca_pem());
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let client = start().await;
    let base = client.emulator.base_url();
    let token = client.token(&base, "https://vault.azure.net").await;
    let path = "_host/mykeyvault.vault.azure.net/secrets/kept?api-version=7.4";
    let put = client.http.put(format!("{base}/{path}")).bearer_auth(&token);
    let (status, _) = client.json(put.body(r#"{"value":"x"}"#)).await;
    assert_eq!(status, 200);
    let Client { http, emulator, folder } = client;
    emulator.shutdown().await;
    let emulator = Emulator::start(Config::new(folder.path())).await.unwrap();
    let client = Client { http, emulator, folder };
    // The key is the same: the old token still counts, as does the authority.
    let url = format!("{}/{path}", client.emulator.base_url());
    let (status, body) = client.json(client.http.get(url).bearer_auth(&token)).await;
    assert_eq!((status, &body["value"]), (200, &json!("x")));
}

#[tokio::test]
async fn faults_are_planned_at_its_own_address_and_not_through_the_proxy() {
    let client = start().await;
    let base = client.emulator.base_url();
    let planned = json!({ "fault": { "kind": "throttle", "retry-after": 7 }, "on": "login" });
    let post = client.http.post(format!("{base}/_emulator/faults")).body(planned.to_string());
    let (status, body) = client.json(post).await;
    assert_eq!(status, 204, "{body}");
    let (status, body) = client.json(client.http.get(format!("{base}/_emulator/faults"))).await;
    assert_eq!((status, body["faults"].as_array().map(Vec::len)), (200, Some(1)));
    let login = format!("{base}/common/v2.0/.well-known/openid-configuration");
    let response = client.http.get(&login).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(client.http.get(&login).send().await.unwrap().status(), 200);
    let hidden =
        client.http.get("https://management.azure.com/_emulator/faults?api-version=2022-12-01");
    assert_eq!(client.json(hidden).await.0, 401);
    let bad =
        client.http.post(format!("{base}/_emulator/faults")).body(r#"{"fault":{"kind":"x"}}"#);
    assert_eq!(client.json(bad).await.0, 400);
}

#[tokio::test]
async fn only_loopback_and_only_names_of_azure() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(Emulator::start(config).await, Err(EmulatorError::Listen { .. })));
    for (registry, vault) in [("no-hyphen", "fine1"), ("myregistry", "not--fine"), ("abc", "fine1")]
    {
        let mut config = Config::new(folder.path());
        config.names.registries = vec![registry.to_owned()];
        config.names.vaults = vec![vault.to_owned()];
        assert!(matches!(Emulator::start(config).await, Err(EmulatorError::Name { .. })));
    }
    fs_err::write(folder.path().join("state.json"), "{").unwrap();
    let broken = Emulator::start(Config::new(folder.path())).await;
    assert!(matches!(broken, Err(EmulatorError::State { .. })));
}
