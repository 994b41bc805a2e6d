//! What is left of a request's body when the request is refused.
//!
//! A connection that is closed while bytes wait to be read is reset, and the reset takes the answer
//! with it: the client would learn that something broke, not what. So some of the rest is read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use futures::StreamExt as _;
use http::header::EXPECT;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::timeout;

/// As much is read: more than a manifest, or a chunk of an upload.
const MOST: usize = 16 * 1024 * 1024;

/// For as long.
const PATIENCE: Duration = Duration::from_secs(5);

type Home = Arc<Mutex<Option<Body>>>;

/// Where the body of a request comes back to when nobody reads it any more.
pub(super) struct Rest(Option<Home>);

/// A body on its way through a request.
struct Lent {
    body: Body,
    home: Home,
}

/// Lends the body of `request`.
pub(super) fn of(request: Request) -> (Request, Rest) {
    let (head, body) = request.into_parts();
    // Who asks before it sends is not asked to send.
    if body.is_end_stream() || head.headers.contains_key(EXPECT) {
        return (Request::from_parts(head, body), Rest(None));
    }
    let home = Home::default();
    let lent = Lent { body, home: Arc::clone(&home) };
    (Request::from_parts(head, Body::new(lent)), Rest(Some(home)))
}

impl Rest {
    /// Reads what is left, within reason.
    pub(super) async fn read(self) {
        let home = self.0.as_ref();
        let take = |home: &Home| home.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(body) = home.and_then(take).filter(|body| !body.is_end_stream()) else { return };
        let mut stream = body.into_data_stream();
        let mut left = MOST;
        let read = timeout(PATIENCE, async {
            while let Some(Ok(chunk)) = stream.next().await {
                let Some(less) = left.checked_sub(chunk.len()) else { break };
                left = less;
            }
        });
        if read.await.is_err() {
            tracing::debug!("the rest of a refused request did not come");
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let body = std::mem::take(&mut self.body);
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
