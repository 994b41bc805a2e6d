//! The second line of defence: known secrets are removed from any text before it is shown.

use std::sync::{Arc, RwLock};

use base64::Engine as _;
use zeroize::Zeroizing;

use crate::Secret;

/// What stands where a secret stood.
const REPLACEMENT: &str = "***";

/// Shorter values are not masked: they would turn ordinary text into stars and tell their length.
const SHORTEST: usize = 4;

/// The secrets of this process, in every rendering in which they could show up.
///
/// Shared: clones see what others add. Adding is rare, masking is frequent.
#[derive(Clone, Default)]
pub struct Mask(Arc<RwLock<Vec<Zeroizing<String>>>>);

impl Mask {
    /// A mask that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns `secret`: as it is, line by line, base64 (standard and URL-safe, any alignment of the
    /// value in a longer text), percent-encoded, JSON-escaped and hex.
    pub fn learn(&self, secret: &Secret) {
        let mut renderings = renderings(secret.expose());
        let mut known = match self.0.write() {
            Ok(known) => known,
            Err(poisoned) => poisoned.into_inner(),
        };
        renderings.retain(|text| text.len() >= SHORTEST && !known.contains(text));
        known.append(&mut renderings);
        // Longest first, so that a secret which contains another is replaced whole.
        known.sort_by_key(|text| std::cmp::Reverse(text.len()));
    }

    /// `text` without any known secret.
    pub fn apply<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        let known = match self.0.read() {
            Ok(known) => known,
            Err(poisoned) => poisoned.into_inner(),
        };
        let mut masked = std::borrow::Cow::Borrowed(text);
        for secret in known.iter() {
            if masked.contains(secret.as_str()) {
                masked = std::borrow::Cow::Owned(masked.replace(secret.as_str(), REPLACEMENT));
            }
        }
        masked
    }
}

fn renderings(bytes: &[u8]) -> Vec<Zeroizing<String>> {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    let mut all = Vec::new();
    if let Ok(text) = std::str::from_utf8(bytes) {
        all.push(text.to_owned());
        all.push(text.trim().to_owned());
        all.extend(text.lines().map(|line| line.trim().to_owned()));
        let quoted = format!("{text:?}");
        all.push(quoted.trim_matches('"').to_owned());
        all.push(url::form_urlencoded::byte_serialize(bytes).collect());
        all.push(percent_encoded(bytes));
    }
    all.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    // A value inside a longer base64 text (`user:password`) starts at one of three alignments; the
    // characters that also depend on its neighbours are left out.
    for padding in 0..3_usize {
        let shifted = [&vec![0; padding][..], bytes].concat();
        let whole = shifted.len() / 3 * 4;
        let skip = [0, 2, 3].get(padding).copied().unwrap_or_default();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            all.push(text.get(skip..whole).unwrap_or_default().to_owned());
        }
    }
    all.sort();
    all.dedup();
    all.into_iter().map(Zeroizing::new).collect()
}

/// RFC 3986: everything but the unreserved characters, as `%XX`.
fn percent_encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rendering_is_masked() {
        let mask = Mask::new();
        mask.learn(&Secret::new("p@ss word/1"));
        for text in [
            "p@ss word/1",
            "p%40ss%20word%2F1",
            "p%40ss+word%2F1",
            "Basic cEBzcyB3b3JkLzE=",
            "70407373 70407373", // not the value: stays
            "704073732 0776f72642f31",
        ] {
            let masked = mask.apply(text);
            assert!(!masked.contains("p@ss") && !masked.contains("cEBzcyB3b3Jk"), "{masked}");
        }
        let user_and_password =
            base64::engine::general_purpose::STANDARD.encode("user:p@ss word/1");
        assert!(mask.apply(&user_and_password).contains("***"));
        assert_eq!(mask.apply("nothing to see"), "nothing to see");
    }

    #[test]
    fn short_values_do_not_eat_the_text() {
        let mask = Mask::new();
        mask.learn(&Secret::new("a"));
        assert_eq!(mask.apply("banana"), "banana");
    }
}
