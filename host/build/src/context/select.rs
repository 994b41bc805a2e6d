//! What COPY and ADD copy: sources and a destination to a sorted list of entries.
//!
//! A directory is copied as its contents, into the destination. A file becomes the destination, or
//! goes into it. Links in directories stay links; a source that is a link is followed. The rules are
//! BuildKit's; where its program and its documentation disagree, the documentation's: `--exclude`
//! counts for a source that is a file too.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::{Destination, Match, Mode, SelectError, Source, Unmatched, walk};
use crate::ignore::Ignore;
use crate::ignore::glob::has_wildcards;
use crate::tree::{Kind, Metadata, Tree};
use crate::{Entry, EntryKind};

/// How things are copied.
pub struct Selection<'a> {
    /// Where they go.
    pub destination: &'a Destination,
    /// What they go into, to find out what would be replaced; none where there is nothing.
    pub image: Option<&'a dyn Tree>,
    /// `--parents`: keep the folders in which a source lies, from `/./` on if that is written.
    pub parents: bool,
    /// `--exclude`: relative to a source that is a directory, or the name of one that is a file.
    pub exclude: Option<&'a Ignore>,
    /// `--chown`; without it things belong to whom their tree says: root, of a context.
    pub owner: Option<(u32, u32)>,
    /// `--chmod`; without it modes are kept.
    pub mode: Option<&'a Mode>,
    /// The time of directories that are made for the destination, in seconds since 1970.
    pub now: i64,
}

/// What is copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picks {
    /// In the order of a layer: by path, parents first.
    pub entries: Vec<Picked>,
    /// Patterns that matched nothing: worth a warning.
    pub unmatched: Vec<Unmatched>,
}

/// One thing that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// As it will be in the layer.
    pub entry: Entry,
    /// Where its bytes are.
    pub content: Content,
    /// Whether it is a directory that was made for the destination, and not copied.
    pub is_made: bool,
}

/// Where the bytes of an entry are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nowhere: it has none, or it has no bytes.
    None,
    /// In a file of the tree of a source.
    File {
        /// Which of the sources.
        source: usize,
        /// Its path in the tree.
        path: PathBuf,
        /// What was known about it when it was picked.
        metadata: Metadata,
    },
}

/// Finds what is copied. Reads directories, opens no file.
///
/// # Errors
/// If a source is not there, is ignored or cannot be read, or things would take each other's place.
pub fn select(sources: &[Source<'_>], selection: &Selection<'_>) -> Result<Picks, SelectError> {
    let mut picker = Picker::new(selection);
    let mut found = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        if selection.parents {
            let (base, pattern) = pivot(source.written);
            for base in super::matches::expand(source, base)? {
                found.push((index, base, Some(pattern.clone())));
            }
        } else {
            let matches = super::matches(source)?;
            if matches.is_empty() {
                picker.unmatched.push(Unmatched(source.written.to_owned()));
            }
            found.extend(matches.into_iter().map(|found| (index, found, None)));
        }
    }
    let into_one = !selection.parents && !selection.destination.is_directory;
    if into_one && found.len() > 1 && found.iter().any(|(_, found, _)| !found.metadata.is_dir()) {
        let destination = selection.destination.path.clone();
        return Err(SelectError::NeedsDirectory { count: found.len(), destination });
    }
    for (index, found, pattern) in found {
        let Some(source) = sources.get(index) else { continue };
        match pattern {
            Some(pattern) => picker.with_parents(source, index, &found, &pattern)?,
            None => picker.plain(source, index, &found)?,
        }
    }
    Ok(picker.finish())
}

/// The base and the pattern of a source with `--parents`.
fn pivot(written: &str) -> (&str, PathBuf) {
    let (base, pattern) = written.split_once("/./").unwrap_or(("/", written));
    (base, super::destination::lexical(Path::new(pattern)))
}

/// What was picked so far.
pub(super) struct Picker<'a> {
    pub(super) selection: &'a Selection<'a>,
    entries: BTreeMap<Place, Picked>,
    unmatched: Vec<Unmatched>,
    /// Directories of the destination that the image has, or has not.
    known: HashMap<PathBuf, bool>,
}

/// A path that is compared as the order of a layer compares it, byte by byte: `/` comes before all
/// that names have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Vec<u8>);

impl Place {
    fn of(path: &Path) -> Self {
        let bytes = path.as_os_str().as_encoded_bytes().iter();
        Self(bytes.map(|byte| if *byte == b'/' { 0 } else { *byte }).collect())
    }
}

impl<'a> Picker<'a> {
    fn new(selection: &'a Selection<'a>) -> Self {
        let (entries, unmatched) = (BTreeMap::new(), Vec::new());
        Self { selection, entries, unmatched, known: HashMap::new() }
    }

    /// One source without `--parents`.
    fn plain(
        &mut self,
        source: &Source<'_>,
        index: usize,
        found: &Match,
    ) -> Result<(), SelectError> {
        let destination = self.selection.destination;
        if found.metadata.is_dir() {
            self.make(&destination.path)?;
            let from = walk::From { source, index, directory: &found.path, pattern: None };
            let seen = walk::walk(self, &from)?;
            let is_ignored = source.origin.hides(&found.path, false);
            return match seen == 0 && is_ignored {
                true => Err(source.missing(&found.named)),
                false => Ok(()),
            };
        }
        let name = found.named.file_name().unwrap_or_default();
        if let Some(exclude) = self.selection.exclude
            && exclude.verdict(Path::new(name), false) != crate::ignore::Verdict::Keep
        {
            return Ok(());
        }
        let path = match destination.is_directory {
            true => destination.path.join(name),
            false => destination.path.clone(),
        };
        self.make(path.parent().unwrap_or(Path::new("")))?;
        self.pick(source, index, &found.path, &found.metadata, path)
    }

    /// One base directory with `--parents`.
    fn with_parents(
        &mut self,
        source: &Source<'_>,
        index: usize,
        base: &Match,
        pattern: &Path,
    ) -> Result<(), SelectError> {
        let written = source.written.as_bytes();
        if !base.metadata.is_dir() {
            return Err(source.missing(&base.named.join(pattern)));
        }
        self.make(&self.selection.destination.path)?;
        let pattern_bytes = pattern.as_os_str().as_encoded_bytes();
        let pattern_bytes = (!pattern_bytes.is_empty()).then_some(pattern_bytes);
        let from = walk::From { source, index, directory: &base.path, pattern: pattern_bytes };
        let seen = walk::walk(self, &from)?;
        if seen == 0 && pattern_bytes.is_some() {
            let is_all = self.selection.exclude.is_none_or(Ignore::is_empty);
            if is_all && !has_wildcards(written) {
                return Err(source.missing(&base.named.join(pattern)));
            }
            self.unmatched.push(Unmatched(source.written.to_owned()));
        }
        Ok(())
    }

    /// Makes the directory `path` of the destination, and those above it, as far as the image does
    /// not have them.
    fn make(&mut self, path: &Path) -> Result<(), SelectError> {
        let (uid, gid) = self.selection.owner.unwrap_or((0, 0));
        let mode = self.selection.mode.and_then(Mode::as_exact).unwrap_or(0o755);
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|at| {
                !at.as_os_str().is_empty() && !self.selection.destination.existing.starts_with(at)
            })
            .collect();
        for at in missing.into_iter().rev() {
            let place = Place::of(at);
            if let Some(there) = self.entries.get(&place) {
                let old = kind_of(&there.entry.kind);
                if old != Kind::Directory {
                    let (path, new) = (at.to_owned(), Kind::Directory);
                    return Err(SelectError::Replaces { path, old, new });
                }
                continue;
            }
            let entry = Entry {
                path: at.to_owned(),
                kind: EntryKind::Directory,
                mode,
                uid,
                gid,
                mtime: self.selection.now,
                xattrs: BTreeMap::new(),
            };
            let made = Picked { entry, content: Content::None, is_made: true };
            self.entries.insert(place, made);
        }
        Ok(())
    }

    /// Picks the thing at `from` for `path` in the image.
    pub(super) fn pick(
        &mut self,
        source: &Source<'_>,
        index: usize,
        from: &Path,
        metadata: &Metadata,
        path: PathBuf,
    ) -> Result<(), SelectError> {
        let tree = source.origin.tree;
        let unreadable = |error| source.unreadable(from, error);
        let mut content = Content::None;
        let kind = match metadata.kind {
            Kind::File => {
                let (path, metadata) = (from.to_owned(), *metadata);
                content = Content::File { source: index, path, metadata };
                EntryKind::File { size: metadata.size }
            }
            Kind::Directory => EntryKind::Directory,
            Kind::Symlink => {
                EntryKind::Symlink { target: tree.read_link(from).map_err(unreadable)? }
            }
            Kind::Fifo => EntryKind::Fifo,
            // Nobody listens in an image; BuildKit leaves an empty file too.
            Kind::Socket => EntryKind::File { size: 0 },
            kind @ (Kind::CharacterDevice { .. } | Kind::BlockDevice { .. })
                if !source.origin.has_devices =>
            {
                let (path, origin) = (from.to_owned(), source.origin.name.to_owned());
                return Err(SelectError::Device { path, origin, kind });
            }
            Kind::CharacterDevice { major, minor } => EntryKind::CharacterDevice { major, minor },
            Kind::BlockDevice { major, minor } => EntryKind::BlockDevice { major, minor },
        };
        let place = Place::of(&path);
        self.check(&place, &path, metadata.kind)?;
        let (uid, gid) = self.selection.owner.unwrap_or((metadata.uid, metadata.gid));
        let mode = match (metadata.kind, self.selection.mode) {
            (Kind::Symlink, _) => 0o777,
            (_, Some(mode)) => mode.apply(metadata.mode, metadata.is_dir()),
            (_, None) => metadata.mode,
        };
        let xattrs = tree.xattrs(from).map_err(unreadable)?;
        let mtime = metadata.mtime.seconds;
        let entry = Entry { path, kind, mode, uid, gid, mtime, xattrs };
        self.entries.insert(place, Picked { entry, content, is_made: false });
        Ok(())
    }

    /// Whether a thing of kind `new` may go to `path`: directories are merged, files replaced.
    fn check(&mut self, place: &Place, path: &Path, new: Kind) -> Result<(), SelectError> {
        let old = match self.entries.get(place) {
            Some(there) => Some(kind_of(&there.entry.kind)),
            None => self.in_image(path),
        };
        match old {
            Some(old) if (old == Kind::Directory) != (new == Kind::Directory) => {
                Err(SelectError::Replaces { path: path.to_owned(), old, new })
            }
            _ => Ok(()),
        }
    }

    /// What the image has at `path`. Below a directory that it has not, nobody needs to ask.
    fn in_image(&mut self, path: &Path) -> Option<Kind> {
        let image = self.selection.image?;
        let parent = path.parent().unwrap_or(Path::new(""));
        if !self.image_has(image, parent) {
            return None;
        }
        image.metadata(path).ok().map(|metadata| metadata.kind)
    }

    fn image_has(&mut self, image: &dyn Tree, directory: &Path) -> bool {
        if self.selection.destination.existing.starts_with(directory) {
            return true;
        }
        if let Some(known) = self.known.get(directory) {
            return *known;
        }
        let has = directory.parent().is_some_and(|parent| self.image_has(image, parent))
            && image.metadata(directory).is_ok_and(|metadata| metadata.is_dir());
        self.known.insert(directory.to_owned(), has);
        has
    }

    fn finish(self) -> Picks {
        let mut entries: Vec<Picked> = self.entries.into_values().collect();
        link(&mut entries);
        Picks { entries, unmatched: self.unmatched }
    }
}

/// Makes hard links of files that are several names of one: the first name in order is the file.
fn link(entries: &mut [Picked]) {
    let mut names: HashMap<(usize, u64, u64), PathBuf> = HashMap::new();
    for picked in entries {
        let Content::File { source, metadata, .. } = &picked.content else { continue };
        if metadata.links < 2 || metadata.inode == 0 {
            continue;
        }
        let identity = (*source, metadata.device, metadata.inode);
        if let Some(target) = names.get(&identity) {
            picked.entry.kind = EntryKind::Hardlink { target: target.clone() };
            picked.content = Content::None;
        } else {
            names.insert(identity, picked.entry.path.clone());
        }
    }
}

fn kind_of(kind: &EntryKind) -> Kind {
    match kind {
        EntryKind::Directory | EntryKind::Opaque => Kind::Directory,
        EntryKind::Symlink { .. } => Kind::Symlink,
        EntryKind::Fifo => Kind::Fifo,
        EntryKind::CharacterDevice { major, minor } => {
            Kind::CharacterDevice { major: *major, minor: *minor }
        }
        EntryKind::BlockDevice { major, minor } => {
            Kind::BlockDevice { major: *major, minor: *minor }
        }
        EntryKind::File { .. } | EntryKind::Hardlink { .. } | EntryKind::Whiteout => Kind::File,
    }
}
