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
        Self::wait(host.spawn(&arguments(&root), b""))
    }

    /// As [`Self::start`], with more arguments, such as `--htpasswd FILE`.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_with(host: &TestHost, root: &Path, more: &[&str]) -> Self {
        let root = root.display().to_string();
        Self::wait(host.spawn(&[&arguments(&root), more].concat(), b""))
    }

    /// As [`Self::start`], below a shell that first runs `setup`, such as `ulimit -f 64`.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_below(host: &TestHost, setup: &str, root: &Path) -> Self {
        let root = root.display().to_string();
        Self::wait(host.spawn_below(setup, &arguments(&root)))
    }

    fn wait(mut running: Running) -> Self {
        let address = running.wait_for("listening embedded registry", |stdout, _| {
            let (_, behind) = stdout.split_once("listening on http")?;
            let (_, behind) = behind.split_once("://")?;
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

fn arguments(root: &str) -> [&str; 6] {
    ["registry", "serve", "--root", root, "--listen", "127.0.0.1:0"]
}
