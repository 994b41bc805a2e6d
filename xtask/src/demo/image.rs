//! A small multi-architecture image, made of nothing: the same bytes, so the same digests, each
//! time and everywhere. It holds one file per platform and is never started.

use serde_json::json;

use crate::oci::{CONFIG, INDEX, LAYER, MANIFEST, descriptor, digest, tar};

/// The platforms of the image, as in an OCI index.
pub(crate) const PLATFORMS: &[Platform] = &[
    Platform { architecture: "amd64", variant: None },
    Platform { architecture: "arm64", variant: Some("v8") },
    Platform { architecture: "arm", variant: Some("v7") },
];

/// What a manifest of the image is for; the system is always linux.
pub(crate) struct Platform {
    architecture: &'static str,
    variant: Option<&'static str>,
}

/// The image, ready to be pushed in this order: blobs, manifests, index.
pub(crate) struct Image {
    /// Layers and configurations.
    pub(crate) blobs: Vec<Vec<u8>>,
    /// One for each platform.
    pub(crate) manifests: Vec<Vec<u8>>,
    /// What is tagged.
    pub(crate) index: Vec<u8>,
}

impl Image {
    /// Makes the image.
    pub(crate) fn make() -> Self {
        let mut image = Self { blobs: Vec::new(), manifests: Vec::new(), index: Vec::new() };
        let mut entries = Vec::new();
        for platform in PLATFORMS {
            let text = format!("hello from linux/{}\n", platform.architecture);
            let layer = tar("hello.txt", text.as_bytes());
            let config = json!({
                "architecture": platform.architecture,
                "os": "linux",
                "config": { "Cmd": ["cat", "/hello.txt"] },
                "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
            });
            let config = config.to_string().into_bytes();
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(CONFIG, &config),
                "layers": [descriptor(LAYER, &layer)],
            });
            let manifest = manifest.to_string().into_bytes();
            let mut entry = descriptor(MANIFEST, &manifest);
            let mut on = json!({ "architecture": platform.architecture, "os": "linux" });
            if let (Some(variant), Some(on)) = (platform.variant, on.as_object_mut()) {
                on.insert("variant".to_owned(), variant.into());
            }
            if let Some(entry) = entry.as_object_mut() {
                entry.insert("platform".to_owned(), on);
            }
            entries.push(entry);
            image.blobs.extend([layer, config]);
            image.manifests.push(manifest);
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        image.index = index.to_string().into_bytes();
        image
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_image_is_the_same_each_time() {
        assert_eq!(digest(&Image::make().index), digest(&Image::make().index));
    }

    #[test]
    fn every_descriptor_names_what_is_there() {
        let image = Image::make();
        let index: Value = serde_json::from_slice(&image.index).unwrap();
        let named = |list: &Value| -> Vec<String> {
            let list = list.as_array().unwrap();
            list.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
        };
        let manifests: Vec<_> = image.manifests.iter().map(|bytes| digest(bytes)).collect();
        assert_eq!(named(&index["manifests"]), manifests);
        let blobs: Vec<_> = image.blobs.iter().map(|bytes| digest(bytes)).collect();
        for manifest in &image.manifests {
            let manifest: Value = serde_json::from_slice(manifest).unwrap();
            assert!(blobs.contains(&manifest["config"]["digest"].as_str().unwrap().to_owned()));
            assert!(named(&manifest["layers"]).iter().all(|layer| blobs.contains(layer)));
        }
    }
}
