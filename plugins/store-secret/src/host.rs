//! What the logic needs of the host; in tests a table stands in for Azure.

use windlass_plugin::Result;

use crate::inputs::Alphabet;

/// Secrets as handles, besides HTTP and time.
pub trait Host: arm::Http {
    /// The secret that `[secrets]` calls `name`.
    ///
    /// # Errors
    /// Those of the host: it was not granted, or its provider has none.
    fn secret(&self, name: &str) -> Result<Self::Secret>;

    /// A new random secret.
    ///
    /// # Errors
    /// Those of the host: it cannot be so long.
    fn generate(&self, length: u32, alphabet: Alphabet) -> Result<Self::Secret>;

    /// Stores `secret` on this machine.
    ///
    /// # Errors
    /// Those of the host: it was not granted, or cannot be called so.
    fn put(&self, name: &str, secret: &Self::Secret) -> Result<()>;

    /// Whether there is nothing in it.
    fn is_empty(&self, secret: &Self::Secret) -> bool;

    /// Whether both are the same.
    ///
    /// # Errors
    /// Those of the host: one has an `only-to`.
    fn equals(&self, one: &Self::Secret, other: &Self::Secret) -> Result<bool>;

    /// What is remembered under `key`.
    ///
    /// # Errors
    /// Those of the host.
    fn load(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Remembers `value`.
    ///
    /// # Errors
    /// Those of the host.
    fn save(&self, key: &str, value: &[u8]) -> Result<()>;

    /// Seconds since 1970.
    fn clock(&self) -> u64;

    /// Tells the person what may be wrong.
    fn warn(&self, text: &str);
}
