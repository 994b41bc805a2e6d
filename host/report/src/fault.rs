//! A step failed: whose fault it is, why, and what to try.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Why a step, or an operation of a person's, did not succeed.
///
/// Wording follows [`crate::Diagnostic`]. Each cause adds one fact and repeats none; the outermost
/// comes first. What a later version has written can be read: it may know more kinds and sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fault {
    /// What code branches on; decides the exit code.
    pub kind: Kind,
    /// Whose fault it is.
    pub side: Side,
    /// Whether trying again may help; decided where the fact is known, never from text.
    #[serde(default)]
    pub retry: bool,
    /// The open code, `area.name`, that plugins and people branch on: `oci.manifest-unknown`.
    pub code: String,
    /// One clause, lower case, no final stop.
    pub message: String,
    /// From the outside in.
    #[serde(default)]
    pub causes: Vec<String>,
    /// What to type next.
    pub help: Option<String>,
}

/// The finite list of what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A grant, or a policy of the host, refused.
    Denied,
    /// What was asked for does not exist.
    NotFound,
    /// A credential or a secret is missing or was refused.
    Unauthorized,
    /// The state changed meanwhile, or is not the one that was expected.
    Conflict,
    /// The input makes no sense.
    Invalid,
    /// A deadline passed.
    Timeout,
    /// A person or a signal stopped it.
    Cancelled,
    /// The network or the other side is in trouble; the same call may succeed later.
    Transient,
    /// Bytes are not what their digest, lock or signature says.
    Mismatch,
    /// The component itself broke: a trap, a limit, garbage for an answer.
    Trap,
    /// The step did its work and the answer is no; anything a plugin fails with that fits no other.
    Failed,
    /// A bug of ours.
    Internal,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The plugin's.
    Plugin,
    /// Ours, or of the machine we run on.
    Host,
    /// A server's.
    Remote,
    /// The person's: what was asked for cannot be.
    User,
}

impl Fault {
    /// A fault with its kind's usual code, side and retry.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            side: kind.usual_side(),
            retry: kind == Kind::Transient,
            code: kind.as_str().to_owned(),
            message: message.into(),
            causes: Vec::new(),
            help: None,
        }
    }

    /// Sets the open code, `area.name`.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// Says whose fault it is.
    #[must_use]
    pub fn side(mut self, side: Side) -> Self {
        self.side = side;
        self
    }

    /// Says whether trying again may help.
    #[must_use]
    pub fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// Adds the next cause, going inwards.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds the chain of `error` and its sources as causes.
    ///
    /// A link that only repeats the one before is left out: foreign errors often print their source.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        let mut link = Some(error);
        while let Some(current) = link {
            let text = current.to_string();
            let repeats = self.causes.last().is_some_and(|last| last.contains(&text));
            if !repeats && !text.is_empty() {
                self.causes.push(text);
            }
            link = current.source();
        }
        self
    }

    /// Says what to try.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Fault {}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::Denied,
        Self::NotFound,
        Self::Unauthorized,
        Self::Conflict,
        Self::Invalid,
        Self::Timeout,
        Self::Cancelled,
        Self::Transient,
        Self::Mismatch,
        Self::Trap,
        Self::Failed,
        Self::Internal,
    ];

    /// The word for it in pipeline files (`retry.on`), events and codes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotFound => "not-found",
            Self::Unauthorized => "unauthorized",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Transient => "transient",
            Self::Mismatch => "mismatch",
            Self::Trap => "trap",
            Self::Failed => "failed",
            Self::Internal => "internal",
        }
    }

    /// The kind that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The kind that an open code speaks of: its first word, before `.` or `/`, if that is a kind,
    /// else its last (`oci.not-found`), else [`Kind::Failed`].
    pub fn of_code(code: &str) -> Self {
        let first = code.split(['.', '/']).next().unwrap_or_default();
        let last = code.rsplit(['.', '/']).next().unwrap_or_default();
        Self::parse(first).or_else(|| Self::parse(last)).unwrap_or(Self::Failed)
    }

    fn usual_side(self) -> Side {
        match self {
            Self::Denied | Self::Invalid | Self::Unauthorized | Self::Cancelled => Side::User,
            Self::NotFound | Self::Conflict | Self::Transient | Self::Mismatch => Side::Remote,
            Self::Timeout | Self::Trap | Self::Failed => Side::Plugin,
            Self::Internal => Side::Host,
        }
    }
}

impl<'de> Deserialize<'de> for Kind {
    /// A word that this version does not know was written by a later one: the step did fail.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        Ok(Self::parse(&word).unwrap_or(Self::Failed))
    }
}

impl<'de> Deserialize<'de> for Side {
    /// As a [`Kind`] is read: whoever a later version blames, it is something of the host's making.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(from)?.as_str() {
            "plugin" => Self::Plugin,
            "remote" => Self::Remote,
            "user" => Self::User,
            _ => Self::Host,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_speaks_of_the_kind_in_its_first_or_last_word() {
        assert_eq!(Kind::of_code("denied.http"), Kind::Denied);
        assert_eq!(Kind::of_code("oci.not-found"), Kind::NotFound);
        assert_eq!(Kind::of_code("azure.quota"), Kind::Failed);
        assert_eq!(Kind::of_code("timeout"), Kind::Timeout);
        assert_eq!(Kind::of_code(""), Kind::Failed);
    }

    #[test]
    fn every_kind_is_found_by_its_word() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::parse("Denied"), None);
    }

    #[test]
    fn causes_that_repeat_the_one_before_are_left_out() {
        #[derive(Debug)]
        struct Outer(std::io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "reading failed: {}", self.0)
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = Outer(std::io::Error::other("disk on fire"));
        let fault = Fault::new(Kind::Failed, "no luck").caused_by(&error);
        assert_eq!(fault.to_string(), "no luck: reading failed: disk on fire");
    }

    #[test]
    fn only_passing_trouble_is_retried_by_itself() {
        let retried = Kind::ALL.into_iter().filter(|&kind| Fault::new(kind, "x").retry);
        assert_eq!(retried.collect::<Vec<_>>(), [Kind::Transient]);
    }
}
