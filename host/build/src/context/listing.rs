//! What a context has, what of it a build would see, and why not the rest.

use std::path::{Path, PathBuf};
use std::vec;

use super::origin::is_hidden;
use super::{Origin, SelectError, Source};
use crate::ignore::{Place, Verdict};
use crate::tree::{Child, Kind, Metadata};

/// All of a context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// What a build sees, by path, parents first.
    pub kept: Vec<Listed>,
    /// What it does not see. Of a directory that is left out as a whole, nothing below is listed.
    pub dropped: Vec<Dropped>,
}

/// A thing that a build sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Relative to the context.
    pub path: PathBuf,
    /// What is known about it.
    pub metadata: Metadata,
}

/// A thing that a build does not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Relative to the context.
    pub path: PathBuf,
    /// What it is. A directory is left out with all that is in it.
    pub kind: Kind,
    /// The line of the rule that leaves it out, from 1.
    pub line: usize,
    /// The rule, as written.
    pub rule: String,
}

impl Listing {
    /// Regular files that are kept.
    pub fn files(&self) -> usize {
        self.regular().count()
    }

    /// Bytes of the regular files that are kept.
    pub fn bytes(&self) -> u64 {
        self.regular().map(|listed| listed.metadata.size).sum()
    }

    /// The latest modification of a file or a link that is kept, in seconds since 1970. Directories
    /// do not count: what is ignored in them changes their times.
    pub fn newest_mtime(&self) -> Option<i64> {
        let listed = self.kept.iter().filter(|listed| !listed.metadata.is_dir());
        listed.map(|listed| listed.metadata.mtime.seconds).max()
    }

    fn regular(&self) -> impl Iterator<Item = &Listed> {
        self.kept.iter().filter(|listed| listed.metadata.kind == Kind::File)
    }
}

struct Frame {
    path: PathBuf,
    pending: Option<Metadata>,
    children: vec::IntoIter<Child>,
    place: Option<Place>,
}

/// Lists `origin`. Directories that are left out as a whole are not read.
///
/// # Errors
/// [`SelectError::Unreadable`]
pub(super) fn list(origin: Origin<'_>) -> Result<Listing, SelectError> {
    let source = Source { origin, written: "." };
    let mut listing = Listing::default();
    let children = source.read_dir(Path::new(""))?.into_iter();
    let place = origin.place(Path::new(""));
    let mut frames = vec![Frame { path: PathBuf::new(), pending: None, children, place }];
    while let Some(frame) = frames.last_mut() {
        let Some(Child { name, metadata }) = frame.children.next() else {
            frames.pop();
            continue;
        };
        let path = frame.path.join(&name);
        let is_dir = metadata.is_dir();
        let judgement = origin
            .ignore
            .zip(frame.place.as_ref())
            .map(|(ignore, place)| (ignore, ignore.child(place, &name, is_dir)));
        let mut is_kept = true;
        let mut place = None;
        if let Some((ignore, judgement)) = judgement {
            if is_hidden(judgement.verdict, is_dir) {
                let rule = judgement.rule.and_then(|index| ignore.rule(index));
                let (line, rule) = rule.map_or((0, ""), |rule| (rule.line(), rule.text()));
                let (kind, rule) = (metadata.kind, rule.to_owned());
                listing.dropped.push(Dropped { path, kind, line, rule });
                continue;
            }
            is_kept = judgement.verdict == Verdict::Keep;
            place = judgement.place;
        }
        if is_dir {
            let children = source.read_dir(&path)?.into_iter();
            frames.push(Frame { path, pending: Some(metadata), children, place });
            if is_kept {
                settle(&mut listing, &mut frames);
            }
        } else {
            settle(&mut listing, &mut frames);
            listing.kept.push(Listed { path, metadata });
        }
    }
    Ok(listing)
}

/// Lists the directories on the way that were not yet: something in them is kept.
fn settle(listing: &mut Listing, frames: &mut [Frame]) {
    for frame in frames {
        if let Some(metadata) = frame.pending.take() {
            listing.kept.push(Listed { path: frame.path.clone(), metadata });
        }
    }
}
