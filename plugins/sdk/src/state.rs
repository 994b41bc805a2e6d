//! A little memory from run to run.
//!
//! Needs the grant `state`. Each step of each pipeline has its own; it is on disk before a call
//! returns. Limits: keys 256 bytes, values 1 MiB, 1,000 keys.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::bindings::windlass::state::state as wit;

pub use wit::{Entry, Expected};

/// The entry at `key`, if there is one.
///
/// # Errors
/// `denied.state` without the grant.
pub fn get(key: &str) -> Result<Option<Entry>> {
    Ok(wit::get(key)?)
}

/// The value at `key`, read from JSON, and its version.
///
/// # Errors
/// As [`get`]; `invalid.json` if what is there is no `T`.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<(T, u64)>> {
    let Some(Entry { value, version }) = get(key)? else { return Ok(None) };
    Ok(Some((serde_json::from_slice(&value)?, version)))
}

/// Writes `value` and returns its new version.
///
/// # Errors
/// `conflict.state` if the present state is not the expected one, `invalid.state` for a limit.
pub fn put(key: &str, value: &[u8], expected: Expected) -> Result<u64> {
    Ok(wit::put(key, value, expected)?)
}

/// Writes `value` as JSON and returns its new version.
///
/// # Errors
/// As [`put`]; `invalid.json` if `value` cannot be written as JSON.
pub fn put_json<T: Serialize>(key: &str, value: &T, expected: Expected) -> Result<u64> {
    put(key, &serde_json::to_vec(value)?, expected)
}

/// Removes `key`; false where there was none.
///
/// # Errors
/// `conflict.state` if the present state is not the expected one.
pub fn delete(key: &str, expected: Expected) -> Result<bool> {
    Ok(wit::delete(key, expected)?)
}

/// The keys that begin with `prefix`, in order.
///
/// # Errors
/// `denied.state` without the grant.
pub fn keys(prefix: &str) -> Result<Vec<String>> {
    Ok(wit::keys(prefix)?)
}
