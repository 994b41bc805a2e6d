//! The directories on the way to an entry.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Attributes, UnpackError, Unpacker, io_error, node};
use crate::tree::{Kind, Tree as _};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// Handles that are kept; a process has a thousand.
const MOST_OPEN: usize = 128;

/// An open directory of the layer.
pub(super) struct Open {
    pub(super) handle: OwnedFd,
    /// Where it really is, links followed.
    pub(super) path: PathBuf,
}

/// Directories that were opened, by the path that led there.
pub(super) struct Walk {
    root: Rc<Open>,
    open: HashMap<PathBuf, Rc<Open>>,
}

impl Walk {
    pub(super) fn new(root: OwnedFd) -> Self {
        let root = Rc::new(Open { handle: root, path: PathBuf::new() });
        Self { root, open: HashMap::new() }
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root.handle
    }

    /// Forgets every handle but the root's: some may be of what was removed.
    pub(super) fn forget(&mut self) {
        self.open.clear();
    }
}

impl Unpacker<'_> {
    /// The directory at `path` for the sake of `entry`; what is missing is made.
    pub(super) fn directory(&mut self, path: &Path, entry: &Path) -> Result<Rc<Open>, UnpackError> {
        if let Some(open) = self.walk.open.get(path) {
            return Ok(Rc::clone(open));
        }
        let mut way = vec![Rc::clone(&self.walk.root)];
        let mut todo = steps(path);
        let mut links = 0;
        while let Some(step) = todo.pop() {
            let Some(name) = step else {
                // `..` of the root is the root.
                way.truncate(way.len().saturating_sub(1).max(1));
                continue;
            };
            let Some(last) = way.last().map(Rc::clone) else { break };
            let target = match self.step(&last, &name, entry)? {
                Step::Into(open) => {
                    way.push(Rc::new(open));
                    continue;
                }
                Step::Link(target) => target,
            };
            links += 1;
            if links > MOST_LINKS {
                return Err(UnpackError::Loop { path: entry.to_owned() });
            }
            if target.has_root() {
                way.truncate(1);
            }
            todo.extend(steps(&target));
        }
        let open = way.pop().unwrap_or_else(|| Rc::clone(&self.walk.root));
        if self.walk.open.len() >= MOST_OPEN {
            self.walk.open.clear();
        }
        self.walk.open.insert(path.to_owned(), Rc::clone(&open));
        Ok(open)
    }

    /// One name further.
    fn step(&mut self, parent: &Open, name: &OsStr, entry: &Path) -> Result<Step, UnpackError> {
        let path = parent.path.join(name);
        match open_directory(&parent.handle, name) {
            Ok(handle) => return Ok(Step::Into(Open { handle, path })),
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let stat = rustix::fs::statat(&parent.handle, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|error| io_error("look at", &path, error))?;
                let kind = FileType::from_raw_mode(stat.st_mode);
                if kind == FileType::Symlink {
                    let target = rustix::fs::readlinkat(&parent.handle, name, Vec::new())
                        .map_err(|error| io_error("read the link", &path, error))?;
                    return Ok(Step::Link(node::to_path(target)));
                }
                if kind != FileType::CharacterDevice || stat.st_rdev != 0 {
                    let entry = entry.to_owned();
                    return Err(UnpackError::Through { path: entry, through: path });
                }
                // It was gone, and something came in its place: nothing below counts.
                rustix::fs::unlinkat(&parent.handle, name, AtFlags::empty())
                    .map_err(|error| io_error("remove", &path, error))?;
                self.mark_opaque(path.clone());
            }
            Err(error) => return Err(io_error("open", &path, error)),
        }
        if !self.is_hidden(&path)
            && !self.opaque.contains(&path)
            && let Some(target) = self.link_below(&path)?
        {
            return Ok(Step::Link(target));
        }
        rustix::fs::mkdirat(&parent.handle, name, Mode::RWXU)
            .map_err(|error| io_error("make the directory", &path, error))?;
        let attributes = self.known_directory(&path)?;
        self.directories.insert(path.clone(), attributes);
        let handle =
            open_directory(&parent.handle, name).map_err(|error| io_error("open", &path, error))?;
        Ok(Step::Into(Open { handle, path }))
    }

    /// Where the link leads that the layers below have at the real path `path`.
    fn link_below(&self, path: &Path) -> Result<Option<PathBuf>, UnpackError> {
        let failed = |source| UnpackError::Io { what: "look at", path: path.to_owned(), source };
        match node::found(self.below.metadata(path)).map_err(failed)? {
            Some(metadata) if metadata.kind == Kind::Symlink => {
                self.below.read_link(path).map(Some).map_err(failed)
            }
            _ => Ok(None),
        }
    }

    /// What a directory is that the layer does not mention: as below, else root's and 0755.
    pub(super) fn known_directory(&self, path: &Path) -> Result<Attributes, UnpackError> {
        let failed = |source| UnpackError::Io { what: "look at", path: path.to_owned(), source };
        let is_hidden = self.is_hidden(path) || self.opaque.contains(path);
        let below = match is_hidden {
            true => None,
            false => node::found(self.below.metadata(path)).map_err(failed)?,
        };
        let Some(metadata) = below.filter(|metadata| metadata.kind == Kind::Directory) else {
            return Ok(Attributes { mode: 0o755, ..Attributes::default() });
        };
        Ok(Attributes {
            mode: metadata.mode,
            uid: metadata.uid,
            gid: metadata.gid,
            mtime: metadata.mtime.seconds,
            nanos: metadata.mtime.nanos,
            xattrs: self.below.xattrs(path).map_err(failed)?,
        })
    }
}

enum Step {
    Into(Open),
    Link(PathBuf),
}

/// Opens the directory `name`, never through a link.
pub(super) fn open_directory(parent: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// The names in `path`, last first; `None` is `..`.
fn steps(path: &Path) -> Vec<Option<OsString>> {
    let step = |component| match component {
        Component::Normal(name) => Some(Some(OsStr::to_owned(name))),
        Component::ParentDir => Some(None),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(step).collect()
}
