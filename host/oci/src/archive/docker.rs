//! The lists of `docker save`.
//!
//! `manifest.json` names for each image its configuration, its layers and what it is called. Docker
//! 25 and later put an OCI layout into the same archive; there the manifest of an image is a file and
//! keeps its digest. For older archives one is made: docker's manifest (v2, schema 2), with the
//! configuration as it is and the layers as they lie there, which is the same each time.

use std::collections::BTreeMap;

use bytes::Bytes;
use report::plural;
use serde::{Deserialize, Serialize};

use super::contents::{Contents, blob_path, claimed};
use super::toc::{Extent, compression};
use crate::layout::index_file::IndexFile;
use crate::layout::read::read;
use crate::only_image::Listed;
use crate::{Content, Descriptor, Digest, Error, LARGEST_MANIFEST, Manifest, MediaType, Reference};

/// The annotation under which containerd, and docker with it, looks for an image's name.
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// The annotation that holds the tag (image-spec, "Pre-Defined Annotation Keys").
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An image of `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    /// The file of its configuration.
    pub(super) config: String,
    /// What it is called, `REPOSITORY:TAG` each.
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    /// The files of its layers, the lowest first.
    #[serde(default)]
    pub(super) layers: Vec<String>,
    /// What we do not know and write again.
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// The part of a configuration that says what its layers are (image-spec, "Image Configuration").
#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// Finds or makes the manifest of every image that `manifest.json` lists.
pub(super) fn list(contents: &mut Contents) -> Result<(), Error> {
    let originals = originals(contents)?;
    for entry in contents.docker.clone() {
        let (config, layers) = parts(contents, &entry)?;
        let digests: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
        let manifest = match originals.get(&(config.digest, digests)) {
            Some(manifest) => manifest.clone(),
            None => make(&config, &layers)?,
        };
        let descriptor = manifest.descriptor();
        contents.add_made(manifest);
        let names = entry.repo_tags.unwrap_or_default();
        match names.is_empty() {
            true => contents.images.push(Listed { descriptor, name: None }),
            false => {
                contents.images.extend(names.iter().map(|name| Listed {
                    descriptor: descriptor.clone(),
                    name: Some(full_name(name)),
                }));
            }
        }
    }
    Ok(())
}

/// The manifests that are files, by what they refer to.
fn originals(contents: &Contents) -> Result<BTreeMap<(Digest, Vec<Digest>), Manifest>, Error> {
    let mut found = BTreeMap::new();
    for entry in contents.index.descriptors() {
        let Some(manifest) = contents.manifest(&entry.digest, Some(&entry.media_type))? else {
            continue;
        };
        if let Content::Image(image) = manifest.content()
            && let Some(config) = &image.config
        {
            let layers = image.layers.iter().map(|layer| layer.digest).collect();
            found.insert((config.digest, layers), manifest);
        }
    }
    Ok(found)
}

/// Configuration and layers of an image; where they lie is remembered.
fn parts(contents: &mut Contents, entry: &Entry) -> Result<(Descriptor, Vec<Descriptor>), Error> {
    let absent = |path: &str| format!("`manifest.json` names `{path}`, which is not in it");
    let found = contents.toc.find(&entry.config);
    let (_, extent) = found.ok_or_else(|| contents.invalid(absent(&entry.config)))?;
    let bytes = contents.bytes(&entry.config, extent, LARGEST_MANIFEST)?;
    let diff_ids = diff_ids(&bytes)
        .map_err(|error| contents.invalid(format!("`{}`: {error}", entry.config)))?;
    if diff_ids.len() != entry.layers.len() {
        return Err(contents.invalid(format!(
            "`{}` knows {}, `manifest.json` lists {}",
            entry.config,
            plural(diff_ids.len(), "layer"),
            entry.layers.len()
        )));
    }
    let config = Descriptor::of(MediaType::DOCKER_CONFIG, &bytes);
    contents.blobs.insert(config.digest, extent);
    let mut layers = Vec::new();
    for (path, diff_id) in entry.layers.iter().zip(diff_ids) {
        let found = contents.toc.find(path);
        let (file, extent) = found.ok_or_else(|| contents.invalid(absent(path)))?;
        let layer = layer(contents, &file, extent, diff_id)?;
        contents.blobs.insert(layer.digest, extent);
        layers.push(layer);
    }
    Ok((config, layers))
}

/// The digests of an image's layers as they are in a file system, as its configuration says.
pub(super) fn diff_ids(config: &[u8]) -> Result<Vec<Digest>, serde_json::Error> {
    serde_json::from_slice::<Config>(config).map(|config| config.rootfs.diff_ids)
}

/// A layer lies there as it is in a file system, or compressed; then its name must say its digest.
fn layer(
    contents: &Contents,
    file: &str,
    extent: Extent,
    diff_id: Digest,
) -> Result<Descriptor, Error> {
    let start = read(&contents.file, extent.offset, extent.size.min(8))
        .map_err(|error| contents.invalid(format!("`{file}`: {error}")))?;
    let (media_type, digest) = match (compression(&start), claimed(file).or_else(|| stem(file))) {
        (None, _) => (MediaType::DOCKER_LAYER, diff_id),
        (Some(("gzip", _)), Some(digest)) => (MediaType::DOCKER_LAYER_GZIP, digest),
        (Some(("zstd", _)), Some(digest)) => (MediaType::DOCKER_LAYER_ZSTD, digest),
        (Some((word, _)), _) => {
            return Err(contents.invalid(format!(
                "the layer `{file}` is compressed with {word}, and its name is not its digest"
            )));
        }
    };
    Ok(Descriptor::new(media_type, digest, extent.size))
}

/// kaniko and crane write compressed layers, and name them `[sha256:]HEX.tar.gz`.
fn stem(file: &str) -> Option<Digest> {
    let word = file.rsplit('/').next()?.split('.').next()?;
    format!("sha256:{}", word.strip_prefix("sha256:").unwrap_or(word)).parse().ok()
}

fn make(config: &Descriptor, layers: &[Descriptor]) -> Result<Manifest, Error> {
    let document = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::DOCKER_MANIFEST,
        "config": config,
        "layers": layers,
    });
    Manifest::new(MediaType::DOCKER_MANIFEST, Bytes::from(document.to_string()))
}

/// What an image is called, with all that docker leaves out; a name that is none stays as it is.
fn full_name(name: &str) -> String {
    match name.parse::<Reference>() {
        Ok(reference) => match reference.tag() {
            Some(tag) => format!("{}:{tag}", reference.name()),
            None => reference.name(),
        },
        Err(_) => name.to_owned(),
    }
}

/// Lists `manifest` under `names` in `index.json` and in `manifest.json`; what was called so before
/// keeps its other names.
///
/// # Errors
/// If it is no image of one platform.
pub(super) fn put(
    index: &mut IndexFile,
    list: &mut Vec<Entry>,
    manifest: &Manifest,
    names: &[String],
) -> Result<(), Error> {
    let (config, layers) = image_parts(manifest)?;
    let is_new = |name: &String| !names.contains(&full_name(name));
    for entry in list.iter_mut() {
        if let Some(old) = &mut entry.repo_tags {
            old.retain(is_new);
        }
    }
    let config = blob_path(&config.digest);
    let layers: Vec<String> = layers.iter().map(|layer| blob_path(&layer.digest)).collect();
    let same = list.iter_mut().find(|entry| entry.config == config && entry.layers == layers);
    match same {
        Some(entry) => {
            entry.repo_tags.get_or_insert_default().extend(names.iter().cloned());
        }
        None => list.push(Entry {
            config,
            repo_tags: Some(names.to_vec()),
            layers,
            rest: BTreeMap::new(),
        }),
    }
    let descriptors: Vec<Descriptor> = names
        .iter()
        .map(|name| {
            let mut descriptor = manifest.descriptor();
            descriptor.annotations.set(CONTAINERD_NAME, name);
            if let Some((_, tag)) = name.rsplit_once(':') {
                descriptor.annotations.set(REF_NAME, tag);
            }
            descriptor
        })
        .collect();
    index.replace(CONTAINERD_NAME, manifest, &descriptors);
    Ok(())
}

/// Configuration and layers of an image of one platform.
///
/// # Errors
/// For an index, an artifact, and an image without a configuration that docker understands.
pub(super) fn image_parts(manifest: &Manifest) -> Result<(&Descriptor, &[Descriptor]), Error> {
    let what = || format!("{}", manifest.digest());
    let Content::Image(image) = manifest.content() else {
        return Err(Error::invalid(
            what(),
            "an archive of docker holds images of one platform each, choose one with `platforms`",
        ));
    };
    let is_image = |config: &&Descriptor| {
        config.media_type == MediaType::OCI_CONFIG || config.media_type == MediaType::DOCKER_CONFIG
    };
    match image.config.as_ref().filter(is_image) {
        Some(config) => Ok((config, &image.layers)),
        None => Err(Error::invalid(
            what(),
            "it is an artifact, and an archive of docker holds images alone; use `oci-archive:`",
        )),
    }
}

/// `repositories`, which only tools before 2016 need: the highest layer of each name.
pub(super) fn repositories(list: &[Entry]) -> Vec<u8> {
    let mut found = serde_json::Map::new();
    for entry in list {
        let top = entry.layers.last().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        for name in entry.repo_tags.iter().flatten() {
            let Some((repository, tag)) = name.rsplit_once(':') else { continue };
            let tags = found
                .entry(repository.to_owned())
                .or_insert_with(|| serde_json::Value::Object(serde_json::Map::new()));
            if let Some(tags) = tags.as_object_mut() {
                tags.insert(tag.to_owned(), top.into());
            }
        }
    }
    serde_json::Value::Object(found).to_string().into_bytes()
}

/// `manifest.json`.
pub(super) fn to_bytes(list: &[Entry]) -> Vec<u8> {
    serde_json::to_vec(list).expect("a list has only string keys")
}
