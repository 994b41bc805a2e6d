//! What a secret may be called, and what may be said about it.

use serde_json::Value;

use super::secret::Version;
use crate::answer::Refusal;

/// Tags of a secret, and characters of each name and value.
const MOST_TAGS: usize = 15;
const LONGEST_TAG: usize = 256;
/// The rule for secrets: 1 to 127 letters, digits and hyphens.
pub(super) fn is_secret_name(name: &str) -> bool {
    (1..=127).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What `set` and `update` may say beside the value.
pub(super) fn describe(version: &mut Version, document: &Value) -> Result<(), Refusal> {
    let bad = |message: &str| Refusal::bad("BadParameter", message);
    if let Some(kind) = document.get("contentType").and_then(Value::as_str) {
        version.content_type = Some(kind.to_owned());
    }
    if let Some(tags) = document.get("tags").and_then(Value::as_object) {
        let fits = |(name, value): (&String, &Value)| {
            let value = value.as_str().is_some_and(|value| value.chars().count() <= LONGEST_TAG);
            name.chars().count() <= LONGEST_TAG && value
        };
        if tags.len() > MOST_TAGS || !tags.iter().all(fits) {
            return Err(bad("There may be 15 tags, and 256 characters in each name and value."));
        }
        version.tags = tags.clone();
    }
    let attributes = document.get("attributes");
    if let Some(enabled) = attributes.and_then(|a| a.get("enabled")).filter(|e| !e.is_null()) {
        version.enabled =
            enabled.as_bool().ok_or_else(|| bad("'enabled' has to be true or false."))?;
    }
    let time = |name: &str, old: Option<i64>| {
        let given = attributes.and_then(|a| a.get(name)).filter(|time| !time.is_null());
        let Some(given) = given else { return Ok(old) };
        given.as_i64().map(Some).ok_or_else(|| bad("Times are seconds since 1970."))
    };
    (version.nbf, version.exp) = (time("nbf", version.nbf)?, time("exp", version.exp)?);
    match (version.nbf, version.exp) {
        (Some(nbf), Some(exp)) if exp <= nbf => {
            Err(bad("A secret cannot expire before it is valid."))
        }
        _ => Ok(()),
    }
}
