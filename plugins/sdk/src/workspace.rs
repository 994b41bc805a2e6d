//! The files that a step was granted.
//!
//! Needs the grant `workspace`. A path is relative to the pipeline file, with `/`, and may not leave
//! the workspace. The same folders are there for `std::fs` under [`MOUNT`].

use crate::Result;
use crate::bindings::windlass::workspace::workspace as wit;

pub use wit::{Entry, Kind};

/// Where `std::fs` finds the workspace.
pub const MOUNT: &str = "/workspace";

/// The bytes of a file, at most 16 MiB.
///
/// # Errors
/// `denied.workspace`, `not-found.workspace`, `invalid.workspace`.
pub fn read(path: &str) -> Result<Vec<u8>> {
    Ok(wit::read(path)?)
}

/// The text of a file, at most 16 MiB.
///
/// # Errors
/// As [`read`]; `invalid.workspace` if it is not UTF-8.
pub fn read_to_string(path: &str) -> Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| crate::Error::new("invalid.workspace", format!("`{path}` is not UTF-8")))
}

/// Writes a whole file, at once or not at all; missing directories are made.
///
/// # Errors
/// `denied.workspace`, `invalid.workspace`.
pub fn write(path: &str, content: impl AsRef<[u8]>) -> Result<()> {
    Ok(wit::write(path, content.as_ref())?)
}

/// The entries of a directory, by name, at most 100,000.
///
/// # Errors
/// `denied.workspace`, `not-found.workspace`, `invalid.workspace`.
pub fn entries(path: &str) -> Result<Vec<Entry>> {
    Ok(wit::entries(path)?)
}
