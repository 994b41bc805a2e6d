//! Blobs on their way.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _};

use super::lanes::{Lane, Lanes};
use super::whereabouts::{Claim, Item, Permits};
use super::{CopyEvent, Job};
use crate::{
    BlobSource, BlobStream, Content, Descriptor, Digest, Error, LARGEST_MANIFEST, Manifest,
    MediaType, Platform, Pushed, Store,
};

/// A blob in the source, which is opened only if its bytes are needed.
struct Blob<'a> {
    from: &'a dyn Store,
    blob: &'a Descriptor,
    /// Bytes that passed and were not reported yet; the stream outlives borrows, this does not.
    passed: Arc<Mutex<u64>>,
    /// A copy of what passes, of a configuration.
    kept: Option<Arc<Mutex<Vec<u8>>>>,
    /// Room on the wire, which the bytes take while they pass.
    lanes: Arc<Lanes>,
}

impl BlobSource for Blob<'_> {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>> {
        Box::pin(async move {
            let lane = self.lanes.enter(self.blob.size).await;
            Ok(self.watched(self.from.blob(self.blob).await?, lane))
        })
    }

    /// What the target has already is not read again, but of what is kept.
    fn open_at(&self, offset: u64) -> BoxFuture<'_, Result<BlobStream, Error>> {
        Box::pin(async move {
            if offset == 0 || self.kept.is_some() {
                return Ok(self.open().await?.window(offset, u64::MAX));
            }
            let lane = self.lanes.enter(self.blob.size).await;
            let rest = self.from.blob_range(self.blob, offset..self.blob.size).await?;
            Ok(self.watched(rest, lane))
        })
    }
}

impl Blob<'_> {
    fn watched(&self, stream: BlobStream, lane: Lane) -> BlobStream {
        let passed = Arc::clone(&self.passed);
        let kept = self.kept.clone();
        if let Some(kept) = &kept {
            lock(kept).clear();
        }
        stream.watched(move |chunk| {
            // Given back when the stream ends, and with it what watches it.
            let _ = &lane;
            *lock(&passed) += chunk.len() as u64;
            if let Some(kept) = &kept {
                lock(kept).extend_from_slice(chunk);
            }
        })
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job<'_> {
    /// All of `blobs`, several at a time; the platform that `config` names, if its bytes passed.
    pub(super) async fn push_blobs(
        &self,
        blobs: &[Descriptor],
        config: Option<Digest>,
    ) -> Result<Option<Platform>, Error> {
        // Collected, because a closure that lends would keep the whole from being `Send`.
        let pushes: Vec<_> =
            blobs.iter().map(|blob| self.push_blob(blob, config == Some(blob.digest))).collect();
        let kept: Vec<Option<Platform>> = futures::stream::iter(pushes)
            .buffer_unordered(self.options.parallel.max(1))
            .try_collect()
            .await?;
        Ok(kept.into_iter().flatten().next())
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        is_config: bool,
    ) -> Result<Option<Platform>, Error> {
        let (whereabouts, item) = (&self.options.whereabouts, Item::Blob(blob.digest));
        // From the source itself it can be mounted at once.
        let others = self.permits(whereabouts.has_given(self.here, item));
        let others = others.filter(|_| self.mount_from.is_none());
        let (ticket, other) = match whereabouts.claim(self.there, item, others).await {
            Claim::Go(ticket, other) => (ticket, other),
            Claim::Present => {
                self.relied.store(true, Relaxed);
                self.count_blob(blob, Pushed::Present);
                return Ok(None);
            }
        };
        let keeps = is_config && is_image_config(blob);
        let source = Blob {
            from: self.from,
            blob,
            passed: Arc::default(),
            kept: keeps.then(Arc::default),
            lanes: whereabouts.lanes(self.options.parallel),
        };
        let told = self.options.mount_from.as_ref();
        let mount_from = self.mount_from.as_ref().or(other.as_ref()).or(told);
        let push = self.to.push_blob(blob, &source, mount_from);
        let pushed = self.reporting(push, &source.passed).await?;
        ticket.landed();
        if pushed == Pushed::Sent {
            whereabouts.learn_given(self.here, item);
        }
        self.count_blob(blob, pushed);
        Ok(source.kept.and_then(|kept| parse_platform(&lock(&kept))))
    }

    /// From where a blob may be mounted, besides from the source.
    ///
    /// A hostile source may name the digests of what it does not have, to get at them. But what it
    /// has given to this run, hash and all, it can give again: that may come from wherever it is.
    pub(super) fn permits(&self, is_given: bool) -> Option<Permits<'_>> {
        let may_mount = self.options.may_mount.as_deref()?;
        Some(if is_given { &|_| true } else { may_mount })
    }

    fn count_blob(&self, blob: &Descriptor, pushed: Pushed) {
        self.count(|tally| match pushed {
            Pushed::Sent => {
                tally.sent += 1;
                tally.sent_bytes += blob.size;
            }
            Pushed::Mounted => {
                tally.mounted += 1;
                tally.mounted_bytes += blob.size;
            }
            Pushed::Present => {
                tally.skipped += 1;
                tally.skipped_bytes += blob.size;
            }
        });
        self.observer.observe(CopyEvent::Blob { blob, pushed });
    }

    /// Says what passed whenever the transfer moved.
    async fn reporting<T>(
        &self,
        push: BoxFuture<'_, Result<T, Error>>,
        passed: &Mutex<u64>,
    ) -> Result<T, Error> {
        let mut push = push;
        std::future::poll_fn(|cx| {
            let polled = push.as_mut().poll(cx);
            let bytes = std::mem::take(&mut *lock(passed));
            if bytes > 0 {
                self.observer.observe(CopyEvent::Bytes(bytes));
            }
            polled
        })
        .await
    }
}

fn is_image_config(config: &Descriptor) -> bool {
    let is_image = config.media_type == MediaType::OCI_CONFIG
        || config.media_type.as_str().starts_with("application/vnd.docker.container.image.");
    is_image && config.size <= LARGEST_MANIFEST
}

/// The platform that the configuration of an image names.
pub(super) async fn platform_of(
    store: &dyn Store,
    manifest: &Manifest,
) -> Result<Option<Platform>, Error> {
    let config = match manifest.content() {
        Content::Image(image) => image.config.as_ref().filter(|config| is_image_config(config)),
        Content::Index(_) | Content::Opaque => None,
    };
    let Some(config) = config else { return Ok(None) };
    let bytes = store.blob(config).await?.collect(LARGEST_MANIFEST).await?;
    Ok(parse_platform(&bytes))
}

/// An image configuration holds the fields of a platform among others.
fn parse_platform(config: &[u8]) -> Option<Platform> {
    serde_json::from_slice::<Platform>(config).ok().map(|platform| platform.normalised())
}
