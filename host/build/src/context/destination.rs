//! Where COPY and ADD put things.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::tree::{Kind, Tree};

/// A destination in an image, with the links of the image followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Relative to the root of the image, without `..`.
    pub path: PathBuf,
    /// Whether files go into it rather than become it: it ends with `/`, or it is a directory.
    pub is_directory: bool,
    /// The part of `path` that the image has already, as directories.
    pub existing: PathBuf,
}

/// A destination cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// A part of it is a file.
    #[error("`/{}` is a {}, not a directory", path.display(), kind.noun())]
    NotADirectory {
        /// The part.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// The image cannot be read.
    #[error("cannot read `/{}` of the image", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

impl Destination {
    /// Reads `text` as COPY does: relative to `directory` unless it begins with `/`; `.`, `` and
    /// what ends with `/`, `/.` or `..` is a directory.
    ///
    /// `image` is what it is copied into; without one (`FROM scratch`, `--link`) nothing is there.
    ///
    /// # Errors
    /// If a part of it is a file, or the image cannot be read.
    pub fn read(
        text: &str,
        directory: &str,
        image: Option<&dyn Tree>,
    ) -> Result<Self, DestinationError> {
        let last = text.rsplit('/').next().unwrap_or_default();
        let mut is_directory = matches!(last, "" | "." | "..");
        let full = Path::new("/").join(directory).join(text);
        let Some(image) = image else {
            let path = lexical(&full);
            return Ok(Self { path, is_directory, existing: PathBuf::new() });
        };
        let (existing, missing) = follow(&full, image)?;
        let is_there = missing.as_os_str().is_empty();
        // `join` of nothing would end with `/`.
        let path = if is_there { existing.clone() } else { existing.join(&missing) };
        if is_there {
            match kind(image, &existing)? {
                Some(Kind::Directory) => is_directory = true,
                Some(kind) if is_directory => {
                    return Err(DestinationError::NotADirectory { path: existing, kind });
                }
                _ => {
                    let parent = existing.parent().map(Path::to_owned).unwrap_or_default();
                    return Ok(Self { path, is_directory, existing: parent });
                }
            }
        }
        Ok(Self { path, is_directory, existing })
    }
}

/// `path` without links: what the image has of it, and the rest.
fn follow(path: &Path, image: &dyn Tree) -> Result<(PathBuf, PathBuf), DestinationError> {
    let mut done = PathBuf::new();
    let mut missing = PathBuf::new();
    let mut todo = steps(path);
    let mut links = 0;
    while let Some(step) = todo.pop() {
        let Some(name) = step else {
            if !missing.pop() {
                done.pop();
            }
            continue;
        };
        if !missing.as_os_str().is_empty() {
            missing.push(name);
            continue;
        }
        let next = done.join(&name);
        match kind(image, &next)? {
            None => missing.push(name),
            Some(Kind::Directory) => done = next,
            Some(Kind::Symlink) if links < MOST_LINKS => {
                links += 1;
                let target = image.read_link(&next).map_err(|source| {
                    DestinationError::Unreadable { path: next.clone(), source }
                })?;
                if target.has_root() {
                    done = PathBuf::new();
                }
                todo.extend(steps(&target));
            }
            Some(_) if todo.is_empty() => done = next,
            Some(kind) => return Err(DestinationError::NotADirectory { path: next, kind }),
        }
    }
    Ok((done, missing))
}

fn kind(image: &dyn Tree, path: &Path) -> Result<Option<Kind>, DestinationError> {
    match image.metadata(path) {
        Ok(metadata) => Ok(Some(metadata.kind)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DestinationError::Unreadable { path: path.to_owned(), source }),
    }
}

/// The names in `path`, last first; `None` is `..`.
fn steps(path: &Path) -> Vec<Option<OsString>> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(Some(name.to_owned())),
        Component::ParentDir => Some(None),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    });
    let mut steps: Vec<_> = names.collect();
    steps.reverse();
    steps
}

/// `path` from the root, `..` taken as text.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for step in steps(path).into_iter().rev() {
        match step {
            Some(name) => clean.push(name),
            None => _ = clean.pop(),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::MemoryTree;

    fn at(path: &str, is_directory: bool, existing: &str) -> Destination {
        Destination { path: path.into(), is_directory, existing: existing.into() }
    }

    fn image() -> MemoryTree {
        let mut image = MemoryTree::new();
        image.file("usr/bin/sh", "").symlink("bin", "usr/bin").symlink("to", "/usr/new/place");
        image.symlink("loop", "loop").directory("app");
        image
    }

    #[test]
    fn without_an_image_a_destination_is_its_text() {
        let read = |text, directory| Destination::read(text, directory, None).unwrap();
        assert_eq!(read("/a/b", "/w"), at("a/b", false, ""));
        assert_eq!(read("b/", "/w"), at("w/b", true, ""));
        assert_eq!(read(".", "/w"), at("w", true, ""));
        assert_eq!(read("", "/w"), at("w", true, ""));
        assert_eq!(read("../../x", "/w"), at("x", false, ""));
        assert_eq!(read("/a/..", ""), at("", true, ""));
        assert_eq!(read("x/.", "w"), at("w/x", true, ""));
    }

    #[test]
    fn links_of_the_image_are_followed() {
        let image = image();
        let read = |text| Destination::read(text, "/app", Some(&image)).unwrap();
        assert_eq!(read("/bin/x"), at("usr/bin/x", false, "usr/bin"));
        assert_eq!(read("/bin"), at("usr/bin", true, "usr/bin"));
        assert_eq!(read("/to/x"), at("usr/new/place/x", false, "usr"));
        assert_eq!(read("x/y/"), at("app/x/y", true, "app"));
        assert_eq!(read("/bin/sh"), at("usr/bin/sh", false, "usr/bin"));
        assert_eq!(read("/new/../bin/x"), at("usr/bin/x", false, "usr/bin"));
    }

    #[test]
    fn a_file_on_the_way_is_named() {
        let image = image();
        let error = |text| Destination::read(text, "/", Some(&image)).unwrap_err().to_string();
        assert_eq!(error("/bin/sh/x"), "`/usr/bin/sh` is a file, not a directory");
        assert_eq!(error("/bin/sh/"), "`/usr/bin/sh` is a file, not a directory");
        assert_eq!(error("/loop/x"), "`/loop` is a symbolic link, not a directory");
    }
}
