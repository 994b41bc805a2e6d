//! The one trait over everything that holds images.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{
    Algorithm, BlobSource, BlobStream, Descriptor, Digest, Error, Manifest, MediaType,
    RepositoryName, Selector, Tag,
};

/// One repository: of a registry, in a layout directory, or in memory.
///
/// Contract, held by the same tests for every backend: what is read is verified, digest and size;
/// what was pushed can be read; a tag is written after what it points at; a manifest is its bytes.
pub trait Store: Send + Sync {
    /// The place without tag and digest, for people: `HOST[:PORT]/REPOSITORY`, `oci-layout:PATH`.
    fn name(&self) -> String;

    /// What `selector` points at; `None` where there is nothing. Asks for headers alone.
    fn resolve<'a>(
        &'a self,
        selector: &'a Selector,
    ) -> BoxFuture<'a, Result<Option<Descriptor>, Error>>;

    /// The manifest or index at `selector`, digest checked.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is nothing.
    fn manifest<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<Manifest, Error>>;

    /// Writes a manifest under its digest and under `tags`. What it refers to must be there.
    fn put_manifest<'a>(
        &'a self,
        manifest: &'a Manifest,
        tags: &'a [Tag],
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// The size of a blob; `None` where it is not.
    fn blob_size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>>;

    /// The bytes of a blob; the stream ends in [`Error::Mismatch`] if they are not its bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not.
    fn blob<'a>(&'a self, blob: &'a Descriptor) -> BoxFuture<'a, Result<BlobStream, Error>>;

    /// Some of the bytes of a blob, which nobody can verify; fewer where the blob ends.
    fn blob_range<'a>(
        &'a self,
        blob: &'a Descriptor,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<BlobStream, Error>>;

    /// Writes a blob, verified on its way, unless it is there already.
    ///
    /// `mount_from` names a repository of the same registry that has the blob, or may have it: then
    /// it is linked and `content` never opened, if the registry can.
    fn push_blob<'a>(
        &'a self,
        blob: &'a Descriptor,
        content: &'a dyn BlobSource,
        mount_from: Option<&'a RepositoryName>,
    ) -> BoxFuture<'a, Result<Pushed, Error>>;

    /// Where blobs of this store could be mounted from; `None` where mounting makes no sense.
    fn mount_source(&self) -> Option<MountSource>;

    /// Up to `limit` tags in lexical order, behind `after`.
    fn tags<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>>;

    /// The manifests whose subject is `digest`, of one artifact type or of all.
    fn referrers<'a>(
        &'a self,
        digest: &'a Digest,
        artifact_type: Option<&'a MediaType>,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>, Error>>;

    /// Deletes the tag, or the manifest at the digest with all its tags. False where there was
    /// nothing.
    fn delete<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<bool, Error>>;

    /// Deletes a blob. False where there was nothing.
    fn delete_blob<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>>;

    /// Makes what was written durable where single writes do not: an archive is one file, which is
    /// replaced as a whole. Until then nobody but this store sees it, and dropping it leaves nothing.
    fn finish(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}

/// How a blob came into a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Its bytes were sent.
    Sent,
    /// It was linked from another repository.
    Mounted,
    /// It was there.
    Present,
}

/// The registry and repository that a store stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSource {
    /// What is equal for stores of the same registry and for no others.
    pub registry: String,
    /// The repository there.
    pub repository: RepositoryName,
}

/// Many repositories; what [`crate::serve`] puts the distribution API in front of.
pub trait Registry: Send + Sync {
    /// One repository, which comes into being with its first write.
    fn repository(&self, name: &RepositoryName) -> Arc<dyn Store>;

    /// The names of those that are, up to `limit` in lexical order, behind `after`.
    fn catalog<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>>;

    /// Some repository that has a blob; `None` where none has it, or where looking through all of
    /// them would take too long.
    fn repository_with<'a>(
        &'a self,
        blob: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<RepositoryName>, Error>>;

    /// Takes bytes whose digest is not known yet, for a blob of `name`. The digest will probably be
    /// made by `algorithm`: with another one, the bytes are read a second time.
    fn upload<'a>(
        &'a self,
        name: &'a RepositoryName,
        algorithm: Algorithm,
    ) -> BoxFuture<'a, Result<Box<dyn Upload>, Error>>;

    /// Removes what killed processes left behind, as far as nobody uses it any more.
    fn tidy(&self) -> BoxFuture<'_, Result<(), Error>>;
}

/// A blob that is being received. Dropping it leaves nothing.
pub trait Upload: Send {
    /// Adds bytes at the end. Chunks may be gathered; nothing is durable before `commit`.
    fn append(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), Error>>;

    /// How many bytes were added.
    fn size(&self) -> u64;

    /// Makes a blob of the bytes, if they have `digest`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if they do not; the bytes are gone then.
    fn commit(self: Box<Self>, digest: Digest) -> BoxFuture<'static, Result<(), Error>>;
}
