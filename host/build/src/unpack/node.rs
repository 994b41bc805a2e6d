//! What entries become.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::walk::Open;
use super::{Attributes, UnpackError, Unpacker, io_error};
use crate::Entry;
use crate::layer::LayerReader;
use crate::overlay::Owners;
use crate::tree::{self, Kind, Tree as _};

/// Where an entry goes.
pub(super) struct Place<'a> {
    pub(super) parent: Rc<Open>,
    pub(super) name: &'a OsStr,
    /// Where that really is.
    pub(super) path: PathBuf,
}

impl Place<'_> {
    fn failed(&self, what: &'static str) -> impl Fn(Errno) -> UnpackError {
        move |error| io_error(what, &self.path, error)
    }

    /// What is there already.
    fn stat(&self) -> Result<Option<rustix::fs::Stat>, UnpackError> {
        match rustix::fs::statat(&self.parent.handle, self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("look at")(error)),
        }
    }
}

impl Unpacker<'_> {
    pub(super) fn file(
        &mut self,
        entry: &Entry,
        place: &Place<'_>,
        size: u64,
        layer: &mut LayerReader,
    ) -> Result<(), UnpackError> {
        let handle = self.new_file(place)?;
        let mut file = std::fs::File::from(handle);
        layer.copy_to(&mut file, &|source| UnpackError::Io {
            what: "write",
            path: place.path.clone(),
            source,
        })?;
        self.dress(&file.into(), &place.path, &Attributes::of(entry), false)?;
        self.files += 1;
        self.bytes += size;
        Ok(())
    }

    /// A new file of that name, whatever was there before.
    fn new_file(&mut self, place: &Place<'_>) -> Result<OwnedFd, UnpackError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || {
            let mode = Mode::RUSR | Mode::WUSR;
            rustix::fs::openat(&place.parent.handle, place.name, flags, mode)
        };
        match open() {
            Err(Errno::EXIST) => {
                self.clear(place)?;
                open()
            }
            result => result,
        }
        .map_err(place.failed("make"))
    }

    pub(super) fn make_directory(
        &mut self,
        entry: &Entry,
        place: &Place<'_>,
    ) -> Result<(), UnpackError> {
        match place.stat()? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
            stat => {
                if let Some(stat) = stat {
                    self.clear(place)?;
                    if is_whiteout(&stat) {
                        // Gone and come again: nothing of the old one is left.
                        self.mark_opaque(place.path.clone());
                    }
                }
                rustix::fs::mkdirat(&place.parent.handle, place.name, Mode::RWXU)
                    .map_err(place.failed("make the directory"))?;
                // Until now a link of the layers below may have led elsewhere.
                self.walk.forget();
            }
        }
        self.directories.insert(place.path.clone(), Attributes::of(entry));
        Ok(())
    }

    pub(super) fn symlink(
        &mut self,
        entry: &Entry,
        place: &Place<'_>,
        target: &Path,
    ) -> Result<(), UnpackError> {
        self.clear(place)?;
        let Place { parent, name, path } = place;
        rustix::fs::symlinkat(target, &parent.handle, *name)
            .map_err(place.failed("make the link"))?;
        self.walk.forget();
        self.dress_special(&parent.handle, name, path, &Attributes::of(entry), true)
    }

    pub(super) fn hard_link(
        &mut self,
        entry: &Entry,
        place: &Place<'_>,
        target: &Path,
    ) -> Result<(), UnpackError> {
        let missing = || UnpackError::Link { path: entry.path.clone(), target: target.to_owned() };
        let name = target.file_name().ok_or_else(missing)?;
        let parent = self.directory(target.parent().unwrap_or(Path::new("")), &entry.path)?;
        let path = parent.path.join(name);
        if path == place.path {
            return Ok(());
        }
        let from = Place { parent, name, path };
        match from.stat()? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                return Err(missing());
            }
            Some(stat) if is_whiteout(&stat) => return Err(missing()),
            Some(_) => {}
            // A layer that was not made by comparing file trees may link to what is below.
            None if self.is_hidden(&from.path) => return Err(missing()),
            None => self.copy_up(&from, &missing)?,
        }
        self.clear(place)?;
        let empty = AtFlags::empty();
        rustix::fs::linkat(&from.parent.handle, from.name, &place.parent.handle, place.name, empty)
            .map_err(place.failed("link"))
    }

    /// Copies a file of the layers below into this one.
    fn copy_up(
        &mut self,
        place: &Place<'_>,
        missing: &dyn Fn() -> UnpackError,
    ) -> Result<(), UnpackError> {
        let failed = |source| UnpackError::Io { what: "copy", path: place.path.clone(), source };
        let below = found(self.below.metadata(&place.path)).map_err(failed)?;
        let metadata = below.filter(|below| below.kind == Kind::File).ok_or_else(missing)?;
        let mut content = self.below.open(&place.path).map_err(failed)?;
        let mut file = std::fs::File::from(self.new_file(place)?);
        io::copy(&mut content, &mut file).map_err(failed)?;
        let attributes = Attributes {
            mode: metadata.mode,
            uid: metadata.uid,
            gid: metadata.gid,
            mtime: metadata.mtime.seconds,
            nanos: metadata.mtime.nanos,
            xattrs: self.below.xattrs(&place.path).map_err(failed)?,
        };
        self.dress(&file.into(), &place.path, &attributes, false)
    }

    pub(super) fn device(
        &mut self,
        entry: &Entry,
        place: &Place<'_>,
        kind: FileType,
        (major, minor): (u32, u32),
    ) -> Result<(), UnpackError> {
        let left_out =
            |why: &str| format!("the device `{}` was left out: {why}", entry.path.display());
        let is_device = kind != FileType::Fifo;
        if is_device && (major, minor) == (0, 0) {
            self.note(left_out("0:0 is no device, overlayfs takes it for a removed file"));
            return Ok(());
        }
        if is_device && self.rights.owners == Owners::Record {
            self.note(left_out("only root may make one"));
            return Ok(());
        }
        self.clear(place)?;
        let Place { parent, name, path } = place;
        let number = rustix::fs::makedev(major, minor);
        match rustix::fs::mknodat(&parent.handle, *name, kind, Mode::RUSR, number) {
            Ok(()) => self.dress_special(&parent.handle, name, path, &Attributes::of(entry), false),
            Err(Errno::PERM) if is_device => {
                self.note(left_out("only root may make one"));
                Ok(())
            }
            Err(error) => Err(io_error("make the device", path, error)),
        }
    }

    /// What is below has gone, unless this layer brings something of that name itself.
    pub(super) fn whiteout(&mut self, place: &Place<'_>) -> Result<(), UnpackError> {
        match place.stat()? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                self.mark_opaque(place.path.clone());
                Ok(())
            }
            Some(_) => Ok(()),
            None => self.make_whiteout(place),
        }
    }

    fn make_whiteout(&self, place: &Place<'_>) -> Result<(), UnpackError> {
        let failed = |source| UnpackError::Io { what: "look at", path: place.path.clone(), source };
        let is_below = !self.is_hidden(&place.path)
            && found(self.below.metadata(&place.path)).map_err(failed)?.is_some();
        if !is_below {
            // Some file systems would show the mark itself.
            return Ok(());
        }
        let kind = FileType::CharacterDevice;
        rustix::fs::mknodat(&place.parent.handle, place.name, kind, Mode::empty(), 0)
            .map_err(place.failed("mark as removed"))
    }

    pub(super) fn make_opaque(&mut self, entry: &Entry) -> Result<(), UnpackError> {
        let directory = self.directory(&entry.path, &entry.path)?;
        match directory.path.as_os_str().is_empty() {
            // A link led to the root.
            true => self.hide_all(),
            false => {
                self.mark_opaque(directory.path.clone());
                Ok(())
            }
        }
    }

    /// The root cannot be opaque for overlayfs: all that is below gets a mark of its own.
    pub(super) fn hide_all(&mut self) -> Result<(), UnpackError> {
        let root = self.directory(Path::new(""), Path::new(""))?;
        let failed = |source| UnpackError::Io { what: "list", path: PathBuf::new(), source };
        for child in self.below.read_dir(Path::new("")).map_err(failed)? {
            let path = PathBuf::from(&child.name);
            let place = Place { parent: Rc::clone(&root), name: &child.name, path };
            match place.stat()? {
                Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                    self.mark_opaque(place.path.clone());
                }
                Some(_) => {}
                None => self.make_whiteout(&place)?,
            }
        }
        self.mark_opaque(PathBuf::new());
        Ok(())
    }

    /// Removes what is there; a later entry of the same name wins.
    fn clear(&mut self, place: &Place<'_>) -> Result<(), UnpackError> {
        let Some(stat) = place.stat()? else { return Ok(()) };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let inside = |path: &PathBuf| path.starts_with(&place.path);
            self.directories.retain(|path, _| !inside(path));
            self.opaque.retain(|path| !inside(path));
        }
        let name = place.name.as_bytes();
        self.walk.forget();
        crate::remove::remove_at(std::os::fd::AsFd::as_fd(&place.parent.handle), name)
            .map_err(place.failed("replace"))
    }
}

/// None where there is nothing.
pub(super) fn found(result: io::Result<tree::Metadata>) -> io::Result<Option<tree::Metadata>> {
    match result {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn to_path(text: CString) -> PathBuf {
    OsString::from_vec(text.into_bytes()).into()
}

fn is_whiteout(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}
