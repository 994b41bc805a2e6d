//! What can go wrong while an image is built, and what becomes of it at the edge of the room.

use std::io;

use report::{Fault, Kind, Side};

/// Why a step of a build did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody below said so in full: a registry, the executor, the context.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// A store of images.
    #[error(transparent)]
    Oci(#[from] oci::Error),
    /// The disk failed.
    #[error("{what} failed")]
    Io {
        /// What was done.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was asked for makes no sense for this filesystem.
    #[error("{what}")]
    Invalid {
        /// One clause.
        what: String,
        /// What to try.
        help: Option<String>,
    },
    /// A command ended with something else than 0.
    #[error("`{title}` ended with {how}")]
    Command {
        /// The instruction, as people know it.
        title: String,
        /// `exit code 2`, `signal 9`.
        how: String,
        /// What to try, where the cause is known.
        help: Option<String>,
    },
    /// Layers cannot be moved to another base without changing what is in them.
    #[error("the image cannot be rebased: {why}")]
    Rebase {
        /// One clause.
        why: String,
        /// What to try.
        help: String,
    },
    /// The step was stopped: its time is over, or somebody stopped the run.
    #[error("`{title}` was stopped")]
    Stopped {
        /// The instruction.
        title: String,
    },
    /// A thread of ours broke.
    #[error("a thread of the build broke")]
    Broken(#[source] tokio::task::JoinError),
}

impl Error {
    pub(crate) fn invalid(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), help: Some(help.into()) }
    }

    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

macro_rules! by_fault {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Fault::from(error).into()
            }
        }
    )*};
}

by_fault!(
    crate::context::SelectError,
    crate::diff::DiffError,
    crate::exec::ExecError,
    crate::layer::LayerError,
    crate::layer::ReadError,
    crate::store::StoreError,
    crate::unpack::UnpackError
);

impl From<crate::context::DestinationError> for Error {
    fn from(error: crate::context::DestinationError) -> Self {
        let fault = Fault::new(Kind::Invalid, "it cannot be copied there").caused_by(&error);
        fault.code("invalid.build").side(Side::User).help("name another destination").into()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

/// Codes as the contract with plugins names them.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let (kind, code, side) = match error {
            Error::Fault(fault) => return *fault,
            Error::Oci(error) => return error.into(),
            Error::Io { .. } => (Kind::Failed, "build.io", Side::Host),
            Error::Invalid { .. } => (Kind::Invalid, "invalid.build", Side::User),
            Error::Command { .. } => (Kind::Failed, "build.command-failed", Side::User),
            Error::Rebase { .. } => (Kind::Conflict, "conflict.build", Side::User),
            Error::Stopped { .. } => (Kind::Cancelled, "cancelled.build", Side::User),
            Error::Broken(_) => (Kind::Internal, "internal.build", Side::Host),
        };
        let mut fault = Self::new(kind, error.to_string()).code(code).side(side);
        if let Some(source) = std::error::Error::source(&error) {
            fault = fault.caused_by(source);
        }
        match error {
            Error::Invalid { help: Some(help), .. }
            | Error::Command { help: Some(help), .. }
            | Error::Rebase { help, .. } => fault.help(help),
            Error::Fault(_)
            | Error::Oci(_)
            | Error::Io { .. }
            | Error::Invalid { help: None, .. }
            | Error::Command { help: None, .. }
            | Error::Stopped { .. }
            | Error::Broken(_) => fault,
        }
    }
}

/// Work that would block the async runtime, on a thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::Broken)?
}
