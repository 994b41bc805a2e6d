//! What a stage or an image looks like: its layers on top of each other, without a mount.
//!
//! A [`Snapshot`] reads the directories that [`crate::unpack`] made (and what a command left in an
//! upper directory) as overlayfs would show them. COPY reads from it, links are resolved in it, and
//! `/etc/passwd` and package databases are looked up there.
//!
//! Its directories never change: what was found out about them is remembered.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::Metadata as FileMetadata;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use report::Fault;
use rustix::fs::OFlags;

use crate::exec::{Executor, Reader};
use crate::overlay::{Owners, Rights, Stat, is_whiteout, xattrs};
use crate::tree::{Child, Kind, Metadata, Time, Tree};

/// Directories that are remembered; a thousand are little memory and most of a large COPY.
const MOST_REMEMBERED: usize = 4096;

/// Layers as one file tree. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot {
    inner: Arc<Inner>,
}

struct Inner {
    /// The lowest first.
    layers: Vec<PathBuf>,
    rights: Rights,
    /// The directories of the layers that a directory consists of, the topmost first.
    merged: Mutex<HashMap<PathBuf, Arc<[PathBuf]>>>,
    /// Who can read files of others; none where they are ours or we are root.
    executor: Option<Arc<Executor>>,
    /// Who reads them, from the first question on.
    reader: OnceLock<Reader>,
}

/// Where something is, in the topmost layer that has it.
struct Found {
    real: PathBuf,
    metadata: FileMetadata,
}

impl Snapshot {
    /// These layers, the lowest first; none is an empty root directory.
    pub fn new(layers: Vec<PathBuf>, rights: Rights) -> Self {
        Self::read_by(None, layers, rights)
    }

    /// The same, where files may belong to users that only the commands of `executor` have.
    pub(crate) fn read_by(
        executor: Option<Arc<Executor>>,
        layers: Vec<PathBuf>,
        rights: Rights,
    ) -> Self {
        let (merged, reader) = (Mutex::default(), OnceLock::new());
        Self { inner: Arc::new(Inner { layers, rights, merged, executor, reader }) }
    }

    /// Who reads it in our place; none where we can.
    fn reader(&self) -> io::Result<Option<&Reader>> {
        let Some(executor) = self.inner.executor.as_ref().filter(|_| !self.layers().is_empty())
        else {
            return Ok(None);
        };
        if let Some(reader) = self.inner.reader.get() {
            return Ok(Some(reader));
        }
        let failed = |fault: Fault| io::Error::other(fault.to_string());
        let reader = executor.reader(self.layers()).map_err(failed)?;
        Ok(Some(self.inner.reader.get_or_init(|| reader)))
    }

    /// The directories of the layers, the lowest first.
    pub fn layers(&self) -> &[PathBuf] {
        &self.inner.layers
    }

    /// The same, the topmost first, as mounts of overlayfs list them.
    pub fn lower(&self) -> Vec<PathBuf> {
        self.inner.layers.iter().rev().cloned().collect()
    }

    /// With one more layer on top.
    #[must_use]
    pub fn with(&self, layer: PathBuf) -> Self {
        let layers = self.inner.layers.iter().cloned().chain([layer]).collect();
        Self::read_by(self.inner.executor.clone(), layers, self.inner.rights)
    }

    /// How its directories are to be read.
    pub fn rights(&self) -> Rights {
        self.inner.rights
    }

    /// What is at `path`; none for a root without layers.
    fn find(&self, path: &Path) -> io::Result<Option<Found>> {
        let Some(name) = path.file_name().filter(|_| is_plain(path)) else {
            if !path.as_os_str().is_empty() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let Some(top) = self.inner.layers.last() else { return Ok(None) };
            return Ok(Some(Found { metadata: fs_err::symlink_metadata(top)?, real: top.clone() }));
        };
        for part in self.parts(path.parent().unwrap_or(Path::new("")))?.iter() {
            let real = part.join(name);
            match look(&real)? {
                Some(metadata) if is_whiteout(&metadata) => break,
                Some(metadata) => return Ok(Some(Found { real, metadata })),
                None => {}
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// The directories that the directory `path` consists of.
    fn parts(&self, path: &Path) -> io::Result<Arc<[PathBuf]>> {
        let known = |path: &Path| {
            let merged = self.inner.merged.lock().unwrap_or_else(PoisonError::into_inner);
            merged.get(path).cloned()
        };
        // From the longest part that is known, name by name: paths may be long.
        let mut parts: Option<Arc<[PathBuf]>> = None;
        let mut missing = Vec::new();
        for above in path.ancestors() {
            if above.as_os_str().is_empty() {
                parts = Some(self.inner.layers.iter().rev().cloned().collect());
            } else {
                parts = known(above);
            }
            if parts.is_some() {
                break;
            }
            missing.push(above);
        }
        let mut parts = parts.unwrap_or_default();
        for path in missing.into_iter().rev() {
            let Some(Component::Normal(name)) = path.components().next_back() else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            parts = self.merge(&parts, Path::new(name))?;
            let mut merged = self.inner.merged.lock().unwrap_or_else(PoisonError::into_inner);
            if merged.len() >= MOST_REMEMBERED {
                merged.clear();
            }
            merged.insert(path.to_owned(), Arc::clone(&parts));
        }
        Ok(parts)
    }

    /// The parts of the directory `name` in the directory of these parts.
    fn merge(&self, above: &[PathBuf], name: &Path) -> io::Result<Arc<[PathBuf]>> {
        let mut parts = Vec::new();
        for part in above {
            let real = part.join(name);
            let Some(metadata) = look(&real)? else { continue };
            if !metadata.is_dir() {
                if parts.is_empty() && !is_whiteout(&metadata) {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
                break;
            }
            let is_opaque = self.inner.rights.overlay.is_opaque(&real)?;
            parts.push(real);
            if is_opaque {
                break;
            }
        }
        match parts.is_empty() {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(parts.into()),
        }
    }

    /// Opens the regular file `path`, in this process.
    pub(crate) fn open_file(&self, path: &Path) -> io::Result<fs_err::File> {
        let Some(found) = self.find(path)?.filter(|found| found.metadata.is_file()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        open_file(&found.real)
    }

    fn convert(&self, real: &Path, metadata: &FileMetadata) -> io::Result<Metadata> {
        convert(real, metadata, self.inner.rights)
    }
}

impl Tree for Snapshot {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if let Some(reader) = self.reader()? {
            return reader.metadata(path);
        }
        match self.find(path)? {
            Some(found) => self.convert(&found.real, &found.metadata),
            None => Ok(Metadata::new(Kind::Directory, 0o755, 0)),
        }
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Child>> {
        if let Some(reader) = self.reader()? {
            return reader.read_dir(path);
        }
        let mut children: BTreeMap<OsString, Option<Metadata>> = BTreeMap::new();
        for part in self.parts(path)?.iter() {
            for entry in fs_err::read_dir(part)? {
                let entry = entry?;
                let std::collections::btree_map::Entry::Vacant(free) =
                    children.entry(entry.file_name())
                else {
                    continue;
                };
                let metadata = entry.metadata()?;
                free.insert(match is_whiteout(&metadata) {
                    true => None,
                    false => Some(self.convert(&entry.path(), &metadata)?),
                });
            }
        }
        let child = |(name, metadata): (OsString, Option<Metadata>)| {
            Some(Child { name, metadata: metadata? })
        };
        Ok(children.into_iter().filter_map(child).collect())
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        if let Some(reader) = self.reader()? {
            return reader.read_link(path);
        }
        match self.find(path)? {
            Some(found) if found.metadata.is_symlink() => fs_err::read_link(found.real),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        if let Some(reader) = self.reader()? {
            return reader.open(path);
        }
        Ok(Box::new(self.open_file(path)?))
    }

    fn xattrs(&self, path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
        if let Some(reader) = self.reader()? {
            return reader.xattrs(path);
        }
        match self.find(path)? {
            Some(found) => xattrs(&found.real),
            None => Ok(BTreeMap::new()),
        }
    }
}

/// Opens a file for reading that is known to be one, and notices if it is none any more.
pub(crate) fn open_file(real: &Path) -> io::Result<fs_err::File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut options = fs_err::OpenOptions::new();
    options.read(true);
    options.options_mut().custom_flags(flags.bits().cast_signed());
    options.open(real)
}

/// What the disk says, seen from inside the image.
pub(crate) fn convert(
    real: &Path,
    metadata: &FileMetadata,
    rights: Rights,
) -> io::Result<Metadata> {
    let file_type = metadata.file_type();
    let number = metadata.rdev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let kind = match () {
        () if file_type.is_file() => Kind::File,
        () if file_type.is_dir() => Kind::Directory,
        () if file_type.is_symlink() => Kind::Symlink,
        () if file_type.is_char_device() => Kind::CharacterDevice { major, minor },
        () if file_type.is_block_device() => Kind::BlockDevice { major, minor },
        () if file_type.is_fifo() => Kind::Fifo,
        () => Kind::Socket,
    };
    let on_disk = metadata.mode() & 0o7777;
    let (mode, uid, gid) = match rights.owners {
        Owners::Keep => (on_disk, metadata.uid(), metadata.gid()),
        // Links and devices have no attributes of users.
        Owners::Record if !matches!(kind, Kind::File | Kind::Directory) => (on_disk, 0, 0),
        Owners::Record => match Stat::read(real, on_disk)? {
            Some(stat) => (stat.mode, stat.uid, stat.gid),
            None => (on_disk, 0, 0),
        },
    };
    let nanos = |nanos: i64| u32::try_from(nanos).unwrap_or_default();
    Ok(Metadata {
        kind,
        mode,
        uid,
        gid,
        size: metadata.size(),
        mtime: Time { seconds: metadata.mtime(), nanos: nanos(metadata.mtime_nsec()) },
        ctime: Time { seconds: metadata.ctime(), nanos: nanos(metadata.ctime_nsec()) },
        device: metadata.dev(),
        inode: metadata.ino(),
        links: metadata.nlink(),
    })
}

/// What the disk has at `real`, where a part of the way may be missing or a file.
fn look(real: &Path) -> io::Result<Option<FileMetadata>> {
    match fs_err::symlink_metadata(real) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Only names, no `..` and no root.
fn is_plain(path: &Path) -> bool {
    path.components().all(|component| matches!(component, Component::Normal(_)))
}
