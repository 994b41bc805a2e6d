//! A repository of a registry as a store.

use std::ops::Range;

use futures::future::BoxFuture;

use super::{RemoteRepository, upload};
use crate::{
    BlobSource, BlobStream, Descriptor, Digest, Error, Manifest, MediaType, MountSource, Pushed,
    RepositoryName, Selector, Store, Tag,
};

impl Store for RemoteRepository {
    fn name(&self) -> String {
        self.place()
    }

    fn resolve<'a>(
        &'a self,
        selector: &'a Selector,
    ) -> BoxFuture<'a, Result<Option<Descriptor>, Error>> {
        Box::pin(self.head_manifest(selector))
    }

    fn manifest<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<Manifest, Error>> {
        Box::pin(self.get_manifest(selector))
    }

    fn put_manifest<'a>(
        &'a self,
        manifest: &'a Manifest,
        tags: &'a [Tag],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.write_manifest(manifest, tags))
    }

    fn blob_size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>> {
        Box::pin(self.head_blob(digest))
    }

    fn blob<'a>(&'a self, blob: &'a Descriptor) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(self.get_blob(blob))
    }

    fn blob_range<'a>(
        &'a self,
        blob: &'a Descriptor,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(self.get_range(blob, range))
    }

    fn push_blob<'a>(
        &'a self,
        blob: &'a Descriptor,
        content: &'a dyn BlobSource,
        mount_from: Option<&'a RepositoryName>,
    ) -> BoxFuture<'a, Result<Pushed, Error>> {
        Box::pin(upload::push(self, blob, content, mount_from))
    }

    fn mount_source(&self) -> Option<MountSource> {
        let registry = self.host.base.to_string();
        Some(MountSource { registry, repository: self.name.clone() })
    }

    fn tags<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(self.list_tags(after, limit))
    }

    fn referrers<'a>(
        &'a self,
        digest: &'a Digest,
        artifact_type: Option<&'a MediaType>,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>, Error>> {
        Box::pin(self.list_referrers(digest, artifact_type))
    }

    fn delete<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(self.delete_manifest(selector))
    }

    fn delete_blob<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.delete_at(&format!("blobs/{digest}")).await })
    }
}
