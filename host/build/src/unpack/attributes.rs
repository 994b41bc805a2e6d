//! Owner, mode, time and extended attributes.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::walk::open_directory;
use super::{UnpackError, Unpacker, io_error};
use crate::Entry;
use crate::overlay::{Owners, STAT, Stat, belongs};

/// What an entry says of a file beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: i64,
    pub(super) nanos: u32,
    pub(super) xattrs: BTreeMap<OsString, Vec<u8>>,
}

impl Attributes {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            nanos: 0,
            xattrs: entry.xattrs.clone(),
        }
    }

    pub(super) fn times(&self) -> Timestamps {
        let time = Timespec { tv_sec: self.mtime, tv_nsec: self.nanos.into() };
        Timestamps { last_access: time, last_modification: time }
    }
}

impl Unpacker<'_> {
    /// Gives a file or directory, open as `handle`, its attributes.
    pub(super) fn dress(
        &mut self,
        handle: &OwnedFd,
        path: &Path,
        attributes: &Attributes,
        is_dir: bool,
    ) -> Result<(), UnpackError> {
        let Attributes { mode, uid, gid, .. } = *attributes;
        let shown = match self.rights.owners {
            Owners::Keep => {
                // First: it takes set-user-id bits and capabilities away.
                if (uid, gid) != self.owner {
                    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
                    rustix::fs::fchown(handle, Some(user), Some(group))
                        .map_err(|error| not_given(path, (uid, gid), error))?;
                }
                mode
            }
            Owners::Record => {
                let (shown, stat) = Stat::of(mode, uid, gid, is_dir);
                if let Some(stat) = stat {
                    let text = stat.to_text();
                    rustix::fs::fsetxattr(handle, STAT, text.as_bytes(), XattrFlags::empty())
                        .map_err(|error| io_error("write down the owner of", path, error))?;
                }
                shown
            }
        };
        for (name, value) in attributes.xattrs.iter().filter(|(name, _)| belongs(name)) {
            match rustix::fs::fsetxattr(handle, name, value, XattrFlags::empty()) {
                Ok(()) => {}
                Err(Errno::PERM | Errno::NOTSUP | Errno::ACCESS) => self.lost(path, name),
                Err(error) => return Err(io_error("set an attribute of", path, error)),
            }
        }
        rustix::fs::fchmod(handle, Mode::from_raw_mode(shown))
            .map_err(|error| io_error("give its mode to", path, error))?;
        rustix::fs::futimens(handle, &attributes.times())
            .map_err(|error| io_error("give its time to", path, error))
    }

    /// The same for what cannot be opened: links, pipes and devices. They have no attributes.
    pub(super) fn dress_special(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
        attributes: &Attributes,
        is_link: bool,
    ) -> Result<(), UnpackError> {
        let Attributes { mode, uid, gid, .. } = *attributes;
        if self.rights.owners == Owners::Keep && (uid, gid) != self.owner {
            let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(parent, name, Some(user), Some(group), flags)
                .map_err(|error| not_given(path, (uid, gid), error))?;
        }
        if !is_link {
            // Made a moment ago by ourselves: it is no link.
            rustix::fs::chmodat(parent, name, Mode::from_raw_mode(mode), AtFlags::empty())
                .map_err(|error| io_error("give its mode to", path, error))?;
        }
        rustix::fs::utimensat(parent, name, &attributes.times(), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| io_error("give its time to", path, error))
    }

    /// Gives all directories what they shall have, those deep down first: some may not be entered
    /// afterwards.
    pub(super) fn finish_directories(&mut self) -> Result<(), UnpackError> {
        self.walk.forget();
        let directories = std::mem::take(&mut self.directories);
        let mut last: Option<(&Path, OwnedFd)> = None;
        for (path, attributes) in directories.iter().rev() {
            let handle = self.real(path, last.as_ref())?;
            if self.opaque.contains(path) && !path.as_os_str().is_empty() {
                let mark = self.rights.overlay.opaque();
                rustix::fs::fsetxattr(&handle, mark, b"y", XattrFlags::empty())
                    .map_err(|error| io_error("mark as opaque", path, error))?;
            }
            self.dress(&handle, path, attributes, true)?;
            last = Some((path, handle));
        }
        Ok(())
    }

    /// Opens the directory at the real path `path`, in which no link is left; quickly if it is the
    /// parent of the last one.
    fn real(&self, path: &Path, last: Option<&(&Path, OwnedFd)>) -> Result<OwnedFd, UnpackError> {
        let failed = |error| io_error("open", path, error);
        if let Some((below, handle)) = last
            && below.parent() == Some(path)
            && let Ok(parent) = open_directory(handle, OsStr::new(".."))
        {
            return Ok(parent);
        }
        let mut handle = open_directory(self.walk.root(), OsStr::new(".")).map_err(failed)?;
        for name in path.iter() {
            handle = open_directory(&handle, name).map_err(failed)?;
        }
        Ok(handle)
    }

    /// Notes that nothing below the directory at `path` counts; it gets its mark with the rest.
    pub(super) fn mark_opaque(&mut self, path: PathBuf) {
        self.opaque.insert(path);
    }

    fn lost(&mut self, path: &Path, name: &OsStr) {
        self.note(format!(
            "the attribute `{}` of `{}` was left out: this user may not set it",
            name.display(),
            path.display()
        ));
    }
}

/// Why a file has not got its owner; a user namespace says so of those that it does not have.
fn not_given(path: &Path, owner: (u32, u32), error: Errno) -> UnpackError {
    match error {
        Errno::INVAL => UnpackError::Owner { path: path.to_owned(), owner },
        error => io_error("give its owner to", path, error),
    }
}
