//! Skopeo says whether it is an archive: what we write it reads, and the reverse.

use support::{Access, DockerRegistry, Image, Skopeo};

use super::*;
use crate::testing::repository;
use crate::{Anonymous, Layout};

/// More than one read.
const SHARED_LAYER: usize = 700_000;

/// An image in a layout, and paths beside it.
struct World {
    folder: TempDir,
    image: Image,
    skopeo: Skopeo,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], SHARED_LAYER);
        image.write_layout(&folder.path().join("layout"), "v1");
        Self { folder, image, skopeo: Skopeo::new() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn layout(&self) -> Layout {
        Layout::new(self.at("layout"))
    }

    /// The same for skopeo.
    fn source(&self) -> String {
        format!("oci:{}:v1", self.at("layout").display())
    }

    fn archive(&self, word: &str, behind: &str) -> String {
        format!("{word}:{}{behind}", self.at("images.tar").display())
    }
}

fn config(manifest: &serde_json::Value) -> &str {
    manifest["config"]["digest"].as_str().unwrap()
}

#[tokio::test]
async fn skopeo_reads_our_oci_archive() {
    let world = World::new();
    let archive = Archive::new(world.at("images.tar"), OCI);
    let from = Selector::Tag(tag("v1"));
    copy(&world.layout(), &from, &archive, &tags(&["v1", "v2"]), &()).await.unwrap();
    for name in ["v1", "v2"] {
        let reference = world.archive("oci-archive", &format!(":{name}"));
        assert_eq!(world.skopeo.digest(&reference), world.image.digest());
        let pulled = world.at(&format!("pulled-{name}"));
        world.skopeo.pull_whole(&reference, &pulled);
        for (digest, bytes) in &world.image.blobs {
            let file = pulled.join(digest.trim_start_matches("sha256:"));
            assert_eq!(&fs_err::read(file).unwrap(), bytes, "{digest}");
        }
    }
}

#[tokio::test]
async fn we_read_skopeos_oci_archive() {
    let world = World::new();
    world.skopeo.copy_all(&world.source(), &world.archive("oci-archive", ":v7"));
    let path = world.at("images.tar");
    for (archive, name) in
        [(Archive::new(&path, OCI), "v7"), (Archive::without_tag(&path, OCI), "latest")]
    {
        let found = read_whole(&archive, name).await;
        assert_eq!(found.digest().to_string(), world.image.digest());
    }
}

#[tokio::test]
async fn skopeo_reads_our_docker_archive_and_every_digest_is_kept() {
    let world = World::new();
    let images = [("linux/amd64", "team/app"), ("linux/arm64", "x.io/b")];
    for ((platform, name), (digest, manifest)) in images.into_iter().zip(&world.image.manifests) {
        let archive = Archive::new(world.at("images.tar"), docker(name));
        let platforms = vec![platform.parse().unwrap()];
        let options = CopyOptions { platforms, ..tags(&["v1"]) };
        let from = Selector::Tag(tag("v1"));
        let copied = copy(&world.layout(), &from, &archive, &options, &()).await.unwrap();
        assert_eq!(copied.descriptor.digest.to_string(), *digest);
        let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
        let reference = world.archive("docker-archive", &format!(":{name}:v1"));
        assert_eq!(config(&world.skopeo.manifest(&reference)), config(&manifest), "{name}");
        // Skopeo unpacks the layers and holds each against the configuration.
        world.skopeo.copy_one(&reference, &format!("oci:{}:x", world.at("copied").display()));
    }
}

#[tokio::test]
async fn we_read_skopeos_docker_archive() {
    let world = World::new();
    let written = world.archive("docker-archive", ":team/app:v1");
    world.skopeo.copy_one(&world.source(), &written);
    let expected = world.skopeo.manifest(&written);
    let registry = DockerRegistry::start(Access::Anonymous);
    let target = repository(&registry.address(), "app", Anonymous);
    let archive = Archive::new(world.at("images.tar"), docker("team/app"));
    let from = Selector::Tag(tag("v1"));
    copy(&archive, &from, &target, &tags(&["v1"]), &()).await.unwrap();
    let reference = format!("docker://{}/app:v1", registry.address());
    let copied = world.skopeo.manifest(&reference);
    assert_eq!(config(&copied), config(&expected));
    let digests = |manifest: &serde_json::Value| -> Vec<serde_json::Value> {
        let layers = manifest["layers"].as_array().unwrap();
        layers.iter().map(|layer| layer["digest"].clone()).collect()
    };
    assert_eq!(digests(&copied), digests(&expected));
    world.skopeo.pull_whole(&reference, &world.at("pulled"));
}
