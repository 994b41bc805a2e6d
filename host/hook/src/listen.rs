//! The listener: connections, how many, how patiently, and how they end.
//!
//! HTTP/1.1 in clear; TLS is the business of a proxy in front. Whatever a peer does, it holds one
//! connection of [`MOST_CONNECTIONS`], and a silent one does not hold it for long. `room` reads
//! requests and asks, `answer` has the words.

mod answer;
mod room;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::HookError;
use crate::hooks::Hooks;
use room::Room;

pub use room::LONGEST_BODY;

/// Connections at a time; more wait in the kernel. Each may hold a body, which makes 64 MiB.
pub const MOST_CONNECTIONS: usize = 64;

/// How long the headers of a request may take, and how long a connection may be idle before.
const HEADERS: Duration = Duration::from_secs(15);

/// The most that is read at once, which bounds the headers too.
const READ_BUFFER: usize = 64 * 1024;

/// How long what was begun may take when the listener is to stop.
const GRACE: Duration = Duration::from_secs(10);

/// When to try again if there are no more files to be had.
const PAUSE: Duration = Duration::from_millis(100);

/// An open door, through which nobody has come yet.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Opens `address`, such as `127.0.0.1:8300`; with port 0 on any that is free.
    ///
    /// # Errors
    /// It is no address of this machine, or somebody listens there.
    pub async fn bind(address: &str) -> Result<Self, HookError> {
        let failed = |source| HookError { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Hears `POST /hooks/NAME` until `stop` is cancelled, then finishes what was begun, for
    /// ten seconds at most. `GET /healthz` is answered to anybody.
    ///
    /// The sender gets a 2xx only after [`Hooks::take`] has returned.
    pub async fn serve<H: Hooks>(self, hooks: Arc<H>, stop: CancellationToken) {
        let room = Arc::new(Room::new(hooks));
        let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = accept(&self.listener, &permits) => match accepted {
                    Ok((stream, peer, permit)) => {
                        let (room, stop) = (Arc::clone(&room), stop.clone());
                        connections.spawn(async move {
                            connection(stream, peer, room, stop).await;
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
        drop(self.listener);
        let ended = timeout(GRACE, async { while connections.join_next().await.is_some() {} });
        if ended.await.is_err() {
            tracing::debug!("requests that took too long to end were cut off");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn connection<H: Hooks>(
    stream: TcpStream,
    peer: SocketAddr,
    room: Arc<Room<H>>,
    stop: CancellationToken,
) {
    let service = service_fn(move |request| {
        let room = Arc::clone(&room);
        async move { Ok::<_, Infallible>(room.answer(peer.ip(), request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke");
    }
}
