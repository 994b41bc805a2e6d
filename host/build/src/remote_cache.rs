//! What was built, kept in a repository for others.
//!
//! A record is an artifact under the tag `windlass-KEY`: its configuration says what the step gave,
//! its only layer is the layer itself, so that a registry keeps it as long as the record and a
//! build that pushes to the same registry mounts it. Whoever may push there can say what a step
//! gives: a cache is trusted like the repository that an image is pulled from.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use oci::{
    BlobSource, BlobStream, Content, Descriptor, Digest, Manifest, MediaType, Selector, Store, Tag,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Error;
use crate::layer::Layer;

const ARTIFACT_TYPE: &str = "application/vnd.windlass.build-record.v1";
const RECORD_TYPE: &str = "application/vnd.windlass.build-record.v1+json";

/// A record is a few hundred bytes.
const LARGEST_RECORD: u64 = 64 * 1024;

/// What a step gave: a layer, or nothing new.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Record {
    key: Digest,
    layer: Option<Layer>,
}

/// The record for `key`: the layer that the step gave, or that it gave none.
///
/// A record that cannot be read is one that is not there; a registry that fails is an error.
pub(crate) async fn look_up(
    store: &Arc<dyn Store>,
    key: &Digest,
) -> Result<Option<Option<Layer>>, Error> {
    let manifest = match store.manifest(&selector(key)?).await {
        Ok(manifest) => manifest,
        Err(oci::Error::NotFound { .. }) => return Ok(None),
        Err(error) if error.kind() == report::Kind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Content::Image(image) = manifest.content() else { return Ok(None) };
    let Some(config) = &image.config else { return Ok(None) };
    let bytes = store.blob(config).await?.collect(LARGEST_RECORD).await?;
    let record: Option<Record> = serde_json::from_slice(&bytes).ok();
    // What is not this record, or not about the layer beside it, was put there by somebody else.
    let is_whole = |record: &Record| {
        record.key == *key
            && record.layer.as_ref().is_none_or(|layer| image.layers.contains(&layer.descriptor))
    };
    Ok(record.filter(is_whole).map(|record| record.layer))
}

/// Keeps what the step with this key gave; `layer` comes with its bytes.
pub(crate) async fn keep(
    store: &dyn Store,
    key: &Digest,
    layer: Option<(&Layer, PathBuf)>,
) -> Result<(), Error> {
    let record = Record { key: *key, layer: layer.as_ref().map(|(layer, _)| (*layer).clone()) };
    let config = serde_json::to_vec(&record).map(Bytes::from).map_err(broken)?;
    let config_descriptor = Descriptor::of(MediaType::new(RECORD_TYPE), &config);
    let layers: Vec<&Descriptor> = layer.iter().map(|(layer, _)| &layer.descriptor).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": ARTIFACT_TYPE,
        "config": config_descriptor,
        "layers": layers,
    });
    let bytes = serde_json::to_vec(&manifest).map(Bytes::from).map_err(broken)?;
    let manifest = Manifest::new(MediaType::OCI_MANIFEST, bytes)?;
    let Selector::Tag(tag) = selector(key)? else { return Ok(()) };
    if store.resolve(&Selector::Tag(tag.clone())).await?.map(|found| found.digest)
        == Some(manifest.digest())
    {
        return Ok(());
    }
    if let Some((layer, path)) = layer {
        let source = FileBlob { path, descriptor: layer.descriptor.clone() };
        store.push_blob(&layer.descriptor, &source, None).await?;
    }
    store.push_blob(&config_descriptor, &BytesBlob(config), None).await?;
    store.put_manifest(&manifest, &[tag]).await?;
    store.finish().await?;
    Ok(())
}

fn selector(key: &Digest) -> Result<Selector, Error> {
    let name = format!("windlass-{}", key.hex());
    let tag: Tag = name.parse().map_err(|_| Error::invalid(format!("`{name}` is no tag"), ""))?;
    Ok(Selector::Tag(tag))
}

fn broken(error: serde_json::Error) -> Error {
    let fault = report::Fault::new(report::Kind::Internal, "a record cannot be written as JSON");
    fault.cause(error).into()
}

/// A blob that is a file.
struct FileBlob {
    path: PathBuf,
    descriptor: Descriptor,
}

impl BlobSource for FileBlob {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, oci::Error>> {
        Box::pin(async move {
            let place = "the build store";
            let stream = BlobStream::of_file(&self.path, 0..self.descriptor.size, place).await?;
            Ok(stream.verified(&self.descriptor, place))
        })
    }
}

/// A blob in memory.
struct BytesBlob(Bytes);

impl BlobSource for BytesBlob {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, oci::Error>> {
        let bytes = self.0.clone();
        Box::pin(async move { Ok(BlobStream::new(futures::stream::iter([Ok(bytes)]))) })
    }
}
