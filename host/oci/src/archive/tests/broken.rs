//! Archives that are none, or not what they say.

use super::*;

#[tokio::test]
async fn what_is_no_archive_of_images_is_said() {
    let (_folder, path) = folder();
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let check = async |format: &ArchiveFormat, expected: &str| {
        let archive = Archive::new(&path, format.clone());
        let error = archive.resolve(&Selector::Tag(tag("v1"))).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    };
    let docker = docker("app");
    for (bytes, expected) in [
        (&b"\x1f\x8b\x08\0\0\0\0\0\0\0"[..], "compressed with gzip, unpack it first with `gunzip`"),
        (b"\x28\xb5\x2f\xfd\0\0\0\0", "`unzstd`"),
        (b"PK\x03\x04 this is no tar archive at all", "no whole tar archive"),
        (b"", "has no"),
    ] {
        fs_err::write(&path, bytes).unwrap();
        check(&OCI, expected).await;
        check(&docker, expected).await;
    }
    for (files, oci, in_docker) in [
        (vec![("a", "b")], "it has no `index.json`", "it has no `manifest.json`"),
        (vec![("manifest.json", "[]")], "write `docker-archive:`", ""),
        (vec![("index.json", "{}")], "", "write `oci-archive:`"),
        (vec![("repositories", "{}")], "", "save the image with a current docker"),
        (vec![("index.json", "[]"), ("manifest.json", "{}")], "index.json", "index.json"),
        (vec![("manifest.json", "{}")], "", "`manifest.json`: "),
        (vec![("index.json", "{}"), ("./index.json", "{}")], "it has `index.json` twice", ""),
        (
            vec![("manifest.json", r#"[{"Config":"../c","Layers":[]}]"#)],
            "",
            "names `../c`, which is not in it",
        ),
    ] {
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        write_tar(&path, &files);
        if !oci.is_empty() {
            check(&OCI, oci).await;
        }
        if !in_docker.is_empty() {
            check(&docker, in_docker).await;
        }
    }
    classic(&path, ENTRY, &config_of(1));
    check(&docker, "knows 1 layer, `manifest.json` lists 2").await;
    classic(&path, &ENTRY.replace("one/layer", "zero/layer"), &config_of(2));
    check(&docker, "names `zero/layer.tar`").await;
    classic(&path, ENTRY, "[]");
    check(&docker, "`c.json`: ").await;
}

#[tokio::test]
async fn an_archive_that_is_cut_off_anywhere_is_refused_or_found_when_it_is_read() {
    let (_folder, path) = folder();
    let source = memory("a");
    push_image(&source, "linux/amd64", &[content(1, 3000)], &[tag("v1")]).await;
    let archive = Archive::new(&path, OCI);
    let from = Selector::Tag(tag("v1"));
    copy(&source, &from, &archive, &tags(&["v1"]), &()).await.unwrap();
    let whole = fs_err::read(&path).unwrap();
    let data = whole.len() - 1024;
    for length in (0..data).step_by(100) {
        fs_err::write(&path, &whole[..length]).unwrap();
        let target = memory("b");
        let result = copy(&Archive::new(&path, OCI), &from, &target, &tags(&["v1"]), &()).await;
        assert!(result.is_err(), "{length}");
        assert_eq!(target.resolve(&from).await.unwrap(), None);
    }
}

#[tokio::test]
async fn damaged_bytes_are_found_when_they_are_read() {
    let (_folder, path) = folder();
    let source = memory("a");
    push_image(&source, "linux/amd64", &[content(1, 3000)], &[tag("v1")]).await;
    let from = Selector::Tag(tag("v1"));
    copy(&source, &from, &Archive::new(&path, OCI), &tags(&["v1"]), &()).await.unwrap();
    let whole = fs_err::read(&path).unwrap();
    for at in (0..whole.len() - 1024).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        fs_err::write(&path, &damaged).unwrap();
        let target = memory("b");
        // Padding and fields that nobody reads may be anything; what arrives is right, or nothing.
        if copy(&Archive::new(&path, OCI), &from, &target, &tags(&["v1"]), &()).await.is_ok() {
            let expected = source.manifest(&from).await.unwrap();
            assert_eq!(read_whole(&target, "v1").await.bytes(), expected.bytes());
        } else {
            assert_eq!(target.resolve(&from).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn links_lead_nowhere_but_into_the_archive() {
    let (folder, path) = folder();
    fs_err::write(folder.path().join("secret.json"), config_of(0)).unwrap();
    for target in ["../secret.json", "/etc/passwd", "c.json", "x.json", "../../secret.json"] {
        let link = format!("->{target}");
        let entry = br#"[{"Config":"c.json","RepoTags":["app:v1"],"Layers":[]}]"#;
        write_tar(
            &path,
            &[("c.json", link.as_bytes()), ("x.json", b"->c.json"), ("manifest.json", entry)],
        );
        let archive = Archive::new(&path, docker("app"));
        let error = archive.resolve(&Selector::Tag(tag("v1"))).await.unwrap_err();
        assert!(error.to_string().contains("names `c.json`, which is not in it"), "{error}");
    }
}
