//! `workspace`: the files that a step was granted.
//!
//! Paths are checked twice. As text: relative, without `..`, below a granted folder. On disk: every
//! step of the way is opened from the granted folder's own handle (cap-std), so that no link leads out
//! of it, also not one that is swapped while we look. `wasi:filesystem` confines in the same way from
//! the same folders, which [`GrantedWorkspace::preopens`] lists.

use std::{
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use cap_std::{ambient_authority, fs::Dir};
use report::{Fault, Kind, Side, plural};

use crate::{
    call::{Call, Effect},
    grant::{Denied, Folder, Layer, Want, folder},
    voice::Use,
};

/// 16 MiB: what crosses into a guest at once; larger files are read through `wasi:filesystem`.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// Entries of one directory.
const MOST_ENTRIES: usize = 100_000;

/// Where the guest sees the workspace.
const GUEST_ROOT: &str = "/workspace";

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Its name, without the path.
    pub name: String,
    /// What it is; links are not followed.
    pub kind: FileKind,
    /// Size in bytes, of a file.
    pub size: u64,
}

/// A folder for `wasi:filesystem`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preopen {
    /// The directory on this machine, links resolved, inside the workspace.
    pub host: PathBuf,
    /// Where the guest sees it: `/workspace`, or a path below it.
    pub guest: String,
    /// Whether the guest may write there.
    pub writable: bool,
}

/// The workspace, seen through the grant of one step.
#[derive(Clone)]
pub struct GrantedWorkspace {
    call: Call,
    /// The folder of the pipeline file.
    root: PathBuf,
}

impl GrantedWorkspace {
    pub(crate) fn new(call: Call, root: PathBuf) -> Self {
        Self { call, root }
    }

    /// The bytes of a file, at most 16 MiB.
    ///
    /// # Errors
    /// `denied.workspace`, `not-found.workspace`, `invalid.workspace` (the path; too large),
    /// `failed.workspace` if the disk refuses.
    pub async fn read(&self, path: &str) -> Result<Vec<u8>, Fault> {
        let used = Use::begin("workspace", "read", path);
        let bytes = self.with(path, Access::Read, read_file).await;
        self.call.voice.end(used, bytes, |bytes| ("ok".to_owned(), Some(bytes.len() as u64)))
    }

    /// Writes a whole file, at once or not at all; missing directories are made.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn write(&self, path: &str, content: Vec<u8>) -> Result<(), Fault> {
        let used = Use::begin("workspace", "write", path);
        let size = content.len() as u64;
        let write = move |dir: &Dir, below: &str| write_file(dir, below, &content);
        let written = self.with(path, Access::Write, write).await;
        self.call.voice.end(used, written, |()| ("ok".to_owned(), Some(size)))
    }

    /// The entries of a directory, by name, at most 100,000.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn entries(&self, path: &str) -> Result<Vec<DirectoryEntry>, Fault> {
        let used = Use::begin("workspace", "entries", path);
        let entries = self.with(path, Access::Read, list).await;
        self.call.voice.end(used, entries, |entries| (plural(entries.len(), "entry"), None))
    }

    /// The granted folders that `wasi:filesystem` can open, outermost first, without those that lie in
    /// a folder that may be written. Granted files are not among them: WASI preopens directories only.
    ///
    /// A folder that is granted for writing and does not exist is made. Blocking.
    ///
    /// # Errors
    /// `not-found.workspace` for a folder to read that does not exist; `denied.workspace` for one that
    /// a link leads out of the workspace.
    pub fn preopens(&self) -> Result<Vec<Preopen>, Fault> {
        let (read, write_folders) = self.call.grant.folders();
        let mut preopens: Vec<Preopen> = Vec::new();
        let write = write_folders.iter().map(|folder| (folder, Access::Write));
        for (folder, access) in write.chain(read.iter().map(|folder| (folder, Access::Read))) {
            // A dry run changes nothing: the guest may look where it would write.
            let writable = access == Access::Write && !self.call.dry_run;
            let guest = guest_path(folder);
            if is_inside_another(folder, write_folders) || is_known(&preopens, &guest) {
                continue;
            }
            if let Some(host) = self.preopen(folder, writable)? {
                preopens.push(Preopen { host, guest, writable });
            }
        }
        preopens.sort_by(|a, b| a.guest.cmp(&b.guest));
        Ok(preopens)
    }

    fn preopen(&self, folder: &Folder, writable: bool) -> Result<Option<PathBuf>, Fault> {
        let path = folder.as_str();
        let fault = |error: io::Error| fault_of(error, path, Access::Read);
        let root = open_root(&self.root).map_err(fault)?;
        if writable && !root.exists(path) {
            root.create_dir_all(path).map_err(fault)?;
        }
        let facts = root.metadata(path).map_err(fault)?;
        // `canonicalize` of a confined directory fails where a link leads out of it.
        let inside = root.canonicalize(path).map_err(fault)?;
        Ok(facts.is_dir().then(|| self.root.join(inside)))
    }

    /// Checks `path`, then does `work` on a thread with the granted folder and the path below it.
    async fn with<T: Send + 'static>(
        &self,
        path: &str,
        access: Access,
        work: impl FnOnce(&Dir, &str) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let normal = folder::normalize(path).map_err(|why| {
            Fault::new(Kind::Invalid, format!("`{path}` is not a path in the workspace: {why}"))
                .code("invalid.workspace")
                .side(Side::Plugin)
                .help(folder::HELP)
        })?;
        let (want, effect) = match access {
            Access::Read => (Want::Read(&normal), Effect::Look),
            Access::Write => (Want::Write(&normal), Effect::Change),
        };
        self.call.check(&want, effect)?;
        let (read, write) = self.call.grant.folders();
        let candidates = match access {
            Access::Read => [read, write].concat(),
            Access::Write => write.to_vec(),
        };
        // The outermost folder that was granted: links may lead as far as the grant does.
        let granted = candidates
            .into_iter()
            .filter_map(|folder| {
                folder.strip(&normal).map(str::to_owned).map(|below| (folder, below))
            })
            .max_by_key(|(_, below)| below.len());
        let Some((granted, below)) = granted else {
            return Err(Fault::new(Kind::Internal, "a grant allows a path that is in no folder"));
        };
        let root = self.root.clone();
        crate::blocking(move || {
            let fault = |error: io::Error| fault_of(error, &normal, access);
            let root = open_root(&root).map_err(fault)?;
            if below.is_empty() && access == Access::Write {
                // A file is meant, where `preopens` could not know it and has made a folder. It fails,
                // and should, where there is none, or anything is in it.
                let _ = root.remove_dir(granted.as_str());
            }
            if below.is_empty() {
                // A granted file, or the folder itself: opened from the workspace.
                return work(&root, granted.as_str()).map_err(fault);
            }
            if access == Access::Write {
                root.create_dir_all(granted.as_str()).map_err(fault)?;
            }
            let dir = root.open_dir(granted.as_str()).map_err(fault)?;
            work(&dir, &below).map_err(fault)
        })
        .await
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Errors of ours that travel as [`io::Error`] through the work on disk.
#[derive(Debug, thiserror::Error)]
enum Limit {
    #[error("it has more than 16 MiB")]
    File,
    #[error("it has more than 100,000 entries")]
    Entries,
    #[error("it is not a file")]
    NotAFile,
}

fn open_root(root: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(root, ambient_authority())
}

fn read_file(dir: &Dir, path: &str) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    if !dir.metadata(path)?.is_file() {
        return Err(io::Error::other(Limit::NotAFile));
    }
    let file = dir.open(path)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST_FILE {
        true => Err(io::Error::other(Limit::File)),
        false => Ok(bytes),
    }
}

fn write_file(dir: &Dir, path: &str, content: &[u8]) -> io::Result<()> {
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    dir.create_dir_all(parent)?;
    let parent = dir.open_dir(parent)?;
    if parent.symlink_metadata(name).is_ok_and(|facts| facts.is_dir()) {
        return Err(io::Error::other(Limit::NotAFile));
    }
    let mut file = cap_tempfile::TempFile::new(&parent)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.replace(name)
}

fn list(dir: &Dir, path: &str) -> io::Result<Vec<DirectoryEntry>> {
    let mut entries = Vec::new();
    for entry in dir.read_dir(path)? {
        let entry = entry?;
        if entries.len() == MOST_ENTRIES {
            return Err(io::Error::other(Limit::Entries));
        }
        let facts = entry.metadata()?;
        let kind = match facts.file_type() {
            kind if kind.is_symlink() => FileKind::Link,
            kind if kind.is_dir() => FileKind::Directory,
            kind if kind.is_file() => FileKind::File,
            _ => FileKind::Other,
        };
        let size = if kind == FileKind::File { facts.len() } else { 0 };
        // Names that are no UTF-8 cannot be asked for; shown all the same.
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push(DirectoryEntry { name, kind, size });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Whether `folder` lies in a folder that may be written. There is nothing more to open then, and who
/// may write around it could have put a link in its place.
fn is_inside_another(folder: &Folder, writable: &[Folder]) -> bool {
    writable.iter().any(|other| other != folder && other.strip(folder.as_path()).is_some())
}

fn is_known(preopens: &[Preopen], guest: &str) -> bool {
    preopens.iter().any(|known| known.guest == guest)
}

fn guest_path(folder: &Folder) -> String {
    match folder.as_str() {
        "." => GUEST_ROOT.to_owned(),
        path => format!("{GUEST_ROOT}/{path}"),
    }
}

fn fault_of(error: io::Error, path: &str, access: Access) -> Fault {
    let limit = error.get_ref().and_then(|inner| inner.downcast_ref::<Limit>());
    if let Some(limit) = limit {
        return Fault::new(Kind::Invalid, format!("`{path}` cannot be used: {limit}"))
            .code("invalid.workspace")
            .side(Side::Plugin);
    }
    let key = match access {
        Access::Read => "workspace.read",
        Access::Write => "workspace.write",
    };
    // Without an error number of the system it is cap-std that refused: the path led out.
    if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
        let value = path.to_owned();
        return Denied { key, value, layer: Layer::Link, toml: None }.into();
    }
    let is_of_wrong_kind =
        matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory);
    let (kind, what) = match error.kind() == io::ErrorKind::NotFound {
        true => (Kind::NotFound, "does not exist"),
        false if is_of_wrong_kind => (Kind::Invalid, "is of the wrong kind"),
        false => (Kind::Failed, "cannot be used"),
    };
    let fault = Fault::new(kind, format!("`{path}` {what}"))
        .code(format!("{kind}.workspace"))
        .side(Side::Host);
    if kind == Kind::NotFound { fault } else { fault.caused_by(&error) }
}

#[cfg(test)]
mod tests;
