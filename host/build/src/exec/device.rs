//! `/dev`, as a container has it.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, mkdirat, openat, symlinkat};
use rustix::mount::MountAttrFlags;

use super::error::{At as _, Failure, Step};
use super::mount::{INERT, Tree, place};
use super::order::Rights;
use super::stage::Stage;

/// Name, major and minor number: Linux documentation, "Linux allocated devices".
const NODES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The group `tty`, which owns terminals.
const TTY: u32 = 5;

/// Mounts a `/dev` at `place`.
///
/// Root of a sandbox may make device nodes, as in Docker, where a control group keeps it from
/// opening them. Here nothing that it can write to has devices: those of `/dev` are mounts, one each.
pub(super) fn mount(place: &OwnedFd, stage: &Stage, rights: Rights) -> Result<(), Failure> {
    let no_devices = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let tree = Tree::new("tmpfs", &[("mode", "0755"), ("size", "64k")], no_devices)
        .at(Step::Devices, "cannot mount /dev")?;
    tree.attach(place).at(Step::Devices, "cannot mount /dev")?;
    for (name, major, minor) in NODES {
        let what = || format!("cannot make /dev/{name}");
        let node = if rights.is_real_root {
            // Its own: with the machine's, root here could change the mode of the machine's.
            stage.node(name, major, minor)
        } else {
            self::place(&Path::new("/dev").join(name))
        };
        let copy = Tree::copy(node.at(Step::Devices, what())?).at(Step::Devices, what())?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&tree, name, flags, Mode::from_raw_mode(0o666));
        copy.attach(file.at(Step::Devices, what())?).at(Step::Devices, what())?;
    }
    for (name, target) in LINKS {
        symlinkat(target, &tree, name).at(Step::Devices, format!("cannot make /dev/{name}"))?;
    }
    let tty = TTY.to_string();
    let mut terminals = vec![("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620")];
    if rights.ids > TTY {
        terminals.push(("gid", &tty));
    }
    let programs = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    // As large as Docker's.
    let shared = [("mode", "1777"), ("size", "64m")];
    below(&tree, "pts", "devpts", &terminals, programs)?;
    below(&tree, "shm", "tmpfs", &shared, INERT)?;
    below(&tree, "mqueue", "mqueue", &[], INERT)
}

/// Mounts a file system of its own at a directory of `/dev`.
fn below(
    dev: &Tree,
    name: &str,
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<(), Failure> {
    let what = || format!("cannot mount /dev/{name}");
    mkdirat(dev, name, Mode::from_raw_mode(0o755)).at(Step::Devices, what())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let place = openat(dev, name, flags, Mode::empty()).at(Step::Devices, what())?;
    let tree = Tree::new(kind, options, attributes).at(Step::Devices, what())?;
    tree.attach(place).at(Step::Devices, what())
}
