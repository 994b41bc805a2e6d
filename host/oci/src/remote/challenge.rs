//! `WWW-Authenticate`: how a registry wants to be asked (RFC 7235 §2.1, RFC 6750 §3).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// What a registry wants to see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token from `realm`.
    Bearer {
        /// The token service's URL.
        realm: String,
        /// What the token service calls the registry.
        service: Option<String>,
    },
}

/// The best challenge of an answer; `Bearer` goes before `Basic`.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut found: Vec<Challenge> = texts.flat_map(parse).collect();
    let bearer = found.iter().position(|one| matches!(one, Challenge::Bearer { .. }));
    let best = bearer.or(if found.is_empty() { None } else { Some(0) })?;
    Some(found.swap_remove(best))
}

/// Every challenge in one header: they are separated by commas, as are their parameters.
fn parse(text: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut current: Option<(String, Vec<(String, String)>)> = None;
    for part in split(text) {
        let (before, value) = match part.split_once('=') {
            Some((before, value)) => (before.trim(), Some(unquote(value.trim()))),
            None => (part.trim(), None),
        };
        // A new scheme stands before its first parameter, with a space between.
        let key = match (before.split_once(' '), &value) {
            (Some((scheme, key)), Some(_)) => {
                found.extend(current.take().and_then(finish));
                current = Some((scheme.to_ascii_lowercase(), Vec::new()));
                key.trim()
            }
            (None, None) => {
                found.extend(current.take().and_then(finish));
                current = Some((before.to_ascii_lowercase(), Vec::new()));
                continue;
            }
            _ => before,
        };
        if let (Some((_, parameters)), Some(value)) = (&mut current, value) {
            parameters.push((key.to_ascii_lowercase(), value));
        }
    }
    found.extend(current.take().and_then(finish));
    found
}

fn finish((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let parameter =
        |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => {
            Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service") })
        }
        _ => None,
    }
}

/// At commas outside quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], expect: Option<Challenge>) {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(WWW_AUTHENTICATE, text.parse().unwrap());
        }
        assert_eq!(challenge(&headers), expect, "{texts:?}");
    }

    #[test]
    fn challenges_are_read_as_servers_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        check(
            &[
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
            ],
            bearer("https://auth.docker.io/token", Some("registry.docker.io")),
        );
        check(
            &[r#"bearer service=s, realm="https://h/t?a=b,c""#],
            bearer("https://h/t?a=b,c", Some("s")),
        );
        check(&[r#"Basic realm="a \"b\", c""#], Some(Challenge::Basic));
        check(&["Basic"], Some(Challenge::Basic));
        check(&[r#"Basic realm="x", Bearer realm="https://r""#], bearer("https://r", None));
        check(&[r#"Basic realm="x""#, r#"Bearer realm="https://r""#], bearer("https://r", None));
        check(&[r#"Negotiate, Basic realm="x""#], Some(Challenge::Basic));
        check(&["Bearer service=only"], None);
        check(&["", "=", ",,,", "Digest x=\"", "\\"], None);
    }
}
