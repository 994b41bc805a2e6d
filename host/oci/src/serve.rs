//! stub
use std::{future::Future, io, sync::Arc, time::Duration};
use crate::*;
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
    pub method: &'a http::Method,
    /// Path and query.
    pub target: &'a str,
    /// The status.
    pub status: http::StatusCode,
    /// From the request's headers to the answer's.
    pub elapsed: Duration,
}
/// Who wants to know about requests.
pub trait AccessLog: Send + Sync {
    /// A request was answered; its body may still be on its way.
    fn record(&self, access: &Access<'_>);
}
/// An [`AccessLog`] that counts.
#[derive(Default)]
pub struct RequestCounts {}
/// Serves until `shutdown` is ready, then lets running requests end.
pub async fn serve(listener: tokio::net::TcpListener, registry: Arc<dyn Registry>, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> { serve_with(listener, registry, ServeOptions::default(), shutdown).await }
/// [`serve`], with options.
pub async fn serve_with(listener: tokio::net::TcpListener, registry: Arc<dyn Registry>, options: ServeOptions, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> { let _ = (listener, registry, options, shutdown); todo!() }
/// The distribution API over `registry`, for a server of one's own.
pub fn router(registry: Arc<dyn Registry>, options: ServeOptions) -> axum::Router { let _ = (registry, options); todo!() }
