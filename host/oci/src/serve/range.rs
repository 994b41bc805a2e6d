//! Ranges: of blobs (RFC 9110 §14) and of chunks (distribution-spec, "Pushing a blob in chunks").

use std::ops::Range;

/// What a `Range` header asks for of `size` bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range, several, or none that we understand.
    All,
    /// A part, never empty.
    Part(Range<u64>),
    /// Nothing that is there.
    Beyond,
}

pub(super) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::All;
    };
    let Some((first, last)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else {
        return Wanted::All;
    };
    let part = match (first.trim(), last.trim()) {
        ("", last) => last.parse::<u64>().ok().map(|count| size.saturating_sub(count)..size),
        (first, "") => first.parse().ok().map(|first| first..size),
        (first, last) => match (first.parse::<u64>(), last.parse::<u64>()) {
            // The wrong way round it is nothing that could be given, as RFC 9110 allows to say.
            (Ok(first), Ok(last)) => Some(first..last.saturating_add(1).min(size)),
            _ => None,
        },
    };
    match part {
        None => Wanted::All,
        Some(part) if part.start >= part.end => Wanted::Beyond,
        Some(part) => Wanted::Part(part),
    }
}

/// `Content-Range` of a chunk: `FIRST-LAST`, with or without `bytes `.
pub(super) fn chunk(header: &str) -> Option<Range<u64>> {
    let text = header.trim();
    let text = text.strip_prefix("bytes ").or_else(|| text.strip_prefix("bytes=")).unwrap_or(text);
    let (first, last) = text.split('/').next()?.split_once('-')?;
    let (first, last) = (first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?);
    (first <= last).then(|| first..last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        let check =
            |header: &str, expect: Wanted| assert_eq!(wanted(Some(header), 10), expect, "{header}");
        check("bytes=0-3", Wanted::Part(0..4));
        check("bytes=4-", Wanted::Part(4..10));
        check("bytes=-3", Wanted::Part(7..10));
        check("bytes=-30", Wanted::Part(0..10));
        check("bytes=8-99", Wanted::Part(8..10));
        check("bytes=10-", Wanted::Beyond);
        check("bytes=10-12", Wanted::Beyond);
        check("bytes=-0", Wanted::Beyond);
        check("bytes=3-1", Wanted::Beyond);
        check("bytes=3-x", Wanted::All);
        check("bytes=99999999999999999999-", Wanted::All);
        check("bytes=0-1,3-4", Wanted::All);
        check("lines=0-1", Wanted::All);
        assert_eq!(wanted(None, 10), Wanted::All);
    }

    #[test]
    fn chunks_have_a_first_and_a_last_byte() {
        assert_eq!(chunk("0-9"), Some(0..10));
        assert_eq!(chunk("bytes 5-5/*"), Some(5..6));
        for bad in ["", "5", "5-", "-5", "9-5", "a-b"] {
            assert_eq!(chunk(bad), None, "{bad}");
        }
    }
}
