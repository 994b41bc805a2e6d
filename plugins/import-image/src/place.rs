//! A reference taken apart, as far as pairing needs it. Whether it is one, the host decides.

/// What marks a layout directory.
const LAYOUT: &str = "oci-layout:";

/// A reference: `HOST/REPOSITORY[:TAG][@DIGEST]` or `oci-layout:PATH[:TAG][@DIGEST]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The place without tag and digest.
    pub name: &'a str,
    /// The tag, if there is one.
    pub tag: Option<&'a str>,
    /// The digest, if there is one.
    pub digest: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Takes `reference` apart.
    #[must_use]
    pub fn split(reference: &'a str) -> Self {
        let (rest, digest) = match reference.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (reference, None),
        };
        // A colon before the last slash belongs to a port, that of `oci-layout:` to the word.
        let tag_from = rest.rfind('/').unwrap_or_default().max(match rest.strip_prefix(LAYOUT) {
            Some(_) => LAYOUT.len(),
            None => 0,
        });
        let colon =
            rest.char_indices().skip_while(|(at, _)| *at < tag_from).find(|(_, c)| *c == ':');
        match colon.and_then(|(at, _)| rest.split_at_checked(at)) {
            Some((name, tag)) => Self { name, tag: Some(tag.trim_start_matches(':')), digest },
            None => Self { name: rest, tag: None, digest },
        }
    }

    /// The last word of the repository's name or of the layout's path.
    #[must_use]
    pub fn last_word(&self) -> &'a str {
        let path = self.name.strip_prefix(LAYOUT).unwrap_or(self.name);
        path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
