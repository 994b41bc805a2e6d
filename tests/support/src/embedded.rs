//! The product's own registry, run as its users run it.

use std::path::Path;

use crate::process::Running;
use crate::test_host::TestHost;

/// `windlass registry serve` on a free port. Ends when dropped.
#[derive(Debug)]
pub struct Embedded {
    running: Running,
    address: String,
}

impl Embedded {
    /// Serves the folder `root`; waits until it listens.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(host: &TestHost, root: &Path) -> Self {
        let root = root.display().to_string();
        let arguments = ["registry", "serve", "--root", &root, "--listen", "127.0.0.1:0"];
        let mut running = host.spawn(&arguments, b"");
        let address = running.wait_for("listening embedded registry", |stdout, _| {
            let (_, behind) = stdout.split_once("listening on http://")?;
            behind.split_once('\n').map(|(address, _)| address.trim().to_owned())
        });
        Self { running, address }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process.
    pub fn process(&self) -> &Running {
        &self.running
    }

    /// Gives the process away, to be ended by hand.
    pub fn into_process(self) -> Running {
        self.running
    }
}
