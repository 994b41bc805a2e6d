//! Connections. The first byte tells TLS from HTTP; `CONNECT` opens a way to an emulated host.
//!
//! Never: a way to any other host. Of the outside the proxy has what the configuration names, and that
//! only to be read.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::access::Asked;
use super::forward;
use super::host::{self, Service};
use crate::azure::Azure;
use crate::origin::{HOST_PREFIX, Origin};

/// Connections at a time; more wait in the kernel.
const MOST_CONNECTIONS: usize = 400;

/// How long a TLS handshake, or the first byte, may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long the headers of a request may take.
const HEADERS: Duration = Duration::from_secs(60);

/// When to try again if there are no more files to be had.
const PAUSE: Duration = Duration::from_millis(100);

/// The first byte of TLS: a record of the handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// The port that CONNECT means if it names none.
const TLS_PORT: u16 = 443;

/// The port that means plain HTTP behind CONNECT.
const PLAIN_PORT: u16 = 80;

/// What every connection is served with.
pub(crate) struct Door {
    pub(crate) azure: Arc<Azure>,
    pub(crate) tls: TlsAcceptor,
    pub(crate) address: SocketAddr,
    /// Ways that CONNECT opened: they outlive the request that asked for them.
    pub(crate) tunnels: Mutex<JoinSet<()>>,
}

/// Where the bytes of a connection go.
#[derive(Clone)]
enum Way {
    /// To our own address, under this scheme.
    Own(&'static str),
    /// To a host, which the proxy was asked for.
    To(String),
}

impl Door {
    /// Serves until it is dropped or `stop` is cancelled.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = accept(&listener, &permits) => match accepted {
                    Ok((stream, permit)) => {
                        let door = Arc::clone(&self);
                        connections.spawn(async move {
                            door.connection(stream).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(PAUSE).await;
                    }
                },
            }
        }
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let mut first = [0];
        match timeout(HANDSHAKE, stream.peek(&mut first)).await {
            Ok(Ok(1)) if first == [TLS_HANDSHAKE] => self.secure(stream, Way::Own("https")).await,
            Ok(Ok(1)) => self.http(stream, Way::Own("http")).await,
            Ok(_) | Err(_) => tracing::debug!("a connection said nothing"),
        }
    }

    async fn secure<S>(self: Arc<Self>, stream: S, way: Way)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match timeout(HANDSHAKE, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => self.http(stream, way).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn http<S>(self: Arc<Self>, stream: S, way: Way)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request: Request<Incoming>| {
            let (door, way) = (Arc::clone(&self), way.clone());
            async move { Ok::<_, std::convert::Infallible>(door.answer(request, way).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection broke");
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, way: Way) -> Response {
        if request.method() == Method::CONNECT {
            return self.connect(request);
        }
        let request = request.map(Body::new);
        let Some(log) = self.azure.config.log.clone() else {
            return self.pass(request, &way).await;
        };
        let host = match &way {
            Way::To(host) => Some(host.as_str()),
            Way::Own(_) => None,
        };
        let asked = Asked::of(&request, host);
        let response = self.pass(request, &way).await;
        asked.answered(response.status(), log.as_ref());
        response
    }

    /// To whom it is meant for.
    async fn pass(&self, mut request: Request, way: &Way) -> Response {
        let (service, origin) = match self.place(&mut request, way) {
            Ok(place) => place,
            Err(host) => return no_such_host(&host),
        };
        if let Service::Container(fqdn) = &service {
            return forward::request(&self.azure, fqdn, request).await;
        }
        if let Service::Outside(name) = &service {
            return forward::outside(&self.azure, name, request).await;
        }
        self.azure.answer(service, origin, request).await
    }

    /// The service behind a host, emulated or named by the configuration.
    fn service(&self, host: &str) -> Option<Service> {
        let upstreams = &self.azure.config.upstreams;
        host::service(host).or_else(|| host::upstream(upstreams, host).map(Service::Outside))
    }

    /// Which service is meant, and how links lead back to it. The path loses a host's prefix.
    fn place(&self, request: &mut Request, way: &Way) -> Result<(Service, Origin), String> {
        if let Way::To(host) = way {
            let service = self.service(host).ok_or_else(|| host.clone())?;
            return Ok((service, Origin::Names));
        }
        let Way::Own(scheme) = way else { return Err(String::new()) };
        let origin = Origin::Base(format!("{scheme}://{}", self.address));
        // A proxied request over plain HTTP has the host in its target.
        let named = request.uri().host().map(str::to_owned).or_else(|| {
            let host = request.headers().get("host")?.to_str().ok()?;
            Some(host::without_port(host).to_owned())
        });
        let named = named.unwrap_or_default();
        match self.service(named.trim_matches(['[', ']'])) {
            Some(Service::Own) => {}
            Some(service) => return Ok((service, Origin::Names)),
            None => return Err(named),
        }
        let Some(host) = take_prefix(request.uri_mut()) else { return Ok((Service::Own, origin)) };
        match self.service(&host) {
            Some(service) => Ok((service, origin)),
            None => Err(host),
        }
    }

    fn connect(self: Arc<Self>, request: Request<Incoming>) -> Response {
        let Some(authority) = request.uri().authority().cloned() else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let name = host::without_port(authority.as_str()).to_owned();
        let target = match self.service(&name) {
            None | Some(Service::Own) => return no_such_host(&name),
            Some(Service::Container(fqdn)) => {
                let port = authority.port_u16().unwrap_or(TLS_PORT);
                let Some(address) = self.azure.alive.address(&fqdn, port) else {
                    return StatusCode::BAD_GATEWAY.into_response();
                };
                Some(address)
            }
            Some(_) => None,
        };
        let way = Way::To(name);
        let is_plain = authority.port_u16() == Some(PLAIN_PORT);
        let door = Arc::clone(&self);
        let mut tunnels = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
        while tunnels.try_join_next().is_some() {}
        if tunnels.len() >= MOST_CONNECTIONS {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        if let Some(address) = target {
            tunnels.spawn(forward::join(hyper::upgrade::on(request), address));
            return StatusCode::OK.into_response();
        }
        tunnels.spawn(async move {
            match hyper::upgrade::on(request).await {
                Ok(stream) if is_plain => door.http(TokioIo::new(stream), way).await,
                Ok(stream) => door.secure(TokioIo::new(stream), way).await,
                Err(error) => tracing::debug!(%error, "a way was asked for and not taken"),
            }
        });
        StatusCode::OK.into_response()
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

fn no_such_host(host: &str) -> Response {
    let text = format!("the emulator is not `{host}`, and leads to nobody else\n");
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Takes `/_host/HOST` off a path.
fn take_prefix(uri: &mut Uri) -> Option<String> {
    let rest = uri.path_and_query()?.as_str().strip_prefix('/')?.strip_prefix(HOST_PREFIX)?;
    let rest = rest.strip_prefix('/')?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let host = host.to_owned();
    *uri = path.parse().ok()?;
    Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_comes_off_with_its_query_kept() {
        let mut uri: Uri = "/_host/a.vault.azure.net/secrets?x=1".parse().unwrap();
        assert_eq!(take_prefix(&mut uri).as_deref(), Some("a.vault.azure.net"));
        assert_eq!(uri.to_string(), "/secrets?x=1");
        let mut uri: Uri = "/_host/a.azurecr.io?x=1".parse().unwrap();
        assert_eq!(take_prefix(&mut uri).as_deref(), Some("a.azurecr.io"));
        assert_eq!(uri.to_string(), "/?x=1");
    }

    #[test]
    fn other_paths_have_none() {
        for path in ["/", "/_hosts/x/y", "/subscriptions"] {
            assert_eq!(take_prefix(&mut path.parse().unwrap()), None, "{path}");
        }
    }
}
