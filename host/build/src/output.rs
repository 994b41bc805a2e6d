//! Images that are written: manifests and configurations over layers that are there.

mod assembled;

use bytes::Bytes;
use oci::{Copied, CopyOptions, Descriptor, Manifest, MediaType, Platform, Selector, Store, Tag};
use report::{Fault, Kind};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::filesystem::Filesystem;
use crate::layer::Compression;
use crate::rebase::Rebased;
use assembled::Assembled;

/// The format of manifests and configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// OCI's.
    Oci,
    /// Docker's version 2, schema 2.
    Docker,
}

/// Images that are written together: one, or one for each platform in an index.
pub struct Output {
    format: ImageFormat,
    annotations: Vec<(String, String)>,
    parts: Vec<Part>,
}

/// One image, all but its manifest.
struct Part {
    filesystem: Filesystem,
    platform: Platform,
    config: Bytes,
}

impl Output {
    /// An empty one.
    pub fn new(format: ImageFormat) -> Self {
        Self { format, annotations: Vec::new(), parts: Vec::new() }
    }

    /// An annotation of each manifest, and of the index if there is one.
    pub fn annotate(&mut self, name: &str, value: &str) {
        self.annotations.retain(|(known, _)| known != name);
        self.annotations.push((name.to_owned(), value.to_owned()));
    }

    /// Adds an image: the layers of `filesystem` and a configuration, JSON, whose `rootfs` is filled
    /// in, and whose platform and time are where they are not there. `annotations` are its own.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a configuration that does not fit the layers.
    pub fn add(&mut self, filesystem: &Filesystem, config: &str) -> Result<Descriptor, Error> {
        let (platform, epoch, compression) = {
            let settings = filesystem.builder.settings();
            (settings.platform.clone(), settings.source_date_epoch, settings.compression)
        };
        if self.format == ImageFormat::Docker && matches!(compression, Compression::Zstd { .. }) {
            return Err(Error::invalid(
                "docker's image format has no zstd layers",
                "leave `compression` at gzip, or `format` at oci",
            ));
        }
        if self.parts.iter().any(|part| part.platform == platform) {
            return Err(Error::invalid(
                format!("there is an image for {platform} already"),
                "name each platform once",
            ));
        }
        let config = whole_config(config, filesystem, &platform, epoch)?;
        self.parts.push(Part { filesystem: filesystem.clone(), platform, config });
        let part = self.parts.last().ok_or_else(empty)?;
        Ok(self.manifest(part)?.descriptor())
    }

    /// Adds an image that was moved to another base.
    ///
    /// # Errors
    /// As [`Output::add`].
    pub fn add_rebased(&mut self, rebased: &Rebased) -> Result<Descriptor, Error> {
        self.add(&rebased.filesystem, &rebased.config)
    }

    /// The index, or the one image.
    ///
    /// # Errors
    /// [`Error::Invalid`] if nothing was added.
    pub fn descriptor(&self) -> Result<Descriptor, Error> {
        let manifests = self.manifests()?;
        manifests.last().map(Manifest::descriptor).ok_or_else(empty)
    }

    /// Writes it into `target`, under its digest and `tags`, which are moved if they point elsewhere.
    /// Layers are taken from where they are; `options` says what is known of the target.
    ///
    /// # Errors
    /// What the stores say. No tag was written then.
    pub async fn push(
        &self,
        target: &dyn Store,
        tags: Vec<Tag>,
        options: CopyOptions,
        observer: &dyn oci::CopyObserver,
    ) -> Result<Copied, Error> {
        let manifests = self.manifests()?;
        let root = manifests.last().map(Manifest::digest).ok_or_else(empty)?;
        let from = Assembled::new(manifests, &self.parts).await?;
        let options = CopyOptions { tags, force: true, ..options };
        Ok(oci::copy(&from, &Selector::Digest(root), target, &options, observer).await?)
    }

    /// The manifests, the index last if there is one.
    fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        let mut manifests = Vec::new();
        let mut entries = Vec::new();
        for part in &self.parts {
            let manifest = self.manifest(part)?;
            let descriptor = manifest.descriptor();
            entries.push(json!({
                "mediaType": descriptor.media_type,
                "digest": descriptor.digest,
                "size": descriptor.size,
                "platform": part.platform,
            }));
            manifests.push(manifest);
        }
        if manifests.len() > 1 {
            let media_type = match self.format {
                ImageFormat::Oci => MediaType::OCI_INDEX,
                ImageFormat::Docker => MediaType::DOCKER_INDEX,
            };
            let index = json!({
                "schemaVersion": 2,
                "mediaType": media_type,
                "manifests": entries,
            });
            manifests.push(document(self.annotated(index), media_type)?);
        }
        Ok(manifests)
    }

    fn manifest(&self, part: &Part) -> Result<Manifest, Error> {
        let (media_type, config_type) = match self.format {
            ImageFormat::Oci => (MediaType::OCI_MANIFEST, MediaType::OCI_CONFIG),
            ImageFormat::Docker => (MediaType::DOCKER_MANIFEST, MediaType::DOCKER_CONFIG),
        };
        let layers = part.filesystem.descriptors().map(|layer| {
            let mut own = Descriptor::new(
                layer_type(&layer.media_type, self.format),
                layer.digest,
                layer.size,
            );
            own.urls.clone_from(&layer.urls);
            own
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": Descriptor::of(config_type, &part.config),
            "layers": layers.collect::<Vec<_>>(),
        });
        document(self.annotated(manifest), media_type)
    }

    /// With the annotations, for which docker's format has no place.
    fn annotated(&self, mut document: Value) -> Value {
        if self.format == ImageFormat::Oci
            && !self.annotations.is_empty()
            && let Value::Object(fields) = &mut document
        {
            let mut sorted = self.annotations.clone();
            sorted.sort();
            let annotations: Map<String, Value> =
                sorted.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
            fields.insert("annotations".to_owned(), Value::Object(annotations));
        }
        document
    }
}

/// The configuration with what only the builder knows.
fn whole_config(
    config: &str,
    filesystem: &Filesystem,
    platform: &Platform,
    epoch: i64,
) -> Result<Bytes, Error> {
    let wrong = |why: String| Error::invalid(why, "a configuration is as image-spec says");
    let mut fields: Map<String, Value> = serde_json::from_str(config)
        .map_err(|error| wrong(format!("the configuration is no JSON object: {error}")))?;
    let history = fields.get("history").and_then(Value::as_array);
    if let Some(history) = history {
        let is_layer =
            |entry: &&Value| entry.get("empty_layer").and_then(Value::as_bool) != Some(true);
        let (told, are) = (history.iter().filter(is_layer).count(), filesystem.layers.len());
        if told != are {
            return Err(wrong(format!("the history tells of {told} layers, there are {are}")));
        }
    }
    let diff_ids: Vec<_> = filesystem.layers.iter().map(|layer| layer.layer.diff_id).collect();
    fields.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
    let mut set_if_missing = |name: &str, value: Value| {
        fields.entry(name).or_insert(value);
    };
    set_if_missing("architecture", platform.architecture.clone().into());
    set_if_missing("os", platform.os.clone().into());
    if let Some(variant) = &platform.variant {
        set_if_missing("variant", variant.clone().into());
    }
    set_if_missing("created", rfc3339(epoch).into());
    // Sorted, so that the bytes do not depend on who wrote the fields in which order.
    fields.sort_keys();
    serde_json::to_vec(&fields).map(Bytes::from).map_err(|error| broken(&error))
}

/// Seconds since 1970 as RFC 3339, as configurations have it.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let time = std::time::UNIX_EPOCH
        + std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    humantime::format_rfc3339_seconds(time).to_string()
}

/// What a layer is called in the other format.
fn layer_type(own: &MediaType, format: ImageFormat) -> MediaType {
    const OCI: &str = "application/vnd.oci.image.layer.v1.tar";
    let pairs = [
        (MediaType::new(OCI), MediaType::DOCKER_LAYER),
        (MediaType::OCI_LAYER_GZIP, MediaType::DOCKER_LAYER_GZIP),
        (
            MediaType::new("application/vnd.oci.image.layer.v1.tar+zstd"),
            MediaType::DOCKER_LAYER_ZSTD,
        ),
    ];
    let other = pairs.into_iter().find_map(|(oci, docker)| match format {
        ImageFormat::Oci => (docker == *own).then_some(oci),
        ImageFormat::Docker => (oci == *own).then_some(docker),
    });
    other.unwrap_or_else(|| own.clone())
}

fn document(document: Value, media_type: MediaType) -> Result<Manifest, Error> {
    let bytes = serde_json::to_vec(&document).map(Bytes::from).map_err(|error| broken(&error))?;
    Ok(Manifest::new(media_type, bytes)?)
}

fn broken(error: &serde_json::Error) -> Error {
    Fault::new(Kind::Internal, "a manifest cannot be written as JSON").cause(error).into()
}

fn empty() -> Error {
    Error::invalid("there is no image to write", "add one first")
}
