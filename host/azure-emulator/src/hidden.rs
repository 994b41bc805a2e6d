//! What the emulator must remember and nobody may see in a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that is kept in the state file, which only its owner can read, and shown nowhere else.
///
/// `report::Secret` cannot be written to a file on purpose; an emulated vault has to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(String);

impl Hidden {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the answer that gives it out.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}
