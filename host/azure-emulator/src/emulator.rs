//! A cloud that listens.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::azure::Azure;
use crate::config::Config;
use crate::error::EmulatorError;
use crate::faults::Faults;
use crate::net::{Authority, Door};

/// How long work may go on when the emulator is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// An emulated cloud that listens on loopback, until it is shut down or dropped.
pub struct Emulator {
    azure: Arc<Azure>,
    authority: Arc<Authority>,
    address: SocketAddr,
    stop: CancellationToken,
    serving: Mutex<JoinSet<()>>,
}

impl Emulator {
    /// Opens the cloud of `config` and listens.
    ///
    /// # Errors
    /// [`EmulatorError`] for a folder, a name or an address that cannot be used.
    pub async fn start(config: Config) -> Result<Self, EmulatorError> {
        let wanted = config.listen;
        let azure = Azure::open(config)?;
        let authority =
            Arc::new(Authority::open(&azure.config.state, azure.config.upstreams.clone())?);
        let fail = |source| EmulatorError::Listen { address: wanted, source };
        if !wanted.ip().is_loopback() {
            let why = "only loopback: whoever reaches it may plan faults and reads its secrets";
            return Err(fail(std::io::Error::new(std::io::ErrorKind::InvalidInput, why)));
        }
        let listener = TcpListener::bind(wanted).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let tls = TlsAcceptor::from(Arc::new(Arc::clone(&authority).tls()?));
        let door = Door { azure: Arc::clone(&azure), tls, address, tunnels: Mutex::default() };
        let stop = CancellationToken::new();
        azure.revive();
        let mut serving = JoinSet::new();
        serving.spawn(Arc::new(door).serve(listener, stop.clone()));
        Ok(Self { azure, authority, address, stop, serving: Mutex::new(serving) })
    }

    /// What `HTTPS_PROXY` has to be, for clients that use the hosts' own names.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where login, ARM and Graph are at once; `/_host/NAME` leads to any other host. IMDS is there
    /// too, over plain HTTP: [`Emulator::proxy_url`] is its address.
    pub fn base_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// What clients have to trust, in PEM form; the file is `ca.pem` in the state folder.
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        self.azure.faults()
    }

    /// The cloud behind it.
    pub fn azure(&self) -> &Arc<Azure> {
        &self.azure
    }

    /// Stops listening, lets what goes on end within a few seconds, and ends what runs.
    pub async fn shutdown(self) {
        self.stop.cancel();
        let mut serving =
            std::mem::take(&mut *self.serving.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = timeout(GRACE, async {
            while serving.join_next().await.is_some() {}
            self.azure.settle().await;
        });
        if ended.await.is_err() {
            tracing::debug!("work that took too long to end was cut off");
        }
        if timeout(GRACE, self.azure.alive.end()).await.is_err() {
            tracing::debug!("containers took too long to end");
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.cancel();
        self.azure.cut();
    }
}
