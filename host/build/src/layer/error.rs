//! What goes wrong with layers.

use std::io;
use std::path::PathBuf;

use oci::{Digest, Mismatch};
use report::{Fault, Kind, Side};

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Entries come in the order of [`super::compare`], each once.
    #[error("`{}` was added behind `{}`, and belongs before it", .path.display(), .after.display())]
    Order {
        /// What was added.
        path: PathBuf,
        /// What came before it.
        after: PathBuf,
    },
    /// An absolute path, one with `.`, `..` or a NUL, or the root as something else than a directory.
    #[error("`{}` is no path of a layer", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// Names that begin with `.wh.` say in a layer that a file is gone.
    #[error("`{}` cannot be in an image: a name that begins with `.wh.` marks a removed file", .path.display())]
    Reserved {
        /// The path.
        path: PathBuf,
    },
    /// Not as many bytes as its entry says.
    #[error("`{}` has {found} bytes, expected {expected}: it changed while it was read", .path.display())]
    Changed {
        /// The path.
        path: PathBuf,
        /// What the entry says.
        expected: u64,
        /// What came; one more than expected stands for any larger number.
        found: u64,
    },
    /// The content could not be read.
    #[error("cannot read the content of `{}`", .path.display())]
    Content {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that the format cannot say.
    #[error("`{}` cannot be in a layer: {what}", .path.display())]
    Unrepresentable {
        /// The path.
        path: PathBuf,
        /// What it is about.
        what: &'static str,
    },
    /// The blob could not be written.
    #[error("cannot write the layer")]
    Sink {
        /// Why.
        source: io::Error,
    },
    /// A zstd level that does not exist.
    #[error("zstd has no level {level}, expected 1 to 19")]
    Level {
        /// What was asked for.
        level: i32,
    },
}

/// Why a layer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The blob could not be read.
    #[error("cannot read the layer")]
    Source {
        /// Why.
        source: io::Error,
    },
    /// The compressed bytes make no sense.
    #[error("the layer is not valid {format}")]
    Compression {
        /// `gzip` or `zstd`.
        format: &'static str,
        /// What the decoder says.
        source: io::Error,
    },
    /// The archive ends within an entry.
    #[error("the archive ends early{}", .path.as_ref().map(|path| format!(", in `{}`", path.display())).unwrap_or_default())]
    Short {
        /// Where.
        path: Option<PathBuf>,
    },
    /// A header that makes no sense.
    #[error("the archive is damaged at byte {offset}: {what}")]
    Header {
        /// Where the header begins, in the plain archive.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A path, or what a hard link points at, that leads out of the root.
    #[error("the archive has the path `{}`, which leads out of it", .path.display())]
    Escapes {
        /// As written.
        path: PathBuf,
    },
    /// Something that this reader does not know.
    #[error("`{}` is {what}, which is not supported", .path.display())]
    Unsupported {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// More than a limit allows.
    #[error("the archive has more than {limit} {what}")]
    Limit {
        /// The limit.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// It inflates beyond reason.
    #[error(
        "{packed} compressed bytes became more than {plain}: over {ratio} to 1, no layer does that"
    )]
    Bomb {
        /// Bytes read.
        packed: u64,
        /// Bytes that came of them, at least.
        plain: u64,
        /// The limit.
        ratio: u64,
    },
    /// The plain bytes are not those that the image lists.
    #[error("the content of the layer does not match its diff-id: {0}")]
    DiffId(Mismatch),
}

impl ReadError {
    /// The error within `error`, if it is one of ours that came through [`io::Read`].
    pub(crate) fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::Source { source },
        }
    }

    /// That the digest is `found` where the image lists `expected`.
    pub fn diff_id(expected: Digest, found: Digest) -> Self {
        let (expected, found) = (Box::new(expected), Box::new(found));
        Self::DiffId(Mismatch::Digest { expected, found })
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        Self::other(error)
    }
}

impl From<LayerError> for Fault {
    fn from(error: LayerError) -> Self {
        let fault = |kind, code: &str| {
            Self::new(kind, "cannot write the layer").code(code).caused_by(&error)
        };
        match &error {
            LayerError::Changed { .. } => fault(Kind::Conflict, "build.file-changed")
                .side(Side::User)
                .retry(true)
                .help("let nothing write to the context while it is built"),
            LayerError::Reserved { .. } => {
                fault(Kind::Invalid, "build.reserved-name").help("rename it or ignore it")
            }
            LayerError::Unrepresentable { .. } => fault(Kind::Invalid, "build.layer"),
            LayerError::Level { .. } => fault(Kind::Invalid, "build.compression"),
            LayerError::Content { .. } => fault(Kind::Failed, "build.content").side(Side::User),
            LayerError::Sink { source } => {
                let full = source.kind() == io::ErrorKind::StorageFull;
                let fault = fault(Kind::Failed, "build.disk").side(Side::Host);
                if full {
                    fault.help("free some space, e.g. `windlass cache prune`")
                } else {
                    fault
                }
            }
            LayerError::Order { .. } | LayerError::Path { .. } => {
                fault(Kind::Internal, "build.layer")
            }
        }
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        let fault = |kind, code: &str| {
            Self::new(kind, "cannot read the archive").code(code).caused_by(&error)
        };
        match &error {
            ReadError::Source { .. } => fault(Kind::Failed, "build.disk").side(Side::Host),
            ReadError::Compression { .. }
            | ReadError::Short { .. }
            | ReadError::Header { .. }
            | ReadError::DiffId(_) => fault(Kind::Mismatch, "build.archive"),
            ReadError::Escapes { .. } | ReadError::Limit { .. } | ReadError::Bomb { .. } => {
                fault(Kind::Denied, "build.hostile-archive").side(Side::Remote)
            }
            ReadError::Unsupported { .. } => fault(Kind::Invalid, "build.archive"),
        }
    }
}
