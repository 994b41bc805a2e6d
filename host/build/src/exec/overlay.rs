//! Overlays: snapshots one above the other, and a directory that takes the changes.
//!
//! Source: Linux documentation, "Overlay Filesystem".

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid, XattrFlags, chmod, chown, open, setxattr, stat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
};

use super::error::{At as _, Failure, Step};
use super::mount::{magic, place};
use super::order::Rights;
use crate::overlay::{STAT, xattr};

/// A page, less some room: as much as mount(2) takes for options.
const LONGEST: usize = 4000;

/// Of a root that no snapshot has.
const ROOT_MODE: Mode = Mode::from_raw_mode(0o755);

/// Where changes go.
pub(super) struct Changes {
    pub(super) upper: OwnedFd,
    pub(super) work: OwnedFd,
}

/// Opens a directory as a place.
pub(super) fn directory(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).at(Step::Overlay, format!("cannot open {}", path.display()))
}

/// Makes the directory `upper` what the root of the image is: overlayfs shows the upper one, and a
/// command would change mode and owner of `/` by being run.
pub(super) fn begin(upper: &Path, below: Option<&PathBuf>) -> Result<(), Failure> {
    let what = || format!("cannot prepare {}", upper.display());
    let Some(below) = below else {
        return chmod(upper, ROOT_MODE).at(Step::Overlay, what());
    };
    let root = stat(below).at(Step::Overlay, what())?;
    let owner = (Some(Uid::from_raw(root.st_uid)), Some(Gid::from_raw(root.st_gid)));
    // First, since the last may leave nothing to the owner but what is written down.
    if let Some(text) = xattr(below, OsStr::new(STAT)).at(Step::Overlay, what())? {
        setxattr(upper, STAT, &text, XattrFlags::empty()).at(Step::Overlay, what())?;
    }
    chown(upper, owner.0, owner.1).at(Step::Overlay, what())?;
    chmod(upper, Mode::from_raw_mode(root.st_mode & 0o7777)).at(Step::Overlay, what())
}

/// Mounts `lower`, topmost first, at `target`. Without `changes` it is read-only. Device nodes in it
/// cannot be opened.
pub(super) fn mount(
    lower: &[OwnedFd],
    changes: Option<&Changes>,
    target: &Path,
    rights: Rights,
) -> Result<(), Failure> {
    let what = || format!("cannot lay {} snapshots over each other", lower.len());
    // One directory and no changes is no overlay for the kernel.
    if let ([only], None) = (lower, changes) {
        let tree = super::mount::Tree::copy(only).at(Step::Overlay, what())?;
        return tree.attach(place(target).at(Step::Overlay, what())?).at(Step::Overlay, what());
    }
    let mut options: Vec<(&str, String)> = Vec::new();
    if rights.is_real_root {
        // Whatever the machine's defaults are: the upper directory is a plain difference.
        options.extend([
            ("redirect_dir", "nofollow".to_owned()),
            ("metacopy", "off".to_owned()),
            ("index", "off".to_owned()),
        ]);
    } else {
        options.push(("userxattr", String::new()));
    }
    if let Some(changes) = changes {
        options.push(("upperdir", magic(&changes.upper)));
        options.push(("workdir", magic(&changes.work)));
        // A snapshot that a crash has damaged is not kept, so nothing has to wait for the disk.
        options.push(("volatile", String::new()));
    }
    // Open files make paths short: 200 snapshots fit one page.
    let all = lower.iter().map(magic).collect::<Vec<_>>().join(":");
    let text = options.iter().fold(format!("lowerdir={all}"), |text, (name, value)| match value {
        value if value.is_empty() => format!("{text},{name}"),
        value => format!("{text},{name}={value}"),
    });
    if text.len() <= LONGEST {
        let text = std::ffi::CString::new(text).at(Step::Overlay, what())?;
        let flags = MountFlags::NODEV;
        return rustix::mount::mount("overlay", target, "overlay", flags, text.as_c_str())
            .at(Step::Overlay, what());
    }
    one_by_one(lower, &options, target).at(Step::Overlay, what())
}

/// The same with one call for each snapshot: Linux 6.8 or later.
fn one_by_one(
    lower: &[OwnedFd],
    options: &[(&str, String)],
    target: &Path,
) -> rustix::io::Result<()> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        if value.is_empty() {
            fsconfig_set_flag(&context, *name)?;
        } else {
            fsconfig_set_string(&context, *name, value.as_str())?;
        }
    }
    for snapshot in lower {
        fsconfig_set_string(&context, "lowerdir+", magic(snapshot))?;
    }
    fsconfig_create(&context)?;
    let no_devices = MountAttrFlags::MOUNT_ATTR_NODEV;
    let tree = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, no_devices)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&tree, "", rustix::fs::CWD, target, flags)
}
