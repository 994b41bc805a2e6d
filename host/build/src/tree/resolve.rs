//! Following symbolic links without leaving a tree.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{Kind, Tree};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// Where `path` leads when every link on the way is followed, the last one too.
///
/// As in a `chroot`: an absolute target starts at the root of the tree, and `..` at the root stays
/// there. The result goes through no link and may be given to every method of [`Tree`].
///
/// # Errors
/// Kind `NotFound` if a part of it is missing, `NotADirectory` if it goes through a file,
/// the system's `ELOOP` after 40 links.
pub fn resolve(tree: &dyn Tree, path: &Path) -> io::Result<PathBuf> {
    let mut done = PathBuf::new();
    let mut todo = steps(path);
    let mut links = 0;
    while let Some(step) = todo.pop() {
        let Some(name) = step else {
            done.pop();
            continue;
        };
        let next = done.join(&name);
        let metadata = tree.metadata(&next)?;
        match metadata.kind {
            Kind::Symlink => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(rustix::io::Errno::LOOP.into());
                }
                let target = tree.read_link(&next)?;
                if target.has_root() {
                    done = PathBuf::new();
                }
                todo.extend(steps(&target));
            }
            Kind::Directory => done = next,
            Kind::File
            | Kind::CharacterDevice { .. }
            | Kind::BlockDevice { .. }
            | Kind::Fifo
            | Kind::Socket => {
                if !todo.is_empty() {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
                done = next;
            }
        }
    }
    Ok(done)
}

/// The names in `path`, last first; `None` is `..`.
fn steps(path: &Path) -> Vec<Option<OsString>> {
    let mut steps: Vec<Option<OsString>> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(Some(name.to_owned())),
            Component::ParentDir => Some(None),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect();
    steps.reverse();
    steps
}
