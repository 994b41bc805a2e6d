//! What later steps can refer to.

use std::collections::BTreeMap;

use serde::Serialize;
use windlass_plugin::Schema;

/// What has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, windlass_plugin::Outputs)]
#[serde(rename_all = "kebab-case")]
pub struct Outputs {
    /// Whether any image has.
    pub changed: bool,
    /// The images that have, one for each platform; the first 500.
    pub images: Vec<Image>,
    /// All that is watched; the first 500.
    pub watched: Vec<Watched>,
    /// What could not be checked, with `keep-going`; the first 500.
    pub failed: Vec<Failed>,
    /// Requests to registries, by HTTP method.
    pub requests: BTreeMap<String, u64>,
}

/// An image that has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Image {
    /// Its reference in full.
    pub image: String,
    /// The platform, `os/architecture[/variant]`; null where there is no index that would say it.
    pub platform: Option<String>,
    /// The digest of the manifest that it was; that of the index where only that is known; null if
    /// nothing was.
    pub old: Option<String>,
    /// The digest of the manifest that it is.
    pub new: String,
    /// The tag; null of a reference without one.
    pub tag: Option<String>,
    /// The tag that was the newest before, where `semver` or `tag-regex` choose another one now.
    pub old_tag: Option<String>,
    /// The layers that are different, with `changes`.
    pub layers: Option<Layers>,
    /// The labels that are different, with `changes`.
    pub labels: Option<BTreeMap<String, Edit>>,
    /// The variables that are different, with `changes`.
    pub env: Option<BTreeMap<String, Edit>>,
}

/// Layers that are different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Layers {
    /// That only the new image has.
    pub added: Vec<Layer>,
    /// That only the old one had.
    pub removed: Vec<Layer>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Layer {
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A value that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Edit {
    /// What it was; null where there was none.
    pub old: Option<String>,
    /// What it is; null where there is none.
    pub new: Option<String>,
}

/// An image that is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Watched {
    /// Its reference in full.
    pub image: String,
    /// The digest that it points at: that of the index, where there is one.
    pub digest: String,
    /// When it was checked: RFC 3339, UTC.
    pub checked: String,
    /// When its change will be reported if it does not move again; null where there is none to wait
    /// for.
    pub settling_until: Option<String>,
    /// The platforms that are waited for.
    pub waiting_for: Vec<String>,
}

/// An image that could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Failed {
    /// Its reference.
    pub image: String,
    /// The code of the error, such as `oci.unauthorized`.
    pub code: String,
    /// Why, in one clause.
    pub message: String,
}
