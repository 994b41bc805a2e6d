//! Texts that stand for secrets where only text will do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::Host;
use zeroize::Zeroizing;

use super::SecretHandle;

/// How every placeholder begins: people who meet one in a log should know what it is.
const PREFIX: &str = "windlass-secret-";

/// 128 random bits: nobody guesses one, and none is a placeholder by accident.
const RANDOM_BYTES: usize = 16;

/// The placeholders of one call. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Placeholders(Arc<Mutex<BTreeMap<String, SecretHandle>>>);

impl Placeholders {
    /// A new text that stands for `secret`.
    pub(crate) fn add(&self, secret: SecretHandle) -> String {
        let random: [u8; RANDOM_BYTES] = rand::random();
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{PREFIX}{hex}");
        self.lock().insert(text.clone(), secret);
        text
    }

    /// `header` with values in place of the placeholders whose secrets name `host` in `only-to`; none
    /// if nothing is to be replaced. Looks into Basic credentials (RFC 7617) too.
    pub(crate) fn fill(
        &self,
        header: &[u8],
        host: &Host<&str>,
        port: u16,
    ) -> Option<Zeroizing<Vec<u8>>> {
        if let Some(filled) = self.fill_plain(header, host, port) {
            return Some(filled);
        }
        let (scheme, encoded) = header.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let decoded = STANDARD.decode(encoded.trim_ascii()).ok()?;
        let filled = self.fill_plain(&decoded, host, port)?;
        let mut header = scheme.to_vec();
        header.extend_from_slice(Zeroizing::new(STANDARD.encode(&*filled)).as_bytes());
        Some(Zeroizing::new(header))
    }

    /// Whether a placeholder stands in `header`, for whatever host.
    pub(crate) fn is_in(&self, header: &[u8]) -> bool {
        let holds = |bytes: &[u8]| bytes.windows(PREFIX.len()).any(|at| at == PREFIX.as_bytes());
        let basic = header.split_at_checked(6).filter(|(s, _)| s.eq_ignore_ascii_case(b"basic "));
        holds(header)
            || basic
                .and_then(|(_, encoded)| STANDARD.decode(encoded.trim_ascii()).ok())
                .is_some_and(|decoded| holds(&decoded))
    }

    fn fill_plain(&self, text: &[u8], host: &Host<&str>, port: u16) -> Option<Zeroizing<Vec<u8>>> {
        let known = self.lock();
        let mut filled: Option<Zeroizing<Vec<u8>>> = None;
        let mut rest = text;
        while let Some(at) = rest.windows(PREFIX.len()).position(|w| w == PREFIX.as_bytes()) {
            let length = PREFIX.len() + 2 * RANDOM_BYTES;
            let word = rest.get(at..at + length).and_then(|word| std::str::from_utf8(word).ok());
            let secret = word.and_then(|word| known.get(word)).filter(|s| s.names(host, port));
            let out = filled.get_or_insert_default();
            let step = match secret {
                Some(secret) => {
                    out.extend_from_slice(rest.get(..at).unwrap_or_default());
                    out.extend_from_slice(secret.value().expose());
                    at + length
                }
                None => {
                    out.extend_from_slice(rest.get(..at + PREFIX.len()).unwrap_or_default());
                    at + PREFIX.len()
                }
            };
            rest = rest.get(step..).unwrap_or_default();
        }
        let mut filled = filled?;
        filled.extend_from_slice(rest);
        (*filled != text).then_some(filled)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SecretHandle>> {
        // A panic elsewhere leaves a map that is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
