//! What there is in the target.

use serde_json::Value;

use crate::outputs::Manifest;

/// Manifests of an index that are told; Azure imports at most 50.
const MOST: usize = 200;

/// A manifest or index, and what an index lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its digest; empty where nobody could read it.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    children: Vec<Manifest>,
}

impl Seen {
    /// One of which no more is known.
    #[must_use]
    pub fn of(digest: &str) -> Self {
        Self { digest: digest.to_owned(), ..Self::default() }
    }

    /// One that was read. What is no index, or none that can be understood, has no children.
    #[must_use]
    pub fn read(digest: &str, media_type: &str, content: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(content).unwrap_or_default();
        let list = document.get("manifests").and_then(Value::as_array);
        let children = list.into_iter().flatten().take(MOST).filter_map(child);
        Self {
            digest: digest.to_owned(),
            media_type: media_type.to_owned(),
            size: content.len() as u64,
            children: children.collect(),
        }
    }

    /// The platforms that an index lists.
    #[must_use]
    pub fn platforms(&self) -> Vec<String> {
        let mut platforms: Vec<String> = Vec::new();
        for platform in self.children.iter().filter_map(|child| child.platform.as_ref()) {
            if !platforms.contains(platform) {
                platforms.push(platform.clone());
            }
        }
        platforms
    }

    /// It, which has these tags, and what it lists.
    #[must_use]
    pub fn manifests(self, tags: Vec<String>) -> Vec<Manifest> {
        let Self { digest, media_type, size, children } = self;
        let root = Manifest { digest, media_type, size, platform: None, tags };
        std::iter::once(root).chain(children).collect()
    }
}

fn child(entry: &Value) -> Option<Manifest> {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let platform = || {
        let (os, architecture) = (text("/platform/os")?, text("/platform/architecture")?);
        let variant = text("/platform/variant").map(|it| format!("/{it}")).unwrap_or_default();
        // What describes a manifest and is none, such as an attestation.
        (os != "unknown").then(|| format!("{os}/{architecture}{variant}"))
    };
    Some(Manifest {
        digest: text("/digest")?,
        media_type: text("/mediaType").unwrap_or_default(),
        size: entry.get("size").and_then(Value::as_u64).unwrap_or_default(),
        platform: platform(),
        tags: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_index_is_told_manifest_by_manifest() {
        let index = json!({ "manifests": [
            { "digest": "sha256:a", "mediaType": "m", "size": 7, "platform": { "os": "linux", "architecture": "amd64" } },
            { "digest": "sha256:b", "mediaType": "m", "size": 8, "platform": { "os": "linux", "architecture": "arm", "variant": "v7" } },
            { "digest": "sha256:c", "mediaType": "m", "size": 9, "platform": { "os": "unknown", "architecture": "unknown" } },
            { "mediaType": "m" },
        ] });
        let seen = Seen::read("sha256:i", "index", index.to_string().as_bytes());
        assert_eq!(seen.platforms(), ["linux/amd64", "linux/arm/v7"]);
        let told = seen.manifests(vec!["1".to_owned()]);
        let digests: Vec<&str> = told.iter().map(|manifest| manifest.digest.as_str()).collect();
        assert_eq!(digests, ["sha256:i", "sha256:a", "sha256:b", "sha256:c"]);
        let root = told.first().unwrap();
        assert_eq!((root.tags.as_slice(), root.platform.as_ref()), (&["1".to_owned()][..], None));
    }

    #[test]
    fn what_is_no_index_has_nothing_in_it() {
        for content in ["", "[]", "{", r#"{"manifests": 7}"#, r#"{"layers": []}"#] {
            let seen = Seen::read("sha256:a", "m", content.as_bytes());
            assert_eq!((seen.platforms(), seen.manifests(Vec::new()).len()), (Vec::new(), 1));
        }
    }
}
