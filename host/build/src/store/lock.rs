//! Locks that die with their process.

use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Whom else a lock lets in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Shared,
    Exclusive,
}

/// A file that is locked until it is closed.
pub(super) struct Lock {
    _file: std::fs::File,
}

impl Lock {
    /// Locks the file `path`, which is made if `may_make`; none if somebody else has it, or it is
    /// not there (any more).
    pub(super) fn take(path: &Path, mode: Mode, may_make: bool) -> io::Result<Option<Self>> {
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true).create(may_make).truncate(false);
        let file = match options.open(path) {
            Ok(file) => file.into_file(),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !may_make => return Ok(None),
            Err(error) => return Err(error),
        };
        let locked = match mode {
            Mode::Shared => file.try_lock_shared(),
            Mode::Exclusive => file.try_lock(),
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had it before may have removed it: then it locks nothing.
        match file.metadata()?.nlink() {
            0 if may_make => Self::take(path, mode, may_make),
            0 => Ok(None),
            _ => Ok(Some(Self { _file: file })),
        }
    }
}
