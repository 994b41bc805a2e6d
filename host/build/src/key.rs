//! Keys of the cache: what a result depends on, and nothing else.
//!
//! A key is the digest of named parts in order, each with its length, so that no two lists of parts
//! have one key. What is put in decides whether the cache is right: the filesystem that a step
//! stands on by its chain of layers, the step with every variable in its place, the bytes and modes
//! of the files it reads, the settings that change its bytes. Never a secret, a time, or a name of
//! this machine.

use oci::{Algorithm, Digest, Hasher};

/// Changed when the same parts give other bytes: a fix in the writer of layers, for example.
const GENERATION: &[u8] = b"windlass-build-1";

/// A key in the making.
pub(crate) struct KeyWriter(Hasher);

impl KeyWriter {
    /// For a step of this kind: `copy`, `run`.
    pub(crate) fn new(kind: &str) -> Self {
        let writer = Self(Hasher::new(Algorithm::Sha256));
        writer.bytes("generation", GENERATION).text("kind", kind)
    }

    /// Adds a part.
    pub(crate) fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        for part in [name.as_bytes(), value] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// Adds a text.
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.bytes(name, value.as_bytes())
    }

    /// Adds a text that may not be there, which is not the same as an empty one.
    pub(crate) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.text("without", name),
        }
    }

    /// Adds a number.
    pub(crate) fn number(self, name: &str, value: i64) -> Self {
        self.bytes(name, &value.to_le_bytes())
    }

    /// Adds a list of texts.
    pub(crate) fn list<T: AsRef<str>>(self, name: &str, values: &[T]) -> Self {
        let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
        values
            .iter()
            .fold(self.number(name, count), |writer, value| writer.text("item", value.as_ref()))
    }

    /// The key.
    pub(crate) fn finish(self) -> Digest {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_mistaken_for_each_other() {
        let keys = [
            KeyWriter::new("copy").finish(),
            KeyWriter::new("run").finish(),
            KeyWriter::new("run").text("a", "bc").finish(),
            KeyWriter::new("run").text("ab", "c").finish(),
            KeyWriter::new("run").text("a", "b").text("c", "").finish(),
            KeyWriter::new("run").list("a", &["b", "c"]).finish(),
            KeyWriter::new("run").list("a", &["b"]).text("item", "c").finish(),
            KeyWriter::new("run").optional("a", None).finish(),
            KeyWriter::new("run").optional("a", Some("")).finish(),
        ];
        let different: std::collections::BTreeSet<String> =
            keys.iter().map(Digest::to_string).collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(KeyWriter::new("run").finish(), KeyWriter::new("run").finish());
    }
}
