//! What is copied from: a tree, seen through ignore rules.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::ignore::{Ignore, Place, Verdict};
use crate::tree::{Child, Metadata, Tree};

/// A tree that things are copied from: a context, a stage, an image.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The files.
    pub tree: &'a dyn Tree,
    /// What of them is not seen.
    pub ignore: Option<&'a Ignore>,
    /// What messages call it: `the context`, `stage build`.
    pub name: &'a str,
    /// Whether devices may be copied: from an image, not from somebody's disk.
    pub has_devices: bool,
}

/// The tree without what is ignored. A dropped directory is there as long as something below it may
/// be kept: whoever walks into it finds out.
#[derive(Clone, Copy)]
pub(super) struct Visible<'a>(pub(super) Origin<'a>);

impl<'a> Origin<'a> {
    /// The tree of an image or a stage.
    pub fn image(tree: &'a dyn Tree, name: &'a str) -> Self {
        Self { tree, ignore: None, name, has_devices: true }
    }

    /// Where in the rules a directory is.
    pub(super) fn place(&self, path: &Path) -> Option<Place> {
        self.ignore.and_then(|ignore| ignore.judge(path, true).place)
    }

    /// Whether a path that is there is not seen.
    pub(super) fn hides(&self, path: &Path, is_dir: bool) -> bool {
        self.ignore.is_some_and(|ignore| is_hidden(ignore.verdict(path, is_dir), is_dir))
    }
}

/// Whether nothing of what has this verdict can be seen.
pub(super) fn is_hidden(verdict: Verdict, is_dir: bool) -> bool {
    match verdict {
        Verdict::Keep => false,
        Verdict::Drop => !is_dir,
        Verdict::DropTree => true,
    }
}

impl Tree for Visible<'_> {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = self.0.tree.metadata(path)?;
        if self.0.hides(path, metadata.is_dir()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(metadata)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Child>> {
        let mut children = self.0.tree.read_dir(path)?;
        children.retain(|child| !self.0.hides(&path.join(&child.name), child.metadata.is_dir()));
        Ok(children)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.tree.read_link(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.0.tree.open(path)
    }

    fn xattrs(&self, path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
        self.0.tree.xattrs(path)
    }
}
