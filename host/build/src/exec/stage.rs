//! The file system of a command: snapshots, what the kernel adds, and what `RUN --mount` asks for.
//!
//! Made by the helper in its own mount namespace, while the first process of the sandbox starts.
//! All that is ours lies in one file system in memory, mounted over the scratch directory: secrets
//! and `/etc/hosts` never touch a disk, and there is nothing to remove afterwards.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use report::Secret;
use rustix::fs::{
    FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, makedev, mkdirat, mknodat, openat,
};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags};

use super::device;
use super::error::{At as _, Failure, Step};
use super::mount::{INERT, SEALED, Tree, is_directory, magic, place, place_in};
use super::mount_point::{Points, Shape};
use super::order::{Fixture, FixtureKind, Rights, Sandbox};
use super::overlay::{self, Changes};
use super::run::{Access, Network};

/// Where the file system of the command is mounted, below the stage.
const ROOT: &str = "root";
/// An empty directory, to hide others with.
pub(super) const EMPTY: &str = "empty";
/// Our program, where it cannot be written to.
const PROGRAM: &str = "program";
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Files of ours, in memory.
pub(super) struct Stage {
    path: PathBuf,
    directory: OwnedFd,
    /// The directory that the stage hides, on disk.
    disk: OwnedFd,
}

impl Stage {
    /// Mounts it over the scratch directory.
    pub(super) fn new(sandbox: &Sandbox) -> Result<Self, Failure> {
        let path = sandbox.scratch.clone();
        let what = || format!("cannot keep files in memory at {}", path.display());
        let disk = place(&path).at(Step::Stage, what())?;
        let tree = Tree::new("tmpfs", &[("mode", "0700")], MountAttrFlags::empty());
        let tree = tree.at(Step::Stage, what())?;
        tree.attach(&disk).at(Step::Stage, what())?;
        let directory = place(&path).at(Step::Stage, what())?;
        for (name, mode) in [(ROOT, 0o755), (EMPTY, 0o755)] {
            mkdirat(&directory, name, Mode::from_raw_mode(mode)).at(Step::Stage, what())?;
        }
        Ok(Self { path, directory, disk })
    }

    /// This program, in a place that the sandbox cannot write to.
    ///
    /// A command may start `/proc/self/exe` of the process that became it, or open it for writing
    /// later: without this it could change the program on disk (CVE-2019-5736).
    pub(super) fn program(&self) -> Result<Tree, Failure> {
        let what = "cannot protect the program against the command";
        let path = self.path.join(PROGRAM);
        let tree = match own_program().at(Step::Stage, what)? {
            Some(program) => {
                self.write(PROGRAM, b"", 0o700).at(Step::Stage, what)?;
                Tree::copy(program).at(Step::Stage, what)?
            }
            None => {
                let bytes = fs_err::read(OWN_PROGRAM).at(Step::Stage, what)?;
                self.write(PROGRAM, &bytes, 0o700).at(Step::Stage, what)?;
                Tree::copy(place(&path).at(Step::Stage, what)?).at(Step::Stage, what)?
            }
        };
        tree.attach(place(&path).at(Step::Stage, what)?).at(Step::Stage, what)?;
        tree.restrict(MountFlags::RDONLY).at(Step::Stage, what)?;
        Ok(tree)
    }

    /// Builds the file system of the command but for `/proc`. Returns where it is, and what has to
    /// be taken out of the layer again.
    pub(super) fn build(
        &self,
        sandbox: &Sandbox,
        secrets: &[Secret],
    ) -> Result<(PathBuf, Points), Failure> {
        let rights = sandbox.start.rights;
        let root = self.path.join(ROOT);
        let lower = self.places(&sandbox.lower)?;
        overlay::begin(&sandbox.upper, sandbox.lower.first())?;
        let changes = Changes {
            upper: overlay::directory(&sandbox.upper)?,
            work: overlay::directory(&sandbox.work)?,
        };
        overlay::mount(&lower, Some(&changes), &root, rights)?;
        let opened = overlay::directory(&root)?;
        let mut points = Points::new(opened, root.clone(), changes.upper)?;
        match self.fill(&mut points, &root, sandbox, secrets) {
            Ok(()) => Ok((root, points)),
            Err(failure) => {
                // That it failed matters more.
                let _ = points.remove();
                Err(failure)
            }
        }
    }

    /// Mounts what is not of the image.
    fn fill(
        &self,
        points: &mut Points,
        root: &Path,
        sandbox: &Sandbox,
        secrets: &[Secret],
    ) -> Result<(), Failure> {
        let rights = sandbox.start.rights;
        // Only the place: the process namespace that `/proc` shows is that of the first process.
        points.find("/proc", Shape::Directory)?;
        let sys = points.find("/sys", Shape::Directory)?;
        self.sys(&sys, root, rights)?;
        let dev = points.find("/dev", Shape::Directory)?;
        device::mount(&dev, self, rights)?;
        self.file(points, "/etc/hosts", &sandbox.hosts)?;
        if let Some(resolv_conf) = &sandbox.resolv_conf {
            self.file(points, "/etc/resolv.conf", resolv_conf)?;
        }
        for (number, mount) in sandbox.mounts.iter().enumerate() {
            self.mount(points, number, mount, secrets, rights)?;
        }
        Ok(())
    }

    /// Shows `bytes` as the file `target`; changes to it go nowhere.
    fn file(&self, points: &mut Points, target: &str, bytes: &[u8]) -> Result<(), Failure> {
        let what = || format!("cannot show `{target}`");
        let name = target.replace('/', "-");
        self.write(&name, bytes, 0o644).at(Step::Mount, what())?;
        let file = place(&self.path.join(&name)).at(Step::Mount, what())?;
        let tree = Tree::copy(file).at(Step::Mount, what())?;
        tree.attach(points.find(target, Shape::File)?).at(Step::Mount, what())
    }

    fn mount(
        &self,
        points: &mut Points,
        number: usize,
        mount: &Fixture,
        secrets: &[Secret],
        rights: Rights,
    ) -> Result<(), Failure> {
        let target = mount.target.as_str();
        let what = || format!("cannot mount `{target}`");
        // No set-uid programs, and no devices, which root here may make: they would be the machine's.
        let quiet = |access: &Access| match access {
            Access::Read => MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY,
            Access::Write => MountFlags::NOSUID | MountFlags::NODEV,
        };
        match &mount.kind {
            FixtureKind::Bind { source, path, access } => {
                let files = self.source(number, source, *access, rights)?;
                let found = place_in(&files, Path::new(path), OFlags::empty());
                let found = found.at(Step::Mount, format!("cannot find `{path}` to mount"))?;
                let tree = Tree::copy(&found).at(Step::Mount, what())?;
                tree.attach(points.find(target, shape(&found)?)?).at(Step::Mount, what())?;
                tree.restrict(quiet(access)).at(Step::Mount, what())
            }
            FixtureKind::Cache { directory, mode, uid, gid, access } => {
                let kept = cache(directory, *mode, *uid, *gid).at(Step::Mount, what())?;
                let tree = Tree::copy(&kept).at(Step::Mount, what())?;
                tree.attach(points.find(target, Shape::Directory)?).at(Step::Mount, what())?;
                tree.restrict(quiet(access)).at(Step::Mount, what())
            }
            FixtureKind::Tmpfs { size } => {
                let size = size.map(|size| size.to_string());
                let mut options = vec![("mode", "1777")];
                options.extend(size.as_deref().map(|size| ("size", size)));
                let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
                let tree = Tree::new("tmpfs", &options, flags).at(Step::Mount, what())?;
                tree.attach(points.find(target, Shape::Directory)?).at(Step::Mount, what())
            }
            FixtureKind::Secret { bytes, mode, uid, gid } => {
                let secret = secrets.get(*bytes);
                let secret = secret.ok_or_else(|| Failure::new(Step::Request, what()))?;
                let name = format!("secret-{number}");
                let file = self.write(&name, secret.expose(), *mode).at(Step::Mount, what())?;
                let owner = (Some(Uid::from_raw(*uid)), Some(Gid::from_raw(*gid)));
                let given = fchown(&file, owner.0, owner.1);
                given.at(Step::Mount, format!("cannot give `{target}` to {uid}:{gid}"))?;
                let file = place(&self.path.join(&name)).at(Step::Mount, what())?;
                let tree = Tree::copy(file).at(Step::Mount, what())?;
                tree.attach(points.find(target, Shape::File)?).at(Step::Mount, what())?;
                // A script that a command is given is a program; a secret is none.
                let is_program = mode & 0o111 != 0;
                let flags = if is_program { SEALED - MountFlags::NOEXEC } else { SEALED };
                tree.restrict(flags).at(Step::Mount, what())
            }
        }
    }

    /// The directory that a bind mount shows a part of.
    fn source(
        &self,
        number: usize,
        source: &[PathBuf],
        access: Access,
        rights: Rights,
    ) -> Result<OwnedFd, Failure> {
        if let ([only], Access::Read) = (source, access) {
            return overlay::directory(only);
        }
        let what = || "cannot make room for a mount".to_owned();
        let lower = self.places(source)?;
        let path = self.path.join(format!("source-{number}"));
        fs_err::create_dir(&path).at(Step::Mount, what())?;
        let changes = match access {
            Access::Read => None,
            Access::Write => {
                let directory = |kind: &str| {
                    let name = format!("{number}-{kind}");
                    mkdirat(&self.disk, &name, Mode::from_raw_mode(0o755))?;
                    place_in(&self.disk, Path::new(&name), OFlags::DIRECTORY)
                };
                Some(Changes {
                    upper: directory("upper").at(Step::Mount, what())?,
                    work: directory("work").at(Step::Mount, what())?,
                })
            }
        };
        overlay::mount(&lower, changes.as_ref(), &path, rights)?;
        overlay::directory(&path)
    }

    /// Snapshots, or an empty directory where there are none.
    fn places(&self, paths: &[PathBuf]) -> Result<Vec<OwnedFd>, Failure> {
        match paths {
            [] => Ok(vec![overlay::directory(&self.path.join(EMPTY))?]),
            paths => paths.iter().map(|path| overlay::directory(path)).collect(),
        }
    }

    /// Mounts `/sys`, read-only. Where the network is the machine's, a user namespace gets no new
    /// one: then it is the machine's, with everything hidden that is mounted below it.
    fn sys(&self, place: &OwnedFd, root: &Path, rights: Rights) -> Result<(), Failure> {
        let what = "cannot mount /sys";
        match Tree::new("sysfs", &[], INERT | MountAttrFlags::MOUNT_ATTR_RDONLY) {
            Ok(tree) => tree.attach(place).at(Step::Sys, what)?,
            Err(error)
                if rights.network == Network::Host
                    && error.raw_os_error() == Some(Errno::PERM.raw_os_error()) =>
            {
                let own = self::place(Path::new("/sys")).at(Step::Sys, what)?;
                let tree = Tree::copy_all(own).at(Step::Sys, what)?;
                tree.attach(place).at(Step::Sys, what)?;
                tree.restrict(SEALED).at(Step::Sys, what)?;
                for below in mounts_below(&root.join("sys")).at(Step::Sys, what)? {
                    self.hide(&below).at(Step::Sys, format!("cannot hide {}", below.display()))?;
                }
            }
            Err(error) => return Err(error).at(Step::Sys, what),
        }
        for hidden in ["sys/firmware", "sys/devices/virtual/powercap"] {
            self.hide(&root.join(hidden)).at(Step::Sys, format!("cannot hide /{hidden}"))?;
        }
        Ok(())
    }

    /// A device node of ours.
    pub(super) fn node(&self, name: &str, major: u32, minor: u32) -> io::Result<OwnedFd> {
        let name = format!("device-{name}");
        let mode = Mode::from_raw_mode(0o666);
        let device = makedev(major, minor);
        mknodat(&self.directory, &name, FileType::CharacterDevice, mode, device)?;
        place(&self.path.join(name))
    }

    /// Covers a directory with the empty one, if it is there.
    fn hide(&self, path: &Path) -> io::Result<()> {
        hide(&self.path, path)
    }

    /// Writes a file into memory.
    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> io::Result<OwnedFd> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::from_raw_mode(0o600))?;
        let mut file = fs_err::File::from_parts(file.into(), self.path.join(name));
        file.write_all(bytes)?;
        let (file, _) = file.into_parts();
        let file = OwnedFd::from(file);
        fchmod(&file, Mode::from_raw_mode(mode & 0o7777))?;
        Ok(file)
    }
}

/// This program where this mount namespace has it; `None` where it is there no more, or not for us.
fn own_program() -> io::Result<Option<OwnedFd>> {
    let own = rustix::fs::stat(OWN_PROGRAM)?;
    let path = fs_err::read_link(OWN_PROGRAM)?;
    let Ok(found) = place(&path) else { return Ok(None) };
    let stat = rustix::fs::fstat(&found)?;
    let is_own = (stat.st_dev, stat.st_ino) == (own.st_dev, own.st_ino);
    Ok(is_own.then_some(found))
}

/// Covers a directory with the empty one of the stage at `stage`, if it is there.
pub(super) fn hide(stage: &Path, path: &Path) -> io::Result<()> {
    let Some(hidden) = existing(path)? else { return Ok(()) };
    let tree = Tree::copy(place(&stage.join(EMPTY))?)?;
    tree.attach(hidden)?;
    tree.restrict(SEALED)
}

/// The place at `path`; `None` where there is none.
pub(super) fn existing(path: &Path) -> io::Result<Option<OwnedFd>> {
    match place(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is mounted below `top`, outermost only.
fn mounts_below(top: &Path) -> io::Result<Vec<PathBuf>> {
    let table = fs_err::read_to_string("/proc/self/mountinfo")?;
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut found: Vec<PathBuf> =
        points.filter(|point| point.starts_with(top) && point != top).collect();
    found.sort();
    found.dedup();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for point in found {
        if outermost.last().is_none_or(|last| !point.starts_with(last)) {
            outermost.push(point);
        }
    }
    Ok(outermost)
}

/// Opens the directory of a cache, made with these attributes if it is missing.
fn cache(directory: &Path, mode: u32, uid: u32, gid: u32) -> io::Result<OwnedFd> {
    match rustix::fs::mkdir(directory, Mode::from_raw_mode(0o700)) {
        Ok(()) => {
            let made = place(directory)?;
            let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            rustix::fs::chown(magic(&made), owner.0, owner.1)?;
            rustix::fs::chmod(magic(&made), Mode::from_raw_mode(mode & 0o7777))?;
            Ok(made)
        }
        Err(Errno::EXIST) => place(directory),
        Err(error) => Err(error.into()),
    }
}

fn shape(found: &OwnedFd) -> Result<Shape, Failure> {
    let is_directory = is_directory(found);
    match is_directory.at(Step::Mount, "cannot look at what is to be mounted")? {
        true => Ok(Shape::Directory),
        false => Ok(Shape::File),
    }
}
