//! A server that says what it was asked, and does what the path says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use tokio::{net::TcpListener, task::JoinSet};

/// Stops when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Server {
    /// `/status/N` answers with N; `/to/N?URL` redirects with N; `/large` sends more than 16 MiB;
    /// `/never` does not answer; `/stall` sends a piece of its body and no more; the rest is `ok`.
    pub(super) async fn start() -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, _tasks: tasks }
    }

    pub(super) fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn answer(State(seen): State<Arc<Mutex<Vec<Seen>>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let line = format!("{} {}", head.method, head.uri);
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(Seen { line, headers: head.headers, body: body.clone() });
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["status", code] => StatusCode::from_bytes(code.as_bytes()).unwrap().into_response(),
        ["to", code] => {
            let code = StatusCode::from_bytes(code.as_bytes()).unwrap();
            (code, [("location", query)]).into_response()
        }
        ["large"] => {
            let piece = Bytes::from(vec![b'x'; 1024 * 1024]);
            let pieces = vec![piece; 17].into_iter().map(Ok::<_, std::io::Error>);
            let pieces = futures::stream::iter(pieces);
            Body::from_stream(pieces).into_response()
        }
        ["promised"] => {
            let headers = [("content-length", "99999999999")];
            (
                headers,
                Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>()),
            )
                .into_response()
        }
        ["never"] => std::future::pending().await,
        ["stall"] => {
            use futures::StreamExt as _;
            let first =
                futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"first"))]);
            Body::from_stream(first.chain(futures::stream::pending())).into_response()
        }
        ["odd"] => ([("x-odd", HeaderValue::from_bytes(b"a\xffb").unwrap())], "ok").into_response(),
        ["echo"] => body.into_response(),
        _ => "ok".into_response(),
    }
}
