//! The embedded registry: the distribution API in front of any [`Registry`].
//!
//! `route` reads paths, one file each answers for manifests, blobs, uploads and lists, `answer`
//! knows how the specification says no. Uploads stream to the backend; only manifests are held.
//!
//! Never: a name that was not checked, a body of unknown size in memory, an answer that tells more
//! than the specification's codes and a sentence.

mod answer;
mod blobs;
mod lists;
mod manifests;
mod range;
mod route;
mod uploads;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use axum::serve::ListenerExt as _;
use http::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::Registry;
use answer::Refusal;
use route::{Query, Route};
use uploads::Sessions;

/// How long running requests may take when the server is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// What a server may be told.
#[derive(Clone, Default)]
pub struct ServeOptions {
    /// Told of every request when it is answered.
    pub log: Option<Arc<dyn AccessLog>>,
}

/// One answered request.
#[derive(Clone, Debug)]
pub struct Access<'a> {
    /// `GET`.
    pub method: &'a Method,
    /// Path and query.
    pub target: &'a str,
    /// The status.
    pub status: StatusCode,
    /// From the request's headers to the answer's.
    pub elapsed: Duration,
}

/// Who wants to know about requests.
pub trait AccessLog: Send + Sync {
    /// A request was answered; the body of the answer may still be on its way.
    fn record(&self, access: &Access<'_>);
}

/// An [`AccessLog`] that counts by method.
#[derive(Debug, Default)]
pub struct RequestCounts(Mutex<BTreeMap<String, u64>>);

impl RequestCounts {
    /// Requests of each method so far.
    pub fn by_method(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests so far.
    pub fn total(&self) -> u64 {
        self.by_method().values().sum()
    }
}

impl AccessLog for RequestCounts {
    fn record(&self, access: &Access<'_>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(access.method.to_string()).or_default() += 1;
    }
}

/// Serves until `shutdown` is ready, then gives running requests a few seconds to end.
///
/// # Errors
/// The listener broke.
pub async fn serve(
    listener: TcpListener,
    registry: Arc<dyn Registry>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_with(listener, registry, ServeOptions::default(), shutdown).await
}

/// [`serve`], with options.
///
/// # Errors
/// The listener broke.
pub async fn serve_with(
    listener: TcpListener,
    registry: Arc<dyn Registry>,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let listener = listener.tap_io(|stream| {
        // Small answers must not wait for the acknowledgement of the last ones.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
    });
    let server = axum::serve(listener, router(registry, options)).with_graceful_shutdown(async {
        shutdown.await;
        // Nobody listens any more: the server is gone already.
        let _ = stopping.send(());
    });
    let grace_over = async {
        match stopped.await {
            Ok(()) => tokio::time::sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        result = server.into_future() => result,
        () = grace_over => Ok(()),
    }
}

/// The distribution API over `registry`, for a server of one's own.
pub fn router(registry: Arc<dyn Registry>, options: ServeOptions) -> axum::Router {
    let server = Arc::new(Server { registry, sessions: Sessions::default() });
    axum::Router::new().fallback(move |request: Request| {
        let (server, options) = (Arc::clone(&server), options.clone());
        async move {
            let started = Instant::now();
            let method = request.method().clone();
            let target = request.uri().to_string();
            let response = server.answer(request).await;
            if let Some(log) = &options.log {
                let (status, elapsed) = (response.status(), started.elapsed());
                log.record(&Access { method: &method, target: &target, status, elapsed });
            }
            response
        }
    })
}

struct Server {
    registry: Arc<dyn Registry>,
    sessions: Sessions,
}

impl Server {
    async fn answer(&self, request: Request) -> Response {
        let is_head = request.method() == Method::HEAD;
        let answer = match Route::of(request.uri().path()) {
            Ok(route) => self.dispatch(route, request).await,
            Err(refusal) => Err(refusal),
        };
        answer::finish(answer, is_head)
    }

    async fn dispatch(&self, route: Route, request: Request) -> Result<Response, Refusal> {
        let query = Query::of(request.uri());
        let method = request.method().clone();
        match (route, method.as_str()) {
            (Route::Base, "GET" | "HEAD") => Ok(answer::json(&serde_json::json!({}))),
            (Route::Catalog, "GET") => self.catalog(&query).await,
            (Route::Tags(name), "GET") => self.tags(&name, &query).await,
            (Route::Referrers(name, digest), "GET") => self.referrers(&name, &digest, &query).await,
            (Route::Manifest(name, at), "GET" | "HEAD") => self.get_manifest(&name, &at).await,
            (Route::Manifest(name, at), "PUT") => self.put_manifest(&name, &at, request).await,
            (Route::Manifest(name, at), "DELETE") => self.delete_manifest(&name, &at).await,
            (Route::Blob(name, digest), "GET" | "HEAD") => {
                self.get_blob(&name, &digest, request.headers()).await
            }
            (Route::Blob(name, digest), "DELETE") => self.delete_blob(&name, &digest).await,
            (Route::Uploads(name), "POST") => self.start_upload(&name, &query, request).await,
            (Route::Upload(name, id), "PATCH") => self.continue_upload(&name, &id, request).await,
            (Route::Upload(name, id), "PUT") => {
                self.finish_upload(&name, &id, &query, request).await
            }
            (Route::Upload(name, id), "GET" | "HEAD") => self.upload_status(&name, &id).await,
            (Route::Upload(name, id), "DELETE") => self.cancel_upload(&name, &id),
            _ => Err(Refusal::method()),
        }
    }
}
