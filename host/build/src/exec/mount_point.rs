//! Places to mount at, made where the image has none, and taken out of its layer again.
//!
//! A place that is made lands in the upper directory, and with it copies of the directories above
//! it. Both are remembered; when the command has ended, what is still as it was made is removed,
//! and times are put back: a command that changes nothing leaves an empty layer.
//!
//! The upper directory belongs to a command that may be hostile and has run meanwhile: nothing here
//! follows a link in it.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, fstat,
    futimens, mkdirat, openat, openat2, readlinkat, statat, unlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use super::error::{At as _, Failure, Step};
use super::mount::{is_directory, magic, place_in};

/// Links to follow for one place, as many as the kernel follows.
const MOST_LINKS: usize = 40;

/// What a place has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Directory,
    File,
}

/// The places of one sandbox.
pub(super) struct Points {
    /// The file system of the command, mounted.
    root: OwnedFd,
    /// Where it is mounted.
    mounted: PathBuf,
    /// Where its changes go.
    upper: OwnedFd,
    /// The device number of its directories.
    device: u64,
    made: Vec<Made>,
    touched: Vec<Touched>,
}

/// A place that was made.
struct Made {
    parent: Parent,
    name: OsString,
    shape: Shape,
}

/// The directory of a place that was made.
enum Parent {
    /// In the upper directory.
    Upper(PathBuf),
    /// In something else that is mounted.
    Elsewhere(OwnedFd),
}

/// A directory that making a place below it has copied into the upper directory.
struct Touched {
    path: PathBuf,
    before: Stat,
    was_in_upper: bool,
}

impl Points {
    /// For the file system at `root`, mounted at `mounted`, whose changes go to `upper`.
    pub(super) fn new(root: OwnedFd, mounted: PathBuf, upper: OwnedFd) -> Result<Self, Failure> {
        let device = fstat(&root).at(Step::MountPoint, "cannot look at the root")?.st_dev;
        Ok(Self { root, mounted, upper, device, made: Vec::new(), touched: Vec::new() })
    }

    /// The place at `path`, made if it is missing. Links in the image are followed inside it.
    pub(super) fn find(&mut self, path: &str, shape: Shape) -> Result<OwnedFd, Failure> {
        let what = || format!("cannot make a place to mount at for `{path}`");
        let mut wanted = absolute(Path::new(path));
        for _ in 0..MOST_LINKS {
            match place_in(&self.root, &wanted, OFlags::empty()) {
                Ok(found) => return checked(found, path, shape),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error).at(Step::MountPoint, what()),
            }
            match self.make(&wanted, shape).at(Step::MountPoint, what())? {
                Ok(made) => return Ok(made),
                Err(elsewhere) => wanted = elsewhere,
            }
        }
        Err(Errno::LOOP).at(Step::MountPoint, what())
    }

    /// Makes what is missing of `path`, or says where a link that leads nowhere wants it.
    fn make(&mut self, path: &Path, shape: Shape) -> io::Result<Result<OwnedFd, PathBuf>> {
        let mut existing = path;
        let mut missing = Vec::new();
        let directory = OFlags::DIRECTORY;
        let mut parent = loop {
            let (Some(above), Some(name)) = (existing.parent(), existing.file_name()) else {
                return Err(Errno::NOENT.into());
            };
            missing.push(name.to_owned());
            existing = above;
            match place_in(&self.root, existing, directory) {
                Ok(parent) => break parent,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        };
        let Some(first) = missing.last() else { return Err(Errno::NOENT.into()) };
        if statat(&parent, first, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            let link = readlinkat(&parent, first, Vec::new())?;
            let link = Path::new(std::ffi::OsStr::from_bytes(link.as_bytes()));
            let mut wanted = absolute(&Path::new("/").join(self.path_of(&parent)?).join(link));
            wanted.extend(missing.iter().rev().skip(1));
            return Ok(Err(wanted));
        }
        let mut within = self.remember(&parent)?;
        let before = fstat(&parent)?;
        let restored = parent.try_clone()?;
        while let Some(name) = missing.pop() {
            let shape = if missing.is_empty() { shape } else { Shape::Directory };
            match shape {
                Shape::Directory => mkdirat(&parent, &name, Mode::from_raw_mode(0o755))?,
                Shape::File => {
                    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                    drop(openat(&parent, &name, flags, Mode::from_raw_mode(0o644))?);
                }
            }
            let next = match &within {
                Some(path) => {
                    let next = path.join(&name);
                    self.made.push(Made {
                        parent: Parent::Upper(path.clone()),
                        name: name.clone(),
                        shape,
                    });
                    Some(next)
                }
                None => {
                    let parent = Parent::Elsewhere(parent.try_clone()?);
                    self.made.push(Made { parent, name: name.clone(), shape });
                    None
                }
            };
            within = next;
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            parent = openat(&parent, &name, flags, Mode::empty())?;
        }
        // A mount that is read-only was caught above; one that keeps its own times does not matter.
        let _ = utimensat(CWD, magic(&restored), &times(&before), AtFlags::empty());
        Ok(Ok(parent))
    }

    /// Notes what the directories down to `parent` are like; its path if it is of the image.
    fn remember(&mut self, parent: &OwnedFd) -> io::Result<Option<PathBuf>> {
        if fstat(parent)?.st_dev != self.device {
            return Ok(None);
        }
        let path = self.path_of(parent)?;
        for above in path.ancestors() {
            if self.touched.iter().any(|touched| touched.path == above) {
                continue;
            }
            let before = fstat(&place_in(&self.root, above, OFlags::empty())?)?;
            let upper = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            let was_in_upper = statat(&self.upper, upper, AtFlags::SYMLINK_NOFOLLOW).is_ok();
            self.touched.push(Touched { path: above.to_owned(), before, was_in_upper });
        }
        Ok(Some(path))
    }

    /// Where an open directory of the image is, from its root.
    fn path_of(&self, directory: &OwnedFd) -> io::Result<PathBuf> {
        let path = readlinkat(CWD, magic(directory), Vec::new())?;
        let path = Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()));
        let inside = path.strip_prefix(&self.mounted).map_err(io::Error::other)?;
        Ok(inside.to_owned())
    }

    /// Takes out of the layer what was put there, where the command has not made it its own.
    pub(super) fn remove(mut self) -> Result<(), Failure> {
        for made in std::mem::take(&mut self.made).into_iter().rev() {
            self.remove_made(&made)
                .at(Step::Cleanup, format!("cannot remove `{}`", made.name.display()))?;
        }
        // The deepest first: the directories above may be empty then.
        self.touched.sort_by_key(|touched| std::cmp::Reverse(touched.path.components().count()));
        for touched in &self.touched {
            self.remove_copy(touched)
                .at(Step::Cleanup, format!("cannot tidy `/{}`", touched.path.display()))?;
        }
        Ok(())
    }

    fn remove_made(&self, made: &Made) -> io::Result<()> {
        match &made.parent {
            Parent::Elsewhere(parent) => {
                // What is mounted there is in the way, and reached by the name alone.
                rustix::process::fchdir(parent)?;
                let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
                let _ = unmount(made.name.as_os_str(), flags);
                remove(parent, &made.name, made.shape)
            }
            Parent::Upper(path) => match self.in_upper(path)? {
                Some(parent) => remove(&parent, &made.name, made.shape),
                None => Ok(()),
            },
        }
    }

    /// Removes a copied directory that is empty and as it was.
    fn remove_copy(&self, touched: &Touched) -> io::Result<()> {
        let (Some(above), Some(name)) = (touched.path.parent(), touched.path.file_name()) else {
            return Ok(());
        };
        if touched.was_in_upper {
            return Ok(());
        }
        let Some(parent) = self.in_upper(above)? else { return Ok(()) };
        let now = match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(now) => now,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let like = |stat: &Stat| {
            (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_mtime, stat.st_mtime_nsec)
        };
        if like(&now) == like(&touched.before) {
            remove(&parent, name, Shape::Directory)?;
        }
        Ok(())
    }

    /// A directory of the upper directory, reached without links; `None` if it is none any more.
    fn in_upper(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match openat2(&self.upper, path, flags, Mode::empty(), resolve) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Removes an empty file or directory, if that is what `name` is, and keeps the time of `parent`.
fn remove(parent: &OwnedFd, name: &std::ffi::OsStr, shape: Shape) -> io::Result<()> {
    let before = fstat(parent)?;
    let now = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(now) => now,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let removed = match (shape, FileType::from_raw_mode(now.st_mode)) {
        (Shape::Directory, FileType::Directory) => unlinkat(parent, name, AtFlags::REMOVEDIR),
        (Shape::File, FileType::RegularFile) if now.st_size == 0 => {
            unlinkat(parent, name, AtFlags::empty())
        }
        _ => return Ok(()),
    };
    match removed {
        Ok(()) => {}
        Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    // By the open file: this process is in the file system of the command, whose /proc is dead. What
    // is mounted elsewhere is open as a place only, and its times do not matter.
    let _ = futimens(parent, &times(&before));
    Ok(())
}

fn checked(found: OwnedFd, path: &str, shape: Shape) -> Result<OwnedFd, Failure> {
    let is_directory = is_directory(&found);
    match (shape, is_directory.at(Step::MountPoint, format!("cannot look at `{path}`"))?) {
        (Shape::Directory, false) => {
            let detail = format!("`{path}` is to be a directory, and the image has a file there");
            Err(Failure::new(Step::MountPoint, detail))
        }
        (Shape::File, true) => {
            let detail = format!("`{path}` is to be a file, and the image has a directory there");
            Err(Failure::new(Step::MountPoint, detail))
        }
        (Shape::Directory, true) | (Shape::File, false) => Ok(found),
    }
}

/// `path` from `/`, without `.` and `..`.
fn absolute(path: &Path) -> PathBuf {
    let mut whole = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => {
                whole.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    whole
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or_default(),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}
