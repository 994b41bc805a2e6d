//! Which things the sources of COPY and ADD name.

use std::io;
use std::path::{Path, PathBuf};

use super::destination::lexical;
use super::origin::{Visible, is_hidden};
use super::{Origin, SelectError};
use crate::ignore::Place;
use crate::ignore::glob::{Glob, States, has_wildcards};
use crate::tree::{Kind, Metadata, Tree, resolve};

/// One source: a path or a pattern in a tree.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Where it is looked for.
    pub origin: Origin<'a>,
    /// As it was written, variables replaced.
    pub written: &'a str,
}

/// A thing that a source names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// What it is called: its last name is the one a file gets in a directory.
    pub named: PathBuf,
    /// Where it is, links followed.
    pub path: PathBuf,
    /// What it is; never a link.
    pub metadata: Metadata,
}

/// A source that nothing was found for, where that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched(pub String);

/// What `source` names, in the order of names.
///
/// Leading `/` and `..` at the root mean nothing, neither does a trailing `/`. A source that is a link
/// is followed within its tree. Patterns are those of Go's `filepath.Match`; a directory that matches
/// is taken as a whole. A pattern may match nothing; a plain path must be there.
///
/// # Errors
/// If there is no such path, or it is ignored, or cannot be read.
pub fn matches(source: &Source<'_>) -> Result<Vec<Match>, SelectError> {
    expand(source, source.written)
}

/// The same for a part of what was written.
pub(super) fn expand(source: &Source<'_>, path: &str) -> Result<Vec<Match>, SelectError> {
    let path = lexical(Path::new(path));
    let is_plain = |part: &Path| !has_wildcards(part.as_os_str().as_encoded_bytes());
    let names: Vec<&Path> = path.iter().map(Path::new).collect();
    let plain: PathBuf = names.iter().take_while(|name| is_plain(name)).collect();
    let pattern: PathBuf = names.iter().skip_while(|name| is_plain(name)).collect();
    if pattern.as_os_str().is_empty() {
        let found = found(source, plain.clone())?;
        if found.is_none()
            && let Some(unescaped) = unescaped(&path)
        {
            return self::found(source, unescaped)?
                .map(|found| vec![found])
                .ok_or_else(|| source.missing(&plain));
        }
        return Ok(vec![found.ok_or_else(|| source.missing(&plain))?]);
    }
    let Some(base) = found(source, plain.clone())? else { return Err(source.missing(&plain)) };
    if !base.metadata.is_dir() {
        return Ok(Vec::new());
    }
    let glob = Glob::source(pattern.as_os_str().as_encoded_bytes()).map_err(|error| {
        SelectError::Pattern { written: source.written.to_owned(), source: error }
    })?;
    let mut paths = Vec::new();
    search(source, &glob, base.path, &mut paths)?;
    let mut matches = Vec::new();
    for path in paths {
        // A link that leads nowhere, or to something ignored.
        let found = found(source, path.clone())?.ok_or_else(|| source.missing(&path))?;
        matches.push(found);
    }
    Ok(matches)
}

/// The paths below `base` that match.
fn search(
    source: &Source<'_>,
    glob: &Glob,
    base: PathBuf,
    paths: &mut Vec<PathBuf>,
) -> Result<(), SelectError> {
    let place = source.origin.place(&base);
    let mut todo: Vec<(PathBuf, Option<Place>, States)> = vec![(base, place, glob.start())];
    while let Some((directory, place, states)) = todo.pop() {
        let children = source.read_dir(&directory)?;
        let mut below = Vec::new();
        for child in children {
            let is_dir = child.metadata.is_dir();
            let states = glob.after(&states, child.name.as_encoded_bytes());
            if states.is_dead() {
                continue;
            }
            let judgement = source
                .origin
                .ignore
                .zip(place.as_ref())
                .map(|(ignore, place)| ignore.child(place, &child.name, is_dir));
            if judgement.as_ref().is_some_and(|judgement| is_hidden(judgement.verdict, is_dir)) {
                continue;
            }
            let path = directory.join(&child.name);
            if glob.accepts(&states) {
                paths.push(path);
            } else if is_dir {
                let states = glob.after(&states, b"/");
                let place = judgement.and_then(|judgement| judgement.place);
                below.push((path, place, states));
            }
        }
        todo.extend(below.into_iter().filter(|(_, _, states)| !states.is_dead()).rev());
    }
    paths.sort_unstable();
    Ok(())
}

/// What is at `path`; none if there is nothing, or nothing to see.
fn found(source: &Source<'_>, path: PathBuf) -> Result<Option<Match>, SelectError> {
    let visible = Visible(source.origin);
    let at = match resolve(&visible, &path) {
        Ok(at) => at,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(source.unreadable(&path, error)),
    };
    let metadata =
        source.origin.tree.metadata(&at).map_err(|error| source.unreadable(&at, error))?;
    Ok(Some(Match { named: path, path: at, metadata }))
}

/// `path` without its escapes, if it has any.
fn unescaped(path: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        plain.push(if *byte == b'\\' { *rest.next()? } else { *byte });
    }
    (plain.len() < bytes.len()).then(|| std::ffi::OsString::from_vec(plain).into())
}

impl Source<'_> {
    pub(super) fn read_dir(&self, path: &Path) -> Result<Vec<crate::tree::Child>, SelectError> {
        self.origin.tree.read_dir(path).map_err(|error| self.unreadable(path, error))
    }

    pub(super) fn unreadable(&self, path: &Path, source: io::Error) -> SelectError {
        let (path, origin) = (path.to_owned(), self.origin.name.to_owned());
        SelectError::Unreadable { path, origin, source }
    }

    /// Says why `path` cannot be had: it is ignored, or not there, and what is.
    pub(super) fn missing(&self, path: &Path) -> SelectError {
        let (written, origin) = (self.written.to_owned(), self.origin.name.to_owned());
        if let Some(ignore) = self.origin.ignore
            && let Some((label, line, rule)) = self.ignored_by(path, ignore)
        {
            return SelectError::Ignored { written, origin, label, line, rule };
        }
        SelectError::NotFound { written, origin, instead: self.instead(path) }
    }

    /// The rule that hides `path`, or the file that a link of it leads to.
    fn ignored_by(
        &self,
        path: &Path,
        ignore: &crate::ignore::Ignore,
    ) -> Option<(String, usize, String)> {
        let at = resolve(self.origin.tree, path).ok()?;
        [path, &at].into_iter().find_map(|path| {
            let is_dir = self.origin.tree.metadata(path).is_ok_and(|metadata| metadata.is_dir());
            let judgement = ignore.judge(path, is_dir);
            if judgement.verdict == crate::ignore::Verdict::Keep {
                return None;
            }
            let rule = ignore.rule(judgement.rule?)?;
            Some((ignore.label().to_owned(), rule.line(), rule.text().to_owned()))
        })
    }

    /// What is there instead of `path`: a name that is nearly the same, or the names there are.
    fn instead(&self, path: &Path) -> Option<String> {
        let visible = Visible(self.origin);
        let mut there = PathBuf::new();
        for name in path {
            let next = there.join(name);
            let Ok(at) = resolve(&visible, &next) else {
                if let Ok(Some(target)) = self.dangling(&next) {
                    return Some(format!(
                        "`{}` is a link to `{}`, which is not there",
                        next.display(),
                        target.display()
                    ));
                }
                return self.near(&visible, &there, name);
            };
            if !visible.metadata(&at).is_ok_and(|metadata| metadata.is_dir()) {
                return Some(format!("`{}` is a file", next.display()));
            }
            there = next;
        }
        None
    }

    fn dangling(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let metadata = self.origin.tree.metadata(path)?;
        (metadata.kind == Kind::Symlink).then(|| self.origin.tree.read_link(path)).transpose()
    }

    fn near(&self, visible: &Visible<'_>, there: &Path, name: &std::ffi::OsStr) -> Option<String> {
        /// As many as are read at a glance.
        const MOST_NAMES: usize = 5;
        let children = resolve(visible, there).and_then(|at| visible.read_dir(&at)).ok()?;
        let names: Vec<String> =
            children.iter().map(|child| child.name.to_string_lossy().into_owned()).collect();
        let shown = |name: &str| format!("`{}`", there.join(name).display());
        if let Some(near) =
            report::closest(&name.to_string_lossy(), names.iter().map(String::as_str))
        {
            return Some(format!("did you mean {}?", shown(near)));
        }
        let place = match there.as_os_str().is_empty() {
            true => self.origin.name.to_owned(),
            false => format!("`{}`", there.display()),
        };
        match names.len() {
            0 => Some(format!("{place} is empty")),
            1..=MOST_NAMES => {
                let names = report::and_list(names);
                Some(format!("{place} has {names}"))
            }
            count => Some(format!("{place} has {count} other names")),
        }
    }
}
