//! What can go wrong with the store.

use std::{io, path::PathBuf};

use report::{Fault, Kind, Side};
use rusqlite::ErrorCode;

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The directory or a lock in it cannot be made.
    #[error("the record of runs in `{path}` cannot be opened")]
    Open {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A later version has written it.
    #[error("the record of runs `{path}` was written by a newer version (format {format})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: i64,
    },
    /// SQLite cannot do it.
    #[error("the record of runs `{path}` cannot be read or written")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// What stands in it makes no sense to this version.
    #[error("the record of runs has {what} that is none: `{found}`")]
    Strange {
        /// What it should be.
        what: &'static str,
        /// What it is.
        found: String,
    },
    /// No run has such an id.
    #[error("there is no run `{id}`")]
    Unknown {
        /// What was asked for.
        id: String,
        /// An id that looks like it.
        near: Option<String>,
    },
    /// Several runs have ids that begin so.
    #[error("`{id}` may be more than one run")]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// Those that it may be, newest first, with what there is to tell them apart.
        candidates: Vec<String>,
    },
    /// The run is not in a state for that.
    #[error("run {id} {state}")]
    State {
        /// Which.
        id: String,
        /// In which state it is, as the rest of a sentence.
        state: String,
    },
    /// The thread that writes is gone.
    #[error("the record of this run has broken off")]
    Gone,
}

impl RecordError {
    /// Whether somebody else has it, and may let it go.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite { source, .. } if matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        ))
    }
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Self {
        let message = error.to_string();
        let failed = |kind| Self::new(kind, message.clone()).code("failed.record").side(Side::Host);
        let unknown = |kind| {
            let code = format!("{}.run", Kind::as_str(kind));
            Self::new(kind, message.clone()).code(code).side(Side::User)
        };
        match &error {
            RecordError::Open { source, .. } => failed(Kind::Failed)
                .caused_by(source)
                .help("make the directory one of your own, or name another in WINDLASS_STATE_DIR"),
            RecordError::Newer { .. } => {
                failed(Kind::Failed).help("use the newer version of windlass")
            }
            RecordError::Sqlite { path, source } => {
                let kind = if error.is_busy() { Kind::Transient } else { Kind::Failed };
                let fault = failed(kind).caused_by(source);
                match source.sqlite_error_code() {
                    Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => fault.help(
                        format!("move `{}` away: a new one is begun in its place", path.display()),
                    ),
                    Some(ErrorCode::DiskFull) => fault.help("make room on its disk"),
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                        fault.help("another process writes it: try again when that has ended")
                    }
                    _ => fault,
                }
            }
            RecordError::Strange { .. } => {
                failed(Kind::Failed).help("it may be of a newer version of windlass: use that one")
            }
            RecordError::Unknown { near, .. } => unknown(Kind::NotFound).help(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`windlass runs` lists those that there are".to_owned(),
            }),
            RecordError::Ambiguous { candidates, .. } => candidates
                .iter()
                .fold(unknown(Kind::Invalid), |fault, candidate| fault.cause(candidate))
                .help("type more of it"),
            RecordError::State { .. } => unknown(Kind::Conflict),
            RecordError::Gone => failed(Kind::Internal),
        }
    }
}
