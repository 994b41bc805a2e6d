//! The table of contents of a tar archive: where in the file which bytes lie.
//!
//! Nothing is unpacked, so no name can lead anywhere but to bytes of the file; names that could mean
//! something else to somebody who unpacks are left out, and what two readers would read differently
//! is refused.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use tar::EntryType;

use crate::layout::read::read;

/// More than the largest archive of images has (each blob is one entry, and a few directories), and
/// few enough to be listed in memory.
const MOST_ENTRIES: usize = 200_000;

/// Longer names are an attack: the longest that is written has 200 characters.
const LONGEST_NAME: usize = 4096;

/// A link to a link to a link: docker writes one.
const MOST_HOPS: usize = 4;

/// How compressed files begin, and what unpacks them.
const COMPRESSED: [(&[u8], &str, &str); 4] = [
    (&[0x1f, 0x8b], "gzip", "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz", "unxz"),
    (b"BZh", "bzip2", "bunzip2"),
];

/// Some bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// What lies where.
#[derive(Debug, Default)]
pub(super) struct Toc {
    files: BTreeMap<String, Extent>,
    links: BTreeMap<String, String>,
    /// The names of files and links as they came.
    order: Vec<String>,
}

/// Why an archive cannot be used.
#[derive(Debug)]
pub(super) enum TocError {
    Io(std::io::Error),
    Invalid(String),
}

impl From<std::io::Error> for TocError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        // The reader of the format has no other error for what is not one.
        let is_format = [Kind::Other, Kind::InvalidData, Kind::InvalidInput, Kind::UnexpectedEof];
        match is_format.contains(&error.kind()) {
            true => Self::Invalid(format!("it is no whole tar archive: {error}")),
            false => Self::Io(error),
        }
    }
}

impl Toc {
    pub(super) fn read(file: &File) -> Result<Self, TocError> {
        let length = file.metadata()?.len();
        refuse_compressed(file)?;
        let mut reader = file;
        reader.seek(SeekFrom::Start(0))?;
        let mut archive = tar::Archive::new(reader);
        let mut toc = Self::default();
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            if toc.order.len() >= MOST_ENTRIES {
                let why = format!("it has more than {MOST_ENTRIES} entries");
                return Err(TocError::Invalid(why));
            }
            let Some(name) = clean(&entry.path_bytes()) else { continue };
            let kind = entry.header().entry_type();
            let extent = Extent { offset: entry.raw_file_position(), size: entry.size() };
            if extent.offset.checked_add(extent.size).is_none_or(|end| end > length) {
                return Err(TocError::Invalid(format!("it is cut off within `{name}`")));
            }
            let target = entry.link_name_bytes().map(|target| target.into_owned());
            toc.add(name, kind, extent, target)?;
        }
        Ok(toc)
    }

    fn add(
        &mut self,
        name: String,
        kind: EntryType,
        extent: Extent,
        target: Option<Vec<u8>>,
    ) -> Result<(), TocError> {
        let target = target.as_deref().unwrap_or_default();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a foreign enum that can grow: whatever comes is no file"
        )]
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                self.refuse_double(&name)?;
                self.files.insert(name.clone(), extent);
            }
            EntryType::Symlink => {
                self.refuse_double(&name)?;
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let Some(target) = join(folder, target) else { return Ok(()) };
                self.links.insert(name.clone(), target);
            }
            EntryType::Link => {
                self.refuse_double(&name)?;
                let Some(target) = join("", target) else { return Ok(()) };
                self.links.insert(name.clone(), target);
            }
            EntryType::GNUSparse => {
                let why = format!("`{name}` is a sparse file, which archives of images have not");
                return Err(TocError::Invalid(why));
            }
            other => {
                // Directories, devices, and whatever comes: no bytes that anybody asks for.
                tracing::debug!(?other, name, "an entry of an archive is no file");
                return Ok(());
            }
        }
        self.order.push(name);
        Ok(())
    }

    /// Which of the two counts would depend on who reads.
    fn refuse_double(&self, name: &str) -> Result<(), TocError> {
        match self.files.contains_key(name) || self.links.contains_key(name) {
            true => Err(TocError::Invalid(format!("it has `{name}` twice"))),
            false => Ok(()),
        }
    }

    /// The file that `path` names, links followed, and what it is called itself.
    pub(super) fn find(&self, path: &str) -> Option<(String, Extent)> {
        let mut path = clean(path.as_bytes())?;
        for _ in 0..=MOST_HOPS {
            if let Some(extent) = self.files.get(&path) {
                return Some((path, *extent));
            }
            path = self.links.get(&path)?.clone();
        }
        None
    }

    /// All files by their names.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Extent)> {
        self.files.iter().map(|(name, extent)| (name.as_str(), *extent))
    }

    /// Files and links in the order of the archive; a link with what it leads to.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&str, Result<Extent, &str>)> {
        self.order.iter().filter_map(|name| {
            let file = self.files.get(name).map(|extent| Ok(*extent));
            let link = || self.links.get(name).map(|target| Err(target.as_str()));
            Some((name.as_str(), file.or_else(link)?))
        })
    }
}

fn refuse_compressed(file: &File) -> Result<(), TocError> {
    let start = read(file, 0, 8)?;
    match compression(&start) {
        Some((word, tool)) => Err(TocError::Invalid(format!(
            "it is compressed with {word}, unpack it first with `{tool}`"
        ))),
        None => Ok(()),
    }
}

/// How bytes that begin so are compressed, and what unpacks them.
pub(super) fn compression(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let found = COMPRESSED.iter().find(|(magic, ..)| start.starts_with(magic));
    found.map(|(_, word, tool)| (*word, *tool))
}

/// The name without `.`; none for what leads out, is no text, or is nothing.
fn clean(name: &[u8]) -> Option<String> {
    match name.first() {
        Some(b'/') => None,
        _ => join("", name),
    }
}

/// `path` seen from `folder`; none if it leads out.
fn join(folder: &str, path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok().filter(|path| path.len() <= LONGEST_NAME)?;
    if path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests;
