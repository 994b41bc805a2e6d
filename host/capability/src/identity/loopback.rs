//! Azure on loopback, as far as tests here need it: logins, a vault, a registry's token service.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use azure::{Endpoints, Identity, IdentityOptions};
use report::Mask;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

/// The token of Entra ID, and those that a registry makes of it.
pub(crate) const TOKEN: &str = "token-of-entra-id";
pub(crate) const REFRESH: &str = "refresh-token-of-the-registry";
pub(crate) const ACCESS: &str = "access-token-of-the-registry";

/// What the vault has.
pub(crate) const VALUE: &str = "password-in-the-vault";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Stops when dropped.
pub(crate) struct Azure {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Seen {
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization").map(|value| value.to_str().unwrap())
    }
}

impl Azure {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let router = Router::new().fallback(answer).with_state((Arc::clone(&seen), address));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, _tasks: tasks }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What came that was no login.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| !seen.line.contains("/oauth2/v2.0/"));
        seen
    }

    /// `host[:port]`, on which everything is.
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    /// What an identity called `prod` is told: a client secret that the pipeline calls `app`.
    pub(crate) fn options(&self) -> IdentityOptions {
        let at = |host: &str, path: &str| Some(self.url(host, path));
        let environment = |name: &str| match name {
            "AZURE_CLIENT_ID" => Some(OsString::from("app-id")),
            "AZURE_TENANT_ID" => Some(OsString::from("tenant-id")),
            _ => None,
        };
        IdentityOptions {
            name: "prod".to_owned(),
            tenant: None,
            client_id: None,
            client_secret: Some("app".to_owned()),
            certificate: None,
            federated_token_file: None,
            managed: None,
            links: Vec::new(),
            cloud: None,
            endpoints: Endpoints {
                login: at("127.0.0.1", ""),
                arm: at("arm.localhost", ""),
                graph: at("graph.localhost", ""),
                vault: at("{name}.vault.localhost", ""),
                registry: at("127.0.0.1", ""),
                ..Endpoints::default()
            },
            client: ::oci::client::ClientOptions::default(),
            environment: Arc::new(environment),
            clock: Arc::new(|| 1_795_361_118),
            mask: Mask::new(),
            az: None,
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::new(self.options()).unwrap()
    }
}

/// What the path says: `/to?URL` redirects there, `/refuse/…` logs nobody in.
async fn answer(
    State((seen, address)): State<(Arc<Mutex<Vec<Seen>>>, SocketAddr)>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let host = head.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    let line = format!("{} {}{}", head.method, host.unwrap_or_default(), head.uri);
    let seen_now = Seen { line, headers: head.headers, body };
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let json = |status: u16, body: serde_json::Value| {
        let response = Response::builder().status(status);
        response.header("content-type", "application/json").body(Body::from(body.to_string()))
    };
    let is_known = |token: &str| {
        seen_now.authorization().is_some_and(|value| value == format!("Bearer {token}"))
    };
    let response = match path {
        "/tenant-id/oauth2/v2.0/token" if seen_now.body.contains("client_secret=wrong") => json(
            401,
            json!({ "error": "invalid_client", "error_description": "AADSTS7000215: no" }),
        ),
        "/tenant-id/oauth2/v2.0/token" => {
            json(200, json!({ "access_token": TOKEN, "expires_in": 3599 }))
        }
        "/oauth2/exchange" => json(200, json!({ "refresh_token": REFRESH })),
        "/oauth2/token" => json(200, json!({ "access_token": ACCESS, "expires_in": 3599 })),
        "/to" => Response::builder().status(307).header("location", query).body(Body::empty()),
        "/secrets/pull-pwd/" if is_known(TOKEN) => json(200, json!({ "value": VALUE, "id": "x" })),
        "/secrets/empty/" if is_known(TOKEN) => json(200, json!({ "value": "", "id": "x/1" })),
        path if path.starts_with("/secrets/") => {
            json(403, json!({ "error": { "code": "Forbidden" } }))
        }
        "/v2/a/manifests/1" if is_known(ACCESS) => Response::builder()
            .header("content-type", "application/vnd.oci.image.manifest.v1+json")
            .header("docker-content-digest", format!("sha256:{}", "ab".repeat(32)))
            .header("content-length", "100")
            .body(Body::empty()),
        path if path.starts_with("/v2/") => Response::builder()
            .status(401)
            .header(
                "www-authenticate",
                format!("Bearer realm=\"http://{address}/oauth2/token\",service=\"{address}\""),
            )
            .body(Body::empty()),
        _ => json(200, json!({})),
    };
    seen.lock().unwrap().push(seen_now);
    response.unwrap()
}
