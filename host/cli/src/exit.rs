//! Exit codes: one table, for `--help`, README.md and the program itself.

use std::process::ExitCode;

use report::Kind;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Ok,
    /// A step failed.
    Failed,
    /// The command line or the pipeline file is wrong.
    Usage,
    /// A grant or a policy refused.
    Denied,
    /// A credential was refused, or a secret is unavailable.
    Unauthorized,
    /// The network or a server is in trouble; worth trying again.
    Transient,
    /// A digest, lock or signature does not match.
    Mismatch,
    /// Nothing failed, and something would change.
    Changes,
    /// A bug of ours.
    Bug,
    /// A deadline passed.
    TimedOut,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// The number that a shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::Unauthorized => 4,
            Self::Transient => 5,
            Self::Mismatch => 6,
            Self::Changes => 10,
            Self::Bug => 70,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Denied => Self::Denied,
            Kind::Unauthorized => Self::Unauthorized,
            Kind::Transient => Self::Transient,
            Kind::Mismatch => Self::Mismatch,
            Kind::Timeout => Self::TimedOut,
            Kind::Cancelled => Self::Interrupted,
            Kind::Internal => Self::Bug,
            Kind::NotFound | Kind::Conflict | Kind::Invalid | Kind::Trap | Kind::Failed => {
                Self::Failed
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_every_code() {
        let all = [
            Exit::Ok,
            Exit::Failed,
            Exit::Usage,
            Exit::Denied,
            Exit::Unauthorized,
            Exit::Transient,
            Exit::Mismatch,
            Exit::Changes,
            Exit::Bug,
            Exit::TimedOut,
            Exit::Interrupted,
        ];
        for exit in all {
            let code = format!("  {:<4} ", exit.code());
            assert!(crate::args::EXIT_CODES.contains(&code), "{exit:?}");
        }
        assert!(crate::args::EXIT_CODES.contains("143 by SIGTERM"));
    }
}
