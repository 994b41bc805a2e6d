//! A context from a tar.

use std::io;
use std::path::Path;

use super::ContextError;
use super::scratch::{Scratch, Unpacker};
use crate::layer::{LayerReader, Limits, ReadError};
use crate::{Entry, EntryKind};

/// As deep as a tree may be; Linux ends at about 2000, tools much earlier.
pub(super) const DEEPEST: usize = 256;

/// Unpacks the archive at `path` into a new directory in `parent`.
pub(super) fn unpack(path: &Path, parent: &Path, limits: Limits) -> Result<Scratch, ContextError> {
    let file = fs_err::File::open(path)
        .map_err(|source| ContextError::Unreadable { path: path.to_owned(), source })?;
    let broken = |source| ContextError::Archive { path: path.to_owned(), source };
    let mut reader = LayerReader::archive(file, limits);
    let mut unpacker = Unpacker::new(parent)?;
    while let Some(entry) = reader.next_entry().map_err(broken)? {
        let refused = |what| ContextError::Refused {
            archive: path.to_owned(),
            path: entry.path.clone(),
            what,
        };
        if entry.path.components().count() > DEEPEST {
            return Err(refused("which is deeper than 256 directories"));
        }
        if let Some(what) = no_part_of_a_context(&entry.kind) {
            return Err(refused(what));
        }
        write(&mut unpacker, &entry, &mut reader).map_err(|source| {
            let path = entry.path.clone();
            match source.get_ref().is_some_and(|inner| inner.is::<ReadError>()) {
                true => broken(ReadError::from_io(source)),
                false => ContextError::Write { path, source },
            }
        })?;
    }
    reader.finish().map_err(broken)?;
    unpacker.finish()
}

fn write(unpacker: &mut Unpacker, entry: &Entry, reader: &mut LayerReader) -> io::Result<()> {
    let Entry { path, mode, mtime, .. } = entry;
    match &entry.kind {
        EntryKind::File { .. } => unpacker.file(path, *mode, *mtime, reader),
        EntryKind::Symlink { target } => unpacker.symlink(path, target, *mtime),
        EntryKind::Hardlink { target } => unpacker.hard_link(path, target),
        EntryKind::Directory
        | EntryKind::CharacterDevice { .. }
        | EntryKind::BlockDevice { .. }
        | EntryKind::Fifo
        | EntryKind::Whiteout
        | EntryKind::Opaque => unpacker.directory(path, *mode, *mtime),
    }
}

fn no_part_of_a_context(kind: &EntryKind) -> Option<&'static str> {
    match kind {
        EntryKind::CharacterDevice { .. } | EntryKind::BlockDevice { .. } => Some("a device"),
        EntryKind::Fifo => Some("a named pipe"),
        EntryKind::Whiteout | EntryKind::Opaque => Some("a mark of a layer"),
        EntryKind::File { .. }
        | EntryKind::Directory
        | EntryKind::Symlink { .. }
        | EntryKind::Hardlink { .. } => None,
    }
}
