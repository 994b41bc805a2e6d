//! What COPY, ADD and bind mounts read from: a build context, an unpacked image, a stage.
//!
//! A [`Tree`] is a file tree with its own root. Paths are relative to that root, without `.`, `..`
//! and leading `/`; the root itself is the empty path. A tree never follows a symbolic link: whoever
//! wants one followed asks [`resolve`], which keeps within the tree as `chroot` does.
//!
//! [`DirTree`] is a directory, [`MemoryTree`] a few files from text. Layered snapshots implement the
//! same trait elsewhere.

mod dir;
mod memory;
mod resolve;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use dir::DirTree;
pub use memory::MemoryTree;
pub use resolve::resolve;

/// A file tree that can be read, and in which no path leads outside.
///
/// Contract: no method follows a symbolic link, neither in the last component nor before it; a path
/// that goes through a link, or through a file, is an error of kind `NotFound` or `NotADirectory`.
/// What lower layers have and upper layers removed is not there.
pub trait Tree: Send + Sync {
    /// What is known about the thing at `path` without opening it.
    ///
    /// # Errors
    /// Kind `NotFound` if there is nothing.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// The children of the directory `path`, sorted by the bytes of their names.
    ///
    /// # Errors
    /// Kind `NotADirectory` if it is something else.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Child>>;

    /// What the symbolic link `path` says.
    ///
    /// # Errors
    /// Kind `InvalidInput` if it is something else.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// Opens the regular file `path`. Never blocks on a pipe that took its place.
    ///
    /// # Errors
    /// Kind `InvalidInput` if it is something else.
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>>;

    /// The extended attributes that belong into an image, by name. A context has none.
    ///
    /// # Errors
    /// If they cannot be read; not if the file system has none.
    fn xattrs(&self, path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
        let _ = path;
        Ok(BTreeMap::new())
    }
}

/// One child of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its name, a single component.
    pub name: OsString,
    /// As [`Tree::metadata`] of it says.
    pub metadata: Metadata,
}

/// What is known about a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-uid, set-gid and sticky: the lowest twelve.
    pub mode: u32,
    /// The owner inside the image; a context says 0, whoever owns the files on this machine.
    pub uid: u32,
    /// The group inside the image; a context says 0.
    pub gid: u32,
    /// Size in bytes of a regular file; whatever the file system says of others.
    pub size: u64,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of content or metadata; the epoch where nobody knows.
    pub ctime: Time,
    /// The device, with [`Metadata::inode`] the identity of a file; 0 where files have none.
    pub device: u64,
    /// The inode; 0 where files have no identity, and then nothing is a hard link.
    pub inode: u64,
    /// How many names the inode has.
    pub links: u64,
}

/// What a thing in a [`Tree`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharacterDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// A moment with nanoseconds, as file systems have it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time {
    /// Seconds since 1970, before it too.
    pub seconds: i64,
    /// Below 1,000,000,000.
    pub nanos: u32,
}

impl Kind {
    /// The word for it in messages: `file`, `directory`, …
    pub fn noun(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink => "symbolic link",
            Self::CharacterDevice { .. } => "character device",
            Self::BlockDevice { .. } => "block device",
            Self::Fifo => "named pipe",
            Self::Socket => "socket",
        }
    }
}

impl Metadata {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// Metadata of a thing of no file system: owned by root, made at the epoch, without identity.
    pub fn new(kind: Kind, mode: u32, size: u64) -> Self {
        Self {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size,
            mtime: Time::default(),
            ctime: Time::default(),
            device: 0,
            inode: 0,
            links: 1,
        }
    }
}

#[cfg(test)]
mod tests;
