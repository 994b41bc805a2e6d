//! What later steps can refer to.

use serde::Serialize;
use windlass_plugin::Schema;

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, windlass_plugin::Outputs)]
#[serde(rename_all = "kebab-case")]
pub struct Outputs {
    /// The digest in the target; null if there were several sources.
    pub digest: Option<String>,
    /// The media type of the manifest or index; null if there were several sources.
    pub media_type: Option<String>,
    /// Whether any target is different now.
    pub changed: bool,
    /// What stands where now.
    pub targets: Vec<Target>,
    /// The platforms that came along, `os/architecture[/variant]`.
    pub platforms: Vec<String>,
    /// Bytes sent.
    pub bytes: u64,
    /// What became of blobs and manifests.
    pub blobs: Blobs,
    /// The same image by image, in the order of the sources.
    pub images: Vec<Image>,
}

/// One place that was written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Target {
    /// Its reference, with the tag; with the digest where there is no tag.
    pub reference: String,
    /// The digest that it points at.
    pub digest: String,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Image {
    /// The source as it was written.
    pub source: String,
    /// The digest in the target.
    pub digest: String,
    /// The media type of the manifest or index.
    pub media_type: String,
    /// Whether any target is different now.
    pub changed: bool,
    /// What stands where now.
    pub targets: Vec<Target>,
    /// The platforms that came along.
    pub platforms: Vec<String>,
}
