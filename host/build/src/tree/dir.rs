//! A tree that is a directory of this machine.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, FileTypeExt, MetadataExt, OpenOptions, OpenOptionsExt};

use super::{Child, Kind, Metadata, Time, Tree};

/// A directory as a build context: confined, and owned by root whoever owns it here.
///
/// Every access goes through a handle of the directory that cannot be left by `..` or by a link, not
/// even if somebody moves directories about meanwhile. A directory that takes the place of another
/// later is not seen.
#[derive(Debug)]
pub struct DirTree {
    dir: Dir,
}

impl DirTree {
    /// Opens the directory `path`, through links if it is one.
    ///
    /// # Errors
    /// If there is none, or it may not be read. The error names the path.
    pub fn open(path: &Path) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot open `{}`: {error}", path.display()))
        })?;
        Ok(Self { dir })
    }

    /// A tree over a directory that is open already.
    pub fn new(dir: Dir) -> Self {
        Self { dir }
    }

    /// The handle.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Opens the directory at `path` without following a link there.
    fn directory(&self, path: &Path) -> io::Result<Dir> {
        if path.as_os_str().is_empty() {
            return self.dir.try_clone();
        }
        if !self.metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        self.dir.open_dir(path)
    }
}

impl Tree for DirTree {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if path.as_os_str().is_empty() {
            return Ok(convert(&self.dir.dir_metadata()?));
        }
        Ok(convert(&self.dir.symlink_metadata(path)?))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Child>> {
        let mut children = Vec::new();
        for entry in self.directory(path)?.entries()? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Ok(metadata) => convert(&metadata),
                // It went away between the two calls, as files of editors do.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            children.push(Child { name: entry.file_name(), metadata });
        }
        children.sort_unstable_by(|a, b| bytes(&a.name).cmp(bytes(&b.name)));
        Ok(children)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.dir.read_link_contents(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        let mut options = OpenOptions::new();
        // Without blocking: a pipe that took the file's place would wait for a writer for ever.
        options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file = self.dir.open_with(path, &options)?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Box::new(file))
    }
}

fn bytes(name: &OsStr) -> &[u8] {
    name.as_encoded_bytes()
}

fn convert(metadata: &cap_std::fs::Metadata) -> Metadata {
    let file_type = metadata.file_type();
    let device = metadata.rdev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let kind = if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_symlink() {
        Kind::Symlink
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else if file_type.is_socket() {
        Kind::Socket
    } else if file_type.is_block_device() {
        Kind::BlockDevice { major, minor }
    } else if file_type.is_char_device() {
        Kind::CharacterDevice { major, minor }
    } else {
        Kind::File
    };
    let time =
        |seconds: i64, nanos: i64| Time { seconds, nanos: u32::try_from(nanos).unwrap_or(0) };
    Metadata {
        kind,
        mode: metadata.mode() & 0o7777,
        uid: 0,
        gid: 0,
        size: metadata.len(),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        device: metadata.dev(),
        inode: metadata.ino(),
        links: metadata.nlink(),
    }
}
