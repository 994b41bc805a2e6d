//! Secret bytes.

use std::sync::Arc;

use zeroize::Zeroizing;

/// Bytes that must never be shown.
///
/// Has no `Debug`, `Display` or `Serialize`; the bytes are wiped when the last clone is dropped.
/// Clones share the bytes, so there is one copy in memory. Every use is a visible [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// Takes ownership of `bytes`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// The bytes, for the one place that writes them into a socket, a cipher or a mask.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, if they are UTF-8.
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether there is nothing in it; an empty secret is almost always a mistake upstream.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
