//! A listener on a free port, and somebody who takes what is heard.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Delivery, Endpoint, Hooks, Listener, NotTaken, Taken};

/// Takes everything, unless it is told otherwise.
pub(super) struct Told {
    pub(super) endpoints: Mutex<BTreeMap<String, Endpoint>>,
    pub(super) heard: Mutex<Vec<(String, Delivery)>>,
    /// What is said next; when it is empty, that the run `da8` has been started.
    pub(super) says: Mutex<VecDeque<Result<Taken, NotTaken>>>,
    /// Each delivery needs one.
    pub(super) permits: Semaphore,
}

/// Ends when it is dropped.
pub(super) struct Open {
    pub(super) address: SocketAddr,
    pub(super) told: Arc<Told>,
    pub(super) stop: CancellationToken,
    pub(super) served: JoinSet<()>,
}

impl Hooks for Told {
    fn endpoint(&self, name: &str) -> Option<Endpoint> {
        self.endpoints.lock().unwrap().get(name).cloned()
    }

    async fn take(&self, name: &str, delivery: Delivery) -> Result<Taken, NotTaken> {
        self.heard.lock().unwrap().push((name.to_owned(), delivery));
        self.permits.acquire().await.unwrap().forget();
        let next = self.says.lock().unwrap().pop_front();
        next.unwrap_or_else(|| Ok(Taken::Started(vec!["da8".to_owned()])))
    }
}

impl Open {
    pub(super) async fn with(endpoints: &[(&str, Endpoint)]) -> Self {
        let endpoints =
            endpoints.iter().map(|(name, at)| ((*name).to_owned(), at.clone())).collect();
        let told = Arc::new(Told {
            endpoints: Mutex::new(endpoints),
            heard: Mutex::default(),
            says: Mutex::default(),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr(), CancellationToken::new());
        let mut served = JoinSet::new();
        served.spawn(listener.serve(Arc::clone(&told), stop.clone()));
        Self { address, told, stop, served }
    }

    pub(super) fn heard(&self) -> Vec<(String, Delivery)> {
        self.told.heard.lock().unwrap().clone()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends some bytes on a connection of their own, and returns all that comes back.
    pub(super) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        all(&mut stream).await
    }

    /// A request without a body that closes its connection; returns the status and the last line.
    pub(super) async fn ask(&self, line: &str, headers: &str) -> String {
        let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        brief(&self.raw(request.as_bytes()).await)
    }
}

/// All that comes until the connection ends, however it does.
pub(super) async fn all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        bytes.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8(bytes).unwrap()
}

/// The status and what was said.
pub(super) fn brief(answer: &str) -> String {
    let status = answer.split(' ').nth(1).unwrap_or("nothing");
    let said = answer.split_once("\r\n\r\n").map_or("", |(_, said)| said.trim_end());
    format!("{status} {said}").trim_end().to_owned()
}
