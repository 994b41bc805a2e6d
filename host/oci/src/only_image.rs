//! Which image is meant in a layout or an archive, where nobody says which.

use crate::{Descriptor, Digest};

/// How a tag begins that stands for what speaks about another image.
const ALGORITHMS: [&str; 2] = ["sha256-", "sha512-"];

/// The hexadecimal digits of a digest in such a tag (distribution-spec, "Referrers Tag Schema").
const HEX_LENGTH: usize = 64;

/// An image, and one of its names, if it has any.
pub(crate) struct Listed {
    pub(crate) descriptor: Descriptor,
    pub(crate) name: Option<String>,
}

impl Listed {
    /// What a person can write to mean it.
    pub(crate) fn shown(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("@{}", self.descriptor.digest),
        }
    }

    fn is_tag_of_another(&self) -> bool {
        let digits = |name: &str| {
            let hex = ALGORITHMS.iter().find_map(|word| name.strip_prefix(word))?;
            hex.get(..HEX_LENGTH).map(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        self.name.as_deref().and_then(digits).unwrap_or_default()
    }
}

/// The only image of `listed`; signatures and the like, as far as `speaks` tells, are none.
///
/// # Errors
/// All that could be meant, where it is several.
pub(crate) fn only_image(
    listed: &[Listed],
    speaks: impl Fn(&Descriptor) -> bool,
) -> Result<Option<Descriptor>, Vec<&Listed>> {
    let could_be = |image: &&Listed| !image.is_tag_of_another() && !speaks(&image.descriptor);
    let all: Vec<&Listed> = listed.iter().filter(could_be).collect();
    // What has no name was left behind by a tag that moved, if anything else has one.
    let named: Vec<&Listed> = all.iter().copied().filter(|image| image.name.is_some()).collect();
    let meant = if named.is_empty() { all } else { named };
    let Some(first) = meant.first() else { return Ok(None) };
    let digest: Digest = first.descriptor.digest;
    match meant.iter().all(|other| other.descriptor.digest == digest) {
        true => Ok(Some(first.descriptor.clone())),
        false => Err(meant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MediaType;

    fn listed(images: &[(&str, u8)]) -> Vec<Listed> {
        let image = |(name, content): &(&str, u8)| Listed {
            descriptor: Descriptor::of(MediaType::OCI_MANIFEST, &[*content]),
            name: (!name.is_empty()).then(|| (*name).to_owned()),
        };
        images.iter().map(image).collect()
    }

    #[track_caller]
    fn check(images: &[(&str, u8)], expect: Result<Option<u8>, &[&str]>) {
        let images = listed(images);
        let speaks = |descriptor: &Descriptor| descriptor.digest == Digest::of(&[9]);
        let found = only_image(&images, speaks);
        let found = found.map(|only| only.map(|only| only.digest));
        let found = found.map_err(|all| all.iter().map(|image| image.shown()).collect::<Vec<_>>());
        let expect = expect.map(|only| only.map(|content| Digest::of(&[content])));
        assert_eq!(found, expect.map_err(|all| all.iter().map(|n| (*n).to_owned()).collect()));
    }

    #[test]
    fn one_image_may_have_several_names_and_be_spoken_about() {
        let signature = format!("sha256-{}.sig", "a".repeat(64));
        check(&[], Ok(None));
        check(&[("", 1)], Ok(Some(1)));
        check(&[("v1", 1)], Ok(Some(1)));
        check(&[("v1", 1), ("v2", 1), ("", 9), (&signature, 3), ("", 4)], Ok(Some(1)));
        check(&[("", 9)], Ok(None));
        check(&[("v1", 1), ("v2", 2), ("", 3)], Err(&["v1", "v2"]));
        let digest = |content: u8| format!("@{}", Digest::of(&[content]));
        check(&[("", 1), ("", 2)], Err(&[&digest(1), &digest(2)]));
        check(&[("sha256-short", 1), ("v2", 2)], Err(&["sha256-short", "v2"]));
    }
}
