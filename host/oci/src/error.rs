//! What can go wrong with a store, and what becomes of it at the edge of the room.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use report::{Fault, Kind, Side, and_list, or_list};

use crate::remote::{RemoteError, Tried};
use crate::{Digest, Mismatch, Platform, Tag};

/// Why an operation on a [`crate::Store`] did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing in that place.
    #[error("there is no {what} in {place}")]
    NotFound {
        /// `manifest latest`, `blob sha256:…`.
        what: String,
        /// The store's name.
        place: String,
    },
    /// Bytes are not what their digest or size says.
    #[error("{what} is not what it should be")]
    Mismatch {
        /// What was read or written, and where.
        what: String,
        /// What differs.
        #[source]
        mismatch: Mismatch,
    },
    /// A tag points elsewhere, and was not to be moved.
    #[error("the tag `{tag}` in {place} points at {found}, not at {wanted}")]
    Conflict {
        /// The tag.
        tag: Tag,
        /// The store's name.
        place: String,
        /// Where it points.
        found: Box<Digest>,
        /// Where it should point.
        wanted: Box<Digest>,
    },
    /// An image or index has nothing for a platform.
    #[error("{digest} has nothing for {}, only for {}", and_list(texts(.missing)), and_list(texts(.present)))]
    NoSuchPlatform {
        /// The index or manifest.
        digest: Digest,
        /// What was asked for and is not there.
        missing: Vec<Platform>,
        /// What is there.
        present: Vec<Platform>,
    },
    /// A document breaks its specification, or is too large to be one.
    #[error("{what} cannot be used: {why}")]
    Invalid {
        /// Which document.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Docker's first image format.
    #[error("{digest} is in docker's schema 1 format, which has no stable digest")]
    Schema1 {
        /// Its digest.
        digest: Digest,
    },
    /// The image is copied, under its digest, but not all that speaks about it.
    #[error(
        "{digest} is in {place}, but not all of its signatures and other referrers, so no tag was \
         written"
    )]
    Referrers {
        /// The image or index.
        digest: Box<Digest>,
        /// The target's name.
        place: String,
        /// Why.
        #[source]
        source: Box<Self>,
    },
    /// A registry wants to have all that an index lists.
    #[error("{place} does not take {digest} without all of its platforms")]
    Sparse {
        /// The index.
        digest: Box<Digest>,
        /// The target's name.
        place: String,
        /// Why.
        #[source]
        source: Box<Self>,
    },
    /// A registry, or the way to it, failed.
    #[error(transparent)]
    Remote(Box<RemoteError>),
    /// Somebody outside said no: a credential could not be had, an address may not be reached.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// A folder cannot be a registry's.
    #[error("`{}` cannot be the folder of a registry", root.display())]
    Root {
        /// The folder.
        root: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk failed.
    #[error("{what} failed in {place}")]
    Io {
        /// What was done.
        what: &'static str,
        /// The store's name.
        place: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl From<RemoteError> for Error {
    fn from(error: RemoteError) -> Self {
        Self::Remote(Box::new(error))
    }
}

/// Of a credential, or of an address.
impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl Error {
    pub(crate) fn mismatch(what: impl Into<String>, mismatch: Mismatch) -> Self {
        Self::Mismatch { what: what.into(), mismatch }
    }

    pub(crate) fn invalid(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), why: why.into() }
    }

    /// Says how often it was tried, where nobody has said so yet.
    pub(crate) fn tried(mut self, attempts: u32, over: Duration) -> Self {
        if let Self::Remote(error) = &mut self {
            error.tried.get_or_insert(Tried { attempts, over });
        }
        self
    }

    /// What code branches on.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } | Self::NoSuchPlatform { .. } => Kind::NotFound,
            Self::Mismatch { .. } => Kind::Mismatch,
            Self::Conflict { .. } => Kind::Conflict,
            Self::Invalid { .. } | Self::Schema1 { .. } => Kind::Invalid,
            Self::Remote(error) => error.kind(),
            Self::Referrers { source, .. } => source.kind(),
            Self::Sparse { .. } => Kind::Invalid,
            Self::Fault(fault) => fault.kind,
            Self::Io { .. } | Self::Root { .. } => Kind::Failed,
        }
    }

    /// Whether an answer ended before its end.
    pub(crate) fn broke_off(&self) -> bool {
        matches!(self, Self::Remote(error) if error.broke_off())
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Remote(error) => error.kind() == Kind::Transient,
            // A stream that was cut, as far as anybody can see.
            Self::Mismatch { mismatch: Mismatch::Size { at_least: false, .. }, .. } => true,
            Self::Fault(fault) => fault.retry,
            Self::Referrers { source, .. } => source.is_transient(),
            Self::NotFound { .. }
            | Self::NoSuchPlatform { .. }
            | Self::Sparse { .. }
            | Self::Mismatch { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::Schema1 { .. }
            | Self::Root { .. }
            | Self::Io { .. } => false,
        }
    }

    /// Whether a registry refused a manifest because something that it leads to is not there
    /// (distribution-spec, "Error Codes").
    pub(crate) fn is_of_missing_content(&self) -> bool {
        if let Self::Referrers { source, .. } | Self::Sparse { source, .. } = self {
            return source.is_of_missing_content();
        }
        let Self::Remote(error) = self else { return false };
        error.method == http::Method::PUT
            && matches!(
                error.code(),
                Some("MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN")
            )
    }

    /// What to try, where it is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Conflict { .. } => {
                Some("set `force = true` to move the tag, or choose another one".to_owned())
            }
            Self::NoSuchPlatform { present, .. } if !present.is_empty() => {
                Some(format!("choose from {}", or_list(texts(present))))
            }
            Self::Schema1 { .. } => Some(
                "push the image again with a current docker, podman or buildah; `skopeo copy \
                 --format v2s2` converts it"
                    .to_owned(),
            ),
            Self::Io { source, place, .. } if is_full(source) => {
                Some(format!("free some space on the disk of {place}"))
            }
            Self::Root { .. } => Some(
                "choose a folder that exists or can be made, and that you may write to".to_owned(),
            ),
            Self::Sparse { .. } => Some(
                "choose `new-index` instead of `sparse`, which makes an index of the wanted \
                 platforms alone, or copy all platforms"
                    .to_owned(),
            ),
            Self::Referrers { source, .. } => source.help(),
            Self::Remote(error) => error.help(),
            Self::Fault(fault) => fault.help.clone(),
            Self::NotFound { .. }
            | Self::NoSuchPlatform { .. }
            | Self::Mismatch { .. }
            | Self::Invalid { .. }
            | Self::Io { .. } => None,
        }
    }

    fn side(&self) -> Side {
        match self {
            Self::NotFound { .. } | Self::Remote(_) | Self::Mismatch { .. } => Side::Remote,
            Self::Conflict { .. } | Self::NoSuchPlatform { .. } => Side::User,
            Self::Invalid { .. } | Self::Schema1 { .. } | Self::Sparse { .. } => Side::Remote,
            Self::Referrers { source, .. } => source.side(),
            Self::Fault(fault) => fault.side,
            Self::Io { .. } | Self::Root { .. } => Side::Host,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn texts(platforms: &[Platform]) -> Vec<String> {
    platforms.iter().map(ToString::to_string).collect()
}

/// Codes as the contract with plugins names them: `oci.not-found`, `oci.mismatch`, ….
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if let Error::Fault(fault) = error {
            return *fault;
        }
        let kind = error.kind();
        let code = match (kind, &error) {
            (_, Error::Io { .. } | Error::Root { .. }) => "oci.io".to_owned(),
            (kind, _) => format!("oci.{kind}"),
        };
        let mut fault = Self::new(kind, error.to_string())
            .code(code)
            .side(error.side())
            .retry(error.is_transient());
        if let Some(source) = std::error::Error::source(&error) {
            fault = fault.caused_by(source);
        }
        match error.help() {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}
