//! What exists to be used: a plugin's name in a file becomes what is known of the plugin.
//!
//! The catalog is given: this room neither loads components nor asks the network. Whoever calls
//! [`crate::plan()`] has resolved every `uses` of [`crate::Pipeline::uses`] before.

use serde::Serialize;
use serde_json::Value;

/// Knows plugins by what `uses` says.
pub trait Catalog {
    /// Describes what `uses` names.
    ///
    /// # Errors
    /// [`CatalogError`] if there is no such plugin, or if it could not be loaded.
    fn plugin(&self, uses: &str) -> Result<PluginFacts, CatalogError>;
}

/// What is known of one plugin: its `describe`, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginFacts {
    /// The plugin's own name, kebab-case.
    pub name: String,
    /// Its version, semver.
    pub version: String,
    /// The digest of the component, `sha256:…`.
    pub digest: String,
    /// Whether it came with the binary; then it gets what it requests.
    pub builtin: bool,
    /// One line.
    pub summary: String,
    /// JSON Schema (2020-12) of the inputs: an object.
    pub inputs_schema: Value,
    /// JSON Schema (2020-12) of the outputs: an object.
    pub outputs_schema: Value,
    /// What it will need.
    pub requests: Vec<CapabilityRequest>,
}

/// Something that a plugin will need, as its `describe` says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CapabilityRequest {
    /// The key of the grant: one of [`crate::grant::KEYS`].
    pub capability: String,
    /// What of it: a template over `inputs`. A single expression that gives a list asks for each
    /// item; null asks for nothing.
    pub value: String,
    /// Why, in a few words.
    pub reason: String,
}

/// Why a plugin is not in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CatalogError {
    /// One clause: `there is no plugin `import-imge``.
    pub message: String,
    /// What to try, if it is known.
    pub help: Option<String>,
    /// Names that do exist, for "did you mean".
    pub known: Vec<String>,
}
