//! A line that breaks: a proxy that cuts connections after so many bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A proxy before a server; ends when dropped.
pub(super) struct Cutting {
    pub(super) host: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    upstream: String,
    /// After so many bytes from clients, of all connections together, the one that passes is cut.
    cuts: Mutex<VecDeque<u64>>,
    passed: Mutex<u64>,
}

impl Cutting {
    pub(super) async fn before(upstream: &str, cuts: &[u64]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            cuts: Mutex::new(cuts.iter().copied().collect()),
            passed: Mutex::new(0),
        });
        let mut tasks = JoinSet::new();
        let all = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(connection(client, Arc::clone(&all)));
            }
        });
        Self { host, shared, _tasks: tasks }
    }

    /// The bytes that clients have sent, and the cuts that are still to come.
    pub(super) fn passed(&self) -> (u64, usize) {
        (*self.shared.passed.lock().unwrap(), self.shared.cuts.lock().unwrap().len())
    }
}

async fn connection(mut client: TcpStream, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(&shared.upstream).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let kept = shared.kept(read);
            if to_server.write_all(&buffer[..kept]).await.is_err() || kept < read {
                break;
            }
        }
    };
    let down = tokio::io::copy(&mut from_server, &mut to_client);
    // Whoever ends first ends both.
    tokio::select! { () = up => {}, _ = down => {} }
}

impl Shared {
    /// How many of `read` bytes pass; fewer if the line breaks here.
    fn kept(&self, read: usize) -> usize {
        let (mut passed, mut cuts) = (self.passed.lock().unwrap(), self.cuts.lock().unwrap());
        let kept = match cuts.front() {
            Some(cut) if *passed + read as u64 > *cut => {
                let kept = usize::try_from(cut.saturating_sub(*passed)).unwrap();
                cuts.pop_front();
                kept
            }
            _ => read,
        };
        *passed += kept as u64;
        kept
    }
}
