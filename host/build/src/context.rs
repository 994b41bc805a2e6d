//! The files that a build may copy, and what it copies of them.
//!
//! A [`Context`] is a directory, an archive that was unpacked, a commit of a git repository, or a few
//! files from text; with it go the rules of an ignore file. Nothing outside can be reached: not by
//! `..`, not by a link, not by an archive.
//!
//! [`select`] turns the sources and the destination of COPY or ADD into a sorted list of entries, and
//! works on any [`Tree`]: a context, a stage, an image. [`fingerprint`] makes the cache's key of that
//! list; a [`DigestCache`] spares it to read files that have not changed.

mod archive;
mod destination;
mod digests;
mod fault;
mod fingerprint;
pub mod git;
mod listing;
mod matches;
mod mode;
mod origin;
mod pack;
mod problem;
mod scratch;
mod select;
mod walk;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ignore::{Ignore, IgnoreError};
use crate::layer::{LayerError, Limits, ReadError};
use crate::tree::{DirTree, Kind, MemoryTree, Metadata, Tree, resolve};

pub use destination::{Destination, DestinationError};
pub use digests::DigestCache;
pub use fingerprint::fingerprint;
pub use listing::{Dropped, Listed, Listing};
pub use matches::{Match, Source, Unmatched, matches};
pub use mode::{BadMode, Mode};
pub use origin::Origin;
pub use problem::SelectError;
pub use select::{Content, Picked, Picks, Selection, select};

/// The files that a build may copy. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    tree: Arc<dyn Tree>,
    name: String,
    directory: Option<PathBuf>,
    /// Whether the directory is somebody's own, and may lie in a repository.
    is_own: bool,
    ignore: Option<Arc<Ignore>>,
    commit: Option<git::Commit>,
    /// Keeps what was unpacked until nobody needs it.
    _scratch: Option<Arc<scratch::Scratch>>,
}

/// A file from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenFile {
    /// Relative, with `/`.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}

/// A context cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The disk, or what is asked of it.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An archive makes no sense, or is too large.
    #[error("cannot unpack `{}`", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// An archive, or a repository, has something that does not belong into a context.
    #[error("`{}` has `{}`, {what}", archive.display(), path.display())]
    Refused {
        /// The archive.
        archive: PathBuf,
        /// Where in it.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// What was unpacked cannot be written.
    #[error("cannot write `{}` to disk", path.display())]
    Write {
        /// Where in the context.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path of a given file that leads nowhere.
    #[error("`{path}` is not the path of a file in a context")]
    Path {
        /// As given.
        path: String,
    },
    /// A file is too large to be read at once.
    #[error("`{}` has {size} bytes, at most {limit} can be read", path.display())]
    TooLarge {
        /// Where in the context.
        path: PathBuf,
        /// Bytes that it has.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Something else than a file is where a file should be.
    #[error("`{}` is a {}, not a file", path.display(), kind.noun())]
    NotAFile {
        /// Where in the context.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// Something that is no file, directory or link cannot be sent to another builder.
    #[error("`{}` is a {}, which no archive of a context has", path.display(), kind.noun())]
    Unpackable {
        /// Where in the context.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// The archive cannot be written.
    #[error("cannot pack the context")]
    Pack(#[source] LayerError),
    /// The ignore file is wrong.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    /// The repository.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// The files.
    #[error(transparent)]
    Select(#[from] SelectError),
}

/// 1 MiB: an ignore file of ten thousand lines.
const LARGEST_IGNORE_FILE: u64 = 1024 * 1024;

/// The ignore file that a context has for all its Dockerfiles.
const IGNORE_FILE: &str = ".dockerignore";

/// 64 GiB and a million entries: more than any context should have, less than a disk.
const CONTEXT_LIMITS: Limits = Limits { bytes: 64 << 30, entries: 1_000_000, ratio: 500 };

impl Context {
    /// A directory of this machine. Nothing but its handle is opened.
    ///
    /// # Errors
    /// [`ContextError::Unreadable`] if there is none.
    pub fn directory(path: &Path) -> Result<Self, ContextError> {
        let tree = DirTree::open(path)
            .map_err(|source| ContextError::Unreadable { path: path.to_owned(), source })?;
        Ok(Self { directory: Some(path.to_owned()), is_own: true, ..Self::new(Arc::new(tree)) })
    }

    /// The content of a tar: plain, or packed with gzip, zstd, bzip2 or xz. It is unpacked into a
    /// directory of its own in `scratch`, which is gone when the last clone of the context is.
    ///
    /// Owners do not matter. Devices and pipes are refused, so is whatever leads outside.
    ///
    /// # Errors
    /// [`ContextError::Archive`] or [`ContextError::Refused`] of an archive that cannot be a context.
    pub fn archive(path: &Path, scratch: &Path) -> Result<Self, ContextError> {
        let scratch = archive::unpack(path, scratch, CONTEXT_LIMITS)?;
        Self::unpacked(scratch, None)
    }

    /// A commit of a git repository, without `.git`. Everything belongs to root, has mode 644, or 755
    /// where git says that it is executable, and the time of the commit.
    ///
    /// `http` is how repositories at `http://` and `https://` are reached; submodules are empty
    /// directories, and files of Git LFS are what git has of them.
    ///
    /// # Errors
    /// [`ContextError::Git`] if there is no such repository or reference, or it is broken.
    pub fn git(
        source: &git::GitSource,
        http: Option<&dyn git::GitHttp>,
        scratch: &Path,
    ) -> Result<Self, ContextError> {
        let (scratch, commit) = git::check_out(source, http, scratch, CONTEXT_LIMITS)?;
        Self::unpacked(scratch, Some(commit))
    }

    /// Just these files.
    ///
    /// # Errors
    /// [`ContextError::Path`] if one has a path that leads outside, or nowhere.
    pub fn files(files: impl IntoIterator<Item = GivenFile>) -> Result<Self, ContextError> {
        let mut tree = MemoryTree::new();
        for file in files {
            let path = destination::lexical(Path::new(&file.path));
            let is_plain = !file.path.is_empty() && path.as_os_str() == file.path.as_str();
            let is_free = !tree.metadata(&path).is_ok_and(|metadata| metadata.is_dir());
            if !is_plain || !is_free {
                return Err(ContextError::Path { path: file.path });
            }
            let metadata = Metadata::new(Kind::File, file.mode & 0o7777, file.content.len() as u64);
            tree.insert(&path, metadata, &file.content);
        }
        Ok(Self::new(Arc::new(tree)))
    }

    /// The same, but for what `ignore` leaves out.
    #[must_use]
    pub fn with_ignore(mut self, ignore: Ignore) -> Self {
        self.ignore = Some(Arc::new(ignore));
        self
    }

    /// The rules that come with `dockerfile`: those of `DOCKERFILE.dockerignore` beside it, else those
    /// of `.dockerignore`, else none. Both are looked for in the context.
    ///
    /// # Errors
    /// [`ContextError::Ignore`] with the line that is wrong.
    pub fn find_ignore(&self, dockerfile: &Path) -> Result<Option<Ignore>, ContextError> {
        let mut own = dockerfile.as_os_str().to_owned();
        own.push(IGNORE_FILE);
        for path in [PathBuf::from(own), PathBuf::from(IGNORE_FILE)] {
            if let Some(text) = self.read_file(&path, LARGEST_IGNORE_FILE)? {
                return Ok(Some(Ignore::parse(&path.to_string_lossy(), text)?));
            }
        }
        Ok(None)
    }

    /// A file, whether ignored or not, links followed; none if there is nothing.
    ///
    /// # Errors
    /// [`ContextError::TooLarge`] if it has more than `limit` bytes, [`ContextError::NotAFile`].
    pub fn read_file(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ContextError> {
        let unreadable = |source| ContextError::Unreadable { path: path.to_owned(), source };
        let at = match resolve(self.tree.as_ref(), path) {
            Ok(at) => at,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(error)),
        };
        let metadata = self.tree.metadata(&at).map_err(unreadable)?;
        let path = path.to_owned();
        if metadata.kind != Kind::File {
            return Err(ContextError::NotAFile { path, kind: metadata.kind });
        }
        let mut bytes = Vec::new();
        let mut file = self.tree.open(&at).map_err(unreadable)?.take(limit + 1);
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > limit {
            return Err(ContextError::TooLarge { path, size: metadata.size, limit });
        }
        Ok(Some(bytes))
    }

    /// Whether a path that is there is left out.
    pub fn ignores(&self, path: &Path) -> bool {
        let path = destination::lexical(path);
        let is_dir = self.tree.metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        self.origin().hides(&path, is_dir)
    }

    /// What a build sees of it, and what not and why.
    ///
    /// # Errors
    /// [`SelectError::Unreadable`]
    pub fn list(&self) -> Result<Listing, SelectError> {
        listing::list(self.origin())
    }

    /// The latest modification of a file that is not left out, in seconds since 1970.
    ///
    /// # Errors
    /// [`SelectError::Unreadable`]
    pub fn newest_mtime(&self) -> Result<Option<i64>, SelectError> {
        Ok(self.list()?.newest_mtime())
    }

    /// The commit: that of a git context, or the one that the repository is at in which the directory
    /// lies.
    ///
    /// # Errors
    /// [`git::GitError`] if there is a repository that makes no sense.
    pub fn commit(&self) -> Result<Option<git::Commit>, git::GitError> {
        match (&self.commit, &self.directory) {
            (None, Some(directory)) if self.is_own => git::commit_of(directory),
            (commit, _) => Ok(commit.clone()),
        }
    }

    /// What [`select`] copies from.
    pub fn origin(&self) -> Origin<'_> {
        Origin {
            tree: self.tree.as_ref(),
            ignore: self.ignore.as_deref(),
            name: &self.name,
            has_devices: false,
        }
    }

    /// The tree, ignored files and all.
    pub fn tree(&self) -> &dyn Tree {
        self.tree.as_ref()
    }

    /// The rules, if there are any.
    pub fn ignore(&self) -> Option<&Ignore> {
        self.ignore.as_deref()
    }

    /// Where it is on this machine, if it is: unpacked, of an archive or a repository.
    pub fn path(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    fn new(tree: Arc<dyn Tree>) -> Self {
        let name = "the context".to_owned();
        Self {
            tree,
            name,
            directory: None,
            is_own: false,
            ignore: None,
            commit: None,
            _scratch: None,
        }
    }

    fn unpacked(
        scratch: scratch::Scratch,
        commit: Option<git::Commit>,
    ) -> Result<Self, ContextError> {
        let mut context = Self::directory(scratch.path())?;
        context.is_own = false;
        context.commit = commit;
        context._scratch = Some(Arc::new(scratch));
        Ok(context)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("directory", &self.directory)
            .field("ignore", &self.ignore.as_ref().map(|ignore| ignore.label()))
            .field("commit", &self.commit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
