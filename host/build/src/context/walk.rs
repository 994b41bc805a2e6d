//! The walk through a directory that is copied.
//!
//! Three sets of rules go along: what the context ignores, what `--exclude` leaves out, and with
//! `--parents` the pattern that a path must match. Each is asked once for each name. A directory that
//! one of them does not want by itself is picked when something below it is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::vec;

use super::origin::is_hidden;
use super::select::Picker;
use super::{SelectError, Source};
use crate::ignore::glob::{Glob, States};
use crate::ignore::{Ignore, Place, Verdict};
use crate::tree::{Child, Metadata};

/// Where a walk begins.
pub(super) struct From<'a> {
    /// The source.
    pub(super) source: &'a Source<'a>,
    /// Which of the sources it is.
    pub(super) index: usize,
    /// The directory, links followed.
    pub(super) directory: &'a Path,
    /// What a path below it must match.
    pub(super) pattern: Option<&'a [u8]>,
}

/// A directory that the walk is in. They are kept in a list rather than on the stack: trees are as
/// deep as somebody likes.
struct Frame {
    path: PathBuf,
    destination: PathBuf,
    /// What to pick if something in it is picked; none once that was done.
    pending: Option<Metadata>,
    children: vec::IntoIter<Child>,
    rules: Rules,
}

/// What the rules say about the children of a directory.
#[derive(Default)]
struct Rules {
    ignore: Option<Place>,
    exclude: Option<Place>,
    wanted: Wanted,
}

/// How much of the pattern was matched.
#[derive(Default)]
enum Wanted {
    /// All of it: everything below is wanted.
    #[default]
    Everything,
    /// Up to here.
    Open(States),
}

/// What the rules say about one child.
struct Answer {
    is_wanted: bool,
    below: Rules,
}

/// Picks what is in the directory; says how many things.
pub(super) fn walk(picker: &mut Picker<'_>, from: &From<'_>) -> Result<usize, SelectError> {
    let source = from.source;
    let glob = from.pattern.map(Glob::rule).transpose().map_err(|error| SelectError::Pattern {
        written: source.written.to_owned(),
        source: error,
    })?;
    let exclude = picker.selection.exclude;
    let mut picked = 0;
    let mut frames = vec![Frame {
        path: from.directory.to_owned(),
        destination: picker.selection.destination.path.clone(),
        pending: None,
        children: source.read_dir(from.directory)?.into_iter(),
        rules: Rules {
            ignore: source.origin.place(from.directory),
            exclude: exclude.map(Ignore::root),
            wanted: glob.as_ref().map_or(Wanted::Everything, |glob| Wanted::Open(glob.start())),
        },
    }];
    while let Some(frame) = frames.last_mut() {
        let Some(child) = frame.children.next() else {
            frames.pop();
            continue;
        };
        let is_dir = child.metadata.is_dir();
        let answer = frame.rules.ask(source, exclude, glob.as_ref(), &child.name, is_dir);
        let Some(answer) = answer else { continue };
        let path = frame.path.join(&child.name);
        let destination = frame.destination.join(&child.name);
        if is_dir {
            let children = source.read_dir(&path)?.into_iter();
            let (pending, rules) = (Some(child.metadata), answer.below);
            frames.push(Frame { path, destination, pending, children, rules });
            if answer.is_wanted {
                picked += settle(picker, from, &mut frames)?;
            }
        } else if answer.is_wanted {
            picked += settle(picker, from, &mut frames)?;
            picker.pick(source, from.index, &path, &child.metadata, destination)?;
            picked += 1;
        }
    }
    Ok(picked)
}

/// Picks the directories on the way that were not yet.
fn settle(
    picker: &mut Picker<'_>,
    from: &From<'_>,
    frames: &mut [Frame],
) -> Result<usize, SelectError> {
    let first = frames.iter().rposition(|frame| frame.pending.is_none()).map_or(0, |last| last + 1);
    let mut picked = 0;
    for frame in frames.iter_mut().skip(first) {
        if let Some(metadata) = frame.pending.take() {
            let destination = frame.destination.clone();
            picker.pick(from.source, from.index, &frame.path, &metadata, destination)?;
            picked += 1;
        }
    }
    Ok(picked)
}

impl Rules {
    /// None if nobody wants the child, nor anything below it.
    fn ask(
        &self,
        source: &Source<'_>,
        exclude: Option<&Ignore>,
        glob: Option<&Glob>,
        name: &OsStr,
        is_dir: bool,
    ) -> Option<Answer> {
        let mut below = Self::default();
        let mut is_wanted = true;
        if let (Wanted::Open(states), Some(glob)) = (&self.wanted, glob) {
            let states = glob.after(states, name.as_encoded_bytes());
            if !glob.accepts(&states) {
                is_wanted = false;
                let states = glob.after(&states, b"/");
                if !is_dir || states.is_dead() {
                    return None;
                }
                below.wanted = Wanted::Open(states);
            }
        }
        for (rules, place, next) in [
            (source.origin.ignore, &self.ignore, &mut below.ignore),
            (exclude, &self.exclude, &mut below.exclude),
        ] {
            let Some((rules, place)) = rules.zip(place.as_ref()) else { continue };
            let judgement = rules.child(place, name, is_dir);
            if is_hidden(judgement.verdict, is_dir) {
                return None;
            }
            is_wanted &= judgement.verdict == Verdict::Keep;
            *next = judgement.place;
        }
        Some(Answer { is_wanted, below })
    }
}
