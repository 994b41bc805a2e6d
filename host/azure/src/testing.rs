//! What tests need: a server on loopback that remembers, and an identity that knows no other.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::future::BoxFuture;
use oci::client::ClientOptions;
use report::{Fault, Mask, Secret};
use tokio::task::JoinSet;
use url::Url;

use crate::cloud::Endpoints;
use crate::identity::{Identity, IdentityOptions, SecretReader};
use crate::wire::Wire;

/// The moment at which all tests are, in seconds since 1970: that of the captures.
pub(crate) const NOW: i64 = 1_795_361_118;

/// The tenant and the application of the captures.
pub(crate) const TENANT: &str = "22222222-2222-2222-2222-222222222222";
pub(crate) const APP: &str = "33333333-3333-3333-3333-333333333333";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

/// What to answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// A server that remembers what it was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _task: JoinSet<()>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: impl ToString) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A token as Entra ID gives it.
pub(crate) fn granted(token: &str, life: u64) -> Reply {
    Reply::json(
        200,
        serde_json::json!({ "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token }),
    )
}

impl Seen {
    /// The fields of a form, as `key=value`, in order.
    pub(crate) fn form(&self) -> Vec<String> {
        let pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs.map(|(key, value)| format!("{key}={value}")).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Server {
    /// Answers with what `answer` says.
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (remembered, answer) = (Arc::clone(&seen), Arc::new(answer));
        let router = Router::new().fallback(move |request: Request| {
            let (remembered, answer) = (Arc::clone(&remembered), Arc::clone(&answer));
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let seen = Seen {
                    method: head.method.to_string(),
                    target: head.uri.path_and_query().unwrap().to_string(),
                    headers: head.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                };
                let reply = answer(&seen);
                remembered.lock().unwrap().push(seen);
                let mut response = Response::builder().status(reply.status);
                for (name, value) in reply.headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(reply.body)).unwrap()
            }
        });
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, _task: task }
    }

    /// What it was asked, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The same as `METHOD TARGET`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect()
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

/// An identity all of whose endpoints are `url`, in an environment of `variables` alone.
pub(crate) fn options(url: &str, variables: &[(&'static str, &str)]) -> IdentityOptions {
    let url = url.to_owned();
    // Nobody asks a real metadata service from a test.
    let mut known = vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", OsString::from(&url))];
    for &(name, value) in variables {
        known.retain(|(other, _)| *other != name);
        known.push((name, OsString::from(value)));
    }
    IdentityOptions {
        name: "prod".to_owned(),
        tenant: None,
        client_id: None,
        client_secret: None,
        certificate: None,
        federated_token_file: None,
        managed: None,
        links: Vec::new(),
        cloud: None,
        endpoints: Endpoints {
            login: Some(url.clone()),
            arm: Some(format!("{url}/arm")),
            arm_audience: Some("https://management.azure.com".to_owned()),
            graph: Some(format!("{url}/graph")),
            vault: Some(format!("{url}/vault/{{name}}")),
            registry: Some(url),
            ..Endpoints::default()
        },
        client: ClientOptions::default(),
        environment: Arc::new(move |name| {
            known.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone())
        }),
        clock: Arc::new(|| NOW),
        mask: Mask::new(),
        az: None,
    }
}

/// The same as one that logs in by a client secret of the environment.
pub(crate) fn with_secret(url: &str) -> IdentityOptions {
    options(
        url,
        &[
            ("AZURE_CLIENT_ID", APP),
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_SECRET", "s3cr3t-of-the-app"),
        ],
    )
}

/// The identity, and the pauses that it would have made.
pub(crate) fn identity(options: IdentityOptions) -> (Identity, Arc<Mutex<Vec<Duration>>>) {
    let pauses = Arc::new(Mutex::new(Vec::new()));
    let made = Arc::clone(&pauses);
    let pause = move |pause| -> BoxFuture<'static, ()> {
        made.lock().unwrap().push(pause);
        Box::pin(std::future::ready(()))
    };
    let wire = Wire::pausing(options.client.clone(), Arc::new(pause));
    (Identity::with_wire(options, wire).unwrap(), pauses)
}

/// One secret, by name.
pub(crate) struct OneSecret(pub(crate) &'static str, pub(crate) Vec<u8>);

impl SecretReader for OneSecret {
    fn read<'a>(&'a self, name: &'a str, to: &'a Url) -> BoxFuture<'a, Result<Secret, Fault>> {
        assert!(to.path().ends_with("/oauth2/v2.0/token"), "{to}");
        let found = if name == self.0 {
            Ok(Secret::new(self.1.clone()))
        } else {
            Err(Fault::new(report::Kind::Unauthorized, format!("no secret `{name}`")))
        };
        Box::pin(std::future::ready(found))
    }
}
