//! `https://host/repository.git#ref:subdirectory`.

use std::path::{Component, Path, PathBuf};

use super::GitError;

/// Which commit, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSource {
    /// Where the repository is.
    pub location: Location,
    /// A branch, a tag, or the full name of a commit; without it what `HEAD` is.
    pub reference: Option<String>,
    /// The part of the commit that is the context; empty for all of it.
    pub subdirectory: PathBuf,
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `http://` or `https://`.
    Url(String),
    /// On this machine: a working tree, or a bare repository.
    Path(PathBuf),
}

impl GitSource {
    /// Reads a source: a URL, `file:` with a path, or a path; then `#`, a reference, `:` and a
    /// subdirectory, each as far as it is there.
    ///
    /// # Errors
    /// [`GitError::Source`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let bad = |why| GitError::Source { text: text.to_owned(), why };
        let (location, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (reference, subdirectory) = fragment.split_once(':').unwrap_or((fragment, ""));
        let lower = location.to_ascii_lowercase();
        let location = if lower.starts_with("http://") || lower.starts_with("https://") {
            if location.contains('?') {
                return Err(bad("the reference and the directory go behind `#`"));
            }
            Location::Url(location.trim_end_matches('/').to_owned())
        } else if let Some(path) = location.strip_prefix("file:") {
            Location::Path(path.strip_prefix("//").unwrap_or(path).into())
        } else if lower.starts_with("ssh://") || lower.starts_with("git://") {
            return Err(bad("only `https://`, `http://` and `file:` can be read"));
        } else {
            Location::Path(location.into())
        };
        if location == Location::Path(PathBuf::new()) {
            return Err(bad("the repository is missing"));
        }
        if !is_reference(reference) {
            return Err(bad("the reference is not one"));
        }
        let mut directory = PathBuf::new();
        for component in Path::new(subdirectory).components() {
            match component {
                Component::Normal(name) => directory.push(name),
                Component::ParentDir => return Err(bad("the directory leads out of it")),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        let reference = (!reference.is_empty()).then(|| reference.to_owned());
        Ok(Self { location, reference, subdirectory: directory })
    }
}

/// Whether it can be a part of a path in a repository, and of a line of the protocol. An empty one
/// is none, which is fine.
fn is_reference(text: &str) -> bool {
    let is_plain = |c: char| !c.is_ascii_control() && !c.is_whitespace() && !"~^:?*[\\".contains(c);
    text.is_empty()
        || (text.chars().all(is_plain)
            && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
            && !text.contains("..")
            && text.len() <= 1024)
}
