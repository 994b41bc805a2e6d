//! Archives: what others wrote, and what is written.

mod broken;
mod judged;

use std::path::Path;

use bytes::Bytes;
use report::Kind;
use tempfile::TempDir;

use super::*;
use crate::testing::{content, image, memory, push_image, push_index, tag};
use crate::{CopyOptions, MediaType, copy};

const OCI: ArchiveFormat = ArchiveFormat::Oci;

fn docker(name: &str) -> ArchiveFormat {
    ArchiveFormat::Docker(Some(name.parse().unwrap()))
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out/images.tar");
    (folder, path)
}

fn tags(names: &[&str]) -> CopyOptions {
    CopyOptions { tags: names.iter().map(|name| tag(name)).collect(), ..CopyOptions::default() }
}

/// Files in the order in which they are given; a link is a text that begins with `->`.
fn write_tar(path: &Path, files: &[(&str, &[u8])]) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let mut archive = tar::Builder::new(fs_err::File::create(path).unwrap());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        // By hand: the crate refuses to write what must be refused when it is read.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        match bytes.strip_prefix(b"->") {
            Some(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
                header.set_cksum();
                archive.append(&header, std::io::empty()).unwrap();
            }
            None => {
                header.set_size(bytes.len() as u64);
                header.set_cksum();
                archive.append(&header, *bytes).unwrap();
            }
        }
    }
    archive.into_inner().unwrap();
}

fn names_in(path: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(fs_err::File::open(path).unwrap());
    let entries = archive.entries().unwrap();
    entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
}

/// What is beside the archive, hidden files too.
fn beside(path: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until nothing is beside the archive but `names`: work on the disk that a failure left
/// behind ends by itself.
async fn settles(path: &Path, names: &[&str]) {
    for _ in 0..1000 {
        if beside(path) == names {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(beside(path), names);
}

/// Every blob of the image, held against its digest.
async fn read_whole(store: &dyn Store, name: &str) -> Manifest {
    let manifest = store.manifest(&Selector::Tag(tag(name))).await.unwrap();
    for child in manifest.manifests() {
        let child = store.manifest(&Selector::Digest(child.digest)).await.unwrap();
        for blob in child.blobs() {
            store.blob(&blob).await.unwrap().collect(u64::MAX).await.unwrap();
        }
    }
    for blob in manifest.blobs() {
        store.blob(&blob).await.unwrap().collect(u64::MAX).await.unwrap();
    }
    manifest
}

#[tokio::test]
async fn images_go_into_an_archive_and_come_out_again() {
    let (_folder, path) = folder();
    let source = memory("a");
    let index = push_index(&source, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    let archive = Archive::new(&path, OCI);
    let copied = copy(&source, &Selector::Tag(tag("v1")), &archive, &tags(&["v1"]), &()).await;
    assert_eq!(copied.unwrap().descriptor.digest, index.digest());
    drop(archive);
    settles(&path, &["images.tar"]).await;
    let archive = Archive::new(&path, OCI);
    assert_eq!(read_whole(&archive, "v1").await.bytes(), index.bytes());
    let target = memory("b");
    copy(&archive, &Selector::Tag(tag("v1")), &target, &tags(&["v1"]), &()).await.unwrap();
    assert_eq!(read_whole(&target, "v1").await.bytes(), index.bytes());
    // Again: nothing to do.
    let again = copy(&source, &Selector::Tag(tag("v1")), &archive, &tags(&["v1"]), &()).await;
    assert!(!again.unwrap().changed);
}

#[tokio::test]
async fn what_an_archive_holds_stays_in_it() {
    let (_folder, path) = folder();
    let source = memory("a");
    let layers = [content(0, 5000), content(1, 10)];
    let first = push_image(&source, "linux/amd64", &layers, &[tag("v1")]).await;
    let layers = [content(0, 5000), content(2, 10)];
    let second = push_image(&source, "linux/amd64", &layers, &[tag("v2")]).await;
    for name in ["v1", "v2"] {
        // One of its own for each, as separate steps have.
        let archive = Archive::new(&path, OCI);
        let selector = Selector::Tag(tag(name));
        copy(&source, &selector, &archive, &tags(&[name, "new"]), &()).await.unwrap_or_else(
            |error| {
                assert_eq!((name, error.kind()), ("v2", Kind::Conflict));
                unreachable!("{error}")
            },
        );
        if name == "v1" {
            // Freed for the second.
            let mut options = tags(&["new"]);
            options.force = true;
            let other = Selector::Tag(tag("v2"));
            copy(&source, &other, &archive, &options, &()).await.unwrap();
        }
    }
    let archive = Archive::new(&path, OCI);
    assert_eq!(archive.tags(None, 9).await.unwrap(), ["new", "v1", "v2"]);
    assert_eq!(read_whole(&archive, "v1").await.digest(), first.digest());
    assert_eq!(read_whole(&archive, "v2").await.digest(), second.digest());
    assert_eq!(read_whole(&archive, "new").await.digest(), second.digest());
    let mut names = names_in(&path);
    assert_eq!(names[..2], ["oci-layout", "index.json"]);
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), count), (9, 9), "nothing twice: the layer that both have is one");
}

#[tokio::test]
async fn writers_at_the_same_time_lose_nothing() {
    let (_folder, path) = folder();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10 {
        let path = path.clone();
        tasks.spawn(async move {
            let source = memory("a");
            let layers = [content(0, 50_000), content(number, 1000)];
            push_image(&source, "linux/amd64", &layers, &[tag("x")]).await;
            let name = format!("v{number}");
            let archive = Archive::new(path, OCI);
            let from = Selector::Tag(tag("x"));
            copy(&source, &from, &archive, &tags(&[&name]), &()).await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(Archive::new(&path, OCI).tags(None, 99).await.unwrap().len(), 10);
    settles(&path, &["images.tar"]).await;
}

#[tokio::test]
async fn the_same_images_give_the_same_bytes() {
    let mut files = Vec::new();
    for parallel in [1, 6] {
        let (_folder, path) = folder();
        let source = memory("a");
        push_index(&source, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
        let options = CopyOptions { parallel, ..tags(&["v1"]) };
        let archive = Archive::new(&path, OCI);
        copy(&source, &Selector::Tag(tag("v1")), &archive, &options, &()).await.unwrap();
        files.push(fs_err::read(&path).unwrap());
    }
    assert!(files[0] == files[1]);
}

#[tokio::test]
async fn a_copy_that_fails_leaves_the_old_archive_or_none() {
    let (_folder, path) = folder();
    let source = memory("a");
    let manifest = push_image(&source, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let mut old = None;
    for broken in [true, false, true] {
        if broken {
            source.delete_blob(&manifest.blobs()[0].digest).await.unwrap();
            let archive = Archive::new(&path, OCI);
            let from = Selector::Tag(tag("v1"));
            let options = CopyOptions { force: true, ..tags(&["v2"]) };
            let result = copy(&source, &from, &archive, &options, &()).await;
            // What the archive has need not be read again.
            assert_eq!(result.is_err(), old.is_none());
        } else {
            push_image(&source, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
            let archive = Archive::new(&path, OCI);
            let from = Selector::Tag(tag("v1"));
            copy(&source, &from, &archive, &tags(&["v1"]), &()).await.unwrap();
            old = Some(fs_err::read(&path).unwrap());
        }
        settles(&path, if old.is_some() { &["images.tar"] } else { &[] }).await;
    }
    let other = memory("b");
    let image = push_image(&other, "linux/amd64", &[content(7, 10)], &[tag("v1")]).await;
    other.delete_blob(&image.blobs()[0].digest).await.unwrap();
    let before = fs_err::read(&path).unwrap();
    let archive = Archive::new(&path, OCI);
    let from = Selector::Tag(tag("v1"));
    copy(&other, &from, &archive, &tags(&["v3"]), &()).await.unwrap_err();
    drop(archive);
    assert!(fs_err::read(&path).unwrap() == before);
    settles(&path, &["images.tar"]).await;
}

#[tokio::test]
async fn referrers_are_found_in_an_archive() {
    let (_folder, path) = folder();
    let archive = Archive::new(&path, OCI);
    let subject = push_image(&archive, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let sbom = image(&archive, "linux/amd64", &[content(2, 10)], Some(&subject.descriptor())).await;
    archive.put_manifest(&sbom, &[tag("sbom")]).await.unwrap();
    for _ in ["pending", "in the file"] {
        let listed = archive.referrers(&subject.digest(), None).await.unwrap();
        assert_eq!(listed, [sbom.as_referrer()]);
        archive.finish().await.unwrap();
    }
    push_image(&archive, "linux/arm64", &[content(3, 10)], &[tag("sbom")]).await;
    archive.finish().await.unwrap();
    let listed = Archive::new(&path, OCI).referrers(&subject.digest(), None).await.unwrap();
    assert_eq!(listed.len(), 1, "a tag that moves leaves it known");
}

/// An image as docker wrote it before version 25: layers by links, nothing by digest.
fn classic(path: &Path, entry: &str, config: &str) {
    let layer = b"a layer, as far as anybody here knows";
    write_tar(
        path,
        &[
            ("c.json", config.as_bytes()),
            ("one/VERSION", b"1.0"),
            ("one/layer.tar", layer),
            ("two/layer.tar", b"->../one/layer.tar"),
            ("manifest.json", entry.as_bytes()),
            ("repositories", b"{}"),
        ],
    );
}

fn config_of(layers: usize) -> String {
    let diff_id = Digest::of(b"a layer, as far as anybody here knows");
    serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": vec![diff_id; layers] },
    })
    .to_string()
}

const ENTRY: &str = r#"[{"Config":"c.json","RepoTags":["app:v1","x.io/t/app:v2"],
    "Layers":["one/layer.tar","two/layer.tar"]}]"#;

#[tokio::test]
async fn an_image_that_docker_saved_is_read() {
    let (_folder, path) = folder();
    classic(&path, ENTRY, &config_of(2));
    let archive = Archive::new(&path, docker("app"));
    assert_eq!(archive.tags(None, 9).await.unwrap(), ["v1"]);
    let manifest = read_whole(&archive, "v1").await;
    assert_eq!(manifest.media_type(), &MediaType::DOCKER_MANIFEST);
    let other = Archive::new(&path, docker("x.io/t/app"));
    assert_eq!(read_whole(&other, "v2").await.digest(), manifest.digest());
    let only = Archive::without_tag(&path, ArchiveFormat::Docker(None));
    assert_eq!(read_whole(&only, "latest").await.digest(), manifest.digest());
    let none = other.resolve(&Selector::Tag(tag("v1"))).await.unwrap();
    assert_eq!(none, None);
    let target = memory("b");
    copy(&archive, &Selector::Tag(tag("v1")), &target, &tags(&["v1"]), &()).await.unwrap();
    assert_eq!(read_whole(&target, "v1").await.digest(), manifest.digest());
}

#[tokio::test]
async fn layers_that_are_not_what_the_configuration_says_are_found() {
    let (_folder, path) = folder();
    let wrong = config_of(2)
        .replace(&Digest::of(b"a layer, as far as anybody here knows").hex(), &"0".repeat(64));
    classic(&path, ENTRY, &wrong);
    let archive = Archive::new(&path, docker("app"));
    let from = Selector::Tag(tag("v1"));
    let target = memory("b");
    let error = copy(&archive, &from, &target, &tags(&["v1"]), &()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch, "{error}");
    assert_eq!(target.resolve(&from).await.unwrap(), None);
}

#[tokio::test]
async fn several_images_are_added_to_what_docker_saved() {
    let (_folder, path) = folder();
    classic(&path, ENTRY, &config_of(2));
    let source = memory("a");
    let image = push_image(&source, "linux/amd64", &[content(1, 10)], &[tag("x")]).await;
    for name in ["app", "x.io/other"] {
        let archive = Archive::new(&path, docker(name));
        let options = CopyOptions { force: true, ..tags(&["v1", "v9"]) };
        let from = Selector::Tag(tag("x"));
        assert!(copy(&source, &from, &archive, &options, &()).await.unwrap().changed);
        assert!(!copy(&source, &from, &archive, &options, &()).await.unwrap().changed);
    }
    for (name, version, is_new) in
        [("app", "v1", true), ("x.io/other", "v9", true), ("x.io/t/app", "v2", false)]
    {
        let archive = Archive::new(&path, docker(name));
        let found = read_whole(&archive, version).await;
        assert_eq!(found.digest() == image.digest(), is_new, "{name}:{version}");
    }
    let several = Archive::without_tag(&path, ArchiveFormat::Docker(None));
    let error = several.resolve(&Selector::Tag(tag("latest"))).await.unwrap_err();
    assert!(
        error.to_string().ends_with(
            "it holds 5 images, choose `x.io/t/app:v2`, `docker.io/library/app:v1`, \
             `docker.io/library/app:v9`, `x.io/other:v1` or `x.io/other:v9`"
        ),
        "{error}"
    );
    let again = Archive::without_tag(&path, OCI);
    assert_eq!(again.manifest(&Selector::Tag(tag("v9"))).await.unwrap().digest(), image.digest());
}

#[tokio::test]
async fn docker_archives_take_images_of_one_platform_alone() {
    let (_folder, path) = folder();
    let source = memory("a");
    push_index(&source, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    let archive = Archive::new(&path, docker("app"));
    let from = Selector::Tag(tag("v1"));
    let error = copy(&source, &from, &archive, &tags(&["v1"]), &()).await.unwrap_err();
    assert!(error.to_string().contains("choose one with `platforms`"), "{error}");
    let options = CopyOptions { platforms: vec!["linux/arm64".parse().unwrap()], ..tags(&["v1"]) };
    copy(&source, &from, &archive, &options, &()).await.unwrap();
    read_whole(&archive, "v1").await;
    let unnamed = Archive::new(&path, ArchiveFormat::Docker(None));
    let error = copy(&source, &from, &unnamed, &options, &()).await.unwrap_err();
    assert!(error.to_string().contains("write `docker-archive:FILE:REPOSITORY:TAG`"), "{error}");
    let error = archive.delete(&from).await.unwrap_err();
    assert!(error.to_string().contains("nothing is deleted from an archive"), "{error}");
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept_up() {
    let (_folder, path) = folder();
    let parent = path.parent().unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH;
    for name in [".images.tar.windlass-old", ".images.tar.windlass-held", ".other.windlass-old"] {
        fs_err::create_dir_all(parent.join(name)).unwrap();
        fs_err::write(parent.join(name).join("lock"), b"").unwrap();
        fs_err::File::open(parent.join(name)).unwrap().set_modified(old).unwrap();
    }
    let held = fs_err::File::open(parent.join(".images.tar.windlass-held/lock")).unwrap();
    held.file().lock().unwrap();
    let archive = Archive::new(&path, OCI);
    push_image(&archive, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    archive.finish().await.unwrap();
    drop(archive);
    settles(&path, &[".images.tar.windlass-held", ".other.windlass-old", "images.tar"]).await;
}

#[tokio::test]
async fn compressed_layers_of_an_archive_of_docker_are_known_by_their_names() {
    let (_folder, path) = folder();
    let layer: &[u8] = b"\x1f\x8b\x08 compressed, by its looks";
    let config = config_of(1);
    let hex = Digest::of(layer).hex();
    for (name, fits) in
        [(format!("{hex}.tar.gz"), true), (format!("sha256:{hex}"), true), ("x".to_owned(), false)]
    {
        let entry = format!(r#"[{{"Config":"c.json","RepoTags":["app:v1"],"Layers":["{name}"]}}]"#);
        write_tar(
            &path,
            &[("c.json", config.as_bytes()), (&name, layer), ("manifest.json", entry.as_bytes())],
        );
        let archive = Archive::new(&path, docker("app"));
        match archive.manifest(&Selector::Tag(tag("v1"))).await {
            Ok(manifest) => {
                let Some(found) = manifest.blobs().first().cloned() else { panic!("{name}") };
                assert_eq!((found.media_type, fits), (MediaType::DOCKER_LAYER_GZIP, true));
                read_whole(&archive, "v1").await;
            }
            Err(error) => {
                assert!(!fits && error.to_string().contains("its name is not its digest"));
            }
        }
    }
    let bytes = Bytes::from_static(b"unused");
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    let error = Archive::new(&path, OCI).blob(&blob).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "it is no archive of that kind: {error}");
}
