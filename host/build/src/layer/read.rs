//! A blob to entries.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use oci::Digest;

use super::block::{
    BLOCK, Block, GID, LINK, MAGIC, MAJOR, MINOR, MODE, MTIME, NAME, PREFIX, SIZE, UID, USTAR,
};
use super::inflate::Plain;
use super::limits::{LARGEST_EXTENSION, LONGEST_NAME, LONGEST_PATH};
use super::write::padding;
use super::{Limits, OPAQUE, ReadError, WHITEOUT, header, pax};
use crate::{Entry, EntryKind};

/// What the names of a forgotten union file system's own files begin with; nobody wants them.
const AUFS: &[u8] = b".wh..wh.";

/// Reads a layer, or another archive, entry by entry: gzip, zstd, xz, bzip2 or plain.
///
/// Reading it as [`Read`] gives the content of the entry that came last. Paths are plain and lead
/// nowhere outside; what hard links point at too. What symbolic links say is as written.
pub struct LayerReader {
    plain: Plain,
    limits: Limits,
    names: Names,
    entries: u64,
    offset: u64,
    /// Bytes of the current content that were not read.
    left: u64,
    /// Behind them, to the end of the block.
    padding: u64,
    path: Option<PathBuf>,
    ended: bool,
    expected: Option<Digest>,
}

/// What a name beginning with `.wh.` means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Layer,
    Archive,
}

/// What the headers before an entry's own say of it.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<i64>,
    xattrs: BTreeMap<OsString, Vec<u8>>,
    is_sparse: bool,
}

impl LayerReader {
    /// Reads the layer `blob`, whatever it is compressed with.
    pub fn new(blob: impl Read + Send + 'static, limits: Limits) -> Self {
        Self::with(blob, limits, Names::Layer)
    }

    /// Reads an archive that is no layer: names that begin with `.wh.` are like others.
    pub fn archive(blob: impl Read + Send + 'static, limits: Limits) -> Self {
        Self::with(blob, limits, Names::Archive)
    }

    fn with(blob: impl Read + Send + 'static, limits: Limits, names: Names) -> Self {
        Self {
            plain: Plain::new(blob, limits),
            limits,
            names,
            entries: 0,
            offset: 0,
            left: 0,
            padding: 0,
            path: None,
            ended: false,
            expected: None,
        }
    }

    /// Holds the plain bytes against the digest that the image lists: [`LayerReader::finish`] fails
    /// if they are others.
    #[must_use]
    pub fn expecting(mut self, diff_id: Digest) -> Self {
        self.expected = Some(diff_id);
        self
    }

    /// The next entry, in the order of the archive: the same path may come again, and parents may
    /// come late or never. What was not read of the content before is left out.
    ///
    /// # Errors
    /// If the archive makes no sense, leads outside, or goes beyond a limit. Nothing can be read
    /// behind that.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        let mut extension = Extension::default();
        while !self.ended {
            self.skip()?;
            let start = self.offset;
            let Some(block) = self.block()? else {
                self.ended = true;
                break;
            };
            let damaged = |what| ReadError::Header { offset: start, what };
            if !block.is_sealed() {
                return Err(damaged("the checksum of a header is wrong"));
            }
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(ReadError::Limit { limit: self.limits.entries, what: "entries" });
            }
            let flag = block.flag();
            if matches!(flag, b'x' | b'g' | b'L' | b'K') {
                let content = self.extension(&block, start)?;
                match flag {
                    b'x' => extension.add(&content).map_err(damaged)?,
                    b'L' => extension.path = Some(until_nul(content)),
                    b'K' => extension.link = Some(until_nul(content)),
                    // Global headers say who made the archive.
                    _ => {}
                }
                continue;
            }
            let extension = std::mem::take(&mut extension);
            if let Some(entry) = self.entry(&block, extension, start)? {
                self.path = Some(entry.path.clone());
                return Ok(Some(entry));
            }
        }
        self.path = None;
        Ok(None)
    }

    /// Reads to the end; the digest (diff-id) and the number of all plain bytes.
    ///
    /// # Errors
    /// As [`LayerReader::next_entry`]; the entries that are left are not looked at.
    pub fn finish(self) -> Result<(Digest, u64), ReadError> {
        let (diff_id, size) = self.plain.finish()?;
        match self.expected {
            Some(expected) if expected != diff_id => Err(ReadError::diff_id(expected, diff_id)),
            _ => Ok((diff_id, size)),
        }
    }

    /// Writes the rest of the current content to `to`, without a copy in between.
    pub(crate) fn copy_to<E: From<ReadError>>(
        &mut self,
        to: &mut impl io::Write,
        refused: &dyn Fn(io::Error) -> E,
    ) -> Result<(), E> {
        while self.left > 0 {
            let available = self.plain.available()?;
            let most = usize::try_from(self.left).unwrap_or(usize::MAX);
            let now = available.get(..most).unwrap_or(available);
            if now.is_empty() {
                return Err(ReadError::Short { path: self.path.clone() }.into());
            }
            to.write_all(now).map_err(refused)?;
            let count = now.len();
            self.plain.consume(count);
            self.left -= count as u64;
            self.offset += count as u64;
        }
        Ok(())
    }

    /// Leaves the rest of the content out.
    fn skip(&mut self) -> Result<(), ReadError> {
        let rest = self.left.saturating_add(self.padding);
        (self.left, self.padding) = (0, 0);
        let skipped = self.plain.skip(rest)?;
        self.offset += skipped;
        match skipped == rest {
            true => Ok(()),
            false => Err(ReadError::Short { path: self.path.clone() }),
        }
    }

    /// The next header; none at the end of the archive, which is said by two empty blocks, or by
    /// there being nothing more.
    fn block(&mut self) -> Result<Option<Block>, ReadError> {
        let Some(block) = self.raw_block()? else { return Ok(None) };
        let is_empty = |block: &Block| block.0.iter().all(|byte| *byte == 0);
        if !is_empty(&block) {
            return Ok(Some(block));
        }
        match self.raw_block()? {
            Some(second) if !is_empty(&second) => {
                let offset = self.offset - BLOCK as u64;
                Err(ReadError::Header { offset, what: "a lone empty block before it" })
            }
            _ => Ok(None),
        }
    }

    fn raw_block(&mut self) -> Result<Option<Block>, ReadError> {
        let mut bytes = [0; BLOCK];
        let count = self.plain.fill(&mut bytes)?;
        self.offset += count as u64;
        match count {
            0 => Ok(None),
            BLOCK => Ok(Some(Block(bytes))),
            _ => Err(ReadError::Short { path: None }),
        }
    }

    /// The content of a header that is about the next one.
    fn extension(&mut self, block: &Block, start: u64) -> Result<Vec<u8>, ReadError> {
        let size = block.number(SIZE).and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or(ReadError::Header { offset: start, what: "a size that is none" })?;
        if size > LARGEST_EXTENSION {
            let what = "bytes in an extended header";
            return Err(ReadError::Limit { limit: LARGEST_EXTENSION, what });
        }
        // At most a mebibyte.
        let mut content = vec![0; size as usize];
        let count = self.plain.fill(&mut content)?;
        self.offset += count as u64;
        if count < content.len() {
            return Err(ReadError::Short { path: None });
        }
        self.padding = padding(size) as u64;
        Ok(content)
    }

    /// The entry that `block` begins, unless it is one that nobody wants.
    fn entry(
        &mut self,
        block: &Block,
        extension: Extension,
        start: u64,
    ) -> Result<Option<Entry>, ReadError> {
        let damaged = |what| ReadError::Header { offset: start, what };
        let number = |field, what| block.number(field).ok_or(damaged(what));
        let id = |field, known: Option<u32>| match known {
            Some(id) => Ok(id),
            None => {
                let id = u32::try_from(number(field, "an owner that is no number")?).ok();
                id.filter(|id| *id != u32::MAX).ok_or(damaged("an owner that cannot be"))
            }
        };
        let device = |field| {
            let number = number(field, "a device number that is none")?;
            u32::try_from(number).map_err(|_| damaged("a device number that cannot be"))
        };

        let name = extension.path.unwrap_or_else(|| name(block));
        let link = extension.link.unwrap_or_else(|| block.text(LINK).to_vec());
        let path = inside(&name, start)?;
        let unsupported = |what| Err(ReadError::Unsupported { path: path.clone(), what });
        let flag = match block.flag() {
            // Before POSIX a directory was a file whose name ends so.
            0 if name.ends_with(b"/") => b'5',
            0 | b'7' => b'0',
            flag => flag,
        };
        let mut size = 0;
        if flag == b'0' {
            size = match extension.size {
                Some(size) => size,
                None => number(SIZE, "a size that is no number")?
                    .try_into()
                    .map_err(|_| damaged("a size below zero"))?,
            };
            if size > self.limits.bytes {
                return Err(ReadError::Limit { limit: self.limits.bytes, what: "bytes" });
            }
        }
        if extension.is_sparse {
            return unsupported("a sparse file");
        }
        let kind = match flag {
            b'0' => EntryKind::File { size },
            b'1' => EntryKind::Hardlink { target: inside(&link, start)? },
            b'2' if link.is_empty() || link.contains(&0) || link.len() >= LONGEST_PATH => {
                return Err(damaged("a symbolic link to nothing"));
            }
            b'2' => EntryKind::Symlink { target: OsString::from_vec(link).into() },
            b'3' => EntryKind::CharacterDevice { major: device(MAJOR)?, minor: device(MINOR)? },
            b'4' => EntryKind::BlockDevice { major: device(MAJOR)?, minor: device(MINOR)? },
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            b'S' => return unsupported("a sparse file"),
            b'V' | b'M' => return unsupported("part of an archive in volumes"),
            _ => return unsupported("of a type that no archive of POSIX has"),
        };
        // From here on the content can be read, or left out.
        self.left = size;
        self.padding = padding(size) as u64;

        let mut entry = Entry {
            path,
            kind,
            // Fewer bits than any number has.
            mode: (number(MODE, "a mode that is no number")? & 0o7777) as u32,
            uid: id(UID, extension.uid)?,
            gid: id(GID, extension.gid)?,
            mtime: match extension.mtime {
                Some(mtime) => mtime,
                None => number(MTIME, "a time that is no number")?,
            },
            xattrs: extension.xattrs,
        };
        if self.names == Names::Layer && !mark(&mut entry).map_err(damaged)? {
            return Ok(None);
        }
        let is_root = entry.path.as_os_str().is_empty();
        match is_root && !matches!(entry.kind, EntryKind::Directory | EntryKind::Opaque) {
            true => Err(damaged("a root that is no directory")),
            false => Ok(Some(entry)),
        }
    }
}

impl Read for LayerReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let available = self.plain.available()?;
        let count = available.len().min(most);
        if count == 0 {
            return Err(ReadError::Short { path: self.path.clone() }.into());
        }
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), available.get(..count)) {
            to.copy_from_slice(from);
        }
        self.plain.consume(count);
        self.left -= count as u64;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Extension {
    /// Adds what `text` says.
    fn add(&mut self, text: &[u8]) -> Result<(), &'static str> {
        fn number<T: std::str::FromStr>(value: &[u8]) -> Result<T, &'static str> {
            let text = std::str::from_utf8(value).ok();
            text.and_then(|text| text.parse().ok()).ok_or("an extended header without its number")
        }
        let owner = |value: &[u8]| match number::<u32>(value)? {
            u32::MAX => Err("an owner that cannot be"),
            id => Ok(id),
        };
        for (key, value) in pax::parse(text)? {
            // Nothing means: as if it had not been said.
            let is_said = !value.is_empty();
            match key {
                b"path" => self.path = is_said.then(|| value.to_vec()),
                b"linkpath" => self.link = is_said.then(|| value.to_vec()),
                b"size" => self.size = is_said.then(|| number(value)).transpose()?,
                b"uid" => self.uid = is_said.then(|| owner(value)).transpose()?,
                b"gid" => self.gid = is_said.then(|| owner(value)).transpose()?,
                b"mtime" => {
                    let seconds = || pax::seconds(value).ok_or("a time that is none");
                    self.mtime = is_said.then(seconds).transpose()?;
                }
                _ if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                _ => {
                    if let Some(name) = key.strip_prefix(header::XATTR).filter(|n| !n.is_empty()) {
                        self.xattrs.insert(OsString::from_vec(name.to_vec()), value.to_vec());
                    }
                }
            }
        }
        Ok(())
    }
}

/// The name in the header itself.
fn name(block: &Block) -> Vec<u8> {
    let (prefix, name) = (block.text(PREFIX), block.text(NAME));
    match block.field(MAGIC) == USTAR && !prefix.is_empty() {
        true => [prefix, b"/", name].concat(),
        false => name.to_vec(),
    }
}

/// `name` as a plain path, if it stays inside.
///
/// A leading `/` is the root of the image, and `a/../b` is `b`, as in every other reader.
fn inside(name: &[u8], start: u64) -> Result<PathBuf, ReadError> {
    if name.contains(&0) {
        return Err(ReadError::Header { offset: start, what: "a name with a NUL" });
    }
    let mut names: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                let escapes = || ReadError::Escapes { path: os(name).into() };
                names.pop().ok_or_else(escapes)?;
            }
            part if part.len() > LONGEST_NAME => {
                let what = "bytes in a name";
                return Err(ReadError::Limit { limit: LONGEST_NAME as u64, what });
            }
            part => names.push(part),
        }
    }
    let path = names.join(&b'/');
    match path.len() < LONGEST_PATH {
        true => Ok(os(&path).into()),
        false => Err(ReadError::Limit { limit: LONGEST_PATH as u64, what: "bytes in a path" }),
    }
}

/// Turns an entry with the name of a mark into the mark; false if nobody wants it.
fn mark(entry: &mut Entry) -> Result<bool, &'static str> {
    use std::os::unix::ffi::OsStrExt as _;
    let is_aufs = |name: &[u8]| name.starts_with(AUFS) && name != OPAQUE;
    if entry.path.components().any(|name| is_aufs(name.as_os_str().as_bytes())) {
        return Ok(false);
    }
    let parent = entry.path.parent().unwrap_or(&entry.path).to_owned();
    let is_mark = |name: &std::ffi::OsStr| name.as_bytes().starts_with(WHITEOUT);
    if parent.iter().any(is_mark) {
        return Err("a file below one that is gone");
    }
    let last = entry.path.file_name().unwrap_or_default().as_bytes();
    let Some(name) = last.strip_prefix(WHITEOUT) else { return Ok(true) };
    let (path, kind) = match name {
        _ if last == OPAQUE => (parent, EntryKind::Opaque),
        b"" | b"." | b".." => return Err("a mark that says nothing is gone"),
        name => (parent.join(os(name)), EntryKind::Whiteout),
    };
    *entry = Entry { path, kind, mode: 0, uid: 0, gid: 0, mtime: 0, xattrs: BTreeMap::new() };
    Ok(true)
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}
