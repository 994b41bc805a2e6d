//! What is gathered beside an archive until it is written.
//!
//! The blobs lie in a folder of their own, in the shape of a layout, which has all that pushing needs.
//! The folder goes with the store; what a killed process left is swept up by a later one.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::contents::Contents;
use super::pack::{Addition, pack};
use super::{ArchiveFormat, Pending};
use crate::Error;
use crate::layout::Layout;

/// How the folder is called, behind the name of the archive.
const WORK: &str = ".windlass-";

/// Held while the folder is in use.
const LOCK: &str = "lock";

/// A folder that nobody holds and that is so old is a killed process's.
const STALE: Duration = Duration::from_secs(3600);

/// A folder beside an archive.
pub(super) struct Staging {
    /// Holds the folder and its lock.
    pub(super) layout: Layout,
    folder: PathBuf,
}

impl Staging {
    /// A folder beside the archive at `path`, which may not be there yet.
    pub(super) fn beside(path: &Path, name: &str) -> Result<Self, Error> {
        let io = |source| Error::Io { what: "writing", place: name.to_owned(), source };
        let parent = parent(path);
        fs_err::create_dir_all(&parent).map_err(io)?;
        let prefix = prefix(path).ok_or_else(|| io(io::ErrorKind::InvalidFilename.into()))?;
        sweep(&parent, &prefix);
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent).map_err(io)?;
        let lock = fs_err::File::create(folder.path().join(LOCK)).map_err(io)?.into_file();
        if let Err(error) = lock.try_lock() {
            // A file system without locks: then age alone protects the folder.
            tracing::debug!(%error, "a folder that is being written could not be locked");
        }
        let (path, layout) = (folder.path().to_owned(), folder.path().join("layout"));
        Ok(Self { layout: Layout::holding(layout, Box::new((folder, lock))), folder: path })
    }

    /// Writes the archive anew, with what it has and with `pending`.
    pub(super) fn replace(
        &self,
        path: &Path,
        format: &ArchiveFormat,
        name: &str,
        pending: &[Pending],
    ) -> Result<(), Error> {
        let io = |source| Error::Io { what: "writing", place: name.to_owned(), source };
        // Others may add to the same archive; the folder is locked, since the file is replaced.
        let parent = fs_err::File::open(parent(path)).map_err(io)?.into_file();
        if let Err(error) = parent.lock() {
            tracing::debug!(%error, "the folder of an archive could not be locked");
        }
        let old = Contents::open(path, format, name)?;
        let blob = |digest: &crate::Digest| self.layout.blob_file(digest);
        let addition = Addition { format, manifests: pending, blob: &blob, name };
        let file = pack(old, &addition, &self.folder)?;
        file.persist(path).map(|_| ()).map_err(|failed| io(failed.error))
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn prefix(path: &Path) -> Option<String> {
    Some(format!(".{}{WORK}", path.file_name()?.to_string_lossy()))
}

/// Removes what killed processes left. What cannot be removed does no harm.
fn sweep(parent: &Path, prefix: &str) {
    let Ok(entries) = fs_err::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix);
        let age = entry.metadata().ok().and_then(|facts| facts.modified().ok()?.elapsed().ok());
        if !is_ours || age.is_none_or(|age| age < STALE) {
            continue;
        }
        let is_free = match fs_err::File::open(entry.path().join(LOCK)) {
            Ok(file) => file.into_file().try_lock().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_free && let Err(error) = fs_err::remove_dir_all(entry.path()) {
            tracing::debug!(%error, "a folder that a killed process left stays");
        }
    }
}
