//! A repository on this machine, as it lies there: `gitrepository-layout`.

use std::path::{Path, PathBuf};

use super::GitError;
use super::object::{Id, Objects};
use super::store::{ObjectStore, names, read_text};

/// A repository.
pub(super) struct Repository {
    /// Where `HEAD` is.
    own: PathBuf,
    /// Where all else is: the same, but for a linked working tree.
    common: PathBuf,
    objects: ObjectStore,
}

/// As many symbolic references as point at each other.
const LONGEST_CHAIN: usize = 5;

/// What a short name may be short for, in git's order.
pub(super) const PREFIXES: [&str; 4] = ["", "refs/", "refs/tags/", "refs/heads/"];

impl Repository {
    /// The one at `path`: a working tree, or a bare one.
    pub(super) fn open(path: &Path) -> Result<Self, GitError> {
        match git_directory(path)? {
            Some(own) => Self::at(own),
            None => Err(GitError::NotARepository { path: path.to_owned() }),
        }
    }

    /// The one that the directory `path` lies in.
    pub(super) fn around(path: &Path) -> Result<Option<Self>, GitError> {
        let full = fs_err::canonicalize(path)
            .map_err(|source| GitError::Unreadable { path: path.to_owned(), source })?;
        for directory in full.ancestors() {
            if let Some(own) = git_directory(directory)? {
                return Self::at(own).map(Some);
            }
        }
        Ok(None)
    }

    fn at(own: PathBuf) -> Result<Self, GitError> {
        let common = read_text(&own.join("commondir"))?;
        let common = match common.trim() {
            "" => own.clone(),
            path => own.join(path),
        };
        let config = read_text(&common.join("config"))?.to_ascii_lowercase();
        let says = |key: &str, value: &str| {
            config
                .lines()
                .filter_map(|line| line.split_once('='))
                .any(|(found, is)| found.trim() == key && is.trim().trim_matches('"') == value)
        };
        if says("objectformat", "sha256") {
            return Err(GitError::Unsupported { what: "SHA-256 for its objects" });
        }
        if says("refstorage", "reftable") {
            return Err(GitError::Unsupported { what: "the reftable format" });
        }
        let objects = ObjectStore::open(&common.join("objects"))?;
        Ok(Self { own, common, objects })
    }

    pub(super) fn objects(&self) -> &dyn Objects {
        &self.objects
    }

    /// What `HEAD` is; none before the first commit.
    pub(super) fn head(&self) -> Result<Option<Id>, GitError> {
        self.look_up("HEAD")
    }

    /// What a reference is: a branch, a tag, the full name of a commit, or `HEAD` without one.
    pub(super) fn resolve(&self, reference: Option<&str>) -> Result<Id, GitError> {
        let Some(reference) = reference else {
            return self.head()?.ok_or_else(|| GitError::NoSuchReference {
                reference: "HEAD".to_owned(),
                help: Some("commit something first, or name a branch".to_owned()),
            });
        };
        if let Some(id) = Id::parse(reference.as_bytes()) {
            return match self.objects.read(id)? {
                Some(_) => Ok(id),
                None => Err(no_such_reference(reference, &[])),
            };
        }
        for prefix in PREFIXES {
            if let Some(id) = self.look_up(&format!("{prefix}{reference}"))? {
                return Ok(id);
            }
        }
        Err(no_such_reference(reference, &self.short_names()?))
    }

    fn look_up(&self, name: &str) -> Result<Option<Id>, GitError> {
        let mut name = name.to_owned();
        for _ in 0..LONGEST_CHAIN {
            let directory = if name.starts_with("refs/") { &self.common } else { &self.own };
            let text = read_text(&directory.join(&name))?;
            match text.trim().strip_prefix("ref:") {
                Some(target) if !target.contains("..") => target.trim().clone_into(&mut name),
                _ => {
                    let id = Id::parse(text.trim().as_bytes());
                    return Ok(id.or(self.packed()?.find(&name)));
                }
            }
        }
        Ok(None)
    }

    fn packed(&self) -> Result<Packed, GitError> {
        read_text(&self.common.join("packed-refs")).map(Packed)
    }

    /// Branches and tags, by the names that people use.
    fn short_names(&self) -> Result<Vec<String>, GitError> {
        let mut found = Vec::new();
        for kind in ["refs/heads/", "refs/tags/"] {
            for path in names(&self.common.join(kind))? {
                found.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
            }
            found.extend(
                self.packed()?
                    .names()
                    .filter_map(|name| name.strip_prefix(kind))
                    .map(str::to_owned),
            );
        }
        Ok(found)
    }
}

/// The references that git wrote into one file.
struct Packed(String);

impl Packed {
    fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        // `#` is a comment, `^` what the tag before points at.
        let lines = self.0.lines().filter(|line| !line.starts_with(['#', '^']));
        lines.filter_map(|line| line.split_once(' '))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.lines().map(|(_, name)| name)
    }

    fn find(&self, name: &str) -> Option<Id> {
        self.lines().find(|(_, found)| *found == name).and_then(|(id, _)| Id::parse(id.as_bytes()))
    }
}

/// The error for a reference that is not there, with the names that are.
pub(super) fn no_such_reference(reference: &str, names: &[String]) -> GitError {
    let is_hex = reference.len() >= 7 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    let help = if let Some(near) = report::closest(reference, names.iter().map(String::as_str)) {
        Some(format!("did you mean `{near}`?"))
    } else if is_hex && reference.len() < 40 {
        Some("a commit needs all of its 40 digits".to_owned())
    } else {
        None
    };
    GitError::NoSuchReference { reference: reference.to_owned(), help }
}

/// The `.git` of `path`, or `path` itself if that is a repository.
fn git_directory(path: &Path) -> Result<Option<PathBuf>, GitError> {
    let dot_git = path.join(".git");
    let is_one = |path: &Path| path.join("HEAD").is_file() && path.join("objects").is_dir();
    if is_one(&dot_git) {
        return Ok(Some(dot_git));
    }
    if dot_git.is_file() {
        let text = read_text(&dot_git)?;
        let target = text.strip_prefix("gitdir:").map(|target| path.join(target.trim()));
        return target
            .filter(|target| target.join("HEAD").is_file())
            .map(Some)
            .ok_or(GitError::NotARepository { path: dot_git });
    }
    Ok(is_one(path).then(|| path.to_owned()))
}
