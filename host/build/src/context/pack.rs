//! A context as one archive, for builders that are elsewhere.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

use super::{Context, ContextError};
use crate::layer::{Layer, LayerOptions, LayerWriter, sort};
use crate::tree::{Kind, Metadata};
use crate::{Entry, EntryKind};

impl Context {
    /// Writes what a build would see as a tar, packed with gzip, and the Dockerfile even if an ignore
    /// file leaves it out: who builds needs it. The same files give the same bytes; everything
    /// belongs to root, as in every context.
    ///
    /// # Errors
    /// [`ContextError::Unpackable`] for a device, a pipe or a socket; [`ContextError::Pack`] if a file
    /// changes meanwhile, or `sink` cannot be written.
    pub fn pack(
        &self,
        dockerfile: &Path,
        sink: impl Write + Send + 'static,
    ) -> Result<Layer, ContextError> {
        let mut entries = Vec::new();
        for listed in self.list()?.kept {
            entries.push(self.entry(&listed.path, &listed.metadata)?);
        }
        // With the directories that it is in.
        for path in dockerfile.ancestors().filter(|path| !path.as_os_str().is_empty()) {
            if !entries.iter().any(|entry: &Entry| entry.path == path) {
                let metadata = self.tree.metadata(path).map_err(|why| unreadable(path, why))?;
                entries.push(self.entry(path, &metadata)?);
            }
        }
        sort(&mut entries, |entry| entry);
        let mut writer = LayerWriter::new(sink, &LayerOptions::default());
        for entry in &entries {
            let is_file = matches!(entry.kind, EntryKind::File { .. });
            let mut content: Box<dyn Read + Send> = match is_file {
                true => self.tree.open(&entry.path).map_err(|why| unreadable(&entry.path, why))?,
                false => Box::new(io::empty()),
            };
            writer.add(entry, &mut content).map_err(ContextError::Pack)?;
        }
        writer.finish().map_err(ContextError::Pack)
    }

    fn entry(&self, path: &Path, metadata: &Metadata) -> Result<Entry, ContextError> {
        let kind = match metadata.kind {
            Kind::File => EntryKind::File { size: metadata.size },
            Kind::Directory => EntryKind::Directory,
            Kind::Symlink => {
                let target = self.tree.read_link(path);
                EntryKind::Symlink { target: target.map_err(|source| unreadable(path, source))? }
            }
            Kind::CharacterDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo | Kind::Socket => {
                return Err(ContextError::Unpackable {
                    path: path.to_owned(),
                    kind: metadata.kind,
                });
            }
        };
        Ok(Entry {
            path: path.to_owned(),
            kind,
            mode: metadata.mode,
            uid: 0,
            gid: 0,
            mtime: metadata.mtime.seconds,
            xattrs: BTreeMap::new(),
        })
    }
}

fn unreadable(path: &Path, source: io::Error) -> ContextError {
    ContextError::Unreadable { path: path.to_owned(), source }
}
