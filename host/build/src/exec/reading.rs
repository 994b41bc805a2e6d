//! Reading snapshots whose files belong to users of the namespace: a helper in there looks, and
//! passes open files on.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use report::Fault;
use serde::{Deserialize, Serialize};

use super::order::{Answer, Order};
use super::{Executor, Helper, wire};
use crate::overlay::Rights;
use crate::snapshot::Snapshot;
use crate::tree::{Child, Metadata, Tree};

/// Children of a directory in one frame: together they may be more than a frame takes.
const CHUNK: usize = 1000;

/// What is asked about a path of the snapshot. Names need not be text, so paths are no `PathBuf`s,
/// which on the wire have to be.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Question {
    Metadata(OsString),
    Children(OsString),
    Link(OsString),
    Open(OsString),
    Attributes(OsString),
}

/// The answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Metadata(Metadata),
    Children {
        some: Vec<Child>,
        is_all: bool,
    },
    Link(OsString),
    /// The open file is with the frame.
    Opened,
    Attributes(Vec<(OsString, Vec<u8>)>),
    Refused {
        why: Why,
        text: String,
    },
}

/// The kinds of errors that are told apart.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Why {
    Missing,
    NoDirectory,
    Unfit,
    Else,
}

/// A snapshot, read by a helper.
pub(crate) struct Reader {
    /// One question at a time.
    helper: Mutex<Helper>,
}

impl Executor {
    /// Reads `layers`, the lowest first, as the root of the commands.
    pub(crate) fn reader(&self, layers: &[PathBuf]) -> Result<Reader, Fault> {
        let helper = self.helper_for(&Order::Read(layers.to_vec()), "read files of a build")?;
        match helper.answer()? {
            Some(Answer::Ready) => Ok(Reader { helper: Mutex::new(helper) }),
            _ => Err(helper.lost()),
        }
    }
}

impl Reader {
    /// Asks; all frames of the answer. The last one's file comes with it.
    fn ask(&self, question: &Question) -> io::Result<(Vec<Reply>, Option<OwnedFd>)> {
        let helper = self.helper.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&helper.control, question, &[], None)?;
        let mut replies = Vec::new();
        loop {
            let gone = || io::Error::other("the process that reads files of the build has died");
            let frame = wire::receive::<Reply>(&helper.control)?.ok_or_else(gone)?;
            if let Reply::Refused { why, text } = frame.value {
                return Err(io::Error::new(why.kind(), text));
            }
            let goes_on = matches!(frame.value, Reply::Children { is_all: false, .. });
            replies.push(frame.value);
            if !goes_on {
                return Ok((replies, frame.file));
            }
        }
    }
}

impl Tree for Reader {
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        match self.ask(&Question::Metadata(path.into()))?.0.as_slice() {
            [Reply::Metadata(metadata)] => Ok(*metadata),
            _ => Err(confused()),
        }
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Child>> {
        let mut children = Vec::new();
        for reply in self.ask(&Question::Children(path.into()))?.0 {
            let Reply::Children { some, .. } = reply else { return Err(confused()) };
            children.extend(some);
        }
        Ok(children)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        match self.ask(&Question::Link(path.into()))?.0.pop() {
            Some(Reply::Link(target)) => Ok(target.into()),
            _ => Err(confused()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        let (_, file) = self.ask(&Question::Open(path.into()))?;
        let file = std::fs::File::from(file.ok_or_else(confused)?);
        Ok(Box::new(fs_err::File::from_parts(file, path)))
    }

    fn xattrs(&self, path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
        match self.ask(&Question::Attributes(path.into()))?.0.pop() {
            Some(Reply::Attributes(attributes)) => Ok(attributes.into_iter().collect()),
            _ => Err(confused()),
        }
    }
}

/// Both ends are this program: only a bug of ours gets here.
fn confused() -> io::Error {
    io::Error::other("the process that reads files of the build answers something else")
}

/// Answers questions about a snapshot until nobody asks any more.
pub(super) fn serve(control: &UnixStream, layers: Vec<PathBuf>) -> io::Result<()> {
    let snapshot = Snapshot::new(layers, Rights::mapped());
    wire::send(control, &Answer::Ready, &[], None)?;
    while let Some(frame) = wire::receive::<Question>(control)? {
        match answer(&snapshot, frame.value) {
            Ok((Reply::Children { some, .. }, _)) => {
                let mut rest = some;
                while rest.len() > CHUNK {
                    let later = rest.split_off(CHUNK);
                    let part = Reply::Children { some: rest, is_all: false };
                    wire::send(control, &part, &[], None)?;
                    rest = later;
                }
                wire::send(control, &Reply::Children { some: rest, is_all: true }, &[], None)?;
            }
            Ok((reply, file)) => {
                let file = file.as_ref().map(|file| file.file().as_fd());
                wire::send(control, &reply, &[], file)?;
            }
            Err(error) => {
                let refused = Reply::Refused { why: Why::of(&error), text: error.to_string() };
                wire::send(control, &refused, &[], None)?;
            }
        }
    }
    Ok(())
}

fn answer(snapshot: &Snapshot, question: Question) -> io::Result<(Reply, Option<fs_err::File>)> {
    Ok(match question {
        Question::Metadata(path) => (Reply::Metadata(snapshot.metadata(path.as_ref())?), None),
        Question::Children(path) => {
            (Reply::Children { some: snapshot.read_dir(path.as_ref())?, is_all: true }, None)
        }
        Question::Link(path) => (Reply::Link(snapshot.read_link(path.as_ref())?.into()), None),
        Question::Open(path) => (Reply::Opened, Some(snapshot.open_file(path.as_ref())?)),
        Question::Attributes(path) => {
            (Reply::Attributes(snapshot.xattrs(path.as_ref())?.into_iter().collect()), None)
        }
    })
}

impl Why {
    fn of(error: &io::Error) -> Self {
        let known = [Self::Missing, Self::NoDirectory, Self::Unfit];
        known.into_iter().find(|why| why.kind() == error.kind()).unwrap_or(Self::Else)
    }

    fn kind(self) -> io::ErrorKind {
        match self {
            Self::Missing => io::ErrorKind::NotFound,
            Self::NoDirectory => io::ErrorKind::NotADirectory,
            Self::Unfit => io::ErrorKind::InvalidInput,
            Self::Else => io::ErrorKind::Other,
        }
    }
}
