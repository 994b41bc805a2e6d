//! A directory that others use too.

use std::sync::Arc;

use bytes::Bytes;
use report::{Fault, Kind};
use tempfile::TempDir;

use super::*;
use crate::testing::{content, image, push_image, push_index, tag};
use crate::{Error, MediaType, Registry as _};

fn layout() -> (TempDir, Layout) {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path().join("out"));
    (directory, layout)
}

fn index(directory: &TempDir) -> serde_json::Value {
    let text = fs_err::read(directory.path().join("out/index.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[tokio::test]
async fn the_files_are_those_of_the_specification() {
    let (directory, layout) = layout();
    let index_manifest = push_index(&layout, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    let out = directory.path().join("out");
    let marker = fs_err::read_to_string(out.join("oci-layout")).unwrap();
    assert_eq!(marker, r#"{"imageLayoutVersion":"1.0.0"}"#);
    assert_eq!(
        index(&directory),
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": index_manifest.digest(),
                "size": index_manifest.bytes().len(),
                "annotations": { "org.opencontainers.image.ref.name": "v1" },
            }],
        }),
        "the images are reached by the index, and not listed beside it"
    );
    let blob = out.join("blobs/sha256").join(index_manifest.digest().hex());
    assert_eq!(&fs_err::read(blob).unwrap(), index_manifest.bytes());
}

#[tokio::test]
async fn what_others_wrote_stays() {
    let (directory, layout) = layout();
    push_image(&layout, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let mut document = index(&directory);
    document["annotations"] = serde_json::json!({ "theirs": "1" });
    let odd = serde_json::json!({ "mediaType": "a/b", "digest": "blake3:12", "size": 1, "x": [] });
    document["manifests"].as_array_mut().unwrap().push(odd.clone());
    fs_err::write(directory.path().join("out/index.json"), document.to_string()).unwrap();
    push_image(&layout, "linux/arm64", &[content(2, 10)], &[tag("v2")]).await;
    let after = index(&directory);
    assert_eq!(after["annotations"]["theirs"], "1");
    assert_eq!(after["manifests"][1], odd);
    assert_eq!(layout.tags(None, 9).await.unwrap(), ["v1", "v2"]);
}

#[tokio::test]
async fn writers_at_the_same_time_lose_nothing() {
    let (directory, _) = layout();
    let path = directory.path().join("out");
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        // One of its own for each, as separate processes have.
        let layout = Layout::new(&path);
        tasks.spawn(async move {
            let layers = [content(0, 50_000), content(number, 1000)];
            push_image(&layout, "linux/amd64", &layers, &[tag(&format!("v{number}"))]).await;
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(Layout::new(&path).tags(None, 99).await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_damaged_blob_is_found_when_it_is_read() {
    let (directory, layout) = layout();
    let bytes = content(1, 10_000);
    let image =
        push_image(&layout, "linux/amd64", std::slice::from_ref(&bytes), &[tag("v1")]).await;
    let blobs = directory.path().join("out/blobs/sha256");
    let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, &bytes);
    fs_err::write(blobs.join(layer.digest.hex()), content(2, 10_000)).unwrap();
    let error = layout.blob(&layer).await.unwrap().collect(u64::MAX).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    // One that is too short is written again.
    fs_err::write(blobs.join(layer.digest.hex()), b"short").unwrap();
    assert_eq!(layout.push_blob(&layer, &bytes, None).await.unwrap(), Pushed::Sent);
    assert_eq!(layout.blob(&layer).await.unwrap().collect(u64::MAX).await.unwrap(), bytes);

    fs_err::write(blobs.join(image.digest().hex()), b"{}").unwrap();
    let error = layout.manifest(&Selector::Digest(image.digest())).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    fs_err::write(directory.path().join("out/index.json"), b"{\"manifests\": 1}").unwrap();
    let error = layout.resolve(&Selector::Tag(tag("v1"))).await.unwrap_err();
    assert!(
        error.to_string().ends_with("index.json` cannot be used: `manifests` is not an array"),
        "{error}"
    );
}

#[tokio::test]
async fn a_layout_of_another_version_is_not_touched() {
    let (directory, layout) = layout();
    fs_err::create_dir_all(directory.path().join("out")).unwrap();
    fs_err::write(directory.path().join("out/oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#)
        .unwrap();
    let bytes = content(1, 10);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    let error = layout.push_blob(&blob, &bytes, None).await.unwrap_err();
    assert!(error.to_string().ends_with("it says 2.0.0, expected layout version 1.x"), "{error}");
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept_up() {
    let (directory, layout) = layout();
    let work = directory.path().join("out/.windlass");
    fs_err::create_dir_all(&work).unwrap();
    for name in ["push-dead", "push-held", "other"] {
        fs_err::write(work.join(name), b"half").unwrap();
    }
    let held = fs_err::File::open(work.join("push-held")).unwrap();
    held.file().lock().unwrap();
    push_image(&layout, "linux/amd64", &[content(1, 10)], &[]).await;
    let mut left: Vec<String> = fs_err::read_dir(&work)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["lock", "other", "push-held"]);
}

#[test]
fn a_full_disk_is_a_clear_error() {
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let place = "oci-layout:out".to_owned();
    let fault = Fault::from(Error::Io { what: "writing a blob", place, source });
    assert_eq!((fault.code.as_str(), fault.retry), ("oci.io", false));
    assert_eq!(fault.message, "writing a blob failed in oci-layout:out");
    assert_eq!(fault.help.as_deref(), Some("free some space on the disk of oci-layout:out"));
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_said() {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("file"), b"x").unwrap();
    let layout = Layout::new(directory.path().join("file/out"));
    let bytes = Bytes::from_static(b"x");
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    let fault = Fault::from(layout.push_blob(&blob, &bytes, None).await.unwrap_err());
    assert_eq!(fault.code, "oci.io");
    assert!(fault.causes[0].contains("file/out"), "{fault}");
    assert_eq!(layout.resolve(&Selector::Tag(tag("v1"))).await.unwrap(), None);
}

#[tokio::test]
async fn a_tag_that_moves_leaves_referrers_known() {
    let (_directory, layout) = layout();
    let subject = push_image(&layout, "linux/amd64", &[content(1, 10)], &[]).await;
    let sbom = image(&layout, "linux/amd64", &[content(2, 10)], Some(&subject.descriptor())).await;
    layout.put_manifest(&sbom, &[tag("sbom")]).await.unwrap();
    push_image(&layout, "linux/amd64", &[content(3, 10)], &[tag("sbom")]).await;
    assert_eq!(layout.referrers(&subject.digest(), None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn mounting_in_a_registry_is_a_hard_link() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let registry = LayoutRegistry::open(directory.path()).unwrap();
    let names = ["a", "b/c"].map(|name| name.parse::<RepositoryName>().unwrap());
    let bytes = content(1, 1000);
    let blob =
        crate::testing::push(&*registry.repository(&names[0]), MediaType::OCTET_STREAM, &bytes)
            .await;
    let to: Arc<dyn Store> = registry.repository(&names[1]);
    assert_eq!(to.push_blob(&blob, &bytes, Some(&names[0])).await.unwrap(), Pushed::Mounted);
    let file = directory.path().join("b/c/blobs/sha256").join(blob.digest.hex());
    assert_eq!(fs_err::metadata(file).unwrap().nlink(), 2);
}

#[test]
fn a_root_that_cannot_be_one_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs_err::write(&file, "x").unwrap();
    for root in [file.clone(), file.join("below")] {
        let fault = Fault::from(LayoutRegistry::open(&root).err().unwrap());
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Failed, "oci.io"));
        let message = format!("`{}` cannot be the folder of a registry", root.display());
        assert_eq!(fault.message, message);
        assert!(!fault.causes.is_empty() && fault.help.is_some(), "{fault}");
    }
    let new = directory.path().join("a/b");
    LayoutRegistry::open(&new).unwrap();
    assert_eq!(fs_err::read_dir(&new).unwrap().count(), 0, "it is there, and nothing is in it");
}

#[tokio::test]
async fn a_list_of_referrers_that_a_client_wrote_by_hand_is_read_too() {
    let (directory, layout) = layout();
    let subject = push_image(&layout, "linux/amd64", &[content(1, 10)], &[]).await;
    let sbom = image(&layout, "linux/amd64", &[content(2, 10)], Some(&subject.descriptor())).await;
    let other = image(&layout, "linux/amd64", &[content(3, 10)], Some(&sbom.descriptor())).await;
    let list = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [sbom.descriptor(), other.descriptor(), subject.descriptor()],
    });
    let list = Manifest::new(MediaType::OCI_INDEX, Bytes::from(list.to_string())).unwrap();
    let name = tag(&format!("sha256-{}", subject.digest().hex()));
    layout.put_manifest(&list, &[name]).await.unwrap();
    let listed = async || layout.referrers(&subject.digest(), None).await.unwrap();
    assert_eq!(listed().await, [], "it is not here yet");
    // As others write it: the bytes, and nothing in the index of the layout.
    let file = directory.path().join("out/blobs/sha256").join(sbom.digest().hex());
    fs_err::write(&file, sbom.bytes()).unwrap();
    assert_eq!(listed().await, [sbom.as_referrer()]);
    layout.put_manifest(&sbom, &[]).await.unwrap();
    assert_eq!(listed().await, [sbom.as_referrer()], "once, though it is listed twice");
    fs_err::remove_file(&file).unwrap();
    assert!(layout.delete(&Selector::Digest(sbom.digest())).await.unwrap());
    assert_eq!(listed().await, []);
}

#[tokio::test]
async fn a_large_blob_is_whole_though_it_is_written_and_read_in_parts() {
    let (directory, layout) = layout();
    // More than is flushed at once, and no multiple of anything.
    let bytes = content(1, 9_500_001);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    let chunks: Vec<_> = bytes.chunks(70_001).map(Bytes::copy_from_slice).collect();
    let mut upload = layout.start_upload(Some(Algorithm::Sha256)).await.unwrap();
    for chunk in chunks {
        crate::Upload::append(&mut upload, chunk).await.unwrap();
    }
    crate::Upload::commit(Box::new(upload), blob.digest).await.unwrap();
    let file = directory.path().join("out/blobs/sha256").join(blob.digest.hex());
    assert_eq!(fs_err::read(file).unwrap(), bytes);
    for range in [0..u64::MAX, 262_144..262_145, 9_000_000..9_500_001, 9_500_000..9_600_000] {
        let start = usize::try_from(range.start).unwrap();
        let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
        let found = layout.blob_range(&blob, range).await.unwrap().collect(u64::MAX).await;
        assert_eq!(found.unwrap(), bytes.slice(start..end));
    }
}
