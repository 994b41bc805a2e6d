//! Mounts that are made first and put somewhere later, by open files instead of paths: what an
//! image has for links on the way leads nowhere else.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, StatVfsMountFlags, fstatvfs, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_remount,
    move_mount, open_tree,
};

/// Neither set-uid programs nor devices nor programs at all: for file systems of the kernel's.
pub(super) const INERT: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// The same, read-only, for mounts that exist.
pub(super) const SEALED: MountFlags =
    MountFlags::RDONLY.union(MountFlags::NOSUID).union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// A mount, at first not attached to any place.
pub(super) struct Tree(OwnedFd);

impl Tree {
    /// A new instance of a file system. An option without a value is a flag.
    pub(super) fn new(
        kind: &str,
        options: &[(&str, &str)],
        attributes: MountAttrFlags,
    ) -> io::Result<Self> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (name, value) in options {
            if value.is_empty() {
                fsconfig_set_flag(&context, *name)?;
            } else {
                fsconfig_set_string(&context, *name, *value)?;
            }
        }
        fsconfig_create(&context)?;
        Ok(Self(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?))
    }

    /// The files at `place` once more, without what is mounted below them.
    pub(super) fn copy(place: impl AsFd) -> io::Result<Self> {
        Self::copy_with(place, OpenTreeFlags::empty())
    }

    /// The files at `place` once more, with what is mounted below them.
    pub(super) fn copy_all(place: impl AsFd) -> io::Result<Self> {
        Self::copy_with(place, OpenTreeFlags::AT_RECURSIVE)
    }

    fn copy_with(place: impl AsFd, flags: OpenTreeFlags) -> io::Result<Self> {
        let flags = flags
            | OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        Ok(Self(open_tree(place, "", flags)?))
    }

    /// Puts it over `place`.
    pub(super) fn attach(&self, place: impl AsFd) -> io::Result<()> {
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        Ok(move_mount(&self.0, "", place, "", flags)?)
    }

    /// Adds `flags` to an attached one; those that it has stay.
    pub(super) fn restrict(&self, flags: MountFlags) -> io::Result<()> {
        let mut flags = MountFlags::BIND | flags;
        let now = fstatvfs(&self.0)?.f_flag;
        // A user namespace may not take these from mounts that it has inherited.
        for (has, keeps) in [
            (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
            (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
            (StatVfsMountFlags::NODEV, MountFlags::NODEV),
            (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        ] {
            flags.set(keeps, now.contains(has) || flags.contains(keeps));
        }
        Ok(mount_remount(magic(&self.0), flags, "")?)
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The path that leads to an open file, for calls that take nothing else. Short at any depth.
pub(super) fn magic(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Opens a place, not its content.
pub(super) fn place(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Opens a place below `root` as if that were `/`: no link and no `..` leads out of it.
pub(super) fn place_in(root: impl AsFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let path = match path.strip_prefix("/").unwrap_or(path) {
        empty if empty.as_os_str().is_empty() => Path::new("."),
        path => path,
    };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags | OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Whether an open place is a directory.
pub(super) fn is_directory(place: impl AsFd) -> io::Result<bool> {
    let stat = rustix::fs::fstat(place)?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory)
}
