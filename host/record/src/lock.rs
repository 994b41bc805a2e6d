//! Who runs: a lock on a file of the run, which the kernel lets go with the process.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

/// Where the files are, and how they end.
const FOLDER: &str = "runs";
const ENDING: &str = ".lock";

/// A run that this process runs. What is dropped before the run is said to be over was interrupted.
#[derive(Debug)]
pub struct Held {
    pub(crate) key: i64,
    pub(crate) id: String,
    path: PathBuf,
    /// Locked until it is closed.
    _file: std::fs::File,
}

impl Held {
    /// Locks the run; none if somebody has it.
    pub(crate) fn take(directory: &Path, key: i64, id: &str) -> io::Result<Option<Self>> {
        let path = path(directory, id);
        let mut options = fs_err::OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = match opened {
            Ok(file) => file.into_file(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs_err::create_dir_all(path.parent().unwrap_or(directory))?;
                options.open(&path)?.into_file()
            }
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { key, id: id.to_owned(), path, _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Lets it go: it is written that the run is over. A file that stays behind does no harm.
    pub(crate) fn release(self) {
        let _ = fs_err::remove_file(&self.path);
    }
}

/// Whether a process has the run `id`. Those who ask do not stand in each other's way: a shared lock
/// is only refused while somebody has the other kind.
pub(crate) fn is_held(directory: &Path, id: &str) -> bool {
    let Ok(file) = fs_err::File::open(path(directory, id)) else { return false };
    matches!(file.file().try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Removes what an interrupted run has left.
pub(crate) fn forget(directory: &Path, id: &str) {
    let _ = fs_err::remove_file(path(directory, id));
}

/// The runs whose files are there.
pub(crate) fn ids(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(directory.join(FOLDER)) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(ENDING).map(str::to_owned)).collect()
}

fn path(directory: &Path, id: &str) -> PathBuf {
    directory.join(FOLDER).join(format!("{id}{ENDING}"))
}
