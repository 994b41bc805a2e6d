//! Images made from nothing.

use bytes::Bytes;
use oci::{Descriptor, Manifest, MediaType, Store, Tag};
use serde_json::{Value, json};

/// An image of one layer, pushed under `tags`.
pub(crate) async fn image(store: &dyn Store, name: &str, tags: &[Tag]) -> Manifest {
    let mut blobs = Vec::new();
    let config = json!({ "architecture": "amd64", "os": "linux", "of": name }).to_string();
    for (kind, bytes) in [
        ("application/vnd.oci.image.config.v1+json", config),
        ("application/vnd.oci.image.layer.v1.tar", format!("the layer of {name}")),
    ] {
        let descriptor = Descriptor::of(MediaType::new(kind), bytes.as_bytes());
        store.push_blob(&descriptor, &Bytes::from(bytes), None).await.unwrap();
        blobs.push(describe(&descriptor));
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let image =
        json!({ "schemaVersion": 2, "mediaType": kind, "config": blobs[0], "layers": [blobs[1]] });
    let image = Manifest::new(MediaType::new(kind), image.to_string().into()).unwrap();
    store.put_manifest(&image, tags).await.unwrap();
    image
}

/// An index of one such image.
pub(crate) async fn index(store: &dyn Store, name: &str, tag: &Tag) {
    let image = image(store, name, &[]).await;
    let kind = "application/vnd.oci.image.index.v1+json";
    let mut entry = describe(&image.descriptor());
    entry["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [entry] });
    let index = Manifest::new(MediaType::new(kind), index.to_string().into()).unwrap();
    store.put_manifest(&index, std::slice::from_ref(tag)).await.unwrap();
}

fn describe(descriptor: &Descriptor) -> Value {
    json!({
        "mediaType": descriptor.media_type.as_str(), "digest": descriptor.digest.to_string(),
        "size": descriptor.size,
    })
}
