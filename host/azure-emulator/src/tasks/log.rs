//! Logs of runs: files that grow, read as append blobs.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::clock::{self, Clock};

/// A log does not grow beyond this; a build that says more is cut off in its log, not in its work.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The log of one run.
pub(super) struct Log {
    file: PathBuf,
    clock: Clock,
    written: u64,
}

/// The log's file, in the emulator's folder.
pub(super) fn file(state: &Path, container: &str, run: &str) -> PathBuf {
    state.join("blobs").join(container).join("logs").join(run).join("rawtext.log")
}

impl Log {
    pub(super) fn new(file: PathBuf, clock: Clock) -> Self {
        Self { file, clock, written: 0 }
    }

    /// A line of the service's own, with the time in front.
    pub(super) fn say(&mut self, line: &str) {
        let time = clock::format(self.clock.now(), "%Y/%m/%d %H:%M:%S");
        self.raw(&format!("{time} {line}"));
    }

    /// A line as it is.
    pub(super) fn raw(&mut self, line: &str) {
        let line = format!("{line}\r\n");
        self.written += line.len() as u64;
        if self.written > LARGEST {
            return;
        }
        let written = self.append(line.as_bytes());
        if let Err(error) = written {
            tracing::warn!(%error, "the log of a run could not be written");
        }
    }

    fn append(&self, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(folder) = self.file.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&self.file)?;
        file.write_all(bytes)
    }
}
