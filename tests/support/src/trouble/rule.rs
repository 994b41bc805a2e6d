//! What goes wrong, and when.

use super::Seen;
use super::gate::Barrier;

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is refused with this status, in a registry's words.
    Refuse(u16),
    /// The same, with these words for `Retry-After`.
    RefuseUntil(u16, &'static str),
    /// The connection is reset before the registry hears of it.
    ResetBefore,
    /// The registry does what it is asked, and the connection is reset instead of the answer.
    ResetBehind,
    /// The connection is reset in the middle of the answer's body.
    ResetInAnswer,
    /// The connection is reset in the middle of the request's body.
    ResetInRequest,
    /// The answer announces all its bytes and ends after half of them.
    CutAnswer,
    /// The answer announces half of its bytes and is no longer.
    ShortAnswer,
    /// The answer goes on behind its end, and announces that.
    LongAnswer,
    /// One bit of the answer's body is another.
    CorruptAnswer,
    /// One bit of the request's body is another when it arrives.
    CorruptRequest,
    /// The answer claims the digest of something else.
    WrongDigest,
    /// The answer lacks this header; the name in lower case.
    Without(&'static str),
    /// The answer has this header; the name in lower case.
    With(&'static str, &'static str),
    /// Somebody on the way answers with a page, as places do where one has to sign in.
    WebPage,
    /// All tokens that were given end before this request.
    ExpireTokens,
    /// The answer sends it to another origin, which takes no credentials.
    Elsewhere,
    /// The answer sends it to itself.
    RedirectLoop,
    /// The whole is sent where a part was asked for.
    WholeForPart,
    /// Another part, of the same length, is sent than was asked for.
    OtherPart,
}

/// Which requests trouble hits, and how often.
#[derive(Clone, Debug)]
pub struct When {
    which: Which,
    /// Requests of those that pass before the first is hit.
    pass: usize,
    /// How many are hit.
    times: usize,
}

#[derive(Clone, Debug)]
enum Which {
    /// From this one on, counted from 0.
    Number(usize),
    /// With this method and this part of the path.
    Asked(&'static str, String),
}

/// Something that happens to some requests.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) when: When,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Trouble(Trouble),
    Hold(Barrier, Moment),
}

/// When a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the registry hears of it.
    Before,
    /// In the middle of its body, or of the answer's if it has none.
    Within,
    /// When the registry has done it, before the answer.
    Behind,
}

impl When {
    /// The request with this number, counted from 0 since the last [`super::FaultProxy::forget`].
    pub fn number(number: usize) -> Self {
        Self { which: Which::Number(number), pass: 0, times: 1 }
    }

    /// The first request with this method whose path and query contain `part`.
    pub fn asked(method: &'static str, part: &str) -> Self {
        Self { which: Which::Asked(method, part.to_owned()), pass: 0, times: 1 }
    }

    /// Lets so many of them pass first.
    #[must_use]
    pub fn behind(self, pass: usize) -> Self {
        Self { pass, ..self }
    }

    /// Hits so many in a row.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Hits all of them.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Whether the request is hit, which is counted.
    pub(super) fn hits(&mut self, number: usize, method: &str, path: &str) -> bool {
        let is_meant = match &self.which {
            Which::Number(first) => number >= *first,
            Which::Asked(wanted, part) => method == *wanted && path.contains(part.as_str()),
        };
        if !is_meant || self.times == 0 {
            return false;
        }
        if self.pass > 0 {
            self.pass -= 1;
            return false;
        }
        self.times = self.times.saturating_sub(usize::from(self.times != usize::MAX));
        true
    }
}

impl Trouble {
    /// Whether it makes a difference to a request like this one, which went well: there must be a
    /// body to cut, a header to lose.
    pub fn matters(&self, seen: &Seen) -> bool {
        match self {
            Self::ResetInAnswer
            | Self::CutAnswer
            | Self::ShortAnswer
            | Self::LongAnswer
            | Self::CorruptAnswer => seen.received > 1,
            Self::ResetInRequest | Self::CorruptRequest => seen.sent > 1,
            Self::WrongDigest => seen.answer("docker-content-digest").is_some(),
            Self::Without(name) => seen.answer(name).is_some(),
            Self::Elsewhere | Self::RedirectLoop => {
                matches!(seen.method.as_str(), "GET" | "HEAD") && seen.path.contains("/blobs/")
            }
            Self::ExpireTokens => !seen.path.starts_with("/token"),
            Self::WholeForPart | Self::OtherPart => seen.status == 206,
            Self::Refuse(_)
            | Self::RefuseUntil(..)
            | Self::ResetBefore
            | Self::ResetBehind
            | Self::With(..)
            | Self::WebPage => true,
        }
    }

    /// What is said without asking the registry.
    pub(super) fn refusal(&self) -> Option<(u16, Option<&'static str>)> {
        if let Self::Refuse(status) = self {
            return Some((*status, None));
        }
        let Self::RefuseUntil(status, when) = self else { return None };
        Some((*status, Some(when)))
    }
}
