//! A small multi-architecture image, made of nothing: the same bytes, so the same digests, each
//! time and everywhere. It holds one file per platform and is never started.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

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

/// Media types of the OCI image specification, "OCI Image Media Types".
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The image, ready to be pushed in this order: blobs, manifests, index.
pub(crate) struct Image {
    /// Layers and configurations.
    pub(crate) blobs: Vec<Vec<u8>>,
    /// One for each platform.
    pub(crate) manifests: Vec<Vec<u8>>,
    /// What is tagged.
    pub(crate) index: Vec<u8>,
}

/// The media type of a manifest of ours, index or not.
pub(crate) fn media_type(manifest: &[u8]) -> String {
    let value: Value = serde_json::from_slice(manifest).unwrap_or_default();
    value.get("mediaType").and_then(Value::as_str).unwrap_or(MANIFEST).to_owned()
}

/// `sha256:…` over `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
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

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

/// An archive with one file, in the format of POSIX.1-1988 ("ustar"): blocks of 512 bytes, numbers
/// in octal, two empty blocks at the end.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in header.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    for (to, from) in header.iter_mut().skip(148).zip(sum.bytes()) {
        *to = from;
    }
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_layer_is_an_archive_that_tar_reads() {
        let path = std::env::temp_dir().join(format!("xtask-layer-{}.tar", std::process::id()));
        std::fs::write(&path, tar("hello.txt", b"hello\n")).unwrap();
        let output = std::process::Command::new("tar").arg("-xOf").arg(&path).output().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n", "{output:?}");
    }
}
