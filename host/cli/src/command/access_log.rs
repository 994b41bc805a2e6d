//! `--access-log` of what serves here: a line for each request.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use report::{Fault, Kind};

use super::Failure;
use crate::ui;

/// Requests as lines.
pub(super) struct Lines(Mutex<Box<dyn std::io::Write + Send>>);

impl Lines {
    /// Lines are added to what the file has; `-` is standard error.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self(Mutex::new(Box::new(anstream::stderr()))));
        }
        let file = fs_err::OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| {
            Fault::new(Kind::Failed, "the access log cannot be written").cause(error)
        })?;
        Ok(Self(Mutex::new(Box::new(file))))
    }

    /// In one piece, so that it can be followed. Who reads it may have gone; requests go on.
    fn write(&self, line: &str) {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = to.write_all(line.as_bytes()) {
            tracing::debug!(%error, "a line of the access log is lost");
        }
    }
}

/// `GET /v2/ 200 0.3 ms`
impl oci::AccessLog for Lines {
    fn record(&self, access: &oci::Access<'_>) {
        let oci::Access { method, target, status, elapsed } = access;
        self.write(&format!("{method} {target} {} {}\n", status.as_u16(), ui::took(*elapsed)));
    }
}

/// `PUT mykeyvault.vault.azure.net/secrets/token 200 612 bytes`
impl azure_emulator::AccessLog for Lines {
    fn record(&self, access: &azure_emulator::Access<'_>) {
        let azure_emulator::Access { method, host, path, status, bytes } = access;
        self.write(&format!("{method} {host}{path} {} {bytes} bytes\n", status.as_u16()));
    }
}
