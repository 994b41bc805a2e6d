//! What later steps can refer to.

use serde::Serialize;
use windlass_plugin::Schema;

/// What was built; in a dry run, what is known without building.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, windlass_plugin::Outputs)]
#[serde(rename_all = "kebab-case")]
pub struct Outputs {
    /// The digest of the image, or of the index of several platforms.
    pub digest: String,
    /// The media type of the manifest or index.
    pub media_type: String,
    /// Whether any place in `tags` is different now.
    pub changed: bool,
    /// What stands where now.
    pub targets: Vec<Target>,
    /// The images by platform.
    pub images: Vec<Built>,
    /// What the images were built on, and what else of images was read.
    pub bases: Vec<Base>,
    /// The commit of the context, where it is a git repository.
    pub revision: Option<String>,
    /// Bytes sent to `tags`.
    pub bytes: u64,
    /// Instructions that did work, and those that were taken from the cache.
    pub steps: Steps,
    /// Warnings about the Dockerfile.
    pub warnings: u32,
    /// The digest of the bill of materials' manifest, by platform.
    pub sboms: Vec<Attached>,
    /// The digest of the provenance statement's manifest, by platform.
    pub provenance: Vec<Attached>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The run of ACR Tasks, such as `ca10`, where Azure has built.
    pub run_id: Option<String>,
}

/// One place that was written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Target {
    /// Its reference.
    pub reference: String,
    /// The digest that it points at.
    pub digest: String,
    /// Whether it is different now.
    pub changed: bool,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Built {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: String,
    /// How many layers were added to its base's.
    pub new_layers: u32,
}

/// An image that was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Base {
    /// The reference in full, without digest.
    pub name: String,
    /// The digest that it pointed at: the index's, where there is one.
    pub digest: String,
    /// For which platform it was read.
    pub platform: String,
    /// The digest of the manifest for that platform.
    pub manifest: String,
    /// Whether the image is built on it; else it was only read while building.
    pub runtime: bool,
}

/// How many instructions went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Steps {
    /// Did work.
    pub done: u32,
    /// Were taken from the cache.
    pub cached: u32,
}

/// What was attached to an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Attached {
    /// The image's platform.
    pub platform: String,
    /// The digest of the attached manifest.
    pub digest: String,
}
