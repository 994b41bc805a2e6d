//! Secrets as handles: a plugin says where a secret goes and never sees it.
//!
//! Needs the grant `secrets`. Give a [`Secret`] to a header or a body of [`crate::http`], or store
//! it with [`put`]; [`Secret::reveal`] is the way out of the rule, granted name by name.

use crate::Result;
use crate::bindings::windlass::secrets::{reveal, secrets as wit};

pub use wit::Alphabet;

/// A secret value that stays in the host.
#[derive(Debug)]
pub struct Secret(pub(crate) wit::Secret);

/// The secret that `[secrets]` of the pipeline calls `name`.
///
/// # Errors
/// `denied.secrets` if the step was not granted it, `unauthorized.secrets` if its provider has no
/// value or refused.
pub fn get(name: &str) -> Result<Secret> {
    Ok(Secret(wit::get(name)?))
}

/// A new random secret of `length` characters, 8 to 1024.
///
/// # Errors
/// `invalid.secrets` for another length.
pub fn generate(length: u32, alphabet: Alphabet) -> Result<Secret> {
    Ok(Secret(wit::generate(length, alphabet)?))
}

/// Stores `value` in the runner's local store as `name`; the former value is replaced.
///
/// # Errors
/// `denied.secrets` without `write` in the grant, `invalid.secrets` for the name.
pub fn put(name: &str, value: &Secret) -> Result<()> {
    Ok(wit::put(name, &value.0)?)
}

impl Secret {
    /// The name under which the pipeline knows it; `generated` for a generated one.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both hold the same bytes.
    ///
    /// # Errors
    /// `denied.secrets` if one has an `only-to`.
    pub fn equals(&self, other: &Self) -> Result<bool> {
        Ok(self.0.equals(&other.0)?)
    }

    /// A text that stands for the value where only text will do, such as a header that an HTTP
    /// library writes. It becomes the value when a request leaves for a host in `only-to`.
    ///
    /// # Errors
    /// `denied.secrets` if the secret names no host in `only-to`.
    pub fn placeholder(&self) -> Result<String> {
        Ok(wit::placeholder(&self.0)?)
    }

    /// The bytes of the value. Needs `reveal` in the grant, and every use is recorded.
    ///
    /// # Errors
    /// `denied.secrets` without that grant.
    pub fn reveal(&self) -> Result<Vec<u8>> {
        Ok(reveal::reveal(&self.0)?)
    }
}
