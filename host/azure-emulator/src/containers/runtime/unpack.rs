//! An image as a folder.

use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use futures::StreamExt as _;
use oci::{Content, Descriptor, Manifest, Platform, Selector, Store};
use report::Fault;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::containers::runner::Container;
use crate::registry::source::chain;

/// A configuration is a few KiB.
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;

/// What is in front of the name of what a layer takes away.
const WHITEOUT: &str = ".wh.";
/// What takes away all that lower layers have in a folder.
const OPAQUE: &str = ".wh..wh..opq";

/// Unpacks a container's image, unless that was done, and gives its configuration.
pub(super) async fn image(container: &Container, root: &Path) -> Result<Value, String> {
    let (store, selector) = container.image_source();
    let told = |error: oci::Error| Fault::from(error).message;
    let mut manifest = store.manifest(selector).await.map_err(told)?;
    if let Content::Index(index) = manifest.content() {
        let platform: Platform = format!("linux/{}", architecture())
            .parse()
            .map_err(|_| "this machine's platform has no name".to_owned())?;
        let entry = index.entry_for(&platform);
        let entry = entry.ok_or_else(|| format!("the image has nothing for {platform}"))?.digest;
        manifest = store.manifest(&Selector::Digest(entry)).await.map_err(told)?;
    }
    let Content::Image(image) = manifest.content() else {
        return Err("the image is no image".to_owned());
    };
    let config = image.config.as_ref().ok_or("the image has no configuration")?;
    if config.size > LARGEST_CONFIG {
        return Err("the image's configuration is too large".to_owned());
    }
    let mut bytes = Vec::new();
    let mut stream = store.blob(config).await.map_err(told)?;
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(told)?);
    }
    let config = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let mark = root.with_extension("digest");
    let digest = manifest.digest().to_string();
    if fs_err::read_to_string(&mark).is_ok_and(|known| known == digest) {
        return Ok(config);
    }
    layers(store, &manifest, &image.layers, root).await?;
    fs_err::write(mark, digest).map_err(|error| error.to_string())?;
    Ok(config)
}

/// The word of images for this machine.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

async fn layers(
    store: &dyn Store,
    manifest: &Manifest,
    layers: &[Descriptor],
    root: &Path,
) -> Result<(), String> {
    let told = |error: oci::Error| Fault::from(error).message;
    if root.exists() {
        fs_err::remove_dir_all(root).map_err(|error| error.to_string())?;
    }
    fs_err::create_dir_all(root).map_err(|error| error.to_string())?;
    for layer in layers {
        let temporary = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        let file = fs_err::tokio::File::create(temporary.path()).await;
        let mut file = file.map_err(|error| error.to_string())?;
        let place = manifest.digest().to_string();
        let mut stream = store.blob(layer).await.map_err(told)?.verified(layer, &place);
        while let Some(chunk) = stream.next().await {
            file.write_all(&chunk.map_err(told)?).await.map_err(|error| error.to_string())?;
        }
        file.flush().await.map_err(|error| error.to_string())?;
        let (root, kind) = (root.to_owned(), layer.media_type.as_str().to_owned());
        let applied = tokio::task::spawn_blocking(move || apply(temporary.path(), &kind, &root));
        match applied.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Err(format!("a layer could not be unpacked: {}", chain(&error)));
            }
            Err(_) => return Err("a layer could not be unpacked".to_owned()),
        }
    }
    Ok(())
}

fn apply(file: &Path, kind: &str, root: &Path) -> std::io::Result<()> {
    let file = fs_err::File::open(file)?;
    let bytes: Box<dyn std::io::Read> = match kind {
        // Who compresses on several processors writes several members.
        kind if kind.ends_with("gzip") => Box::new(MultiGzDecoder::new(file)),
        kind if kind.ends_with("zstd") => Box::new(zstd::Decoder::new(file)?),
        _ => Box::new(file),
    };
    let mut archive = tar::Archive::new(bytes);
    archive.set_preserve_permissions(true);
    archive.set_overwrite(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if let Some(gone) = name.strip_prefix(WHITEOUT) {
            take_away(root, &path, (name != OPAQUE).then_some(gone))?;
            continue;
        }
        // Devices are the runtime's business, and few may make them.
        let kind = entry.header().entry_type();
        if kind.is_character_special() || kind.is_block_special() {
            continue;
        }
        if !entry.unpack_in(root)? {
            let why = format!("`{}` leads out of the image", path.display());
            return Err(std::io::Error::other(why));
        }
    }
    Ok(())
}

/// Removes one name beside `mark`, or all there are. Links lead nowhere else.
fn take_away(root: &Path, mark: &Path, name: Option<&str>) -> std::io::Result<()> {
    let plain = mark.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let Ok(folder) = fs_err::canonicalize(root.join(mark.parent().unwrap_or(Path::new("")))) else {
        return Ok(());
    };
    if !plain || !folder.starts_with(fs_err::canonicalize(root)?) {
        return Ok(());
    }
    let gone: Vec<PathBuf> = match name {
        Some(".." | "." | "") => Vec::new(),
        Some(name) => vec![folder.join(name)],
        None => fs_err::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect(),
    };
    for path in gone {
        match fs_err::symlink_metadata(&path) {
            Ok(facts) if facts.is_dir() => fs_err::remove_dir_all(&path)?,
            Ok(_) => fs_err::remove_file(&path)?,
            Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(entries: &[(&str, &str)]) -> tempfile::NamedTempFile {
        let mut archive = tar::Builder::new(tempfile::NamedTempFile::new().unwrap());
        for (name, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn layers_add_and_take_away() {
        let root = tempfile::tempdir().unwrap();
        let add = |entries: &[(&str, &str)]| {
            apply(layer(entries).path(), "application/vnd.oci.image.layer.v1.tar", root.path())
        };
        add(&[("a/one", "1"), ("a/two", "2"), ("b/three", "3")]).unwrap();
        add(&[("a/.wh.one", ""), ("b/.wh..wh..opq", ""), ("b/four", "4")]).unwrap();
        let there = |path: &str| root.path().join(path).exists();
        assert!(!there("a/one") && there("a/two") && !there("b/three") && there("b/four"));
        assert!(!there("a/.wh.one"));
    }

    #[test]
    fn nothing_outside_is_taken_away() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        fs_err::create_dir(&root).unwrap();
        fs_err::write(outer.path().join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(outer.path(), root.join("out")).unwrap();
        for mark in ["../.wh.kept", "out/.wh.kept", ".wh...", "out/.wh..wh..opq"] {
            let name =
                Path::new(mark).file_name().unwrap().to_str().unwrap().strip_prefix(WHITEOUT);
            let name = name.filter(|_| !mark.ends_with(OPAQUE));
            take_away(&root, Path::new(mark), name).unwrap();
        }
        assert!(outer.path().join("kept").exists() && root.exists());
    }
}
