//! A tree of a few files that are only in memory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Child, Kind, Metadata, Tree};

/// Files from text: the context of an inline Dockerfile, and of tests.
///
/// Parent directories are made as they are needed, with mode 755. Files have no identity, hence no
/// hard links, and the times that their maker gave them.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    nodes: BTreeMap<PathBuf, Node>,
}

#[derive(Clone, Debug)]
struct Node {
    metadata: Metadata,
    content: Arc<[u8]>,
    target: PathBuf,
}

impl MemoryTree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds, or replaces, the regular file `path` with mode 644.
    pub fn file(&mut self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> &mut Self {
        let content = content.as_ref();
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.insert(path.as_ref(), Metadata::new(Kind::File, 0o644, size), content)
    }

    /// Adds the directory `path` with mode 755.
    pub fn directory(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.insert(path.as_ref(), Metadata::new(Kind::Directory, 0o755, 0), &[])
    }

    /// Adds the symbolic link `path`.
    pub fn symlink(&mut self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> &mut Self {
        let path = path.as_ref();
        self.insert(path, Metadata::new(Kind::Symlink, 0o777, 0), &[]);
        if let Some(node) = self.nodes.get_mut(path) {
            target.as_ref().clone_into(&mut node.target);
        }
        self
    }

    /// Adds, or replaces, a thing of any kind.
    pub fn insert(&mut self, path: &Path, metadata: Metadata, content: &[u8]) -> &mut Self {
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.nodes.entry(parent.to_owned()).or_insert_with(|| Node {
                metadata: Metadata::new(Kind::Directory, 0o755, 0),
                content: Arc::from([]),
                target: PathBuf::new(),
            });
        }
        let node = Node { metadata, content: content.into(), target: PathBuf::new() };
        self.nodes.insert(path.to_owned(), node);
        self
    }

    fn node(&self, path: &Path) -> io::Result<&Node> {
        self.nodes.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Tree for MemoryTree {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if path.as_os_str().is_empty() {
            return Ok(Metadata::new(Kind::Directory, 0o755, 0));
        }
        Ok(self.node(path)?.metadata)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Child>> {
        if !self.metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let child = |(at, node): (&PathBuf, &Node)| {
            (at.parent() == Some(path)).then(|| Child {
                name: at.file_name().map(OsString::from).unwrap_or_default(),
                metadata: node.metadata,
            })
        };
        Ok(self.nodes.iter().filter_map(child).collect())
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let node = self.node(path)?;
        if node.metadata.kind != Kind::Symlink {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(node.target.clone())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        let node = self.node(path)?;
        if node.metadata.kind != Kind::File {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Box::new(io::Cursor::new(Arc::clone(&node.content))))
    }
}
