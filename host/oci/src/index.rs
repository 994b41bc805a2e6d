//! Indexes: one name for an image of many platforms.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use crate::{Annotations, Descriptor, Digest, Error, Manifest, MediaType, Platform};

/// The annotation with which BuildKit marks what belongs to an image of the same index.
const ATTESTATION_OF: &str = "vnd.docker.reference.digest";

/// A list of manifests (image-spec, "Image Index"; docker's manifest list is built alike).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// What it lists.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one speaks about.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// What kind of artifact it is.
    #[serde(default)]
    pub artifact_type: Option<MediaType>,
    /// Notes.
    #[serde(default)]
    pub annotations: Annotations,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Descriptor>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What is left of an index when only some platforms are wanted.
pub(crate) enum Selection {
    /// Everything was wanted.
    Whole,
    /// One image.
    One(Box<Descriptor>),
    /// A new index.
    Some(Box<Manifest>),
}

impl Index {
    /// The platforms of the images in it, each once, in its order; attestations have none.
    pub fn platforms(&self) -> Vec<Platform> {
        self.platforms_of(None)
    }

    /// The platforms of those entries that are `kept`.
    pub(crate) fn platforms_of(&self, kept: Option<&BTreeSet<Digest>>) -> Vec<Platform> {
        let mut platforms: Vec<Platform> = Vec::new();
        let is_kept = |entry: &&Descriptor| kept.is_none_or(|kept| kept.contains(&entry.digest));
        for platform in self.manifests.iter().filter(is_kept).filter_map(known_platform) {
            if !platforms.contains(platform) {
                platforms.push(platform.clone());
            }
        }
        platforms
    }

    /// The entries for `wanted`, in the index's order, with the attestations of those that stay.
    ///
    /// # Errors
    /// The wanted platforms for which there is no entry.
    fn entries(&self, wanted: &[Platform]) -> Result<Vec<&Descriptor>, Vec<Platform>> {
        let mut kept = BTreeSet::new();
        let mut missing = Vec::new();
        for want in wanted {
            let best = self.best_for(want);
            if best.is_empty() {
                missing.push(want.clone());
            }
            // One wanted platform is one image, however many versions of Windows there are.
            let take = if wanted.len() == 1 { 1 } else { best.len() };
            kept.extend(best.iter().take(take).map(|entry| entry.digest.to_string()));
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        let is_wanted = |entry: &Descriptor| kept.contains(&entry.digest.to_string());
        let belongs = |entry: &Descriptor| {
            entry.annotations.get(ATTESTATION_OF).is_some_and(|digest| kept.contains(digest))
        };
        Ok(self.manifests.iter().filter(|entry| is_wanted(entry) || belongs(entry)).collect())
    }

    /// What of `manifest`, which is this index, is for `wanted`, where the index itself stays.
    pub(crate) fn kept(
        &self,
        manifest: &Manifest,
        wanted: &[Platform],
    ) -> Result<BTreeSet<Digest>, Error> {
        match self.entries(wanted) {
            Ok(entries) => Ok(entries.iter().map(|entry| entry.digest).collect()),
            Err(missing) => Err(self.lacks(manifest, missing)),
        }
    }

    /// The entry for `platform`, the one for just this platform before one that would do.
    pub fn entry_for(&self, platform: &Platform) -> Option<&Descriptor> {
        self.best_for(platform).into_iter().next()
    }

    fn lacks(&self, manifest: &Manifest, missing: Vec<Platform>) -> Error {
        Error::NoSuchPlatform { digest: manifest.digest(), missing, present: self.platforms() }
    }

    /// The entries for just this platform, else those that would do.
    fn best_for(&self, want: &Platform) -> Vec<&Descriptor> {
        let fitting = |fits: &dyn Fn(&Platform) -> bool| -> Vec<&Descriptor> {
            let platform_fits = |entry: &&Descriptor| entry.platform.as_ref().is_some_and(fits);
            self.manifests.iter().filter(platform_fits).collect()
        };
        let is_same = |have: &Platform| {
            let (have, want) = (have.normalised(), want.normalised());
            (have.os, have.architecture, have.variant) == (want.os, want.architecture, want.variant)
        };
        let exact = fitting(&is_same);
        if exact.is_empty() { fitting(&|have| have.satisfies(want)) } else { exact }
    }
}

/// A platform that a machine can have; attestations are `unknown/unknown`.
fn known_platform(entry: &Descriptor) -> Option<&Platform> {
    entry.platform.as_ref().filter(|platform| platform.os != "unknown")
}

/// What of `manifest`, which is an index, is for `wanted`.
pub(crate) fn select(
    manifest: &Manifest,
    index: &Index,
    wanted: &[Platform],
) -> Result<Selection, Error> {
    let entries = index.entries(wanted).map_err(|missing| index.lacks(manifest, missing))?;
    let images: Vec<&&Descriptor> =
        entries.iter().filter(|entry| known_platform(entry).is_some()).collect();
    if let ([only], [_]) = (images.as_slice(), wanted) {
        return Ok(Selection::One(Box::new((**only).clone())));
    }
    if entries.len() == index.manifests.len() {
        return Ok(Selection::Whole);
    }
    let keep: BTreeSet<String> = entries.iter().map(|entry| entry.digest.to_string()).collect();
    Ok(Selection::Some(Box::new(cut(manifest, &keep)?)))
}

/// The same document with fewer entries: everything else stays as it was written, so that the same
/// selection always has the same digest.
fn cut(manifest: &Manifest, keep: &BTreeSet<String>) -> Result<Manifest, Error> {
    let what = || format!("index {}", manifest.digest());
    let mut document: serde_json::Value = serde_json::from_slice(manifest.bytes())
        .map_err(|error| Error::invalid(what(), error.to_string()))?;
    if let Some(entries) = document.get_mut("manifests").and_then(|entries| entries.as_array_mut())
    {
        entries.retain(|entry| {
            entry.get("digest").and_then(|d| d.as_str()).is_some_and(|d| keep.contains(d))
        });
    }
    let bytes =
        serde_json::to_vec(&document).map_err(|error| Error::invalid(what(), error.to_string()))?;
    Manifest::new(manifest.media_type().clone(), Bytes::from(bytes))
}

#[cfg(test)]
mod tests;
