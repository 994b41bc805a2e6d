//! What later steps can refer to.

use std::collections::BTreeMap;

use serde::Serialize;
use windlass_plugin::Schema;

use crate::inputs::Mode;

/// What was copied; in a dry run, what would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, windlass_plugin::Outputs)]
#[serde(rename_all = "kebab-case")]
pub struct Outputs {
    /// The digest in the target; null if there were several images.
    pub digest: Option<String>,
    /// The digest that the source has: another one where platforms were chosen; null if there were
    /// several images.
    pub source_digest: Option<String>,
    /// The media type of the manifest or index; null if there were several images.
    pub media_type: Option<String>,
    /// Whether any target is different now.
    pub changed: bool,
    /// What stands where now; of the first 500 images.
    pub targets: Vec<Target>,
    /// The platforms that came along, `os/architecture[/variant]`; none of what was there already,
    /// since nothing of it had to be read, nor of a single image that was mounted.
    pub platforms: Vec<String>,
    /// Bytes sent.
    pub bytes: u64,
    /// Bytes of what was mounted from another repository of the target's registry.
    pub mounted_bytes: u64,
    /// Bytes of what was there already, as far as it was looked at.
    pub skipped_bytes: u64,
    /// What became of blobs and manifests.
    pub blobs: Blobs,
    /// Signatures, SBOMs and attestations that came along.
    pub referrers: u64,
    /// Requests to registries, by HTTP method.
    pub requests: BTreeMap<String, u64>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The same image by image, in the order of the sources; the first 500.
    pub images: Vec<Image>,
    /// Who copied: `client`, this machine; `server`, Azure.
    pub mode: Mode,
    /// Of a single image that Azure imported, what there is in the target: the index and each manifest
    /// in it, as `az acr manifest list-metadata` shows them.
    pub manifests: Vec<Manifest>,
}

/// A manifest in the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// For which platform it is, where an index says so.
    pub platform: Option<String>,
    /// The tags that were written for it.
    pub tags: Vec<String>,
}

/// One place that was written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Target {
    /// Its reference, with the tag; with the digest where there is no tag.
    pub reference: String,
    /// The digest that it points at; null where Azure imported and the target cannot be read here.
    pub digest: Option<String>,
    /// Whether it is different now.
    pub changed: bool,
}

/// How many blobs and manifests went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Blobs {
    /// Sent.
    pub sent: u64,
    /// Mounted from another repository of the target's registry.
    pub mounted: u64,
    /// There already.
    pub skipped: u64,
}

/// One source and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Image {
    /// The source as it was written, with the tag that was chosen.
    pub source: String,
    /// The digest in the target; null as in `targets`.
    pub digest: Option<String>,
    /// The digest that the source has: another one where platforms were chosen.
    pub source_digest: Option<String>,
    /// The media type of the manifest or index.
    pub media_type: Option<String>,
    /// Whether any target is different now.
    pub changed: bool,
    /// What stands where now.
    pub targets: Vec<Target>,
    /// The platforms that came along.
    pub platforms: Vec<String>,
    /// Bytes sent, to all targets.
    pub bytes: u64,
    /// Bytes of what was mounted.
    pub mounted_bytes: u64,
    /// Bytes of what was there already, as far as it was looked at.
    pub skipped_bytes: u64,
    /// Signatures, SBOMs and attestations that came along.
    pub referrers: u64,
}
