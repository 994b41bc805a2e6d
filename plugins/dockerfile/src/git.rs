//! Which sources of `ADD` are repositories, and which are URLs.

use crate::step::CopySource;

/// What a source of `ADD` is.
///
/// A repository is `git://`, `ssh://`, `user@host:path`, or `http(s)://` with a path that ends in
/// `.git`; any other `http(s)://` is a file.
pub(crate) fn classify(text: &str) -> CopySource {
    if is_repository(text) {
        CopySource::Git(text.to_owned())
    } else if is_http(text) {
        CopySource::Url(text.to_owned())
    } else {
        CopySource::Path(text.to_owned())
    }
}

fn is_http(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn is_repository(text: &str) -> bool {
    if let Some((scheme, rest)) = text.split_once("://") {
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        return match scheme.to_ascii_lowercase().as_str() {
            "git" | "ssh" => true,
            "http" | "https" => path.contains('/') && path.ends_with(".git"),
            _ => false,
        };
    }
    // user@host:path
    let is_word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    text.split_once('@').is_some_and(|(user, rest)| {
        is_word(user, "-_") && rest.split_once(':').is_some_and(|(host, _)| is_word(host, "-."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let git = |text: &str| CopySource::Git(text.to_owned());
        let url = |text: &str| CopySource::Url(text.to_owned());
        let path = |text: &str| CopySource::Path(text.to_owned());
        type Kind<'a> = &'a dyn Fn(&str) -> CopySource;
        let rows: [(&str, Kind<'_>); 10] = [
            ("git://host/x", &git),
            ("git@host.example:a/b.git#main:dir", &git),
            ("https://host/a.git", &git),
            ("https://host/a.git?ref=v1#x", &git),
            ("https://host/a.tar.gz", &url),
            ("http://host.git", &url),
            ("ftp://host/a", &path),
            ("a/b.git", &path),
            ("./git@host:x", &path),
            ("github.com/a/b", &path),
        ];
        for (text, wanted) in rows {
            assert_eq!(classify(text), wanted(text), "{text}");
        }
    }
}
