//! Ten thousand images on three registries: all have one configuration and one layer, and each a
//! manifest of its own.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use crate::bench::place::Place;
use crate::files;
use crate::oci::{CONFIG, LAYER, MANIFEST, descriptor, digest, tar};

/// How many are watched, and of how many changes.
pub(super) const COUNT: usize = 10_000;
pub(super) const MOVED: usize = 10;
/// Registries, repositories in each, and tags in each of these: fifty more than are watched.
pub(super) const REGISTRIES: usize = 3;
const REPOSITORIES: usize = 50;
const TAGS: usize = 67;

/// Raise it when anything here makes other images than before.
const VERSION: u32 = 1;
/// Repositories that are filled at the same time: the registries share the machine.
const AT_ONCE: usize = 4;

/// The images in registries that run.
pub(super) struct Images(pub(super) Vec<Place>);

/// Where an image is.
struct Spot<'a> {
    place: &'a Place,
    repository: String,
    tag: String,
}

impl Images {
    fn spot(&self, number: usize) -> Result<Spot<'_>> {
        let (repository, tag) = (number / TAGS, number % TAGS);
        let place = self.0.get(repository / REPOSITORIES).context("there is no such image")?;
        let repository = format!("bench/app-{:02}", repository % REPOSITORIES);
        Ok(Spot { place, repository, tag: format!("v{tag}") })
    }

    /// How image `number` is named.
    pub(super) fn reference(&self, number: usize) -> Result<String> {
        let Spot { place, repository, tag } = self.spot(number)?;
        Ok(format!("{}/{repository}:{tag}", place.registry.address))
    }

    /// Those of registry `index` that are watched.
    pub(super) fn of(&self, index: usize) -> Result<Vec<String>> {
        let first = index * REPOSITORIES * TAGS;
        let behind = (first + REPOSITORIES * TAGS).min(COUNT);
        (first..behind).map(|number| self.reference(number)).collect()
    }

    /// So many, evenly spread over all; none of them is among those that move.
    pub(super) fn some(&self, count: usize) -> Result<Vec<String>> {
        (0..count).map(|place| self.reference(place * (COUNT / count) + 1)).collect()
    }

    /// Fills the registries, unless that was done before: `folder` remembers.
    pub(super) fn fill(&self, folder: &Path) -> Result<()> {
        let stamp = folder.join("filled");
        let wanted = format!("version {VERSION}\n");
        if std::fs::read(&stamp).is_ok_and(|found| found == wanted.as_bytes()) {
            return Ok(());
        }
        eprintln!("pushing {COUNT} images, once, to {}", folder.display());
        let all: Vec<usize> = (0..REGISTRIES * REPOSITORIES).collect();
        std::thread::scope(|scope| {
            let work = all.chunks(all.len().div_ceil(AT_ONCE)).map(|some| {
                scope.spawn(|| some.iter().try_for_each(|repository| self.fill_one(*repository)))
            });
            let ends: Vec<_> = work.collect();
            ends.into_iter().try_for_each(|end| match end.join() {
                Ok(filled) => filled,
                Err(_) => anyhow::bail!("a thread has ended early"),
            })
        })?;
        files::write(&stamp, wanted.as_bytes())
    }

    fn fill_one(&self, repository: usize) -> Result<()> {
        let first = repository * TAGS;
        let Spot { place, repository, .. } = self.spot(first)?;
        let (config, layer) = parts();
        place.registry.push_blob(&config, &repository)?;
        place.registry.push_blob(&layer, &repository)?;
        (first..first + TAGS).try_for_each(|number| self.push(number, 0))
    }

    fn push(&self, number: usize, version: usize) -> Result<()> {
        let Spot { place, repository, tag } = self.spot(number)?;
        place.registry.push_manifest(&manifest(number, version), &repository, &tag)
    }

    /// Has ten of them, on all registries, point elsewhere: at what they are in `version`.
    pub(super) fn move_some(&self, version: usize) -> Result<()> {
        moved().try_for_each(|number| self.push(number, version))
    }

    /// References and digests of those ten in `version`.
    pub(super) fn moved(&self, version: usize) -> Result<Vec<(String, String)>> {
        moved().map(|it| Ok((self.reference(it)?, digest(&manifest(it, version))))).collect()
    }
}

fn moved() -> impl Iterator<Item = usize> {
    (0..MOVED).map(|place| place * (COUNT / MOVED))
}

/// The configuration and the layer that all have.
fn parts() -> (Vec<u8>, Vec<u8>) {
    let layer = tar("hello.txt", b"hello\n");
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    (config.to_string().into_bytes(), layer)
}

fn manifest(number: usize, version: usize) -> Vec<u8> {
    let (config, layer) = parts();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(LAYER, &layer)],
        "annotations": { "org.opencontainers.image.version": format!("{number}.{version}") },
    });
    manifest.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_the_same_each_time_and_all_differ() {
        assert_eq!(manifest(7, 1), manifest(7, 1));
        let digests: std::collections::BTreeSet<_> =
            [(7, 1), (7, 2), (8, 1), (71, 0)].map(|(it, version)| manifest(it, version)).into();
        assert_eq!(digests.len(), 4);
    }

    #[test]
    fn there_are_as_many_as_are_watched() {
        const { assert!(REGISTRIES * REPOSITORIES * TAGS >= COUNT) };
        assert_eq!(moved().filter(|number| *number < COUNT).count(), MOVED);
    }
}
