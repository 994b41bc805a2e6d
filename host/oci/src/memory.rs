//! Images in memory: for the tests of others, and for what is gone when the process is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;

use crate::{
    Algorithm, BlobSource, BlobStream, Descriptor, Digest, Error, Manifest, MediaType, MountSource,
    Pushed, Registry, RepositoryName, Selector, Store, Tag, Upload,
};

/// Repositories in memory.
#[derive(Clone, Default)]
pub struct MemoryRegistry(Arc<Mutex<BTreeMap<RepositoryName, Repository>>>);

/// One repository of a [`MemoryRegistry`].
#[derive(Clone)]
pub struct Memory {
    registry: MemoryRegistry,
    name: RepositoryName,
}

#[derive(Default)]
struct Repository {
    blobs: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<Tag, Digest>,
}

impl MemoryRegistry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// One repository.
    pub fn store(&self, name: &RepositoryName) -> Memory {
        Memory { registry: self.clone(), name: name.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RepositoryName, Repository>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn read<T>(&self, look: impl FnOnce(&Repository) -> Option<T>) -> Option<T> {
        self.registry.lock().get(&self.name).and_then(look)
    }

    fn write<T>(&self, change: impl FnOnce(&mut Repository) -> T) -> T {
        change(self.registry.lock().entry(self.name.clone()).or_default())
    }

    /// Changes what is there; what is not stays so.
    fn remove(&self, change: impl FnOnce(&mut Repository) -> bool) -> bool {
        self.registry.lock().get_mut(&self.name).is_some_and(change)
    }

    fn find(&self, selector: &Selector) -> Option<Manifest> {
        self.read(|repository| {
            let digest = match selector {
                Selector::Digest(digest) => digest,
                Selector::Tag(tag) => repository.tags.get(tag)?,
            };
            repository.manifests.get(digest).cloned()
        })
    }

    fn bytes(&self, digest: &Digest) -> Result<Bytes, Error> {
        self.read(|repository| repository.blobs.get(digest).cloned())
            .ok_or_else(|| Error::NotFound { what: format!("blob {digest}"), place: self.name() })
    }

    fn link(&self, digest: &Digest, from: &RepositoryName) -> bool {
        let mut registry = self.registry.lock();
        let found = registry.get(from).and_then(|other| other.blobs.get(digest).cloned());
        let Some(bytes) = found else { return false };
        registry.entry(self.name.clone()).or_default().blobs.insert(*digest, bytes);
        true
    }
}

impl Store for Memory {
    fn name(&self) -> String {
        format!("memory/{}", self.name)
    }

    fn resolve<'a>(
        &'a self,
        selector: &'a Selector,
    ) -> BoxFuture<'a, Result<Option<Descriptor>, Error>> {
        Box::pin(async move { Ok(self.find(selector).map(|manifest| manifest.descriptor())) })
    }

    fn manifest<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<Manifest, Error>> {
        Box::pin(async move {
            self.find(selector).ok_or_else(|| Error::NotFound {
                what: format!("manifest {selector}"),
                place: self.name(),
            })
        })
    }

    fn put_manifest<'a>(
        &'a self,
        manifest: &'a Manifest,
        tags: &'a [Tag],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.write(|repository| {
                repository.manifests.insert(manifest.digest(), manifest.clone());
                for tag in tags {
                    repository.tags.insert(tag.clone(), manifest.digest());
                }
            });
            Ok(())
        })
    }

    fn blob_size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>> {
        Box::pin(async move {
            Ok(self.read(|repository| repository.blobs.get(digest).map(|b| b.len() as u64)))
        })
    }

    fn blob<'a>(&'a self, blob: &'a Descriptor) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(async move {
            let bytes = self.bytes(&blob.digest)?;
            Ok(BlobStream::new(futures::stream::iter([Ok(bytes)])).verified(blob, &self.name()))
        })
    }

    fn blob_range<'a>(
        &'a self,
        blob: &'a Descriptor,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(async move {
            let bytes = self.bytes(&blob.digest)?;
            let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
            let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
            Ok(BlobStream::new(futures::stream::iter([Ok(bytes.slice(start..end))])))
        })
    }

    fn push_blob<'a>(
        &'a self,
        blob: &'a Descriptor,
        content: &'a dyn BlobSource,
        mount_from: Option<&'a RepositoryName>,
    ) -> BoxFuture<'a, Result<Pushed, Error>> {
        Box::pin(async move {
            if self.read(|repository| repository.blobs.get(&blob.digest).map(|_| ())).is_some() {
                return Ok(Pushed::Present);
            }
            if mount_from.is_some_and(|from| self.link(&blob.digest, from)) {
                return Ok(Pushed::Mounted);
            }
            let mut stream = content.open().await?.verified(blob, "the source");
            let mut bytes = Vec::new();
            while let Some(chunk) = stream.next().await {
                bytes.extend_from_slice(&chunk?);
            }
            self.write(|repository| repository.blobs.insert(blob.digest, Bytes::from(bytes)));
            Ok(Pushed::Sent)
        })
    }

    fn mount_source(&self) -> Option<MountSource> {
        let registry = format!("memory:{:p}", Arc::as_ptr(&self.registry.0));
        Some(MountSource { registry, repository: self.name.clone() })
    }

    fn tags<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let page = self.read(|repository| {
                let behind = |tag: &&Tag| after.is_none_or(|after| tag.as_str() > after);
                Some(
                    repository.tags.keys().filter(behind).take(limit).map(Tag::to_string).collect(),
                )
            });
            page.ok_or_else(|| Error::NotFound {
                what: "repository".to_owned(),
                place: self.name(),
            })
        })
    }

    fn referrers<'a>(
        &'a self,
        digest: &'a Digest,
        artifact_type: Option<&'a MediaType>,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>, Error>> {
        Box::pin(async move {
            let listed = self.read(|repository| {
                let refers = |manifest: &&Manifest| {
                    manifest.subject().is_some_and(|subject| subject.digest == *digest)
                };
                let listed =
                    repository.manifests.values().filter(refers).map(Manifest::as_referrer);
                Some(listed.collect::<Vec<_>>())
            });
            let mut listed = listed.unwrap_or_default();
            listed.retain(|entry| {
                artifact_type.is_none() || entry.artifact_type.as_ref() == artifact_type
            });
            Ok(listed)
        })
    }

    fn delete<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            Ok(self.remove(|repository| match selector {
                Selector::Tag(tag) => repository.tags.remove(tag).is_some(),
                Selector::Digest(digest) => {
                    repository.tags.retain(|_, target| target != digest);
                    repository.manifests.remove(digest).is_some()
                }
            }))
        })
    }

    fn delete_blob<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(
            async move { Ok(self.remove(|repository| repository.blobs.remove(digest).is_some())) },
        )
    }
}

impl Registry for MemoryRegistry {
    fn repository(&self, name: &RepositoryName) -> Arc<dyn Store> {
        Arc::new(self.store(name))
    }

    fn catalog<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let registry = self.lock();
            let behind = |name: &&RepositoryName| after.is_none_or(|after| name.as_str() > after);
            Ok(registry.keys().filter(behind).take(limit).map(ToString::to_string).collect())
        })
    }

    fn repository_with<'a>(
        &'a self,
        blob: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<RepositoryName>, Error>> {
        Box::pin(async move {
            let registry = self.lock();
            let found = registry.iter().find(|(_, repository)| repository.blobs.contains_key(blob));
            Ok(found.map(|(name, _)| name.clone()))
        })
    }

    fn upload<'a>(
        &'a self,
        name: &'a RepositoryName,
        _algorithm: Algorithm,
    ) -> BoxFuture<'a, Result<Box<dyn Upload>, Error>> {
        let upload = MemoryUpload { store: self.store(name), bytes: Vec::new() };
        Box::pin(async { Ok(Box::new(upload) as Box<dyn Upload>) })
    }

    fn tidy(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}

struct MemoryUpload {
    store: Memory,
    bytes: Vec<u8>,
}

impl Upload for MemoryUpload {
    fn append(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        self.bytes.extend_from_slice(&chunk);
        Box::pin(async { Ok(()) })
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn commit(self: Box<Self>, digest: Digest) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let what = || format!("the upload to {}", self.store.name());
            digest.verify(&self.bytes).map_err(|mismatch| Error::mismatch(what(), mismatch))?;
            let bytes = Bytes::from(self.bytes);
            self.store.write(|repository| repository.blobs.insert(digest, bytes));
            Ok(())
        })
    }
}
