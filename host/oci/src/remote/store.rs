//! A repository of a registry as a store.

use std::ops::Range;

use futures::future::BoxFuture;

use super::RemoteRepository;
use super::transfer::PushError;
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

    /// A transfer that breaks is started over, from the source on, as often as the options say.
    fn push_blob<'a>(
        &'a self,
        blob: &'a Descriptor,
        content: &'a dyn BlobSource,
        mount_from: Option<&'a RepositoryName>,
    ) -> BoxFuture<'a, Result<Pushed, Error>> {
        Box::pin(async move {
            let retry = self.remote.options.retry;
            let mut attempt = 1;
            loop {
                let failed = match self.push_once(blob, content, mount_from).await {
                    Ok(pushed) => return Ok(pushed),
                    // A registry has been asked as often as it may be when its stream gives up.
                    Err(PushError::Source(error @ Error::Remote(_))) => return Err(error),
                    Err(PushError::Source(error) | PushError::Target(error)) => error,
                };
                // What the registry wants has been learned; a fresh token is fetched.
                let is_stale = attempt == 1
                    && matches!(&failed, Error::Remote(e) if e.status().is_some_and(|s| s.as_u16() == 401)
                        && e.method == http::Method::PUT);
                if attempt >= retry.attempts || !(failed.is_transient() || is_stale) {
                    return Err(failed);
                }
                tracing::debug!(attempt, error = %failed, "sent again");
                tokio::time::sleep(retry.pause(attempt)).await;
                attempt += 1;
            }
        })
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
        Box::pin(async move { self.delete_at(&format!("manifests/{selector}")).await })
    }

    fn delete_blob<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.delete_at(&format!("blobs/{digest}")).await })
    }
}
