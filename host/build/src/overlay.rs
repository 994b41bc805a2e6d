//! How overlayfs, and we beside it, mark files of a layer's directory.
//!
//! A whiteout is a character device 0:0, an opaque directory has an extended attribute, whose name
//! depends on whether the mount is root's or of a user namespace. Where only one user can be mapped,
//! files cannot belong to whom they belong in the image, and some could not even be read again: what
//! they are said to be is kept in an attribute of our own, [`STAT`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Whose extended attributes mark opaque directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Overlay {
    /// `trusted.overlay.*`: mounts of root.
    Trusted,
    /// `user.overlay.*`: mounts in a user namespace, with the option `userxattr`.
    User,
}

/// Whether files can belong to whom they belong in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Owners {
    /// They do: we are root, here or in a user namespace with many ids.
    Keep,
    /// All are ours; owner and mode are written down where they differ from what the disk says.
    Record,
}

/// What may be done with the directories of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rights {
    /// How opaque directories are marked.
    pub overlay: Overlay,
    /// Whose files are.
    pub owners: Owners,
}

impl Rights {
    /// Those of root.
    pub fn root() -> Self {
        Self { overlay: Overlay::Trusted, owners: Owners::Keep }
    }

    /// Those of root in a user namespace with many ids.
    pub fn mapped() -> Self {
        Self { overlay: Overlay::User, owners: Owners::Keep }
    }

    /// Those of a user who is root in a user namespace with no other id.
    pub fn single() -> Self {
        Self { overlay: Overlay::User, owners: Owners::Record }
    }
}

/// What a file is said to be: `MODE UID GID SHOWN`. The mode is believed only while the one on disk
/// is still `SHOWN`: whoever changed it later meant what they did.
pub(crate) const STAT: &str = "user.windlass.stat";

/// What a program may do without being root.
const CAPABILITY: &str = "security.capability";

/// The content of [`STAT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The mode on disk at that time.
    pub(crate) shown: u32,
}

impl Stat {
    /// What has to be kept of a file or directory of this mode and owner, and the mode it gets on
    /// disk: one with which its owner, who is us, can read and remove it.
    pub(crate) fn of(mode: u32, uid: u32, gid: u32, is_dir: bool) -> (u32, Option<Self>) {
        let shown = mode | if is_dir { 0o700 } else { 0o600 };
        let stat = Self { mode, uid, gid, shown };
        (shown, (shown != mode || (uid, gid) != (0, 0)).then_some(stat))
    }

    pub(crate) fn to_text(self) -> String {
        let Self { mode, uid, gid, shown } = self;
        format!("{mode:o} {uid} {gid} {shown:o}")
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        let mut octal = || u32::from_str_radix(words.next()?, 8).ok();
        let mode = octal()?;
        let uid = words.next()?.parse().ok()?;
        let gid = words.next()?.parse().ok()?;
        let shown = u32::from_str_radix(words.next()?, 8).ok()?;
        Some(Self { mode, uid, gid, shown })
    }

    /// What is written down for the file at `path`, whose mode on disk is `mode`.
    ///
    /// What our user cannot read was never written down with this mode.
    pub(crate) fn read(path: &Path, mode: u32) -> io::Result<Option<Self>> {
        if mode & 0o400 == 0 {
            return Ok(None);
        }
        let stat = xattr(path, OsStr::new(STAT))?.and_then(|text| Self::parse(&text));
        // Nobody but the kernel's root could give the file away meanwhile.
        Ok(stat.map(|stat| if stat.shown == mode { stat } else { Self { mode, ..stat } }))
    }
}

impl Overlay {
    /// The attribute that makes a directory opaque.
    pub(crate) fn opaque(self) -> &'static str {
        match self {
            Self::Trusted => "trusted.overlay.opaque",
            Self::User => "user.overlay.opaque",
        }
    }

    /// Whether what is below the directory `path` is hidden.
    pub(crate) fn is_opaque(self, path: &Path) -> io::Result<bool> {
        Ok(xattr(path, OsStr::new(self.opaque()))?.is_some_and(|value| value == b"y"))
    }
}

/// Whether it says that what is below is gone.
pub(crate) fn is_whiteout(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// Whether an extended attribute belongs into an image: capabilities and those of users.
///
/// Not labels, access lists and checksums of the machine, and never the marks of overlayfs and ours:
/// a layer that brought some along could redirect what is below it.
pub(crate) fn belongs(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let is_mark = name.starts_with(b"user.overlay.") || name.starts_with(b"user.windlass.");
    name == CAPABILITY.as_bytes() || (name.starts_with(b"user.") && !is_mark)
}

/// The attribute `name` of the file itself at `path`.
pub(crate) fn xattr(path: &Path, name: &OsStr) -> io::Result<Option<Vec<u8>>> {
    // Marks are short; others are asked for their length.
    let mut value = vec![0; 256];
    loop {
        match rustix::fs::lgetxattr(path, name, value.as_mut_slice()) {
            Ok(length) => {
                value.truncate(length);
                return Ok(Some(value));
            }
            Err(Errno::RANGE) => value.resize(value.len() * 16, 0),
            Err(error) if is_without(error) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The attributes of the file itself at `path` that belong into an image.
pub(crate) fn xattrs(path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let mut names = vec![0; 256];
    loop {
        match rustix::fs::llistxattr(path, names.as_mut_slice()) {
            Ok(length) => {
                names.truncate(length);
                break;
            }
            Err(Errno::RANGE) => names.resize(names.len() * 16, 0),
            Err(error) if is_without(error) => return Ok(BTreeMap::new()),
            Err(error) => return Err(error.into()),
        }
    }
    let mut found = BTreeMap::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = OsString::from_vec(name.to_vec());
        if belongs(&name)
            && let Some(value) = xattr(path, &name)?
        {
            let is_capability = name == CAPABILITY;
            found.insert(name, if is_capability { of_no_namespace(value) } else { value });
        }
    }
    Ok(found)
}

/// Capabilities without the user id of this machine whose namespace they are for, which they have
/// if they were set without root and are not read by the same root. (capabilities(7), "File
/// capability extended attribute versioning".)
fn of_no_namespace(mut value: Vec<u8>) -> Vec<u8> {
    const PLAIN: u8 = 2;
    const OF_A_NAMESPACE: u8 = 3;
    const LENGTH: usize = 20;
    // Little-endian: the revision is the highest byte of the first word.
    match value.get_mut(3) {
        Some(revision) if *revision == OF_A_NAMESPACE => *revision = PLAIN,
        _ => return value,
    }
    value.truncate(LENGTH);
    value
}

/// There is no such attribute, or none at all.
fn is_without(error: Errno) -> bool {
    matches!(error, Errno::NODATA | Errno::NOTSUP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_say_nothing_of_the_machine() {
        let plain = [&[1, 0, 0, 2][..], &[7; 16]].concat();
        let of_a_namespace = [&[1, 0, 0, 3][..], &[7; 16], &[0x39, 0x30, 0, 0]].concat();
        assert_eq!(of_no_namespace(of_a_namespace), plain);
        assert_eq!(of_no_namespace(plain.clone()), plain);
        assert!(of_no_namespace(Vec::new()).is_empty());
    }
}
