//! What the logic needs of the host; in tests a table stands in for Azure.

use arm::Http;
use windlass_plugin::Result;

/// What the logic needs of the host, beside HTTP.
pub trait Host: Http {
    /// The secret that the pipeline calls `name`.
    ///
    /// # Errors
    /// Those of the host.
    fn secret(&self, name: &str) -> Result<Self::Secret>;

    /// The repository that a reference names in full, and the digest that it points at; none where
    /// there is nothing.
    ///
    /// # Errors
    /// Those of the host: it is no reference, or may not be read.
    fn resolve(&self, reference: &str) -> Result<Option<(String, String)>>;

    /// The status that `url` answers with.
    ///
    /// # Errors
    /// Those of the host: nothing answers.
    fn probe(&self, url: &str) -> Result<u16>;

    /// Writes a file of the workspace.
    ///
    /// # Errors
    /// Those of the host.
    fn write(&self, path: &str, text: &str) -> Result<()>;

    /// A number that nobody can tell before.
    fn random(&self) -> u64;

    /// Tells the person what may be wrong.
    fn warn(&self, text: &str);
}
