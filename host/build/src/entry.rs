//! One file of a layer, apart from its content.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// A file, directory, link or device as a layer has it: image-spec, "Image Layer Filesystem Changeset".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root of the image, without `.` and `..`; empty for the root itself.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with set-uid, set-gid and sticky: the lowest twelve.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Seconds since 1970, before it too.
    pub mtime: i64,
    /// Extended attributes by name (`security.capability`), sorted.
    pub xattrs: BTreeMap<OsString, Vec<u8>>,
}

/// What an [`Entry`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file, and its size in bytes.
    File {
        /// Size in bytes.
        size: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link, and what it says.
    Symlink {
        /// What it points at, as written.
        target: PathBuf,
    },
    /// Another name of a file of the same layer that comes before it.
    Hardlink {
        /// That file's path, like [`Entry::path`].
        target: PathBuf,
    },
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
    /// What lower layers have at this path is gone (`.wh.NAME`).
    Whiteout,
    /// What lower layers have below this directory is gone (`.wh..wh..opq`).
    Opaque,
}
