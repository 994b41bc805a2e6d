//! How files come into being: whole, or not at all.
//!
//! What is written comes into being by a rename from `.windlass/`, beside the specified files and on
//! the same file system; what a killed process left there is swept up by a later one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;

use super::super::index_file::IndexFile;
use super::{Disk, MARKER, MARKER_CONTENT};
use crate::{Digest, Error, LARGEST_MANIFEST};

/// Our own corner: the lock and files that are being written.
const WORK: &str = ".windlass";

/// How files that are being written begin.
const PARTIAL: &str = "push-";

/// Where files cannot be locked, one that nobody has touched for so long is a killed process's.
const STALE: Duration = Duration::from_secs(3600);

impl Disk {
    /// A file that has no name yet. It is locked while it lives, so that nobody sweeps it up.
    pub(in crate::layout) fn partial(&self) -> Result<NamedTempFile, Error> {
        self.prepare()?;
        self.partial_file()
    }

    fn partial_file(&self) -> Result<NamedTempFile, Error> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PARTIAL);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        loop {
            let file = builder.tempfile_in(self.path.join(WORK)).map_err(self.io("writing"))?;
            match file.as_file().try_lock() {
                Ok(()) if file.path().exists() => return Ok(file),
                // Before it was locked, somebody swept it up.
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                // A file system without locks: then its age protects the file.
                Err(TryLockError::Error(error)) => {
                    tracing::debug!(%error, "a file that is being written could not be locked");
                    return Ok(file);
                }
            }
        }
    }

    /// Gives a finished file the name of its blob.
    pub(in crate::layout) fn keep_blob(
        &self,
        partial: NamedTempFile,
        digest: &Digest,
    ) -> Result<(), Error> {
        partial.as_file().sync_data().map_err(self.io("writing"))?;
        self.rename(partial, &self.blob_path(digest))
    }

    fn rename(&self, partial: NamedTempFile, to: &Path) -> Result<(), Error> {
        if let Some(parent) = to.parent() {
            fs_err::create_dir_all(parent).map_err(self.io("writing"))?;
        }
        partial.persist(to).map(|_| ()).map_err(|failed| self.io("writing")(failed.error))
    }

    pub(super) fn write(&self, to: &Path, bytes: &[u8]) -> Result<(), Error> {
        let mut partial = self.partial_file()?;
        partial.write_all(bytes).map_err(self.io("writing"))?;
        partial.as_file().sync_data().map_err(self.io("writing"))?;
        self.rename(partial, to)
    }

    /// Makes the directory a layout, once, and sweeps up.
    pub(in crate::layout) fn prepare(&self) -> Result<(), Error> {
        if self.prepared.get().is_some() {
            return Ok(());
        }
        let work = self.path.join(WORK);
        for directory in [&work, &self.path.join("blobs/sha256")] {
            fs_err::create_dir_all(directory).map_err(self.io("making the directory"))?;
        }
        self.check_version()?;
        self.sweep();
        if !self.exists() {
            let _guard = self.lock()?;
            let index = self.path.join("index.json");
            if !index.exists() {
                self.write(&index, &IndexFile::empty().to_bytes())?;
            }
            // Last: what has the marker is a layout.
            self.write(&self.path.join(MARKER), MARKER_CONTENT)?;
        }
        // Whoever came here at the same time did the same.
        self.prepared.get_or_init(|| ());
        Ok(())
    }

    /// A layout of a later major version may mean something else by the same files.
    fn check_version(&self) -> Result<(), Error> {
        let path = self.path.join(MARKER);
        let Some(bytes) = self.read_file(&path, LARGEST_MANIFEST)? else { return Ok(()) };
        let version = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
        let version = version.as_ref().and_then(|v| v.get("imageLayoutVersion")?.as_str());
        match version {
            Some(version) if version.starts_with("1.") => Ok(()),
            found => {
                let found = found.unwrap_or("no version");
                let why = format!("it says {found}, expected layout version 1.x");
                Err(Error::invalid(format!("`{}`", path.display()), why))
            }
        }
    }

    /// Removes what killed processes left: a living one holds a lock on what it writes. What cannot
    /// be removed does no harm.
    pub(in crate::layout) fn sweep(&self) {
        let Ok(files) = fs_err::read_dir(self.path.join(WORK)) else { return };
        for file in files.flatten() {
            let is_partial = file.file_name().to_str().is_some_and(|n| n.starts_with(PARTIAL));
            if !is_partial {
                continue;
            }
            let Ok(opened) = fs_err::File::open(file.path()) else { continue };
            let is_free = match opened.file().try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(_)) => is_stale(&file),
            };
            if is_free && let Err(error) = fs_err::remove_file(file.path()) {
                tracing::debug!(%error, "a file that a killed process left stays");
            }
        }
    }

    /// Held while `index.json` changes; released when it is dropped.
    pub(in crate::layout) fn lock(&self) -> Result<File, Error> {
        let path = self.path.join(WORK).join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(self.io("locking"))?;
        file.lock().map_err(self.io("locking"))?;
        Ok(file)
    }
}

fn is_stale(file: &fs_err::DirEntry) -> bool {
    let age = file.metadata().ok().and_then(|facts| facts.modified().ok()?.elapsed().ok());
    age.is_some_and(|age| age >= STALE)
}
