//! What a command changed: the upper directory of an overlay as entries of a layer.
//!
//! Whiteouts and opaque directories are told apart from mere habits of overlayfs by looking below:
//! it marks every new directory as opaque. Sockets are no files and are left out, as everywhere.
//! Attributes of the machine stay here, see `overlay`.
//!
//! Where one user owns all files ([`Owners::Record`]), what they may not read is made readable and
//! written down, so that the directory can be the snapshot of the next command.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use report::{Fault, Side};

use crate::layer::{LayerError, LayerWriter, sort};
use crate::overlay::{Owners, Rights, STAT, Stat, is_whiteout, xattrs};
use crate::snapshot::{Snapshot, convert, open_file};
use crate::tree::{Kind, Tree as _};
use crate::{Entry, EntryKind};

/// One entry of a difference, and the file that has its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The entry.
    pub entry: Entry,
    /// Where it is on disk.
    pub source: PathBuf,
}

/// Why a directory could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read what the command changed, at `{}`", .path.display())]
pub struct DiffError {
    /// The path in the image.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What `upper` has over `below`, in the order of a layer.
///
/// User and group are what this process sees: where the image has others, it is one inside of the
/// user namespace that has the image's. What `skip` says yes to is left out, with all below it; paths are relative. The root
/// itself is among the entries only if its mode, owner or attributes differ from below.
///
/// # Errors
/// If something cannot be read, or goes away meanwhile: nothing may run there any more.
pub fn diff(
    upper: &Path,
    below: &Snapshot,
    rights: Rights,
    skip: &dyn Fn(&Path) -> bool,
) -> Result<Vec<Change>, DiffError> {
    let mut differ = Differ { upper, below, rights, skip, changes: Vec::new() };
    let mut todo = vec![PathBuf::new()];
    while let Some(path) = todo.pop() {
        let failed = |source| DiffError { path: path.clone(), source };
        differ.directory(&path, &mut todo).map_err(failed)?;
    }
    let mut changes = differ.changes;
    sort(&mut changes, |(change, _)| &change.entry);
    Ok(link(changes))
}

/// Adds `changes` to `writer`.
///
/// # Errors
/// As [`LayerWriter::add`].
pub fn write(changes: &[Change], writer: &mut LayerWriter) -> Result<(), LayerError> {
    for Change { entry, source } in changes {
        if !matches!(entry.kind, EntryKind::File { .. }) {
            writer.add_empty(entry)?;
            continue;
        }
        let unreadable = |source| LayerError::Content { path: entry.path.clone(), source };
        let mut file = open_file(source).map_err(unreadable)?;
        writer.add(entry, file.file_mut())?;
    }
    Ok(())
}

/// What makes two names one file.
type Identity = Option<(u64, u64)>;

struct Differ<'a> {
    upper: &'a Path,
    below: &'a Snapshot,
    rights: Rights,
    skip: &'a dyn Fn(&Path) -> bool,
    changes: Vec<(Change, Identity)>,
}

impl Differ<'_> {
    /// Adds the directory `path` and its children; those that are directories are still to do.
    fn directory(&mut self, path: &Path, todo: &mut Vec<PathBuf>) -> io::Result<()> {
        let real = self.upper.join(path);
        let metadata = fs_err::symlink_metadata(&real)?;
        let entry = self.entry(path, &real, &metadata)?;
        let is_root = path.as_os_str().is_empty();
        if !is_root || self.is_other_root(&entry)? {
            self.add(entry, &real, None);
        }
        if !is_root && self.rights.overlay.is_opaque(&real)? && self.is_directory_below(path)? {
            self.add(mark(path, EntryKind::Opaque), &real, None);
        }
        for child in fs_err::read_dir(&real)? {
            let child = child?;
            let path = path.join(child.file_name());
            if (self.skip)(&path) {
                continue;
            }
            let metadata = child.metadata()?;
            let real = child.path();
            if metadata.is_dir() {
                todo.push(path);
            } else if is_whiteout(&metadata) {
                self.add(mark(&path, EntryKind::Whiteout), &real, None);
            } else if convert(&real, &metadata, self.rights)?.kind != Kind::Socket {
                let entry = self.entry(&path, &real, &metadata)?;
                let is_shared = metadata.is_file() && metadata.nlink() > 1;
                let identity = is_shared.then(|| (metadata.dev(), metadata.ino()));
                self.add(entry, &real, identity);
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: Entry, real: &Path, identity: Identity) {
        self.changes.push((Change { entry, source: real.to_owned() }, identity));
    }

    fn entry(&self, path: &Path, real: &Path, metadata: &std::fs::Metadata) -> io::Result<Entry> {
        let seen = convert(real, metadata, self.rights)?;
        if self.rights.owners == Owners::Record && !metadata.is_symlink() {
            make_readable(real, metadata.mode() & 0o7777, &seen)?;
        }
        let kind = match seen.kind {
            Kind::File | Kind::Socket => EntryKind::File { size: seen.size },
            Kind::Directory => EntryKind::Directory,
            Kind::Symlink => EntryKind::Symlink { target: fs_err::read_link(real)? },
            Kind::CharacterDevice { major, minor } => EntryKind::CharacterDevice { major, minor },
            Kind::BlockDevice { major, minor } => EntryKind::BlockDevice { major, minor },
            Kind::Fifo => EntryKind::Fifo,
        };
        // Links have no mode; file systems say 0777.
        let mode = if metadata.is_symlink() { 0o777 } else { seen.mode };
        let (path, mtime) = (path.to_owned(), seen.mtime.seconds);
        let (uid, gid) = (seen.uid, seen.gid);
        Ok(Entry { path, kind, mode, uid, gid, mtime, xattrs: xattrs(real)? })
    }

    /// Whether the root is not as below, but for its time.
    fn is_other_root(&self, root: &Entry) -> io::Result<bool> {
        let below = self.below.metadata(Path::new(""))?;
        let is_same = (root.mode, root.uid, root.gid) == (below.mode, below.uid, below.gid)
            && root.xattrs == self.below.xattrs(Path::new(""))?;
        Ok(!is_same)
    }

    fn is_directory_below(&self, path: &Path) -> io::Result<bool> {
        match self.below.metadata(path) {
            Ok(metadata) => Ok(metadata.is_dir()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// Lets us read what is ours, and writes down what it said before.
fn make_readable(real: &Path, on_disk: u32, seen: &crate::tree::Metadata) -> io::Result<()> {
    let (shown, _) = Stat::of(on_disk, 0, 0, seen.is_dir());
    if shown == on_disk || !matches!(seen.kind, Kind::File | Kind::Directory) {
        return Ok(());
    }
    // Attributes can only be set on what may be written.
    fs_err::set_permissions(real, std::fs::Permissions::from_mode(shown))?;
    let stat = Stat { mode: seen.mode, uid: seen.uid, gid: seen.gid, shown };
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::lsetxattr(real, STAT, stat.to_text().as_bytes(), flags)?;
    Ok(())
}

/// Turns further names of a file into links to the first.
fn link(changes: Vec<(Change, Identity)>) -> Vec<Change> {
    let mut first: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let mut linked = Vec::with_capacity(changes.len());
    for (mut change, identity) in changes {
        if let Some(identity) = identity {
            match first.get(&identity) {
                Some(target) => {
                    change.entry.kind = EntryKind::Hardlink { target: target.clone() };
                    // The first name says all of them.
                    change.entry.xattrs.clear();
                }
                None => drop(first.insert(identity, change.entry.path.clone())),
            }
        }
        linked.push(change);
    }
    linked
}

fn mark(path: &Path, kind: EntryKind) -> Entry {
    let xattrs = std::collections::BTreeMap::new();
    Entry { path: path.to_owned(), kind, mode: 0, uid: 0, gid: 0, mtime: 0, xattrs }
}

impl From<DiffError> for Fault {
    fn from(error: DiffError) -> Self {
        Self::new(report::Kind::Failed, "cannot make a layer of what the command changed")
            .code("build.diff")
            .side(Side::Host)
            .caused_by(&error)
    }
}
