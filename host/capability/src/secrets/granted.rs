//! Secrets as one step sees them.

use rand::Rng as _;
use report::{Fault, Kind, Secret};
use zeroize::Zeroizing;

use super::{SecretHandle, Secrets, handle::GENERATED, placeholder::Placeholders};
use crate::{
    call::{Call, Effect},
    grant::{Want, is_secret_name},
    voice::Use,
};

/// Shortest secret that is generated: 8 characters are the least that any service takes.
const SHORTEST: u32 = 8;

/// Longest secret that is generated.
const LONGEST: u32 = 1024;

/// Printable ASCII but space, quotes (also the back quote) and backslash.
const PUNCTUATION: &[u8] = b"!#$%&()*+,-./:;<=>?@[]^_{|}~";

/// The characters of a generated secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// `A-Z a-z 0-9`.
    Alphanumeric,
    /// `0-9 a-f`.
    Hex,
    /// All printable ASCII but space, quotes and backslash.
    Printable,
}

/// The secrets of the pipeline, seen through the grant of one step.
#[derive(Clone)]
pub struct GrantedSecrets {
    call: Call,
    secrets: Secrets,
    placeholders: Placeholders,
}

impl GrantedSecrets {
    pub(crate) fn new(call: Call, secrets: Secrets, placeholders: Placeholders) -> Self {
        Self { call, secrets, placeholders }
    }

    /// The secret that `[secrets]` of the pipeline calls `name`.
    ///
    /// # Errors
    /// `denied.secrets`; `unauthorized.secrets` if its provider has no value or refused.
    pub async fn get(&self, name: &str) -> Result<SecretHandle, Fault> {
        let used = Use::begin("secrets", "get", name);
        let handle = match self.call.check(&Want::UseSecret(name), Effect::Look) {
            Ok(()) => self.secrets.resolve(name).await,
            Err(denied) => Err(denied),
        };
        self.call.voice.end(used, handle, |_| ("ok".to_owned(), None))
    }

    /// A new random secret of `length` characters, 8 to 1024.
    ///
    /// # Errors
    /// `invalid.secrets` for the length. Needs no grant: what is made here can only be used where
    /// another grant allows it.
    pub fn generate(&self, length: u32, alphabet: Alphabet) -> Result<SecretHandle, Fault> {
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(Fault::new(
                Kind::Invalid,
                format!("a generated secret cannot have {length} characters"),
            )
            .code("invalid.secrets")
            .help(format!("ask for {SHORTEST} to {LONGEST} characters")));
        }
        let characters = alphabet.characters();
        let mut random = rand::rng();
        let mut value = Zeroizing::new(Vec::with_capacity(length as usize));
        for _ in 0..length {
            let at = random.random_range(0..characters.len());
            value.extend(characters.get(at));
        }
        let secret = Secret::new(std::mem::take(&mut *value));
        self.secrets.mask().learn(&secret);
        let used = Use::begin("secrets", "generate", GENERATED);
        self.call.voice.note(used, "ok", None);
        Ok(SecretHandle::new(GENERATED, Vec::new(), secret))
    }

    /// Stores `value` in the local store as `name`; the former value is replaced.
    ///
    /// A secret with `only-to` cannot be stored: from the store it could go anywhere.
    ///
    /// # Errors
    /// `denied.secrets`; `invalid.secrets` for the name.
    pub async fn put(&self, name: &str, value: &SecretHandle) -> Result<(), Fault> {
        let used = Use::begin("secrets", "put", name);
        let stored = self.put_checked(name, value).await;
        self.call.voice.end(used, stored, |()| ("ok".to_owned(), None))
    }

    /// A text that stands for `value` in the headers of requests to the hosts of its `only-to`.
    ///
    /// # Errors
    /// `denied.secrets` if it names no host there.
    pub fn placeholder(&self, value: &SecretHandle) -> Result<String, Fault> {
        if !value.is_bound() {
            let denied = value.denied("a placeholder".to_owned(), Some("registry.example"));
            return Err(self.call.voice.masked(denied.into()));
        }
        Ok(self.placeholders.add(value.clone()))
    }

    /// Whether both hold the same bytes.
    ///
    /// What a guess can be held against is as good as told, though slowly: so it is allowed of those
    /// alone that the step could send wherever it may send something.
    ///
    /// # Errors
    /// `denied.secrets` if one has an `only-to`.
    pub fn equals(&self, one: &SecretHandle, other: &SecretHandle) -> Result<bool, Fault> {
        let used = Use::begin("secrets", "compare", one.name());
        let bound = [one, other].into_iter().find(|secret| secret.is_bound());
        let same = match bound {
            Some(bound) => Err(bound.denied("a comparison".to_owned(), None).into()),
            None => {
                let (one, other) = (one.value().expose(), other.value().expose());
                // The time must not tell how much of it is the same.
                let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
                Ok(one.len() == other.len() && std::hint::black_box(differences) == 0)
            }
        };
        self.call.voice.end(used, same, |_| ("ok".to_owned(), None))
    }

    /// The bytes of `value`, for the one interface that hands them to the plugin.
    ///
    /// # Errors
    /// `denied.secrets`.
    pub fn reveal(&self, value: &SecretHandle) -> Result<Secret, Fault> {
        let used = Use::begin("secrets", "reveal", value.name());
        let revealed = self
            .call
            .check(&Want::RevealSecret(value.name()), Effect::Look)
            .map(|()| value.value().clone());
        self.call.voice.end(used, revealed, |_| ("ok".to_owned(), None))
    }

    async fn put_checked(&self, name: &str, value: &SecretHandle) -> Result<(), Fault> {
        if !is_secret_name(name) {
            return Err(Fault::new(Kind::Invalid, format!("`{name}` cannot name a secret"))
                .code("invalid.secrets")
                .help("use letters, digits, `-`, `_` and `.`, a letter or digit first"));
        }
        self.call.check(&Want::WriteSecret(name), Effect::Change)?;
        if value.is_bound() {
            return Err(value.denied("the local store".to_owned(), None).into());
        }
        self.secrets.store(name, value.value().clone()).await
    }
}

impl Alphabet {
    pub(super) fn characters(self) -> Vec<u8> {
        match self {
            Self::Alphanumeric => (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').collect(),
            Self::Hex => (b'0'..=b'9').chain(b'a'..=b'f').collect(),
            Self::Printable => {
                let mut all = Self::Alphanumeric.characters();
                all.extend_from_slice(PUNCTUATION);
                all
            }
        }
    }
}
