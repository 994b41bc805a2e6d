//! URLs that may be shown.

use std::fmt;

use url::Url;

/// A URL without what must not be shown: user, password, query values and fragment.
///
/// Query names stay, since they say what was asked; `?digest=…` and `?from=…` keep their values,
/// because a digest or a repository is no secret and the error is useless without it.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(String);

/// Query parameters whose values the OCI distribution spec makes public.
const PUBLIC_PARAMETERS: [&str; 7] =
    ["digest", "from", "mount", "n", "last", "artifactType", "scope"];

impl SafeUrl {
    /// Strips what must not be shown.
    pub fn new(url: &Url) -> Self {
        let mut safe = url.clone();
        // Both fail only for URLs that cannot have a user at all.
        let _ = safe.set_username("");
        let _ = safe.set_password(None);
        safe.set_fragment(None);
        let pairs: Vec<(String, String)> =
            url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        if pairs.is_empty() {
            safe.set_query(None);
            return Self(safe.to_string());
        }
        safe.set_query(None);
        let query: Vec<String> = pairs
            .iter()
            .map(|(name, value)| match PUBLIC_PARAMETERS.contains(&name.as_str()) {
                true => format!("{name}={value}"),
                false => format!("{name}=…"),
            })
            .collect();
        Self(format!("{safe}?{}", query.join("&")))
    }

    /// The same for text; what is no URL is shown as `(not a URL)`, since it could be anything.
    pub fn parse(text: &str) -> Self {
        Url::parse(text).map_or_else(|_| Self("(not a URL)".to_owned()), |url| Self::new(&url))
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_query_values_are_not_shown() {
        let shown = SafeUrl::parse("https://me:pw@example.com/v2/a?sig=abc&digest=sha256:0#frag");
        assert_eq!(shown.to_string(), "https://example.com/v2/a?sig=…&digest=sha256:0");
        assert_eq!(SafeUrl::parse("hunter2").to_string(), "(not a URL)");
    }
}
