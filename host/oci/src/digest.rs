//! Digests: what names content, and what proves it.
//!
//! A [`Digest`] is an algorithm and its bytes, never a string; text becomes one at the edge.
//! [`Hasher`] makes one from a stream, [`Verifier`] holds a stream against the one it must have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// The algorithms that the image specification registers (image-spec, "Registered algorithms").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `sha256`, 32 bytes: what everything uses.
    Sha256,
    /// `sha512`, 64 bytes.
    Sha512,
}

/// The digest of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Value);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Value {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No `algorithm:hex`.
    #[error("`{0}` is not a digest, expected `sha256:` and 64 hexadecimal digits")]
    Shape(String),
    /// An algorithm that nobody could verify here.
    #[error("the digest algorithm `{0}` is not known, expected `sha256` or `sha512`")]
    Algorithm(String),
    /// Too short, too long, upper case, or not hexadecimal.
    #[error("a {algorithm} digest has {expected} lower-case hexadecimal digits, found `{found}`")]
    Hex {
        /// The algorithm that was named.
        algorithm: Algorithm,
        /// How many digits it has.
        expected: usize,
        /// What stood there.
        found: String,
    },
}

/// A running digest.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

/// A stream held against the digest and size that it must have.
pub struct Verifier {
    hasher: Hasher,
    expected: Digest,
    size: u64,
    seen: u64,
}

/// Bytes are not what they were said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// More or fewer bytes than promised.
    #[error("expected {expected} bytes, found {found}{}", if *.at_least { " or more" } else { "" })]
    Size {
        /// Bytes promised.
        expected: u64,
        /// Bytes seen.
        found: u64,
        /// Reading stopped as soon as there were too many.
        at_least: bool,
    },
    /// Other bytes than promised.
    #[error("expected {expected}, found {found}")]
    Digest {
        /// What was promised.
        expected: Box<Digest>,
        /// What the bytes hash to.
        found: Box<Digest>,
    },
}

impl Mismatch {
    pub(crate) fn digest(expected: Digest, found: Digest) -> Self {
        Self::Digest { expected: Box::new(expected), found: Box::new(found) }
    }
}

impl Algorithm {
    /// The word before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn hex_digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl Digest {
    /// The sha256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::with(Algorithm::Sha256, bytes)
    }

    /// The digest of `bytes` by `algorithm`.
    pub fn with(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Which algorithm made it.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Value::Sha256(_) => Algorithm::Sha256,
            Value::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The digits behind the colon, lower case.
    pub fn hex(&self) -> String {
        match &self.0 {
            Value::Sha256(bytes) => hex::encode(bytes),
            Value::Sha512(bytes) => hex::encode(bytes),
        }
    }

    /// Holds `bytes` against this digest.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), Mismatch> {
        let found = Self::with(self.algorithm(), bytes);
        if found == *self { Ok(()) } else { Err(Mismatch::digest(*self, found)) }
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (word, digits) =
            text.split_once(':').ok_or_else(|| DigestError::Shape(text.to_owned()))?;
        let Some(algorithm) = Algorithm::parse(word) else {
            let is_word = !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+._-".contains(&b));
            return Err(match is_word {
                true => DigestError::Algorithm(word.to_owned()),
                false => DigestError::Shape(text.to_owned()),
            });
        };
        let wrong = || DigestError::Hex {
            algorithm,
            expected: algorithm.hex_digits(),
            found: digits.to_owned(),
        };
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(wrong());
        }
        Ok(Self(match algorithm {
            Algorithm::Sha256 => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(digits, &mut bytes).map_err(|_| wrong())?;
                Value::Sha256(bytes)
            }
            Algorithm::Sha512 => {
                let mut bytes = [0; 64];
                hex::decode_to_slice(digits, &mut bytes).map_err(|_| wrong())?;
                Value::Sha512(bytes)
            }
        }))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Hasher {
    /// Nothing hashed yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        Digest(match self.0 {
            State::Sha256(state) => Value::Sha256(state.finalize().into()),
            State::Sha512(state) => Value::Sha512(state.finalize().into()),
        })
    }
}

impl Verifier {
    /// Expects `size` bytes that hash to `expected`.
    pub fn new(expected: Digest, size: u64) -> Self {
        Self { hasher: Hasher::new(expected.algorithm()), expected, size, seen: 0 }
    }

    /// Expects the rest of them, behind the first `seen` bytes that went into `hasher`.
    pub(crate) fn resumed(expected: Digest, size: u64, seen: u64, hasher: Hasher) -> Self {
        Self { hasher, expected, size, seen }
    }

    /// How far it is.
    pub(crate) fn state(&self) -> (u64, &Hasher) {
        (self.seen, &self.hasher)
    }

    /// Adds bytes; fails as soon as there are more than promised.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if self.seen > self.size {
            return Err(Mismatch::Size { expected: self.size, found: self.seen, at_least: true });
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// How many bytes are still to come.
    pub fn missing(&self) -> u64 {
        self.size.saturating_sub(self.seen)
    }

    /// The verdict, after the last byte.
    pub fn finish(self) -> Result<(), Mismatch> {
        if self.seen != self.size {
            return Err(Mismatch::Size { expected: self.size, found: self.seen, at_least: false });
        }
        let found = self.hasher.finish();
        match found == self.expected {
            true => Ok(()),
            false => Err(Mismatch::digest(self.expected, found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_read_and_written_the_same() {
        let sha512 = Digest::with(Algorithm::Sha512, b"x").to_string();
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        for text in [EMPTY, &sha512] {
            assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_digest_is_said() {
        let check = |text: &str, part: &str| {
            let message = text.parse::<Digest>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        };
        check("latest", "expected `sha256:`");
        check("sha256:abc", "64 lower-case");
        check(&EMPTY.to_uppercase(), "is not a digest");
        check(&format!("sha256:{}", "A".repeat(64)), "lower-case");
        check(&format!("sha256:{}", "g".repeat(64)), "lower-case");
        check("sha384:00", "`sha384` is not known");
        check(":", "not a digest");
    }

    #[test]
    fn the_verifier_tells_short_long_and_wrong_apart() {
        let verdict = |bytes: &[u8], size| {
            let mut verifier = Verifier::new(Digest::of(b"four"), size);
            verifier.update(bytes).and_then(|()| verifier.finish())
        };
        assert_eq!(verdict(b"four", 4), Ok(()));
        let short = Mismatch::Size { expected: 4, found: 3, at_least: false };
        assert_eq!(verdict(b"fou", 4), Err(short));
        let long = Mismatch::Size { expected: 4, found: 5, at_least: true };
        assert_eq!(verdict(b"fourx", 4), Err(long));
        let wrong = Mismatch::digest(Digest::of(b"four"), Digest::of(b"five"));
        assert_eq!(verdict(b"five", 4), Err(wrong));
    }
}
