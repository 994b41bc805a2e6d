//! `Link`: where the next page is (RFC 8288, as the distribution specification uses it).

use std::collections::BTreeSet;

use http::HeaderMap;
use http::header::LINK;
use url::Url;

/// No list has more pages; 100 or 1,000 entries on each are usual.
const MOST_PAGES: usize = 1000;

/// No list is longer, in bytes: a million tags, or a hundred thousand referrers.
const LARGEST_LIST: usize = 64 * 1024 * 1024;

/// The pages of a list that were read. A list is read to its end or not at all: one that was cut
/// would pass for a whole one.
#[derive(Default)]
pub(super) struct Pages {
    seen: BTreeSet<Url>,
    bytes: usize,
}

impl Pages {
    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// For so many bytes there is room.
    pub(super) fn room(&self) -> usize {
        LARGEST_LIST.saturating_sub(self.bytes)
    }

    /// Takes the page at `url` in.
    pub(super) fn add(&mut self, url: &Url, bytes: usize) -> Result<(), &'static str> {
        if bytes > self.room() {
            return Err("the list is larger than 64 MiB");
        }
        self.bytes += bytes;
        if !self.seen.insert(url.clone()) {
            return Err("the pages of the list lead in a circle");
        }
        if self.seen.len() > MOST_PAGES {
            return Err("the list has more than 1000 pages");
        }
        Ok(())
    }
}

/// The next page of an answer from `url`; `None` at the end.
///
/// # Errors
/// What is wrong with it: a page elsewhere than on the same registry would be asked with our
/// credentials, and a list that is cut short would pass for a whole one.
pub(super) fn next(headers: &HeaderMap, url: &Url) -> Result<Option<Url>, &'static str> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let Some(target) = links.flat_map(|text| text.split(',')).find_map(target) else {
        return Ok(None);
    };
    match url.join(target) {
        Ok(next) if next.origin() != url.origin() => Err("the next page is on another host"),
        Ok(next) if next == *url => Err("the next page is the same page"),
        Ok(next) => Ok(Some(next)),
        Err(_) => Err("the next page has no usable address"),
    }
}

fn target(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|parameter| {
        let parameter = parameter.trim().to_ascii_lowercase();
        matches!(parameter.as_str(), "rel=\"next\"" | "rel=next")
    });
    is_next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_next_page_of_the_same_registry_is_followed() {
        let url = Url::parse("https://r.example/v2/a/tags/list?n=2").unwrap();
        let check = |link: &str, expect: Result<Option<&str>, &'static str>| {
            let mut headers = HeaderMap::new();
            headers.append(LINK, link.parse().unwrap());
            let found = next(&headers, &url).map(|next| next.map(String::from));
            assert_eq!(found, expect.map(|text| text.map(str::to_owned)), "{link}");
        };
        let page = Ok(Some("https://r.example/v2/a/tags/list?last=b&n=2"));
        check(r#"</v2/a/tags/list?last=b&n=2>; rel="next""#, page);
        check(r#"<https://r.example/v2/a/tags/list?last=b&n=2>;rel=next"#, page);
        check(r#"</v2/x>; rel="prev""#, Ok(None));
        check(
            r#"<https://evil.example/v2/x>; rel="next""#,
            Err("the next page is on another host"),
        );
        check("<?n=2>; rel=next", Err("the next page is the same page"));
        check("<https://[>; rel=next", Err("the next page has no usable address"));
        check("nonsense", Ok(None));
    }
}
