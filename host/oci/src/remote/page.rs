//! `Link`: where the next page is (RFC 8288, as the distribution specification uses it).

use http::HeaderMap;
use http::header::LINK;
use url::Url;

/// The next page of an answer from `url`; `None` at the end. A page elsewhere than on the same
/// registry is none: it would be asked with our credentials.
pub(super) fn next(headers: &HeaderMap, url: &Url) -> Option<Url> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let target = links.flat_map(|text| text.split(',')).find_map(target)?;
    url.join(target).ok().filter(|next| next.origin() == url.origin())
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
        let check = |link: &str, expect: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.append(LINK, link.parse().unwrap());
            assert_eq!(next(&headers, &url).as_ref().map(Url::as_str), expect, "{link}");
        };
        let page = Some("https://r.example/v2/a/tags/list?last=b&n=2");
        check(r#"</v2/a/tags/list?last=b&n=2>; rel="next""#, page);
        check(r#"<https://r.example/v2/a/tags/list?last=b&n=2>;rel=next"#, page);
        check(r#"</v2/x>; rel="prev""#, None);
        check(r#"<https://evil.example/v2/x>; rel="next""#, None);
        check("nonsense", None);
    }
}
