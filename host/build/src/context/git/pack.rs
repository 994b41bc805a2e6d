//! Packs: many objects in one file, most of them as deltas.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use flate2::bufread::ZlibDecoder;

use super::delta;
use super::object::{Id, Kind, LARGEST_OBJECT, Object, Objects};
use super::{GitError, broken};

/// A pack file.
pub(super) struct Pack {
    file: fs_err::File,
    size: u64,
}

/// A pack whose objects are known by what they are: there is no index, or nobody trusts it.
pub(super) struct IndexedPack {
    pack: Pack,
    offsets: HashMap<Id, u64>,
}

/// What stands before the bytes of an object.
struct Header {
    form: Form,
    /// Of the inflated bytes.
    size: u64,
    /// Where they begin.
    start: u64,
}

enum Form {
    Whole(Kind),
    /// A delta to the object that begins there.
    At(u64),
    /// A delta to this object.
    Of(Id),
}

/// git makes chains of 50 by default, and of 4095 at most.
const LONGEST_CHAIN: usize = 4096;

/// Bytes of the signature, the version and the count.
const START: u64 = 12;

/// The checksum of the file.
const END: u64 = 20;

impl Pack {
    pub(super) fn open(path: &Path) -> Result<Self, GitError> {
        let unreadable = |source| GitError::Unreadable { path: path.to_owned(), source };
        let file = fs_err::File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        Ok(Self { file, size })
    }

    /// The object that begins at `offset`; `place` says where objects are that deltas name.
    pub(super) fn object(
        &self,
        offset: u64,
        place: &dyn Fn(Id) -> Result<Option<u64>, GitError>,
    ) -> Result<Option<Object>, GitError> {
        let mut deltas = Vec::new();
        let mut at = offset;
        let kind = loop {
            let header = self.header(at)?;
            match header.form {
                Form::Whole(kind) => {
                    deltas.push(self.inflate(&header)?.0);
                    break kind;
                }
                Form::At(base) => {
                    deltas.push(self.inflate(&header)?.0);
                    at = base;
                }
                Form::Of(id) => {
                    deltas.push(self.inflate(&header)?.0);
                    let Some(base) = place(id)? else { return Ok(None) };
                    at = base;
                }
            }
            if deltas.len() > LONGEST_CHAIN {
                return Err(broken("a chain of deltas does not end"));
            }
        };
        let mut data = deltas.pop().unwrap_or_default();
        while let Some(delta) = deltas.pop() {
            data = delta::apply(&data, &delta)?;
        }
        Ok(Some(Object { kind, data }))
    }

    fn header(&self, offset: u64) -> Result<Header, GitError> {
        let damaged = || broken(format!("a pack is damaged at byte {offset}"));
        let mut buffer = [0; 32];
        let bytes = self.peek(offset, &mut buffer)?;
        let mut rest = bytes.iter();
        let first = *rest.next().ok_or_else(damaged)?;
        let mut size = u64::from(first & 0x0f);
        let mut byte = first;
        for shift in (4..60).step_by(7) {
            if byte & 0x80 == 0 {
                break;
            }
            byte = *rest.next().ok_or_else(damaged)?;
            size |= u64::from(byte & 0x7f) << shift;
        }
        if byte & 0x80 != 0 {
            return Err(damaged());
        }
        let form = match (first >> 4) & 7 {
            1 => Form::Whole(Kind::Commit),
            2 => Form::Whole(Kind::Tree),
            3 => Form::Whole(Kind::Blob),
            4 => Form::Whole(Kind::Tag),
            6 => {
                let mut distance = 0_u64;
                loop {
                    let byte = *rest.next().ok_or_else(damaged)?;
                    distance = (distance << 7) | u64::from(byte & 0x7f);
                    if byte & 0x80 == 0 {
                        break;
                    }
                    // The longer form begins where the shorter ends.
                    distance =
                        distance.checked_add(1).filter(|d| *d < self.size).ok_or_else(damaged)?;
                }
                let base = offset.checked_sub(distance).filter(|base| *base >= START);
                Form::At(base.filter(|base| *base < offset).ok_or_else(damaged)?)
            }
            7 => {
                let (id, after) = rest.as_slice().split_first_chunk().ok_or_else(damaged)?;
                rest = after.iter();
                Form::Of(Id(*id))
            }
            _ => return Err(damaged()),
        };
        if size > LARGEST_OBJECT {
            return Err(GitError::Limit { limit: LARGEST_OBJECT, what: "bytes in one object" });
        }
        let start = offset + (bytes.len() - rest.len()) as u64;
        Ok(Header { form, size, start })
    }

    /// The bytes of an object, and where the next begins.
    fn inflate(&self, header: &Header) -> Result<(Vec<u8>, u64), GitError> {
        let damaged = || broken(format!("a pack is damaged at byte {}", header.start));
        let part = Part { pack: self, at: header.start };
        let mut decoder = ZlibDecoder::new(BufReader::with_capacity(32 * 1024, part));
        let expected = usize::try_from(header.size).map_err(|_| damaged())?;
        let mut data = Vec::with_capacity(expected.min(1 << 20));
        decoder.by_ref().take(header.size + 1).read_to_end(&mut data).map_err(|_| damaged())?;
        if data.len() != expected {
            return Err(damaged());
        }
        Ok((data, header.start + decoder.total_in()))
    }

    /// As many bytes at `offset` as there are, and fit.
    fn peek<'a>(&self, offset: u64, buffer: &'a mut [u8]) -> Result<&'a [u8], GitError> {
        let mut filled = 0;
        while let Some(free) = buffer.get_mut(filled..).filter(|free| !free.is_empty()) {
            match self.read_at(free, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(source) => {
                    let path: PathBuf = self.file.path().to_owned();
                    return Err(GitError::Unreadable { path, source });
                }
            }
        }
        Ok(buffer.get(..filled).unwrap_or_default())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.file().read_at(buffer, offset)
    }
}

impl IndexedPack {
    /// Reads all objects of the pack at `path` to find out what they are.
    pub(super) fn index(path: &Path, limit: u64) -> Result<Self, GitError> {
        let pack = Pack::open(path)?;
        let mut start = [0; 12];
        let Some(count) = pack.peek(0, &mut start)?.strip_prefix(b"PACK\0\0\0\x02") else {
            return Err(broken("what was received is not a pack of version 2"));
        };
        let count = count.first_chunk().map_or(0, |count| u32::from_be_bytes(*count));
        let (mut offset, mut inflated) = (START, 0_u64);
        let (mut offsets, mut deltas) = (HashMap::new(), Vec::new());
        for _ in 0..count {
            let header = pack.header(offset)?;
            let (data, next) = pack.inflate(&header)?;
            inflated += data.len() as u64;
            if inflated > limit {
                return Err(GitError::Limit { limit, what: "bytes" });
            }
            match header.form {
                Form::Whole(kind) => _ = offsets.insert(Id::of(kind, &data)?, offset),
                Form::At(_) | Form::Of(_) => deltas.push(offset),
            }
            offset = next;
        }
        if offset + END != pack.size {
            return Err(broken("a pack does not end where it should"));
        }
        // A delta may name an object that is itself a delta, further back.
        while !deltas.is_empty() {
            let before = deltas.len();
            let mut left = Vec::new();
            for offset in deltas {
                match pack.object(offset, &|id| Ok(offsets.get(&id).copied()))? {
                    Some(object) => _ = offsets.insert(Id::of(object.kind, &object.data)?, offset),
                    None => left.push(offset),
                }
            }
            if left.len() == before {
                return Err(broken("a pack has deltas to objects that it does not have"));
            }
            deltas = left;
        }
        Ok(Self { pack, offsets })
    }
}

impl Objects for IndexedPack {
    fn read(&self, id: Id) -> Result<Option<Object>, GitError> {
        let Some(offset) = self.offsets.get(&id) else { return Ok(None) };
        self.pack.object(*offset, &|id| Ok(self.offsets.get(&id).copied()))
    }
}

/// The file from one place on.
struct Part<'a> {
    pack: &'a Pack,
    at: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.pack.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
