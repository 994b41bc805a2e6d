//! The embedded registry: the distribution API in front of any [`Registry`].
//!
//! `accept` takes connections, `users` says who may come in, `route` reads paths, one file each
//! answers for manifests, blobs, uploads and lists, `answer` knows how the specification says no.
//! Uploads stream to the backend; only manifests are held.
//!
//! Never: a name that was not checked, a body of unknown size in memory, an answer that tells more
//! than the specification's codes and a sentence.

mod accept;
mod access;
mod answer;
mod blobs;
mod condition;
mod lists;
mod manifests;
mod range;
mod rest;
mod route;
mod sessions;
mod setup;
mod uploads;
mod users;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::Method;
use tokio::net::TcpListener;
use tokio::sync::RwLock;
use tokio::time::Instant;

use crate::Registry;
use answer::Refusal;
use route::{Query, Route};
use sessions::Sessions;

pub use access::{Access, AccessLog, RequestCounts};
pub use setup::{SetupError, Tls};
pub use users::Users;

/// How often uploads that nobody touches are looked for.
const TIDY: Duration = Duration::from_secs(60);

/// What a server may be told.
#[derive(Clone, Default)]
pub struct ServeOptions {
    /// Told of every request when it is answered.
    pub log: Option<Arc<dyn AccessLog>>,
    /// Who may come in; without it, anybody.
    pub users: Option<Arc<Users>>,
    /// With it, TLS alone is spoken. [`router`] does not look at it.
    pub tls: Option<Tls>,
}

/// Serves until `shutdown` is ready, then gives running requests a few seconds to end.
pub async fn serve(
    listener: TcpListener,
    registry: Arc<dyn Registry>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    serve_with(listener, registry, ServeOptions::default(), shutdown).await;
}

/// [`serve`], with options.
pub async fn serve_with(
    listener: TcpListener,
    registry: Arc<dyn Registry>,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let tls = options.tls.clone().map(|tls| tls.0);
    let server = Arc::new(Server::new(registry, options.users));
    let router = routes(Arc::clone(&server), options.log);
    tokio::select! {
        () = accept::run(listener, router, tls, shutdown) => {}
        () = server.keep_tidy() => {}
    }
}

/// The distribution API over `registry`, for a server of one's own.
pub fn router(registry: Arc<dyn Registry>, options: ServeOptions) -> Router {
    routes(Arc::new(Server::new(registry, options.users)), options.log)
}

fn routes(server: Arc<Server>, log: Option<Arc<dyn AccessLog>>) -> Router {
    Router::new().fallback(move |request: Request| {
        let (server, log) = (Arc::clone(&server), log.clone());
        async move {
            let started = Instant::now();
            let method = request.method().clone();
            let target = request.uri().to_string();
            let response = server.answer(request).await;
            if let Some(log) = &log {
                let (status, elapsed) = (response.status(), started.elapsed());
                log.record(&Access { method: &method, target: &target, status, elapsed });
            }
            response
        }
    })
}

struct Server {
    registry: Arc<dyn Registry>,
    users: Option<Arc<Users>>,
    sessions: Sessions,
    /// Held while manifests and tags change: by those with a condition, alone.
    changes: RwLock<()>,
}

impl Server {
    fn new(registry: Arc<dyn Registry>, users: Option<Arc<Users>>) -> Self {
        Self { registry, users, sessions: Sessions::default(), changes: RwLock::default() }
    }

    /// Never ends.
    async fn keep_tidy(&self) {
        if let Err(error) = self.registry.tidy().await {
            tracing::warn!(%error, "what killed processes left could not be swept up");
        }
        loop {
            tokio::time::sleep(TIDY).await;
            self.sessions.expire();
        }
    }

    async fn answer(&self, request: Request) -> Response {
        let is_head = request.method() == Method::HEAD;
        let (request, rest) = rest::of(request);
        let answer = self.admit(request).await;
        if answer.is_err() {
            rest.read().await;
        }
        answer::finish(answer, is_head)
    }

    /// Nothing is told to strangers, not even which paths there are.
    async fn admit(&self, request: Request) -> Result<Response, Refusal> {
        if let Some(users) = &self.users {
            users.check(request.headers()).await?;
        }
        self.dispatch(Route::of(request.uri().path())?, request).await
    }

    async fn dispatch(&self, route: Route, request: Request) -> Result<Response, Refusal> {
        let query = Query::of(request.uri());
        let method = request.method().clone();
        match (route, method.as_str()) {
            (Route::Base, "GET" | "HEAD") => Ok(answer::json(&serde_json::json!({}))),
            (Route::Catalog, "GET" | "HEAD") => self.catalog(&query).await,
            (Route::Tags(name), "GET" | "HEAD") => self.tags(&name, &query).await,
            (Route::Referrers(name, digest), "GET" | "HEAD") => {
                self.referrers(&name, &digest, &query).await
            }
            (Route::Manifest(name, at), "GET" | "HEAD") => {
                self.get_manifest(&name, &at, request.headers()).await
            }
            (Route::Manifest(name, at), "PUT") => {
                self.put_manifest(&name, &at, &query, request).await
            }
            (Route::Manifest(name, at), "DELETE") => {
                self.delete_manifest(&name, &at, request.headers()).await
            }
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
            (route, _) => Err(Refusal::method(route.methods())),
        }
    }
}
