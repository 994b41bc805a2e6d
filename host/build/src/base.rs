//! Bases: an image as a build begins with it.

use std::sync::Arc;

use oci::{Content, Descriptor, Digest, Platform, Selector, Store};
use serde::Deserialize;

use crate::error::Error;
use crate::layer::Layer;

/// A configuration is read as a whole; a megabyte is a thousand times the usual one.
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;

/// An image that a filesystem begins with.
pub struct BaseImage {
    /// The reference in full, without digest: `docker.io/library/node:9-alpine`.
    pub name: String,
    /// What the reference pointed at: the index, where there is one.
    pub resolved: Digest,
    /// The manifest for the platform.
    pub manifest: Digest,
    /// The configuration as it is, JSON.
    pub config: String,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Where the bytes of its layers are.
    pub store: Arc<dyn Store>,
}

/// What is needed of a configuration (image-spec, "Image Configuration").
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    rootfs: RootFs,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

#[derive(Default, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// What `selector` of `store` is for `platform`; `name` is what it is called.
///
/// # Errors
/// [`oci::Error::NotFound`], [`oci::Error::NoSuchPlatform`]; [`Error::Invalid`] for what is no image.
pub(crate) async fn resolve(
    store: Arc<dyn Store>,
    selector: &Selector,
    name: String,
    platform: &Platform,
) -> Result<BaseImage, Error> {
    let root = store.manifest(selector).await?;
    let resolved = root.digest();
    let manifest = match root.content() {
        Content::Image(_) => root,
        Content::Index(index) => {
            let digest = choose(resolved, &index.manifests, platform)?;
            store.manifest(&Selector::Digest(digest)).await?
        }
        Content::Opaque => return Err(no_image(&name)),
    };
    let Content::Image(image) = manifest.content() else { return Err(no_image(&name)) };
    let Some(config) = &image.config else { return Err(no_image(&name)) };
    let bytes = store.blob(config).await?.collect(LARGEST_CONFIG).await?;
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| no_image(&name))?;
    let config: Config = serde_json::from_str(&text).map_err(|_| no_image(&name))?;
    if config.rootfs.diff_ids.len() != image.layers.len() {
        return Err(no_image(&name));
    }
    let own = Platform {
        os: config.os,
        architecture: config.architecture,
        variant: config.variant,
        os_version: None,
        os_features: Vec::new(),
    };
    if !own.satisfies(platform) {
        return Err(oci::Error::NoSuchPlatform {
            digest: manifest.digest(),
            missing: vec![platform.clone()],
            present: vec![own.normalised()],
        }
        .into());
    }
    let pairs = image.layers.iter().zip(&config.rootfs.diff_ids);
    let layers = pairs.map(|(descriptor, diff_id)| Layer {
        descriptor: descriptor.clone(),
        diff_id: *diff_id,
        size: 0,
    });
    Ok(BaseImage {
        name,
        resolved,
        manifest: manifest.digest(),
        layers: layers.collect(),
        config: text,
        store,
    })
}

/// The entry of an index for `platform`: the first that is it to the letter, else the first that
/// serves.
fn choose(
    index: Digest,
    entries: &[Descriptor],
    platform: &Platform,
) -> Result<Digest, oci::Error> {
    let fits =
        |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|own| own.satisfies(platform));
    let is_same = |entry: &&Descriptor| {
        entry.platform.as_ref().is_some_and(|own| own.normalised() == platform.normalised())
    };
    let found = entries.iter().filter(fits).find(is_same);
    match found.or_else(|| entries.iter().find(fits)) {
        Some(entry) => Ok(entry.digest),
        None => Err(oci::Error::NoSuchPlatform {
            digest: index,
            missing: vec![platform.clone()],
            // What has no platform of its own, as attestations, is written `unknown/unknown`.
            present: entries
                .iter()
                .filter_map(|entry| entry.platform.clone())
                .filter(|platform| platform.os != "unknown")
                .collect(),
        }),
    }
}

fn no_image(name: &str) -> Error {
    Error::invalid(
        format!("`{name}` is not an image that can be built on"),
        "name a container image; Helm charts, signatures and other artifacts have no filesystem",
    )
}
