//! What a context's error becomes for a person.

use report::{Fault, Kind, Side};

use super::ContextError;

impl From<ContextError> for Fault {
    fn from(error: ContextError) -> Self {
        let help = match error {
            ContextError::Git(git) => return git.into(),
            ContextError::Select(select) => return select.into(),
            ContextError::Ignore(_) => Some("mend the line; `\\` makes a character itself"),
            ContextError::Refused { .. } => Some("leave it out of the archive"),
            ContextError::TooLarge { .. } => Some("name a smaller file"),
            ContextError::Unpackable { .. } => Some("name it in `.dockerignore`"),
            ContextError::Unreadable { .. }
            | ContextError::Archive { .. }
            | ContextError::Write { .. }
            | ContextError::Path { .. }
            | ContextError::Pack(_)
            | ContextError::NotAFile { .. } => None,
        };
        let (kind, code, side) = match &error {
            ContextError::Unreadable { source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                (Kind::NotFound, "not-found.build", Side::User)
            }
            ContextError::Unreadable { .. }
            | ContextError::Write { .. }
            | ContextError::Pack(_) => (Kind::Failed, "build.io", Side::Host),
            ContextError::Archive { .. }
            | ContextError::Refused { .. }
            | ContextError::Path { .. }
            | ContextError::TooLarge { .. }
            | ContextError::NotAFile { .. }
            | ContextError::Unpackable { .. }
            | ContextError::Ignore(_)
            | ContextError::Git(_)
            | ContextError::Select(_) => (Kind::Invalid, "invalid.build", Side::User),
        };
        let mut fault = Self::new(kind, error.to_string()).code(code).side(side);
        if let Some(source) = std::error::Error::source(&error) {
            fault = fault.caused_by(source);
        }
        match help {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}
