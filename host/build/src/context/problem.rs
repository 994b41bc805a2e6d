//! Why nothing was copied, and what it becomes for a person.

use std::io;
use std::path::PathBuf;

use report::{Fault, Side};

use crate::ignore::BadPattern;
use crate::tree::Kind;

/// Sources cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// There is nothing of that name.
    #[error("`{written}` is not in {origin}")]
    NotFound {
        /// The source, as it was written.
        written: String,
        /// Where it was looked for.
        origin: String,
        /// What is there instead.
        instead: Option<String>,
    },
    /// It is there, but a rule leaves it out.
    #[error("`{written}` is in {origin}, but left out by {label}:{line}: `{rule}`")]
    Ignored {
        /// The source, as it was written.
        written: String,
        /// Where it is.
        origin: String,
        /// The ignore file.
        label: String,
        /// Its line.
        line: usize,
        /// What the line says.
        rule: String,
    },
    /// A source is no pattern.
    #[error("`{written}` is not a pattern")]
    Pattern {
        /// The source, as it was written.
        written: String,
        /// Why.
        source: BadPattern,
    },
    /// Several things cannot become one file.
    #[error("{count} sources cannot become the one file `/{}`", destination.display())]
    NeedsDirectory {
        /// How many there are.
        count: usize,
        /// Where they should go.
        destination: PathBuf,
    },
    /// A device of this machine does not belong into an image.
    #[error("`{}` in {origin} is a {}", path.display(), kind.noun())]
    Device {
        /// Where it is.
        path: PathBuf,
        /// Of what.
        origin: String,
        /// What it is.
        kind: Kind,
    },
    /// A directory would take the place of a file, or a file that of a directory.
    #[error(
        "a {} cannot take the place of the {} `/{}`",
        new.noun(), old.noun(), path.display()
    )]
    Replaces {
        /// Where in the image.
        path: PathBuf,
        /// What is there.
        old: Kind,
        /// What was to be copied.
        new: Kind,
    },
    /// It cannot be read.
    #[error("cannot read `{}` of {origin}", path.display())]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// Of what.
        origin: String,
        /// Why.
        source: io::Error,
    },
    /// It changed while it was being copied.
    #[error("`{}` of {origin} changed while it was being read", path.display())]
    Changed {
        /// Where it is.
        path: PathBuf,
        /// Of what.
        origin: String,
    },
}

impl SelectError {
    /// What to try.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotFound { instead, .. } => instead.clone(),
            Self::Ignored { label, rule, written, .. } => Some(match rule.strip_prefix('!') {
                Some(_) => format!("add `!{written}` at the end of {label}"),
                None => format!("take `{rule}` out of {label}, or add `!{written}` below it"),
            }),
            Self::Pattern { .. } => {
                Some("write `[[]` for `[`, `[*]` for `*` and `[?]` for `?`".to_owned())
            }
            Self::NeedsDirectory { destination, .. } => {
                Some(format!("end the destination with `/`: `/{}/`", destination.display()))
            }
            Self::Device { path, .. } => {
                Some(format!("leave it out: add `{}` to .dockerignore", path.display()))
            }
            Self::Replaces { path, new: Kind::Directory, old: Kind::Symlink } => Some(format!(
                "copy into the directory that `/{}` points at instead",
                path.display()
            )),
            Self::Replaces { .. } => Some("remove it first, or copy to another name".to_owned()),
            Self::Unreadable { path, source, .. } => {
                (source.kind() == io::ErrorKind::PermissionDenied).then(|| {
                    let path = path.display();
                    format!("make it readable, or leave it out: add `{path}` to .dockerignore")
                })
            }
            Self::Changed { .. } => Some("build again when nothing writes to it".to_owned()),
        }
    }
}

impl From<SelectError> for Fault {
    fn from(error: SelectError) -> Self {
        let (kind, code) = match &error {
            SelectError::NotFound { .. } | SelectError::Ignored { .. } => {
                (report::Kind::NotFound, "not-found.build")
            }
            SelectError::Pattern { .. }
            | SelectError::NeedsDirectory { .. }
            | SelectError::Device { .. }
            | SelectError::Replaces { .. } => (report::Kind::Invalid, "invalid.build"),
            SelectError::Unreadable { .. } => (report::Kind::Failed, "build.io"),
            SelectError::Changed { .. } => (report::Kind::Conflict, "conflict.build"),
        };
        let mut fault = Self::new(kind, error.to_string()).code(code).side(Side::User);
        if let Some(source) = std::error::Error::source(&error) {
            fault = fault.caused_by(source);
        }
        match error.help() {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}
