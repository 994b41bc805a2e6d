//! What the logic needs of the host; in tests a table stands in for registries.

use std::collections::BTreeMap;

use serde::Deserialize;
use windlass_plugin::Result;

/// What the logic needs of the host.
pub trait Host {
    /// The repository that a reference names in full, and its tag or digest: the digest where it has
    /// both, `latest` where it has none.
    ///
    /// # Errors
    /// Those of the host: it is no reference, or may not be read.
    fn open(&self, reference: &str) -> Result<(String, String)>;

    /// What `selector` of a repository points at, by `HEAD`; none where there is nothing.
    ///
    /// # Errors
    /// Those of the host.
    fn resolve(&self, repository: &str, selector: &str) -> Result<Option<Head>>;

    /// What each of these references points at; they are asked for at the same time.
    fn resolve_all(&self, references: &[String]) -> Vec<Result<Option<Head>>>;

    /// The bytes of a manifest or index.
    ///
    /// # Errors
    /// Those of the host.
    fn manifest(&self, repository: &str, digest: &str) -> Result<Vec<u8>>;

    /// The bytes of a small blob.
    ///
    /// # Errors
    /// Those of the host.
    fn blob(&self, repository: &str, blob: &Head) -> Result<Vec<u8>>;

    /// All tags of a repository.
    ///
    /// # Errors
    /// Those of the host.
    fn tags(&self, repository: &str) -> Result<Vec<String>>;

    /// The text of a file of the workspace.
    ///
    /// # Errors
    /// Those of the host.
    fn read(&self, path: &str) -> Result<String>;

    /// What is remembered under `key`, and its version.
    ///
    /// # Errors
    /// Those of the host.
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u64)>>;

    /// Remembers `value` if what is there has this version, or is not there if none is said; false if
    /// somebody else was faster.
    ///
    /// # Errors
    /// Those of the host.
    fn save(&self, key: &str, value: &[u8], version: Option<u64>) -> Result<bool>;

    /// The platform of this machine.
    fn machine(&self) -> String;

    /// Milliseconds since 1970.
    fn now(&self) -> u64;

    /// What registries were asked until now, by HTTP method.
    fn requests(&self) -> BTreeMap<String, u64>;

    /// Tells the person something.
    fn say(&self, text: &str);

    /// Tells the person what may be wrong.
    fn warn(&self, text: &str);
}

/// What points at a manifest or a blob.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    #[serde(default)]
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
}
