//! Images made from nothing, always with the same bytes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::docker_registry::{Access, DockerRegistry};
use crate::skopeo::Skopeo;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The name that the image has in its own layout.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A multi-platform image, in memory.
#[derive(Clone, Debug)]
pub struct Image {
    /// The bytes of the index.
    pub index: Vec<u8>,
    /// Manifests, by digest, in the order of the index.
    pub manifests: Vec<(String, Vec<u8>)>,
    /// Configs and layers, by digest.
    pub blobs: Vec<(String, Vec<u8>)>,
}

impl Image {
    /// An image for each of `platforms` (`os/architecture[/variant]`): a config and two layers, of
    /// which the first is of `size` bytes and the same for all platforms, so that it is stored once.
    ///
    /// # Panics
    /// A platform has no architecture.
    pub fn multi_arch(platforms: &[&str], size: usize) -> Self {
        let mut image = Self { index: Vec::new(), manifests: Vec::new(), blobs: Vec::new() };
        let shared_files = tar("usr/share/ballast", &noise(size));
        let shared = image.layer(&shared_files);
        let mut entries = Vec::new();
        for platform in platforms {
            let own_files = tar("etc/platform", format!("{platform}\n").as_bytes());
            let own = image.layer(&own_files);
            let described = describe(platform);
            let config = json!({
                "architecture": described["architecture"], "os": described["os"],
                "config": { "Cmd": ["cat", "/etc/platform"] },
                "rootfs": { "type": "layers", "diff_ids": [digest_of(&shared_files), digest_of(&own_files)] },
            });
            let config = image.blob(CONFIG, to_bytes(&config));
            let manifest = to_bytes(&json!({
                "schemaVersion": 2, "mediaType": MANIFEST,
                "config": config, "layers": [shared, own],
            }));
            let mut entry = descriptor(MANIFEST, &manifest);
            entry["platform"] = described;
            entries.push(entry);
            image.manifests.push((digest_of(&manifest), manifest));
        }
        image.index =
            to_bytes(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }));
        image
    }

    /// An artifact that refers to `self`, as a signature does: a manifest with a `subject`
    /// (image-spec, "Image Manifest"). It stands where other images have their index.
    pub fn referrer(&self, artifact_type: &str) -> Self {
        self.referrer_as(INDEX, artifact_type)
    }

    /// The same, where `self` is itself what [`Self::referrer`] made: a signature of an SBOM.
    pub fn referrer_of_referrer(&self, artifact_type: &str) -> Self {
        self.referrer_as(MANIFEST, artifact_type)
    }

    fn referrer_as(&self, media_type: &str, artifact_type: &str) -> Self {
        let mut artifact = Self { index: Vec::new(), manifests: Vec::new(), blobs: Vec::new() };
        let config = artifact.blob("application/vnd.oci.image.config.v1+json", b"{}".to_vec());
        let layer = artifact.layer(&tar("signature", artifact_type.as_bytes()));
        artifact.index = to_bytes(&json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type,
            "config": config, "layers": [layer], "subject": descriptor(media_type, &self.index),
            "annotations": { "org.opencontainers.image.created": "1970-01-01T00:00:00Z" },
        }));
        artifact
    }

    /// Writes what [`Self::referrer`] made as an OCI layout, under `tag`.
    ///
    /// # Panics
    /// `folder` cannot be written.
    pub fn write_referrer_layout(&self, folder: &Path, tag: &str) {
        self.write_layout_of(MANIFEST, folder, tag);
    }

    /// The digest of the index.
    pub fn digest(&self) -> String {
        digest_of(&self.index)
    }

    /// The media type of the index.
    pub fn media_type() -> &'static str {
        INDEX
    }

    /// The media type of the manifests.
    pub fn manifest_media_type() -> &'static str {
        MANIFEST
    }

    /// One manifest and what it refers to, whatever that is. It stands where images have their
    /// index.
    pub fn of_parts(manifest: &Value, blobs: &[&[u8]]) -> Self {
        let blobs = blobs.iter().map(|bytes| (digest_of(bytes), bytes.to_vec())).collect();
        // As nobody else would write it, so that it is seen if somebody writes it again.
        let index = format!("\n {manifest:#} \n").into_bytes();
        Self { index, manifests: Vec::new(), blobs }
    }

    /// What points at `bytes`: media type, digest, size.
    pub fn descriptor_of(media_type: &str, bytes: &[u8]) -> Value {
        descriptor(media_type, bytes)
    }

    /// Writes the image as an OCI layout, under `tag`.
    ///
    /// # Panics
    /// `folder` cannot be written.
    pub fn write_layout(&self, folder: &Path, tag: &str) {
        self.write_layout_of(INDEX, folder, tag);
    }

    /// As [`Self::write_layout`], where the index is of another media type.
    ///
    /// # Panics
    /// `folder` cannot be written.
    pub fn write_layout_as(&self, media_type: &str, folder: &Path, tag: &str) {
        self.write_layout_of(media_type, folder, tag);
    }

    fn write_layout_of(&self, media_type: &str, folder: &Path, tag: &str) {
        let write = |name: PathBuf, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes)
                .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        };
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", blobs.display()));
        let index = (self.digest(), self.index.clone());
        for (digest, bytes) in self.blobs.iter().chain(&self.manifests).chain([&index]) {
            write(Path::new("blobs").join(digest.replace(':', "/")), bytes);
        }
        let mut top = descriptor(media_type, &self.index);
        top["annotations"] = json!({ REF_NAME: tag });
        let top = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [top] });
        write("index.json".into(), &to_bytes(&top));
        write("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#);
    }

    /// Writes `component` as an OCI layout, under `tag`, in the shape in which components are
    /// distributed (CNCF Wasm OCI artifact layout): one layer, `application/wasm`.
    ///
    /// # Panics
    /// `folder` cannot be written.
    pub fn write_component_layout(folder: &Path, tag: &str, component: &[u8]) {
        let mut image = Self { index: Vec::new(), manifests: Vec::new(), blobs: Vec::new() };
        let layer = image.blob("application/wasm", component.to_vec());
        let config = to_bytes(&json!({ "architecture": "wasm", "os": "wasip2" }));
        let config = image.blob("application/vnd.wasm.config.v0+json", config);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
        });
        // The only manifest stands where a multi-platform image has its index.
        image.index = to_bytes(&manifest);
        image.write_layout_of(MANIFEST, folder, tag);
    }

    fn layer(&mut self, files: &[u8]) -> Value {
        self.blob(LAYER, gzip(files))
    }

    fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let described = descriptor(media_type, &bytes);
        let digest = digest_of(&bytes);
        if !self.blobs.iter().any(|(known, _)| *known == digest) {
            self.blobs.push((digest, bytes));
        }
        described
    }
}

/// Pushes `image` with skopeo to `REPOSITORY:TAG` of `registry`.
///
/// # Panics
/// Skopeo fails.
pub fn push_with_skopeo(image: &Image, registry: &DockerRegistry, access: Access, name: &str) {
    let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
    image.write_layout(folder.path(), "it");
    let target = format!("docker://{}/{name}", registry.address());
    let credentials = Skopeo::of(registry, access);
    credentials.copy_all(&format!("oci:{}:it", folder.path().display()), &target);
    assert_eq!(credentials.digest(&target), image.digest(), "skopeo keeps every byte");
}

/// `sha256:…` over `bytes`.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn describe(platform: &str) -> Value {
    let mut parts = platform.split('/');
    let os = parts.next().expect("text splits into at least one part");
    let architecture = parts.next().unwrap_or_else(|| panic!("`{platform}` has no architecture"));
    let mut described = json!({ "architecture": architecture, "os": os });
    if let Some(variant) = parts.next() {
        described["variant"] = variant.into();
    }
    described
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len() })
}

fn to_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value is JSON")
}

/// Bytes that do not compress: a hash chain.
fn noise(size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 32);
    let mut link = Sha256::digest(b"windlass");
    while bytes.len() < size {
        bytes.extend_from_slice(&link);
        link = Sha256::digest(link);
    }
    bytes.truncate(size);
    bytes
}

/// A tar archive (POSIX ustar) of one file of 1970.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0_u8; BLOCK];
    let mut field = |offset: usize, text: &str| {
        let end = offset + text.len();
        header
            .get_mut(offset..end)
            .expect("fields lie in the header")
            .copy_from_slice(text.as_bytes());
    };
    field(0, name);
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{:011o}\0", content.len()));
    field(136, "00000000000\0");
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    let text = format!("{sum:06o}\0 ");
    header.get_mut(148..156).expect("the sum lies in the header").copy_from_slice(text.as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    // The file is filled up to whole blocks; two empty ones end the archive.
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

/// RFC 1952 around stored blocks (RFC 1951 §3.2.4): nothing to compress, nothing to depend on.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    const LONGEST_BLOCK: usize = 0xffff;
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(LONGEST_BLOCK).peekable();
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        let length = u16::try_from(block.len()).expect("a block is at most 0xffff bytes");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&crc32(bytes).to_le_bytes());
    let length = u32::try_from(bytes.len()).expect("a test's layer is small");
    out.extend_from_slice(&length.to_le_bytes());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_the_same_every_time() {
        let image = Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], 100);
        assert_eq!(image.index, Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], 100).index);
        assert_eq!(image.manifests.len(), 2);
        assert_eq!(image.blobs.len(), 5, "one shared layer, two own ones, two configs");
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
