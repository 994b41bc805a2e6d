//! Layers to directories that overlayfs can mount.
//!
//! The directory of a layer is what overlayfs wants to find there: whiteouts are devices 0:0, opaque
//! directories have a mark. It is made over the layers below it, as a runtime does that mounts them
//! first: a path through a link of theirs (`bin/sh` where `bin` is `usr/bin`) goes where the link
//! leads, and a directory that the layer does not mention keeps their mode and owner. That is why
//! such a directory is known by its chain id, not by its diff-id.
//!
//! Nothing is written outside: every step of a path is opened without following links, and links are
//! followed by us, inside. Owners, modes, times and attributes are restored as far as [`Rights`] go;
//! what is left out is told in notes.

mod attributes;
mod node;
mod walk;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci::Digest;
use report::{Fault, Kind, Side};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::layer::{LayerReader, ReadError};
use crate::overlay::Rights;
use crate::snapshot::Snapshot;
use crate::{Entry, EntryKind};
use attributes::Attributes;

/// Notes beyond these only say the same of more files.
const MOST_NOTES: usize = 20;

/// What came of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// What was left out, and why, in sentences.
    pub notes: Vec<String>,
    /// Files that have content.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The digest of the plain layer, which the image's configuration lists too.
    pub diff_id: Digest,
}

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The layer itself is at fault.
    #[error("the layer cannot be read")]
    Layer(#[from] ReadError),
    /// A path that goes through something else than directories.
    #[error("`{}` goes through `{}`, which is no directory", .path.display(), .through.display())]
    Through {
        /// The path.
        path: PathBuf,
        /// Where it cannot go on.
        through: PathBuf,
    },
    /// More links than Linux follows.
    #[error("`{}` goes through too many symbolic links", .path.display())]
    Loop {
        /// The path.
        path: PathBuf,
    },
    /// A hard link to nothing.
    #[error("`{}` is another name of `{}`, which is not there", .path.display(), .target.display())]
    Link {
        /// The path.
        path: PathBuf,
        /// What it points at.
        target: PathBuf,
    },
    /// An owner that there is not.
    #[error("`{}` belongs to {}:{}, whom this build does not have", .path.display(), .owner.0, .owner.1)]
    Owner {
        /// The path.
        path: PathBuf,
        /// User and group.
        owner: (u32, u32),
    },
    /// The file system refused.
    #[error("cannot {what} `{}`", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The path in the image.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Unpacks `layer` into the empty directory `into`, over the layers `below`.
///
/// If it fails, what is in `into` is worth nothing.
///
/// # Errors
/// [`UnpackError::Layer`] also if the plain bytes are not the expected ones: then all of them have
/// been unpacked before it was known.
pub fn unpack(
    mut layer: LayerReader,
    into: &Path,
    below: &Snapshot,
    rights: Rights,
) -> Result<Unpacked, UnpackError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(into, flags, Mode::empty())
        .map_err(|error| io_error("open", into, error))?;
    let mut unpacker = Unpacker::new(root, below, rights)?;
    while let Some(entry) = layer.next_entry()? {
        unpacker.place(&entry, &mut layer)?;
    }
    unpacker.finish_directories()?;
    let (diff_id, _) = layer.finish()?;
    let Unpacker { notes, files, bytes, .. } = unpacker;
    Ok(Unpacked { notes: notes.into_iter().collect(), files, bytes, diff_id })
}

/// A directory that is being filled.
struct Unpacker<'a> {
    below: &'a Snapshot,
    rights: Rights,
    walk: walk::Walk,
    /// What directories shall be, when nothing more comes into them. Paths are real ones.
    directories: BTreeMap<PathBuf, Attributes>,
    /// Directories over which nothing below counts. Paths are real ones.
    opaque: BTreeSet<PathBuf>,
    /// Who owns what we make.
    owner: (u32, u32),
    notes: BTreeSet<String>,
    files: u64,
    bytes: u64,
}

impl<'a> Unpacker<'a> {
    fn new(root: OwnedFd, below: &'a Snapshot, rights: Rights) -> Result<Self, UnpackError> {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let mut unpacker = Self {
            below,
            rights,
            walk: walk::Walk::new(root),
            directories: BTreeMap::new(),
            opaque: BTreeSet::new(),
            owner,
            notes: BTreeSet::new(),
            files: 0,
            bytes: 0,
        };
        // Unless the layer says more of it, the root is the one below.
        let root = unpacker.known_directory(Path::new(""))?;
        unpacker.directories.insert(PathBuf::new(), root);
        Ok(unpacker)
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < MOST_NOTES {
            self.notes.insert(note);
        }
    }

    fn place(&mut self, entry: &Entry, layer: &mut LayerReader) -> Result<(), UnpackError> {
        if entry.path.as_os_str().is_empty() {
            if entry.kind == EntryKind::Opaque {
                return self.hide_all();
            }
            self.directories.insert(PathBuf::new(), Attributes::of(entry));
            return Ok(());
        }
        if entry.kind == EntryKind::Opaque {
            return self.make_opaque(entry);
        }
        let parent = entry.path.parent().unwrap_or(Path::new(""));
        let parent = self.directory(parent, &entry.path)?;
        let Some(name) = entry.path.file_name() else { return Ok(()) };
        let place = node::Place { path: parent.path.join(name), parent, name };
        match &entry.kind {
            EntryKind::File { size } => self.file(entry, &place, *size, layer),
            EntryKind::Directory => self.make_directory(entry, &place),
            EntryKind::Symlink { target } => self.symlink(entry, &place, target),
            EntryKind::Hardlink { target } => self.hard_link(entry, &place, target),
            EntryKind::CharacterDevice { major, minor } => {
                self.device(entry, &place, rustix::fs::FileType::CharacterDevice, (*major, *minor))
            }
            EntryKind::BlockDevice { major, minor } => {
                self.device(entry, &place, rustix::fs::FileType::BlockDevice, (*major, *minor))
            }
            EntryKind::Fifo => self.device(entry, &place, rustix::fs::FileType::Fifo, (0, 0)),
            EntryKind::Whiteout => self.whiteout(&place),
            EntryKind::Opaque => Ok(()),
        }
    }

    /// Whether something of this layer hides what is below the real path `path`.
    fn is_hidden(&self, path: &Path) -> bool {
        !self.opaque.is_empty() && path.ancestors().skip(1).any(|above| self.opaque.contains(above))
    }
}

fn io_error(what: &'static str, path: &Path, error: Errno) -> UnpackError {
    UnpackError::Io { what, path: path.to_owned(), source: error.into() }
}

impl From<UnpackError> for Fault {
    fn from(error: UnpackError) -> Self {
        let fault = |kind, code: &str| {
            Self::new(kind, "cannot unpack the layer").code(code).caused_by(&error)
        };
        match error {
            UnpackError::Layer(inner) => {
                Self { message: "cannot unpack the layer".to_owned(), ..inner.into() }
            }
            UnpackError::Through { .. } | UnpackError::Loop { .. } | UnpackError::Link { .. } => {
                fault(Kind::Invalid, "build.layer").side(Side::Remote)
            }
            UnpackError::Owner { .. } => fault(Kind::Failed, "build.owner").side(Side::User).help(
                "give the user who builds a longer range in /etc/subuid and /etc/subgid, or build \
                 as root",
            ),
            UnpackError::Io { ref source, .. } => {
                let fault = fault(Kind::Failed, "build.disk").side(Side::Host);
                let is_full = source.kind() == io::ErrorKind::StorageFull;
                let help = "free some space, e.g. `windlass cache prune`";
                if is_full { fault.help(help) } else { fault }
            }
        }
    }
}
