//! The images that are copied: the same bytes each time, and none of them can be compressed.
//!
//! Layers are honest ones (a tar in gzip, with the digest of the tar in the configuration), because
//! a copier may look into them: skopeo compresses what is not.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bench::place::Place;
use crate::files;
use crate::oci::{CONFIG, GZIP_LAYER, INDEX, MANIFEST, descriptor, digest, gzip, media_type, tar};
use crate::registry::Registry;

/// Raise it when anything here makes other images than before.
const VERSION: u32 = 1;

/// Decimal, as registries show sizes.
const MB: usize = 1_000_000;
const KB: usize = 1_000;

/// Where all of them are, in the source.
pub(super) const FIVE: &str = "bench/five-layers";
pub(super) const ONE: &str = "bench/one-layer";
pub(super) const SMALL: &str = "bench/small-layers";
pub(super) const PLATFORMS: &str = "bench/platforms";
pub(super) const TAGS: &str = "bench/tags";
/// The tag of all but the last.
pub(super) const TAG: &str = "v1";
/// How many tags that has: [`tag`] of 1 to this.
pub(super) const TAG_COUNT: usize = 50;

/// The name of one of many tags.
pub(super) fn tag(number: usize) -> String {
    format!("t{number:02}")
}

/// Fills `source`, unless it was before: `folder` remembers.
pub(super) fn fill(source: &Place, folder: &Path) -> Result<()> {
    let stamp = folder.join("filled");
    let wanted = format!("version {VERSION}\n");
    if std::fs::read(&stamp).is_ok_and(|found| found == wanted.as_bytes()) {
        return Ok(());
    }
    eprintln!("making images of 0.9 GB, once, in {}", folder.display());
    let registry = &source.registry;
    let five: Vec<_> = (1..=5).map(|seed| (seed, 40 * MB)).collect();
    single(registry, FIVE, TAG, &five)?;
    single(registry, ONE, TAG, &[(10, 512 << 20)])?;
    let small: Vec<_> =
        (0..30_usize).map(|number| (100 + number as u64, (20 + 3 * number) * KB)).collect();
    single(registry, SMALL, TAG, &small)?;
    platforms(registry)?;
    let mut filler = Filler::new(registry, TAGS);
    for number in 1..=TAG_COUNT {
        let shared = (301..=303).map(|seed| (seed, 5 * MB));
        let own = (400 + number as u64, 100 * KB);
        let manifest = filler.image(&shared.chain([own]).collect::<Vec<_>>(), "amd64")?;
        registry.push_manifest(&manifest, TAGS, &tag(number))?;
    }
    files::write(&stamp, wanted.as_bytes())
}

/// The layers of an image with one manifest.
pub(super) fn layers(registry: &Registry, repository: &str) -> Result<Vec<String>> {
    let manifest: Value = serde_json::from_slice(&registry.manifest(repository, TAG)?)?;
    let layers = manifest.get("layers").and_then(Value::as_array).context("no layers")?;
    let digest = |layer: &Value| layer.get("digest").and_then(Value::as_str).map(str::to_owned);
    layers.iter().map(|layer| digest(layer).context("no digest")).collect()
}

/// (where random bytes start, how many) of each layer.
type Layers = [(u64, usize)];

fn single(registry: &Registry, repository: &str, tag: &str, layers: &Layers) -> Result<()> {
    let manifest = Filler::new(registry, repository).image(layers, "amd64")?;
    registry.push_manifest(&manifest, repository, tag)
}

/// Three platforms with ten layers of 10 MB in all.
fn platforms(registry: &Registry) -> Result<()> {
    let mut filler = Filler::new(registry, PLATFORMS);
    let mut entries = Vec::new();
    for (architecture, seeds) in [("amd64", 201..=204), ("arm64", 205..=207), ("s390x", 208..=210)]
    {
        let layers: Vec<_> = seeds.map(|seed| (seed, 10 * MB)).collect();
        let manifest = filler.image(&layers, architecture)?;
        registry.push_manifest(&manifest, PLATFORMS, &digest(&manifest))?;
        let mut entry = descriptor(MANIFEST, &manifest);
        if let Some(entry) = entry.as_object_mut() {
            let platform = json!({ "architecture": architecture, "os": "linux" });
            entry.insert("platform".to_owned(), platform);
        }
        entries.push(entry);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    registry.push_manifest(index.to_string().as_bytes(), PLATFORMS, TAG)
}

/// Pushes blobs into one repository, each once.
struct Filler<'a> {
    registry: &'a Registry,
    repository: &'a str,
    /// Descriptor, and digest of what is inside, of the layers that are there.
    layers: BTreeMap<u64, (Value, String)>,
}

impl<'a> Filler<'a> {
    fn new(registry: &'a Registry, repository: &'a str) -> Self {
        Self { registry, repository, layers: BTreeMap::new() }
    }

    /// Pushes the parts of an image; its manifest.
    fn image(&mut self, layers: &Layers, architecture: &str) -> Result<Vec<u8>> {
        let mut descriptors = Vec::new();
        let mut inside = Vec::new();
        for &(seed, size) in layers {
            let (layer, archive) = self.layer(seed, size)?;
            descriptors.push(layer);
            inside.push(archive);
        }
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": inside },
        });
        let config = config.to_string().into_bytes();
        self.registry.push_blob(&config, self.repository)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": descriptors,
        });
        let manifest = manifest.to_string().into_bytes();
        debug_assert_eq!(media_type(&manifest), MANIFEST, "the type is in the manifest");
        Ok(manifest)
    }

    fn layer(&mut self, seed: u64, size: usize) -> Result<(Value, String)> {
        if let Some(layer) = self.layers.get(&seed) {
            return Ok(layer.clone());
        }
        let archive = tar("random", &random(seed, size));
        let packed = gzip(&archive);
        self.registry.push_blob(&packed, self.repository)?;
        let layer = (descriptor(GZIP_LAYER, &packed), digest(&archive));
        self.layers.insert(seed, layer.clone());
        Ok(layer)
    }
}

/// Bytes of the generator SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
/// Generators", 2014).
pub(in crate::bench) fn random(seed: u64, size: usize) -> Vec<u8> {
    // Far apart, so that no two layers have a part in common.
    let mut state = seed << 40;
    let mut bytes = vec![0; size];
    for eight in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        let (word, length) = (word.to_le_bytes(), eight.len());
        eight.copy_from_slice(word.get(..length).unwrap_or(&word));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_are_the_same_each_time_and_differ_by_their_start() {
        assert_eq!(random(1, 20), random(1, 20));
        assert_ne!(random(1, 20), random(2, 20));
        assert_eq!(random(1, 20).get(..13), Some(random(1, 13).as_slice()));
    }
}
