//! A reference taken apart, as far as pairing needs it. Whether it is one, the host decides.

/// What marks a layout: a directory, or one in an archive.
const LAYOUTS: [&str; 2] = ["oci-layout:", "oci-archive:"];

/// What marks an archive of docker: a file, and behind its colon what the image is called in it.
const DOCKER_ARCHIVE: &str = "docker-archive:";

/// How the files of archives end, which is no part of what they are called.
const ENDING: &str = ".tar";

/// A reference: `HOST/REPOSITORY[:TAG][@DIGEST]`, `oci-layout:PATH[:TAG][@DIGEST]`,
/// `oci-archive:FILE[:TAG][@DIGEST]` or `docker-archive:FILE[:REPOSITORY[:TAG]][@DIGEST]`.
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
        let (rest, digest) = match reference.rsplit_once('@') {
            Some((rest, digest)) if digest.contains(':') => (rest, Some(digest)),
            _ => (reference, None),
        };
        let (head, named) = split_head(rest);
        // A colon before the last slash belongs to a port.
        let last = named.rsplit('/').next().unwrap_or_default();
        match last.split_once(':') {
            Some((word, tag)) => {
                let end = head.len() + named.len() - last.len() + word.len();
                Self { name: rest.get(..end).unwrap_or_default(), tag: Some(tag), digest }
            }
            None => Self { name: rest, tag: None, digest },
        }
    }

    /// The last word of the repository's name or of the path.
    #[must_use]
    pub fn last_word(&self) -> &'a str {
        let (head, named) = split_head(self.name);
        let path = match named {
            "" => head.strip_prefix(DOCKER_ARCHIVE).unwrap_or_default(),
            named => named,
        };
        let word = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        word.strip_suffix(ENDING).unwrap_or(word)
    }
}

/// What cannot hold a tag, and what is named behind it: a repository or a layout's path.
fn split_head(name: &str) -> (&str, &str) {
    let marked = LAYOUTS.iter().find(|word| name.starts_with(**word)).map(|word| word.len());
    let file_end = name.strip_prefix(DOCKER_ARCHIVE).map(|rest| {
        let behind = rest.split_once(':').map_or(0, |(_, behind)| behind.len());
        name.len() - behind
    });
    name.split_at(marked.or(file_end).unwrap_or_default())
}

#[cfg(test)]
mod tests;
