//! A registry of layouts: `ROOT/REPOSITORY/` is one each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use super::disk::Disk;
use super::{Layout, blocking};
use crate::{Algorithm, Digest, Error, Registry, RepositoryName, Store, Upload};

/// Repositories whose layouts are kept at hand; more come and go.
const MOST_AT_HAND: usize = 1024;

/// Repositories that are looked through for a blob of which nobody says where it is: at some ten
/// microseconds each, a hundredth of a second.
const MOST_SEARCHED: usize = 1000;

/// Names of repositories that a layout has for itself. No name of a repository ends in `_`, so
/// `blobs_` is free to stand for `blobs`.
const TAKEN: [&str; 3] = ["blobs", "index.json", "oci-layout"];

/// Layouts below one directory. Cheap to clone.
#[derive(Clone)]
pub struct LayoutRegistry {
    root: Arc<Root>,
    at_hand: Arc<Mutex<BTreeMap<RepositoryName, Arc<Layout>>>>,
}

/// Where the repositories are.
pub(super) struct Root {
    pub(super) path: PathBuf,
}

impl Root {
    /// The directory of a repository. The grammar of names leaves no way out of the root.
    pub(super) fn directory(&self, name: &RepositoryName) -> PathBuf {
        let component = |part: &str| match TAKEN.contains(&part) {
            true => format!("{part}_"),
            false => part.to_owned(),
        };
        self.path.join(name.as_str().split('/').map(component).collect::<PathBuf>())
    }

    /// The files of a repository.
    pub(super) fn disk(&self, name: &RepositoryName) -> Disk {
        Disk::new(self.directory(name), format!("{}/{name}", self.path.display()))
    }

    /// The names of all repositories, sorted.
    pub(super) fn names(&self) -> Result<Vec<RepositoryName>, Error> {
        let mut names = Vec::new();
        match self.collect(&self.path, "", &mut names) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                let place = self.path.display().to_string();
                return Err(Error::Io { what: "listing repositories", place, source });
            }
            Ok(()) | Err(_) => {}
        }
        names.sort();
        Ok(names)
    }

    /// The names of the layouts below `directory`, which is the repository `prefix`.
    fn collect(
        &self,
        directory: &Path,
        prefix: &str,
        names: &mut Vec<RepositoryName>,
    ) -> std::io::Result<()> {
        for entry in fs_err::read_dir(directory)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let Some(component) = file_name.to_str().filter(|_| entry.path().is_dir()) else {
                continue;
            };
            let bare = component.strip_suffix('_').filter(|bare| TAKEN.contains(bare));
            if TAKEN.contains(&component) {
                continue;
            }
            let component = bare.unwrap_or(component);
            let name = match prefix {
                "" => component.to_owned(),
                prefix => format!("{prefix}/{component}"),
            };
            let Ok(parsed) = name.parse::<RepositoryName>() else { continue };
            if entry.path().join("oci-layout").is_file() {
                names.push(parsed);
            }
            self.collect(&entry.path(), &name, names)?;
        }
        Ok(())
    }
}

impl LayoutRegistry {
    /// The repositories below `root`, which is made if it is not there. Blocks for a moment.
    ///
    /// # Errors
    /// [`Error::Root`] for something that is no folder, or one that cannot be made or written to.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = root.into();
        match prepare(&path) {
            Ok(()) => Ok(Self { root: Arc::new(Root { path }), at_hand: Arc::default() }),
            Err(source) => Err(Error::Root { root: path, source }),
        }
    }

    pub(super) fn root(&self) -> &Arc<Root> {
        &self.root
    }

    fn layout(&self, name: &RepositoryName) -> Arc<Layout> {
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = at_hand.get(name) {
            return Arc::clone(layout);
        }
        if at_hand.len() >= MOST_AT_HAND {
            at_hand.clear();
        }
        let layout = Arc::new(Layout::of_registry(Arc::clone(&self.root), name.clone()));
        at_hand.insert(name.clone(), Arc::clone(&layout));
        layout
    }
}

fn prepare(root: &Path) -> std::io::Result<()> {
    if root.exists() && !root.is_dir() {
        return Err(std::io::Error::other("it is not a folder"));
    }
    fs_err::create_dir_all(root)?;
    // Permissions, a read-only disk, a quota: only a file that is made tells. It has no name for
    // longer than that.
    tempfile::tempfile_in(root).map(|_| ())
}

impl Registry for LayoutRegistry {
    fn repository(&self, name: &RepositoryName) -> Arc<dyn Store> {
        self.layout(name)
    }

    fn catalog<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        let root = Arc::clone(&self.root);
        let after = after.map(str::to_owned);
        Box::pin(blocking(move || {
            let names = root.names()?.into_iter();
            let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
            names.retain(|name| after.as_ref().is_none_or(|after| name > after));
            names.truncate(limit);
            Ok(names)
        }))
    }

    fn repository_with<'a>(
        &'a self,
        blob: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<RepositoryName>, Error>> {
        let (root, blob) = (Arc::clone(&self.root), *blob);
        Box::pin(blocking(move || {
            for name in root.names()?.into_iter().take(MOST_SEARCHED) {
                if root.disk(&name).blob_size(&blob)?.is_some() {
                    return Ok(Some(name));
                }
            }
            Ok(None)
        }))
    }

    fn upload<'a>(
        &'a self,
        name: &'a RepositoryName,
        algorithm: Algorithm,
    ) -> BoxFuture<'a, Result<Box<dyn Upload>, Error>> {
        let layout = self.layout(name);
        Box::pin(async move {
            let upload = layout.start_upload(Some(algorithm)).await?;
            Ok(Box::new(upload) as Box<dyn Upload>)
        })
    }

    fn tidy(&self) -> BoxFuture<'_, Result<(), Error>> {
        let root = Arc::clone(&self.root);
        Box::pin(blocking(move || {
            for name in root.names()? {
                root.disk(&name).sweep();
            }
            Ok(())
        }))
    }
}
