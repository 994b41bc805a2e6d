//! What each trouble may end in.

use report::Kind;
use support::Trouble;

/// One row of the table.
pub(super) struct Row {
    pub(super) trouble: Trouble,
    /// When it hits one request alone.
    pub(super) once: Ends,
    /// When it hits this and all that follow.
    pub(super) always: Option<Ends>,
    pub(super) reach: Reach,
}

/// Which requests are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Each.
    Every,
    /// One of each sort, such as the first `PUT` of a blob: what differs from a row that is tried at
    /// every request only by its number needs no more.
    Sorts,
}

/// How a copy may end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ends {
    /// It must succeed.
    Well,
    /// It succeeds where the request was of no consequence, or fails with one of these kinds.
    Perhaps(&'static [Kind]),
}

use Ends::{Perhaps, Well};

/// A registry in passing trouble.
const TRANSIENT: Ends = Perhaps(&[Kind::Transient]);

/// A digest that names something else, or nothing.
const WRONG_NAME: Ends = Perhaps(&[Kind::Mismatch, Kind::NotFound]);

/// An answer that is not one of a registry; a registry to which half was said says so too.
const NONSENSE: Ends =
    Perhaps(&[Kind::Mismatch, Kind::Invalid, Kind::Failed, Kind::NotFound, Kind::Conflict]);

/// A registry that says no.
const UNAUTHORIZED: Ends = Perhaps(&[Kind::Unauthorized]);

/// A registry that does not find what it has just said it has.
const NOT_FOUND: Ends = Perhaps(&[Kind::NotFound]);

const fn row(trouble: Trouble, once: Ends, always: Ends) -> Row {
    Row { trouble, once, always: Some(always), reach: Reach::Sorts }
}

const fn everywhere(trouble: Trouble, once: Ends, always: Ends) -> Row {
    Row { trouble, once, always: Some(always), reach: Reach::Every }
}

/// For trouble of which nothing is said when it stays.
const fn but_once(trouble: Trouble, once: Ends) -> Row {
    Row { trouble, once, always: None, reach: Reach::Sorts }
}

/// The whole table.
pub(super) fn rows() -> Vec<Row> {
    vec![
        row(Trouble::Refuse(429), Well, TRANSIENT),
        row(Trouble::Refuse(500), Well, TRANSIENT),
        row(Trouble::Refuse(502), Well, TRANSIENT),
        everywhere(Trouble::Refuse(503), Well, TRANSIENT),
        row(Trouble::Refuse(504), Well, TRANSIENT),
        row(Trouble::Refuse(408), Well, TRANSIENT),
        // Wants to be asked again at once, in two spellings.
        row(Trouble::RefuseUntil(429, "0"), Well, TRANSIENT),
        row(Trouble::RefuseUntil(503, "Sun, 06 Nov 1994 08:49:37 GMT"), Well, TRANSIENT),
        // Longer than anybody waits.
        row(Trouble::RefuseUntil(429, "86400"), TRANSIENT, TRANSIENT),
        row(Trouble::RefuseUntil(503, "Fri, 31 Dec 9999 23:59:59 GMT"), TRANSIENT, TRANSIENT),
        row(Trouble::RefuseUntil(429, "99999999999999999999999999"), TRANSIENT, TRANSIENT),
        // Says nothing.
        row(Trouble::RefuseUntil(429, "-1"), Well, TRANSIENT),
        row(Trouble::RefuseUntil(429, "soon"), Well, TRANSIENT),
        row(Trouble::Refuse(401), UNAUTHORIZED, UNAUTHORIZED),
        row(Trouble::Refuse(403), UNAUTHORIZED, UNAUTHORIZED),
        row(Trouble::Refuse(404), NOT_FOUND, NOT_FOUND),
        row(Trouble::ResetBefore, Well, TRANSIENT),
        everywhere(Trouble::ResetBehind, Well, TRANSIENT),
        row(Trouble::ResetInAnswer, Well, TRANSIENT),
        row(Trouble::ResetInRequest, Well, TRANSIENT),
        everywhere(Trouble::CutAnswer, Well, TRANSIENT),
        row(Trouble::ShortAnswer, NONSENSE, NONSENSE),
        row(Trouble::LongAnswer, NONSENSE, NONSENSE),
        everywhere(Trouble::CorruptAnswer, NONSENSE, NONSENSE),
        // Where all that is written arrives as something else, nobody can keep a tag right.
        but_once(Trouble::CorruptRequest, NONSENSE),
        row(Trouble::WrongDigest, WRONG_NAME, WRONG_NAME),
        row(Trouble::Without("docker-content-digest"), Well, Well),
        row(Trouble::Without("content-length"), Well, Well),
        row(Trouble::Without("content-type"), Well, Well),
        row(Trouble::Without("location"), NONSENSE, NONSENSE),
        // What slows a run down is tried elsewhere; here it must not break one.
        row(Trouble::With("ratelimit-remaining", "1000;w=60"), Well, Well),
        row(Trouble::With("ratelimit-remaining", "-1;w=never"), Well, Well),
        row(Trouble::With("x-ms-ratelimit-remaining-calls-per-second", "16.5"), Well, Well),
        everywhere(Trouble::WebPage, NONSENSE, NONSENSE),
        row(Trouble::Elsewhere, Well, Well),
        row(Trouble::RedirectLoop, NONSENSE, NONSENSE),
    ]
}

/// Those that can harm a tag.
pub(super) fn tag_rows() -> Vec<Row> {
    vec![
        row(Trouble::Refuse(503), Well, TRANSIENT),
        row(Trouble::ResetBehind, Well, TRANSIENT),
        row(Trouble::ResetInRequest, Well, TRANSIENT),
        // Where all that is written arrives as something else, nobody can keep a tag right.
        but_once(Trouble::CorruptRequest, NONSENSE),
        row(Trouble::WrongDigest, WRONG_NAME, WRONG_NAME),
        row(Trouble::WebPage, NONSENSE, NONSENSE),
    ]
}

/// Those that only a registry with tokens can have.
pub(super) fn token_rows() -> Vec<Row> {
    vec![
        row(Trouble::ExpireTokens, Well, UNAUTHORIZED),
        row(Trouble::Refuse(503), Well, TRANSIENT),
        row(Trouble::ResetBehind, Well, TRANSIENT),
        row(Trouble::CutAnswer, TRANSIENT, TRANSIENT),
        // The other origin refuses whoever brings the registry's token.
        row(Trouble::Elsewhere, Well, Well),
    ]
}
