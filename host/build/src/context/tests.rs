mod archives;
mod contexts;
mod copies;
mod disk;
mod keys;

use std::path::Path;

use super::{Content, Destination, Mode, Origin, Picks, SelectError, Selection, Source, select};
use crate::EntryKind;
use crate::ignore::Ignore;
use crate::tree::{MemoryTree, Tree};

/// A copy, with what is usual left out.
#[derive(Clone, Copy, Default)]
struct Copy<'a> {
    sources: &'a [&'a str],
    to: &'a str,
    ignore: &'a str,
    exclude: &'a [&'a str],
    parents: bool,
    owner: Option<(u32, u32)>,
    mode: &'a str,
    image: Option<&'a dyn Tree>,
}

impl<'a> Copy<'a> {
    /// The same of other sources.
    fn of<'b>(self, sources: &'b [&'b str]) -> Copy<'b>
    where
        'a: 'b,
    {
        Copy { sources, ..self }
    }

    fn picks(&self, tree: &dyn Tree) -> Result<Picks, SelectError> {
        let ignore = Ignore::parse(".dockerignore", self.ignore).unwrap();
        let exclude = Ignore::from_patterns("--exclude", self.exclude.iter().copied()).unwrap();
        let mode = (!self.mode.is_empty()).then(|| Mode::parse(self.mode).unwrap());
        let destination = Destination::read(self.to, "/", self.image).unwrap();
        let origin =
            Origin { tree, ignore: Some(&ignore), name: "the context", has_devices: false };
        let sources: Vec<Source<'_>> =
            self.sources.iter().map(|written| Source { origin, written }).collect();
        let selection = Selection {
            destination: &destination,
            image: self.image,
            parents: self.parents,
            exclude: Some(&exclude),
            owner: self.owner,
            mode: mode.as_ref(),
            now: 7,
        };
        select(&sources, &selection)
    }

    /// One line for each entry: kind, mode, path, target, and `<` the source of its bytes. What was
    /// made for the destination begins with `+`.
    fn lines(&self, tree: &dyn Tree) -> Vec<String> {
        self.picks(tree).unwrap().entries.iter().map(line).collect()
    }

    fn error(&self, tree: &dyn Tree) -> (String, Option<String>) {
        let error = self.picks(tree).unwrap_err();
        (error.to_string(), error.help())
    }
}

fn line(picked: &super::Picked) -> String {
    let entry = &picked.entry;
    let (kind, target) = match &entry.kind {
        EntryKind::File { .. } => ('f', None),
        EntryKind::Directory => ('d', None),
        EntryKind::Symlink { target } => ('l', Some(target)),
        EntryKind::Hardlink { target } => ('h', Some(target)),
        EntryKind::Fifo => ('p', None),
        EntryKind::CharacterDevice { .. } | EntryKind::BlockDevice { .. } => ('c', None),
        EntryKind::Whiteout | EntryKind::Opaque => ('w', None),
    };
    let made = if picked.is_made { "+" } else { "" };
    let target = target.map(|target| format!(" -> {}", target.display())).unwrap_or_default();
    let from = match &picked.content {
        Content::File { path, .. } => format!(" < {}", path.display()),
        Content::None => String::new(),
    };
    format!("{made}{kind}{:o} {}{target}{from}", entry.mode, entry.path.display())
}

fn tree(files: &[&str]) -> MemoryTree {
    let mut tree = MemoryTree::new();
    for file in files {
        match file.split_once(" -> ") {
            Some((path, target)) => tree.symlink(path, target),
            None if file.ends_with('/') => tree.directory(file.trim_end_matches('/')),
            None => tree.file(file, file),
        };
    }
    tree
}

fn at(path: &str) -> &Path {
    Path::new(path)
}
