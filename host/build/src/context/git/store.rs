//! The objects of a repository on this machine: loose, packed, or another repository's.

use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;

use super::object::{Id, Kind, LARGEST_OBJECT, Object, Objects};
use super::pack::Pack;
use super::{GitError, broken};

/// Where objects lie.
pub(super) struct ObjectStore {
    /// The repository's own, then its alternates.
    directories: Vec<PathBuf>,
    packs: Vec<(Index, Pack)>,
}

/// Where the objects of a pack begin, as git wrote it down: `gitformat-pack`, version 2.
struct Index {
    file: fs_err::File,
    /// How many names begin with a byte up to this one.
    fanout: Vec<u32>,
}

/// As many repositories as lend each other objects.
const MOST_ALTERNATES: usize = 16;

/// Magic, version, fanout.
const FANOUT: u64 = 8;
const NAMES: u64 = FANOUT + 256 * 4;

impl ObjectStore {
    /// The store at `objects` of a repository.
    pub(super) fn open(objects: &Path) -> Result<Self, GitError> {
        let mut directories = vec![objects.to_owned()];
        let mut next = 0;
        while let Some(directory) = directories.get(next).cloned() {
            next += 1;
            for line in read_text(&directory.join("info/alternates"))?.lines() {
                let path = directory.join(line);
                if !line.is_empty() && !line.starts_with('#') && !directories.contains(&path) {
                    directories.push(path);
                }
            }
            if directories.len() > MOST_ALTERNATES {
                return Err(broken("too many repositories lend it objects"));
            }
        }
        let mut packs = Vec::new();
        for directory in &directories {
            for path in names(&directory.join("pack"))? {
                if path.extension().is_some_and(|extension| extension == "idx") {
                    packs.push((Index::open(&path)?, Pack::open(&path.with_extension("pack"))?));
                }
            }
        }
        Ok(Self { directories, packs })
    }

    fn loose(&self, id: Id) -> Result<Option<Object>, GitError> {
        let name = id.to_string();
        let (first, rest) = name.split_at(2);
        for directory in &self.directories {
            let path = directory.join(first).join(rest);
            let file = match fs_err::File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(GitError::Unreadable { path, source }),
            };
            let mut bytes = Vec::new();
            let mut reader = ZlibDecoder::new(file).take(LARGEST_OBJECT);
            let damaged = || broken(format!("the object {id} is damaged"));
            reader.read_to_end(&mut bytes).map_err(|_| damaged())?;
            let end = bytes.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
            let data = bytes.split_off(end + 1);
            let noun = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
            let kind = Kind::parse(noun).ok_or_else(damaged)?;
            return Ok(Some(Object { kind, data }));
        }
        Ok(None)
    }

    fn packed(&self, id: Id) -> Result<Option<Object>, GitError> {
        for (index, pack) in &self.packs {
            if let Some(offset) = index.offset(id)? {
                let object = pack.object(offset, &|id| index.offset(id))?;
                return Ok(Some(object.ok_or_else(|| broken("a pack lacks the base of a delta"))?));
            }
        }
        Ok(None)
    }
}

impl Objects for ObjectStore {
    fn read(&self, id: Id) -> Result<Option<Object>, GitError> {
        let object = match self.packed(id)? {
            Some(object) => Some(object),
            None => self.loose(id)?,
        };
        match object {
            Some(object) if Id::of(object.kind, &object.data)? != id => {
                Err(broken(format!("the object {id} is another one")))
            }
            object => Ok(object),
        }
    }
}

impl Index {
    fn open(path: &Path) -> Result<Self, GitError> {
        let unreadable = |source| GitError::Unreadable { path: path.to_owned(), source };
        let file = fs_err::File::open(path).map_err(unreadable)?;
        let mut start = [0; 8];
        file.file().read_exact_at(&mut start, 0).map_err(unreadable)?;
        if start != *b"\xfftOc\0\0\0\x02" {
            return Err(GitError::Unsupported { what: "an index of packs other than version 2" });
        }
        let mut bytes = [0; 1024];
        file.file().read_exact_at(&mut bytes, FANOUT).map_err(unreadable)?;
        let (numbers, _) = bytes.as_chunks();
        let fanout = numbers.iter().map(|number| u32::from_be_bytes(*number)).collect();
        Ok(Self { file, fanout })
    }

    /// Where `id` begins in the pack.
    fn offset(&self, id: Id) -> Result<Option<u64>, GitError> {
        let [first, ..] = id.0;
        let up_to = |byte: usize| self.fanout.get(byte).copied().map_or(0, u64::from);
        let total = up_to(255);
        let mut low = usize::from(first).checked_sub(1).map_or(0, up_to);
        let mut high = up_to(usize::from(first));
        while low < high {
            let middle = low + (high - low) / 2;
            let name = Id(self.bytes(NAMES + middle * 20)?);
            match name.cmp(&id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                // Behind the names are the checksums, four bytes each.
                std::cmp::Ordering::Equal => return self.place(total, middle).map(Some),
            }
        }
        Ok(None)
    }

    fn place(&self, total: u64, index: u64) -> Result<u64, GitError> {
        let offsets = NAMES + total * 24;
        let short = u32::from_be_bytes(self.bytes(offsets + index * 4)?);
        if short >> 31 == 0 {
            return Ok(u64::from(short));
        }
        let long = u64::from(short & 0x7fff_ffff);
        Ok(u64::from_be_bytes(self.bytes(offsets + total * 4 + long * 8)?))
    }

    fn bytes<const N: usize>(&self, offset: u64) -> Result<[u8; N], GitError> {
        let mut bytes = [0; N];
        self.file
            .file()
            .read_exact_at(&mut bytes, offset)
            .map_err(|source| GitError::Unreadable { path: self.file.path().to_owned(), source })?;
        Ok(bytes)
    }
}

/// The text of a small file; empty if there is none.
pub(super) fn read_text(path: &Path) -> Result<String, GitError> {
    /// `packed-refs` of the largest repositories has a few megabytes.
    const LARGEST: u64 = 64 << 20;
    let unreadable = |source| GitError::Unreadable { path: path.to_owned(), source };
    let file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(String::new());
        }
        Err(source) => return Err(unreadable(source)),
    };
    let mut bytes = Vec::new();
    match file.take(LARGEST).read_to_end(&mut bytes) {
        Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(String::new()),
        Err(source) => Err(unreadable(source)),
    }
}

/// What is in a directory, sorted; nothing if there is none.
pub(super) fn names(directory: &Path) -> Result<Vec<PathBuf>, GitError> {
    let unreadable = |source| GitError::Unreadable { path: directory.to_owned(), source };
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(unreadable(source)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}
