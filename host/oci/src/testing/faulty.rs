//! A store that fails at the n-th call, and that is strict about the order of what is written.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;

use crate::{
    BlobSource, BlobStream, Content, Descriptor, Digest, Error, Manifest, MediaType, Memory,
    MountSource, Pushed, RepositoryName, Selector, Store, Tag,
};

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fails {
    /// Nothing happened.
    Before,
    /// All happened, but nobody is told; of a blob that is read half comes.
    After,
}

/// Which call fails; shared by the stores of a test.
pub(crate) struct Faults {
    at: usize,
    fails: Fails,
    calls: AtomicUsize,
    writes: AtomicUsize,
}

impl Faults {
    /// The call `at`, counted from one; 0 is none.
    pub(crate) fn at(at: usize, fails: Fails) -> Arc<Self> {
        Arc::new(Self { at, fails, calls: AtomicUsize::new(0), writes: AtomicUsize::new(0) })
    }

    pub(crate) fn none() -> Arc<Self> {
        Self::at(0, Fails::Before)
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many of them would change the store.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// Whether the call that fails has come.
    pub(crate) fn have_struck(&self) -> bool {
        self.at > 0 && self.calls() >= self.at
    }

    fn next(&self) -> Option<Fails> {
        (self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.at).then_some(self.fails)
    }
}

/// A repository in memory with faults. Takes no manifest before what it leads to, and none that
/// speaks about something that is not there.
pub(crate) struct Faulty {
    pub(crate) inner: Memory,
    pub(crate) faults: Arc<Faults>,
}

fn broken() -> Error {
    Error::invalid("a call", "this is the one that fails")
}

impl Faulty {
    pub(crate) fn new(inner: &Memory, faults: &Arc<Faults>) -> Self {
        Self { inner: inner.clone(), faults: Arc::clone(faults) }
    }

    fn call<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Error>> {
        Box::pin(async move {
            // Others get their turn between any two calls.
            tokio::task::yield_now().await;
            match self.faults.next() {
                Some(Fails::Before) => Err(broken()),
                Some(Fails::After) => call.await.and(Err(broken())),
                None => call.await,
            }
        })
    }

    fn write<'a, T: Send + 'a>(
        &'a self,
        call: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Error>> {
        self.faults.writes.fetch_add(1, Ordering::SeqCst);
        self.call(call)
    }
}

impl Store for Faulty {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn resolve<'a>(
        &'a self,
        selector: &'a Selector,
    ) -> BoxFuture<'a, Result<Option<Descriptor>, Error>> {
        self.call(self.inner.resolve(selector))
    }

    fn manifest<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<Manifest, Error>> {
        self.call(self.inner.manifest(selector))
    }

    fn put_manifest<'a>(
        &'a self,
        manifest: &'a Manifest,
        tags: &'a [Tag],
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.write(async move {
            if let Some(subject) = manifest.subject() {
                let subject = Selector::Digest(subject.digest);
                let found = self.inner.resolve(&subject).await?;
                assert!(found.is_some(), "{} came before its subject", manifest.digest());
            }
            assert_whole(&self.inner, manifest).await;
            self.inner.put_manifest(manifest, tags).await
        })
    }

    fn blob_size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>> {
        self.call(self.inner.blob_size(digest))
    }

    fn blob<'a>(&'a self, blob: &'a Descriptor) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(async move {
            match self.faults.next() {
                Some(Fails::Before) => Err(broken()),
                Some(Fails::After) => {
                    let half = 0..blob.size / 2;
                    let half = self.inner.blob_range(blob, half).await?;
                    let rest = futures::stream::iter([Err::<Bytes, _>(broken())]);
                    Ok(BlobStream::new(half.chain(rest)))
                }
                None => self.inner.blob(blob).await,
            }
        })
    }

    fn blob_range<'a>(
        &'a self,
        blob: &'a Descriptor,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<BlobStream, Error>> {
        self.call(self.inner.blob_range(blob, range))
    }

    fn push_blob<'a>(
        &'a self,
        blob: &'a Descriptor,
        content: &'a dyn BlobSource,
        mount_from: Option<&'a RepositoryName>,
    ) -> BoxFuture<'a, Result<Pushed, Error>> {
        self.write(self.inner.push_blob(blob, content, mount_from))
    }

    fn mount_source(&self) -> Option<MountSource> {
        self.inner.mount_source()
    }

    fn tags<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        self.call(self.inner.tags(after, limit))
    }

    fn referrers<'a>(
        &'a self,
        digest: &'a Digest,
        artifact_type: Option<&'a MediaType>,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>, Error>> {
        self.call(self.inner.referrers(digest, artifact_type))
    }

    fn delete<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<bool, Error>> {
        self.write(self.inner.delete(selector))
    }

    fn delete_blob<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        self.write(self.inner.delete_blob(digest))
    }
}

/// All that the manifest leads to is in the store, with its size.
pub(crate) fn assert_whole<'a>(store: &'a dyn Store, manifest: &'a Manifest) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        for blob in manifest.blobs() {
            let found = store.blob_size(&blob.digest).await.unwrap();
            assert_eq!(found, Some(blob.size), "{} lacks {}", manifest.digest(), blob.digest);
        }
        if let Content::Index(index) = manifest.content() {
            for entry in &index.manifests {
                if !entry.media_type.is_manifest() {
                    let found = store.blob_size(&entry.digest).await.unwrap();
                    assert_eq!(
                        found,
                        Some(entry.size),
                        "{} lacks {}",
                        manifest.digest(),
                        entry.digest
                    );
                    continue;
                }
                let child = store.manifest(&Selector::Digest(entry.digest)).await;
                let child = child.unwrap_or_else(|error| panic!("{}: {error}", manifest.digest()));
                assert_whole(store, &child).await;
            }
        }
    })
}
