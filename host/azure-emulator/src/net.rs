//! How requests come in: one listener for plain HTTP, TLS and CONNECT.

mod access;
mod authority;
mod forward;
pub(crate) mod host;
mod listen;

use std::io::Write as _;
use std::path::Path;

pub use access::{Access, AccessLog};
pub(crate) use authority::Authority;
pub(crate) use listen::Door;

/// Writes a file that only its owner can read, as a whole or not at all.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}
