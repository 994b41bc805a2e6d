//! Conditional requests (RFC 9110 §13): who knows what is there need not get it again, and who would
//! replace it can say what it must be. The tag of content is its digest in quotes.

use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, StatusCode};

use super::answer::Refusal;
use crate::Digest;

/// The value of `ETag`.
pub(super) fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// Whether a request has a condition that a change must not slip by.
pub(super) fn is_in(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH)
}

/// What a read is to do, where `digest` is there.
pub(super) fn on_read(headers: &HeaderMap, digest: &Digest) -> Result<(), Refusal> {
    if names(headers, &IF_MATCH, Some(digest)) == Some(false) {
        return Err(failed());
    }
    match names(headers, &IF_NONE_MATCH, Some(digest)) {
        // No refusal in the eyes of whoever asked; it has no body either.
        Some(true) => Err(Refusal::new(StatusCode::NOT_MODIFIED, "", "it is the same")
            .with(ETAG, etag(digest))
            .with(super::manifests::CONTENT_DIGEST, digest.to_string())),
        Some(false) | None => Ok(()),
    }
}

/// Whether a change may be made, where `current` is there, or nothing.
pub(super) fn on_change(headers: &HeaderMap, current: Option<&Digest>) -> Result<(), Refusal> {
    let must_be = names(headers, &IF_MATCH, current);
    let must_not_be = names(headers, &IF_NONE_MATCH, current);
    match must_be == Some(false) || must_not_be == Some(true) {
        true => Err(failed()),
        false => Ok(()),
    }
}

fn failed() -> Refusal {
    let message = "what is there is not what the condition says";
    Refusal::new(StatusCode::PRECONDITION_FAILED, "DENIED", message)
}

/// Whether a header, if it is there, names `current`.
fn names(headers: &HeaderMap, name: &HeaderName, current: Option<&Digest>) -> Option<bool> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let is_current = |text: &str| {
        let text = text.trim();
        // Bytes under one digest are the same bytes: strong and weak tags mean the same here.
        let text = text.strip_prefix("W/").unwrap_or(text);
        current.is_some_and(|digest| text == "*" || text.trim_matches('"') == digest.to_string())
    };
    Some(values.filter_map(|value| value.to_str().ok()).any(|v| v.split(',').any(is_current)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_what_is_there_or_does_not() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let check = |value: &str, current: Option<&Digest>, expect: bool| {
            let headers = HeaderMap::from_iter([(IF_MATCH, value.parse().unwrap())]);
            assert_eq!(names(&headers, &IF_MATCH, current), Some(expect), "{value}");
        };
        check(&etag(&one), Some(&one), true);
        check(&format!("W/{}", etag(&one)), Some(&one), true);
        check(&format!("{}, {}", etag(&two), etag(&one)), Some(&one), true);
        check(&etag(&two), Some(&one), false);
        check(&etag(&two), None, false);
        check("*", Some(&one), true);
        check("*", None, false);
        check("", Some(&one), false);
        assert_eq!(names(&HeaderMap::new(), &IF_MATCH, Some(&one)), None);
    }
}
