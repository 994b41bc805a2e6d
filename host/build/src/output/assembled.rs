//! What was built, as a store that images can be copied from.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use oci::{
    BlobSource, BlobStream, Descriptor, Digest, Error, Manifest, MediaType, MountSource, Pushed,
    RepositoryName, Selector, Store, Tag,
};

use super::Part;
use crate::error::blocking;

const PLACE: &str = "the build store";

/// Manifests and configurations in memory, layers where they are.
pub(super) struct Assembled {
    manifests: BTreeMap<Digest, Manifest>,
    configs: BTreeMap<Digest, Bytes>,
    layers: BTreeMap<Digest, Place>,
    mount: Option<MountSource>,
}

/// Where the bytes of a layer are.
enum Place {
    /// In the store of builds.
    File(PathBuf),
    /// In the place that its base came from.
    Elsewhere(Arc<dyn Store>),
}

impl Assembled {
    pub(super) async fn new(
        manifests: Vec<Manifest>,
        parts: &[Part],
    ) -> Result<Self, crate::Error> {
        let mut layers = BTreeMap::new();
        let mut mount = None;
        for part in parts {
            let work = part.filesystem.builder.work().await?;
            let stack = Arc::clone(&part.filesystem.layers);
            let digests: Vec<Digest> =
                stack.iter().map(|layer| layer.layer.descriptor.digest).collect();
            let files = blocking(move || {
                let files: Result<Vec<_>, _> =
                    digests.iter().map(|digest| work.blob(digest)).collect();
                Ok(files?)
            })
            .await?;
            for (layer, file) in stack.iter().zip(files) {
                let place = match (file, &layer.from) {
                    (Some(path), _) => Place::File(path),
                    (None, Some(store)) => Place::Elsewhere(Arc::clone(store)),
                    (None, None) => continue,
                };
                // The registry of the first base: layers of others are sent.
                if mount.is_none() {
                    mount = layer.from.as_ref().and_then(|store| store.mount_source());
                }
                layers.insert(layer.layer.descriptor.digest, place);
            }
        }
        let configs = parts.iter().map(|part| (Digest::of(&part.config), part.config.clone()));
        let manifests = manifests.into_iter().map(|manifest| (manifest.digest(), manifest));
        Ok(Self { manifests: manifests.collect(), configs: configs.collect(), layers, mount })
    }

    fn find(&self, selector: &Selector) -> Option<&Manifest> {
        match selector {
            Selector::Digest(digest) => self.manifests.get(digest),
            Selector::Tag(_) => None,
        }
    }

    async fn range(&self, blob: &Descriptor, range: Range<u64>) -> Result<BlobStream, Error> {
        if let Some(bytes) = self.configs.get(&blob.digest) {
            let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
            let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
            return Ok(BlobStream::new(futures::stream::iter([Ok(bytes.slice(start..end))])));
        }
        match self.layers.get(&blob.digest) {
            Some(Place::File(path)) => BlobStream::of_file(path, range, PLACE).await,
            Some(Place::Elsewhere(store)) => store.blob_range(blob, range).await,
            None => Err(missing(&blob.digest)),
        }
    }
}

fn missing(digest: &Digest) -> Error {
    Error::NotFound { what: format!("blob {digest}"), place: PLACE.to_owned() }
}

/// What is assembled is only read.
fn read_only<T: Send>() -> BoxFuture<'static, Result<T, Error>> {
    let what = "a build".to_owned();
    Box::pin(async { Err(Error::Invalid { what, why: "it is only read".to_owned() }) })
}

impl Store for Assembled {
    fn name(&self) -> String {
        PLACE.to_owned()
    }

    fn resolve<'a>(
        &'a self,
        selector: &'a Selector,
    ) -> BoxFuture<'a, Result<Option<Descriptor>, Error>> {
        Box::pin(async move { Ok(self.find(selector).map(Manifest::descriptor)) })
    }

    fn manifest<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<Manifest, Error>> {
        Box::pin(async move {
            self.find(selector).cloned().ok_or_else(|| Error::NotFound {
                what: format!("manifest {selector}"),
                place: self.name(),
            })
        })
    }

    fn put_manifest<'a>(
        &'a self,
        _manifest: &'a Manifest,
        _tags: &'a [Tag],
    ) -> BoxFuture<'a, Result<(), Error>> {
        read_only()
    }

    fn blob_size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>> {
        Box::pin(async move {
            if let Some(bytes) = self.configs.get(digest) {
                return Ok(Some(bytes.len() as u64));
            }
            match self.layers.get(digest) {
                Some(Place::File(path)) => {
                    let facts = tokio::fs::metadata(path).await.map_err(|source| Error::Io {
                        what: "reading a blob",
                        place: PLACE.to_owned(),
                        source,
                    })?;
                    Ok(Some(facts.len()))
                }
                Some(Place::Elsewhere(store)) => store.blob_size(digest).await,
                None => Ok(None),
            }
        })
    }

    fn blob<'a>(&'a self, blob: &'a Descriptor) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(async move {
            match self.layers.get(&blob.digest) {
                Some(Place::Elsewhere(store)) => store.blob(blob).await,
                Some(Place::File(_)) | None => {
                    Ok(self.range(blob, 0..blob.size).await?.verified(blob, PLACE))
                }
            }
        })
    }

    fn blob_range<'a>(
        &'a self,
        blob: &'a Descriptor,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(self.range(blob, range))
    }

    fn push_blob<'a>(
        &'a self,
        _blob: &'a Descriptor,
        _content: &'a dyn BlobSource,
        _mount_from: Option<&'a RepositoryName>,
    ) -> BoxFuture<'a, Result<Pushed, Error>> {
        read_only()
    }

    fn mount_source(&self) -> Option<MountSource> {
        self.mount.clone()
    }

    fn tags<'a>(
        &'a self,
        _after: Option<&'a str>,
        _limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn referrers<'a>(
        &'a self,
        _digest: &'a Digest,
        _artifact_type: Option<&'a MediaType>,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>, Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn delete<'a>(&'a self, _selector: &'a Selector) -> BoxFuture<'a, Result<bool, Error>> {
        read_only()
    }

    fn delete_blob<'a>(&'a self, _digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        read_only()
    }
}
