//! A directory of our own that strangers' files are unpacked into.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _, Permissions, PermissionsExt as _};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use super::ContextError;

/// The directory; it goes with everything in it when this does.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

/// Fills a [`Scratch`]. No path that it is given leads outside, also not through links that were
/// unpacked before.
pub(super) struct Unpacker {
    scratch: Scratch,
    dir: Dir,
    /// Directories get their modes last: in one without `w` nothing could be unpacked.
    directories: Vec<(PathBuf, u32, i64)>,
}

impl Scratch {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody waits for it; the next build sweeps what could not be removed.
        let _ = crate::remove::remove(&self.path);
    }
}

impl Unpacker {
    /// An empty directory in `parent`.
    pub(super) fn new(parent: &Path) -> Result<Self, ContextError> {
        let unwritable = |source| ContextError::Write { path: PathBuf::from("."), source };
        let home = tempfile::Builder::new().prefix("context-").tempdir_in(parent);
        let scratch = Scratch { path: home.map_err(unwritable)?.keep() };
        let dir = Dir::open_ambient_dir(scratch.path(), ambient_authority()).map_err(unwritable)?;
        Ok(Self { scratch, dir, directories: Vec::new() })
    }

    /// A directory; one that is there gets the mode and time.
    pub(super) fn directory(&mut self, path: &Path, mode: u32, mtime: i64) -> io::Result<()> {
        self.make_parents(path, mtime)?;
        self.directories.push((path.to_owned(), mode, mtime));
        Ok(())
    }

    /// A regular file; replaces what is there.
    pub(super) fn file(
        &mut self,
        path: &Path,
        mode: u32,
        mtime: i64,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        self.make_room(path, mtime)?;
        let mut options = OpenOptions::new();
        let mut file =
            self.dir.open_with(path, options.write(true).create_new(true).mode(0o600))?;
        io::copy(content, &mut file)?;
        file.set_permissions(Permissions::from_mode(mode & 0o7777))?;
        Ok(rustix::fs::futimens(&file, &at(mtime))?)
    }

    /// A symbolic link, wherever it points.
    pub(super) fn symlink(&mut self, path: &Path, target: &Path, mtime: i64) -> io::Result<()> {
        self.make_room(path, mtime)?;
        self.dir.symlink_contents(target, path)?;
        self.touch(path, mtime)
    }

    /// Another name of the file `target`.
    pub(super) fn hard_link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        if !self.dir.symlink_metadata(target)?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.make_room(path, 0)?;
        self.dir.hard_link(target, &self.dir, path)
    }

    /// Gives directories their modes and times.
    pub(super) fn finish(mut self) -> Result<Scratch, ContextError> {
        // The deepest first: a mode may close the way to what is below, a change touches the time.
        self.directories.sort_by_key(|(path, ..)| std::cmp::Reverse(path.components().count()));
        for (path, mode, mtime) in std::mem::take(&mut self.directories) {
            let permissions = Permissions::from_mode(mode & 0o7777);
            self.touch(&path, mtime)
                .and_then(|()| match path.as_os_str().is_empty() {
                    true => Ok(()),
                    false => self.dir.set_permissions(&path, permissions),
                })
                .map_err(|source| ContextError::Write { path, source })?;
        }
        Ok(self.scratch)
    }

    /// Makes the directories above `path`, and removes what is at it, unless that is a directory.
    fn make_room(&mut self, path: &Path, mtime: i64) -> io::Result<()> {
        self.make_parents(path.parent().unwrap_or(Path::new("")), mtime)?;
        match self.dir.remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Makes the directory `path` and those above it. What nobody described gets the mode that
    /// everybody gives, and not this process's.
    fn make_parents(&mut self, path: &Path, mtime: i64) -> io::Result<()> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|at| !at.as_os_str().is_empty() && !self.dir.is_dir(at))
            .collect();
        for at in missing.into_iter().rev() {
            self.dir.create_dir(at)?;
            self.directories.push((at.to_owned(), 0o755, mtime));
        }
        Ok(())
    }

    /// Sets the time of what is at `path`, of a link itself.
    fn touch(&self, path: &Path, mtime: i64) -> io::Result<()> {
        let times = at(mtime);
        let Some(name) = path.file_name() else {
            let root = self.scratch.path();
            return Ok(rustix::fs::utimensat(CWD, root, &times, AtFlags::SYMLINK_NOFOLLOW)?);
        };
        // By the handle of its directory: the system would follow links in the path to anywhere.
        let parent = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => self.dir.open_dir(parent)?,
            None => self.dir.try_clone()?,
        };
        Ok(rustix::fs::utimensat(parent.as_fd(), name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

fn at(mtime: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
