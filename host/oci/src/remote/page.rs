//! `Link`: where the next page is (RFC 8288, as the distribution specification uses it).

use http::HeaderMap;
use http::header::LINK;
use url::Url;

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
