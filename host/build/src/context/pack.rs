//! A context as one archive, for builders that are elsewhere.

use std::collections::{BTreeMap, btree_map};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{Context, ContextError, GivenFile};
use crate::layer::{Layer, LayerOptions, LayerWriter, sort};
use crate::tree::{Kind, Metadata};
use crate::{Entry, EntryKind};

impl Context {
    /// Writes what a build would see as a tar, packed with gzip, and the Dockerfile even if an ignore
    /// file leaves it out: who builds needs it. Files in `added` stand in place of what has their
    /// paths. The same files give the same bytes; everything belongs to root, as in every context.
    ///
    /// # Errors
    /// [`ContextError::Unpackable`] for a device, a pipe or a socket; [`ContextError::Path`] for a file
    /// in `added` that has no plain path, or the path of a directory; [`ContextError::Pack`] if a file
    /// changes meanwhile, or `sink` cannot be written.
    pub fn pack(
        &self,
        dockerfile: Option<&Path>,
        added: Vec<GivenFile>,
        sink: impl Write + Send + 'static,
    ) -> Result<Layer, ContextError> {
        let added = Self::files(added)?;
        let mut entries = BTreeMap::new();
        for (context, listing) in [(self, self.list()?), (&added, added.list()?)] {
            for listed in listing.kept {
                let entry = context.entry(&listed.path, &listed.metadata)?;
                let is_directory = matches!(entry.kind, EntryKind::Directory);
                match entries.entry(listed.path) {
                    btree_map::Entry::Vacant(free) => {
                        free.insert((context, entry));
                    }
                    // What is there already has the rights that people gave it.
                    btree_map::Entry::Occupied(there)
                        if is_directory && is_directory_at(&there) => {}
                    btree_map::Entry::Occupied(there)
                        if is_directory || is_directory_at(&there) =>
                    {
                        let path = there.key().to_string_lossy().into_owned();
                        return Err(ContextError::Path { path });
                    }
                    btree_map::Entry::Occupied(mut there) => {
                        there.insert((context, entry));
                    }
                }
            }
        }
        // With the directories that it is in.
        let dockerfile = dockerfile.into_iter().flat_map(Path::ancestors);
        for path in dockerfile.filter(|path| !path.as_os_str().is_empty()) {
            if !entries.contains_key(path) {
                let metadata = self.tree.metadata(path).map_err(|why| unreadable(path, why))?;
                entries.insert(path.to_owned(), (self, self.entry(path, &metadata)?));
            }
        }
        let mut entries: Vec<(&Self, Entry)> = entries.into_values().collect();
        sort(&mut entries, |(_, entry)| entry);
        let mut writer = LayerWriter::new(sink, &LayerOptions::default());
        for (context, entry) in &entries {
            let is_file = matches!(entry.kind, EntryKind::File { .. });
            let open = || context.tree.open(&entry.path);
            let mut content: Box<dyn Read + Send> = match is_file {
                true => open().map_err(|why| unreadable(&entry.path, why))?,
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

fn is_directory_at(there: &btree_map::OccupiedEntry<'_, PathBuf, (&Context, Entry)>) -> bool {
    matches!(there.get().1.kind, EntryKind::Directory)
}

fn unreadable(path: &Path, source: io::Error) -> ContextError {
    ContextError::Unreadable { path: path.to_owned(), source }
}
