//! File work that needs the user namespace of the commands: files of a snapshot may belong to users
//! that only that namespace has, and then nobody else can make, read, move or remove them.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use report::{Fault, Kind, Side};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use serde::{Deserialize, Serialize};

use crate::diff::{self, Change};
use crate::layer::{Layer, LayerOptions, LayerReader, LayerWriter, Limits};
use crate::overlay::Rights;
use crate::snapshot::Snapshot;
use crate::unpack::{self, Unpacked};

/// File work on snapshots. Paths are on the machine; layers below are listed lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Removes what is there with everything in it; it may be gone already.
    Remove {
        /// What.
        path: PathBuf,
    },
    /// Gives a file or directory another place on the same file system.
    Move {
        /// Where it is.
        from: PathBuf,
        /// Where it will be.
        to: PathBuf,
    },
    /// Unpacks a layer, or an archive, into an empty directory.
    Unpack {
        /// The file to unpack.
        file: PathBuf,
        /// What it is.
        form: Form,
        /// The directory.
        into: PathBuf,
        /// What it will lie over.
        below: Vec<PathBuf>,
        /// How directories of layers are written.
        rights: Rights,
    },
    /// Makes a layer of what a command changed, if it changed anything. Its directory gets the times
    /// of the layer, so that it can be its snapshot.
    Pack {
        /// The upper directory of the command.
        upper: PathBuf,
        /// What it lies over.
        below: Vec<PathBuf>,
        /// The file to write.
        file: PathBuf,
        /// How it is written.
        options: LayerOptions,
        /// How directories of layers are read.
        rights: Rights,
    },
}

/// What a file to be unpacked is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A layer: some names in it are marks of what is gone.
    Layer,
    /// Somebody's tar: a name is a name.
    Archive,
}

/// What came of an [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Of [`Operation::Remove`] and [`Operation::Move`]: it is done.
    Done,
    /// Of [`Operation::Unpack`].
    Unpacked(Unpacked),
    /// Of [`Operation::Pack`]; none where the command changed nothing.
    Packed(Option<Box<Layer>>),
}

impl Operation {
    /// Does it in this process.
    pub(crate) fn perform(&self) -> Result<Outcome, Fault> {
        match self {
            Self::Remove { path } => {
                crate::remove::remove(path).map_err(refused("cannot remove files of a build"))?;
                Ok(Outcome::Done)
            }
            Self::Move { from, to } => {
                fs_err::rename(from, to).map_err(refused("cannot move files of a build"))?;
                Ok(Outcome::Done)
            }
            Self::Unpack { file, form, into, below, rights } => {
                let file = fs_err::File::open(file).map_err(refused("cannot open a layer"))?;
                let below = Snapshot::new(below.clone(), *rights);
                unpack(file, *form, into, &below).map(Outcome::Unpacked)
            }
            Self::Pack { upper, below, file, options, rights } => {
                let below = Snapshot::new(below.clone(), *rights);
                let layer = pack(upper, &below, file, options)?;
                Ok(Outcome::Packed(layer.map(Box::new)))
            }
        }
    }
}

/// Unpacks what is read from `content` into the empty directory `into`, over `below`.
pub(crate) fn unpack(
    content: impl Read + Send + 'static,
    form: Form,
    into: &Path,
    below: &Snapshot,
) -> Result<Unpacked, Fault> {
    let reader = match form {
        Form::Layer => LayerReader::new(content, Limits::default()),
        Form::Archive => LayerReader::archive(content, Limits::default()),
    };
    Ok(unpack::unpack(reader, into, below, below.rights())?)
}

fn pack(
    upper: &Path,
    below: &Snapshot,
    file: &Path,
    options: &LayerOptions,
) -> Result<Option<Layer>, Fault> {
    let changes = diff::diff(upper, below, below.rights(), &|_| false)?;
    if changes.is_empty() {
        return Ok(None);
    }
    let sink = fs_err::File::create(file).map_err(refused("cannot write a layer"))?;
    let mut writer = LayerWriter::new(sink, options);
    diff::write(&changes, &mut writer)?;
    let layer = writer.finish()?;
    if let Some(epoch) = options.source_date_epoch {
        clamp(&changes, epoch).map_err(refused("cannot set the times of a snapshot"))?;
    }
    Ok(Some(layer))
}

/// Gives files the times that a layer says of them.
fn clamp(changes: &[Change], epoch: i64) -> io::Result<()> {
    for change in changes.iter().filter(|change| change.entry.mtime > epoch) {
        let time = Timespec { tv_sec: epoch, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        match rustix::fs::utimensat(CWD, &change.source, &times, AtFlags::SYMLINK_NOFOLLOW) {
            // A whiteout has no time that anybody sees.
            Ok(()) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn refused(what: &'static str) -> impl Fn(io::Error) -> Fault {
    move |error| {
        let is_full = error.kind() == io::ErrorKind::StorageFull;
        let fault = Fault::new(Kind::Failed, what).side(Side::Host).code("build.disk").cause(error);
        match is_full {
            true => fault.help("free some space, e.g. `windlass cache prune`"),
            false => fault,
        }
    }
}
