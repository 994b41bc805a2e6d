//! What an image was when somebody looked, and how two looks differ.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::platform;

/// What an image was at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sight {
    /// What the tag pointed at: the index, where there is one.
    pub digest: String,
    /// The manifests of the index by platform; none of a single image, of which only somebody who
    /// reads its configuration knows the platform.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub platforms: BTreeMap<String, String>,
    /// The tag, where it was chosen among others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// A platform whose image is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The platform; none of a single image.
    pub platform: Option<String>,
    /// The manifest that it was; the index where only that is known, none if there was nothing.
    pub old: Option<String>,
    /// The manifest that it is now.
    pub new: String,
}

/// The bytes are no index.
#[derive(Debug, thiserror::Error)]
#[error("the index is not the JSON that was expected: {0}")]
pub struct NoIndex(#[from] serde_json::Error);

/// An index, as far as it is read here.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<EntryPlatform>,
}

#[derive(Deserialize)]
struct EntryPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
}

impl Sight {
    /// A single image.
    #[must_use]
    pub fn single(digest: impl Into<String>) -> Self {
        Self { digest: digest.into(), ..Self::default() }
    }

    /// An index: its digest and its bytes. What has no platform, as attestations, is left out.
    ///
    /// # Errors
    /// It is no JSON of that shape.
    pub fn of_index(digest: impl Into<String>, content: &[u8]) -> Result<Self, NoIndex> {
        let index: Index = serde_json::from_slice(content)?;
        let mut sight = Self::single(digest);
        for entry in index.manifests.unwrap_or_default() {
            let Some(of) = entry.platform else { continue };
            let (variant, version) = (of.variant.as_deref(), of.os_version.as_deref());
            match platform::of_entry(&of.os, &of.architecture, variant, version) {
                Some(platform) if !platform.starts_with("unknown/") => {
                    // Where there are several, runtimes take the first one.
                    sight.platforms.entry(platform).or_insert(entry.digest);
                }
                Some(_) | None => {}
            }
        }
        Ok(sight)
    }

    /// Whether a media type is that of an index.
    #[must_use]
    pub fn is_index(media_type: &str) -> bool {
        matches!(
            media_type,
            "application/vnd.oci.image.index.v1+json"
                | "application/vnd.docker.distribution.manifest.list.v2+json"
        )
    }

    /// The wanted platforms for which there is no image. A single image is taken as it is.
    #[must_use]
    pub fn missing(&self, wanted: &[String]) -> Vec<String> {
        let is_there =
            |want: &&String| self.platforms.keys().any(|have| platform::satisfies(have, want));
        match self.platforms.is_empty() {
            true => Vec::new(),
            false => wanted.iter().filter(|want| !is_there(want)).cloned().collect(),
        }
    }

    /// The images that are wanted: all of them if none is named. Of a single image, its own.
    #[must_use]
    pub fn wanted(&self, wanted: &[String]) -> Vec<(Option<String>, String)> {
        if self.platforms.is_empty() {
            return vec![(None, self.digest.clone())];
        }
        let is_wanted = |have: &str| {
            wanted.is_empty() || wanted.iter().any(|want| platform::satisfies(have, want))
        };
        let images = self.platforms.iter().filter(|(have, _)| is_wanted(have));
        images.map(|(have, digest)| (Some(have.clone()), digest.clone())).collect()
    }

    /// What of `wanted` is different from `old`; everything if there was nothing.
    ///
    /// An index that only moved, while the manifests stayed, is no change. A platform that came to an
    /// index is one only if it was named; one that went is none: there is nothing to build on.
    #[must_use]
    pub fn changes_since(&self, old: Option<&Self>, wanted: &[String]) -> Vec<Change> {
        let Some(old) = old else {
            let all = self.wanted(wanted).into_iter();
            return all.map(|(platform, new)| Change { platform, old: None, new }).collect();
        };
        if self.digest == old.digest {
            return Vec::new();
        }
        match (self.platforms.is_empty(), old.platforms.is_empty()) {
            (true, true) => vec![Change {
                platform: None,
                old: Some(old.digest.clone()),
                new: self.digest.clone(),
            }],
            (true, false) => self.single_since(old, wanted),
            (false, true) => self.index_since(old, wanted),
            (false, false) => {
                let changed = self.wanted(wanted).into_iter().filter_map(|(platform, new)| {
                    let was = platform.as_ref().and_then(|platform| old.platforms.get(platform));
                    let is_new = match was {
                        Some(was) => *was != new,
                        None => !wanted.is_empty(),
                    };
                    is_new.then(|| Change { platform, old: was.cloned(), new })
                });
                changed.collect()
            }
        }
    }

    /// An index became a single image, of which nobody knows the platform.
    fn single_since(&self, old: &Self, wanted: &[String]) -> Vec<Change> {
        let was = old.wanted(wanted);
        if was.iter().any(|(_, digest)| *digest == self.digest) {
            return Vec::new();
        }
        let old = match was.as_slice() {
            [(_, one)] => one.clone(),
            _ => old.digest.clone(),
        };
        vec![Change { platform: None, old: Some(old), new: self.digest.clone() }]
    }

    /// A single image became an index, or of an index only the digest was known.
    fn index_since(&self, old: &Self, wanted: &[String]) -> Vec<Change> {
        let images = self.wanted(wanted);
        if images.iter().any(|(_, digest)| *digest == old.digest) {
            return Vec::new();
        }
        let old = Some(&old.digest);
        let change = |(platform, new)| Change { platform, old: old.cloned(), new };
        images.into_iter().map(change).collect()
    }

    /// With the platforms of `old` that are not there any more: should they come back as they were,
    /// nothing has changed.
    #[must_use]
    pub fn remembering(&self, old: Option<&Self>) -> Self {
        let mut all = self.clone();
        if !all.platforms.is_empty() {
            for (platform, digest) in old.iter().flat_map(|old| &old.platforms) {
                all.platforms.entry(platform.clone()).or_insert_with(|| digest.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests;
