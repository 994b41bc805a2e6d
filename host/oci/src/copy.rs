//! Copies between any two stores.
//!
//! The order makes a failure harmless: blobs, configurations, manifests, indexes, the root under its
//! digest, what speaks about it (`referrers`), and the tags last of all. Whoever reads the target by
//! tag sees the old image or the new one, whole; a tag that is there says that nothing is missing.
//!
//! Requests are the cost that counts, so each is asked for by a need: an unchanged tag costs one
//! `HEAD` on either side, and with referrers two more on the source, and one on the target if there
//! are any. A blob that may be there is asked for by the request that would start to send it;
//! manifests are looked for in the target only if the tag was there with other content. What another
//! copy of the run has seen or brought (`whereabouts`) costs nothing, unless the registry says that
//! it is gone: then the copy is made again without that knowledge.
//!
//! Bytes are hashed once: the stream that the source verifies carries its proof to the target, and
//! chunks are passed on, not copied. In memory are the manifests of one tree (at most 64 MiB), one
//! configuration, and the chunks of as many blobs as may move at a time.
//!
//! `plan` holds source and target against each other, for the copy and for the `forecast`; `tree` is
//! what a manifest leads to; `blobs` moves as `lanes` has room. Never here: a request that changes
//! the source, a tag before its content, bytes that nobody verified.

mod blobs;
mod forecast;
mod lanes;
mod options;
mod plan;
mod referrers;
mod tree;
mod whereabouts;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _};
use report::Kind;

use crate::{
    Content, Descriptor, Digest, Error, Manifest, Platform, Pushed, RepositoryName, Selector,
    Store, Tag,
};
pub use forecast::forecast;
pub use options::{Copied, CopyOptions, Forecast, IndexChoice, MayMount, MovedTag, Referrers};
use plan::{Plan, Source, Target};
use referrers::Levels;
use tree::Tree;
pub use whereabouts::Whereabouts;
use whereabouts::{Claim, Item, PlaceId};

/// Something happened during a copy.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CopyEvent<'a> {
    /// All manifests were read: so many blobs will be looked at.
    Planned {
        /// How many.
        blobs: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Bytes of a blob passed. Those of an attempt that failed are not taken back.
    Bytes(u64),
    /// A blob is in the target.
    Blob {
        /// Which.
        blob: &'a Descriptor,
        /// How it got there.
        pushed: Pushed,
    },
    /// A manifest or index is in the target.
    Manifest {
        /// Which.
        descriptor: &'a Descriptor,
        /// Whether it was sent; otherwise it was there.
        sent: bool,
    },
}

/// Who wants to know about the progress of a copy.
pub trait CopyObserver: Send + Sync {
    /// Something happened.
    fn observe(&self, event: CopyEvent<'_>);
}

/// Nobody.
impl CopyObserver for () {
    fn observe(&self, _event: CopyEvent<'_>) {}
}

/// Copies the manifest or index at `selector` and all that it refers to.
///
/// Blobs that are there are skipped, blobs of the same registry mounted, the rest streamed and
/// verified. Nothing is collected but manifests; nothing is written to the disk but by `to`.
///
/// # Errors
/// [`Error::NotFound`] if `selector` points at nothing; [`Error::Conflict`] if a tag points
/// elsewhere and `force` is off; [`Error::Mismatch`] if bytes are not what their digest says;
/// [`Error::NoSuchPlatform`] if a wanted platform is missing. No tag was written then.
pub async fn copy(
    from: &dyn Store,
    selector: &Selector,
    to: &dyn Store,
    options: &CopyOptions,
    observer: &dyn CopyObserver,
) -> Result<Copied, Error> {
    let job = Job::new(from, to, options, observer);
    match job.run(selector).await {
        // What other copies had seen there is gone: once more, and nothing is believed.
        Err(error) if job.relied.load(Relaxed) && error.is_of_missing_content() => {
            tracing::debug!(%error, "copied again without knowing what is there");
            options.whereabouts.forget(to);
            Job::new(from, to, options, observer).run(selector).await
        }
        result => result,
    }
}

/// The platforms of what stands at `selector`: those of an index, or the one of an image, for which
/// its configuration is read. None for an artifact.
pub async fn platforms(store: &dyn Store, selector: &Selector) -> Result<Vec<Platform>, Error> {
    let manifest = store.manifest(selector).await?;
    match manifest.content() {
        Content::Index(index) => Ok(index.platforms()),
        Content::Image(_) => Ok(blobs::platform_of(store, &manifest).await?.into_iter().collect()),
        Content::Opaque => Ok(Vec::new()),
    }
}

struct Job<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    options: &'a CopyOptions,
    observer: &'a dyn CopyObserver,
    mount_from: Option<RepositoryName>,
    /// The source.
    here: Option<PlaceId>,
    /// The target.
    there: Option<PlaceId>,
    /// Whether something was left out because it was known to be there.
    relied: AtomicBool,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    sent: u64,
    sent_bytes: u64,
    mounted: u64,
    mounted_bytes: u64,
    skipped: u64,
    skipped_bytes: u64,
}

impl<'a> Job<'a> {
    fn new(
        from: &'a dyn Store,
        to: &'a dyn Store,
        options: &'a CopyOptions,
        observer: &'a dyn CopyObserver,
    ) -> Self {
        let mount_from = match (from.mount_source(), to.mount_source()) {
            (Some(a), Some(b)) if a.registry == b.registry && a.repository != b.repository => {
                Some(a.repository)
            }
            _ => None,
        };
        Self {
            from,
            to,
            options,
            observer,
            mount_from,
            here: options.whereabouts.place(from),
            there: options.whereabouts.place(to),
            relied: AtomicBool::default(),
            tally: Mutex::default(),
        }
    }

    async fn run(&self, selector: &Selector) -> Result<Copied, Error> {
        let plan = Plan::make(self, selector).await?;
        let source = &plan.source;
        let pending = plan.target.writable(source.digest(), self.options.force, self.to)?;
        if plan.is_there && pending.is_empty() {
            self.skipped_manifest(&source.descriptor);
            let brought = self.bring_referrers(self.find_referrers(&plan, None).await);
            let referrers = brought.await.map_err(|error| self.lacks_referrers(source, error))?;
            self.finish_target().await?;
            return Ok(self.finish(source, source.platforms(), referrers));
        }
        let root = match &source.manifest {
            Some(root) => root.clone(),
            None => self.read(&source.descriptor).await?,
        };
        let kept = source.kept.as_ref();
        let mut platforms = match root.content() {
            Content::Index(index) => index.platforms_of(kept),
            Content::Image(_) | Content::Opaque => source.platforms(),
        };
        if !plan.is_there {
            let roots = std::slice::from_ref(&root);
            let image = self.contents(roots, kept, plan.target.is_known()).await?;
            platforms.extend(image.filter(|_| platforms.is_empty()));
        }
        let found = self.find_referrers(&plan, Some(&root)).await;
        let has_more = !found.as_ref().is_ok_and(Levels::is_complete);
        // What speaks about it comes behind it, and the tags, which say that all is there, last.
        let is_first = has_more && !plan.is_there && !self.knows(Item::Manifest(root.digest()));
        if is_first {
            self.put_root(&root, kept.is_some(), &[]).await?;
        }
        let brought = self.bring_referrers(found).await;
        let referrers = brought.map_err(|error| self.lacks_referrers(source, error))?;
        if !is_first || !pending.is_empty() {
            self.put_root(&root, kept.is_some(), &pending).await?;
        }
        self.finish_target().await?;
        self.sent_manifest(&root);
        Ok(self.finish(source, platforms, referrers))
    }

    async fn finish_target(&self) -> Result<(), Error> {
        match self.options.finishes {
            true => self.to.finish().await,
            false => Ok(()),
        }
    }

    fn lacks_referrers(&self, source: &Source, error: Error) -> Error {
        let (digest, place) = (Box::new(source.digest()), self.to.name());
        Error::Referrers { digest, place, source: Box::new(error) }
    }

    async fn put_root(&self, root: &Manifest, is_sparse: bool, tags: &[Tag]) -> Result<(), Error> {
        if !is_sparse {
            return self.write(root, tags).await;
        }
        // Not learned: it is not there with all that it leads to.
        self.to.put_manifest(root, tags).await.map_err(|error| match error.kind() {
            Kind::Invalid | Kind::NotFound => {
                let (digest, place) = (Box::new(root.digest()), self.to.name());
                Error::Sparse { digest, place, source: Box::new(error) }
            }
            Kind::Denied
            | Kind::Unauthorized
            | Kind::Conflict
            | Kind::Timeout
            | Kind::Cancelled
            | Kind::Transient
            | Kind::Mismatch
            | Kind::Trap
            | Kind::Failed
            | Kind::Internal => error,
        })
    }

    fn is_same_repository(&self) -> bool {
        let from = self.from.mount_source();
        from.is_some() && from == self.to.mount_source()
    }

    /// Whether all of `source` is in the target, under whatever name.
    async fn has(&self, source: &Source, target: &Target) -> Result<bool, Error> {
        // In the same repository everything is, but for an index that leaves some platforms out.
        if self.is_same_repository() && self.options.platforms.is_empty() {
            return Ok(true);
        }
        // Where no tag tells, the content itself is asked for.
        let asks = self.options.tags.is_empty() || target.is_known();
        let is_there =
            target.has(&source.digest()) || (asks && self.holds(&source.digest()).await?);
        if !is_there {
            return Ok(false);
        }
        // A sparse index tells nothing of what it leads to.
        for digest in source.kept.iter().flatten() {
            if !self.holds(digest).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the target has the manifest; it is asked.
    async fn holds(&self, digest: &Digest) -> Result<bool, Error> {
        Ok(self.to.resolve(&Selector::Digest(*digest)).await?.is_some())
    }

    /// Whether the target is known to have it, so that it need not be asked.
    fn knows(&self, item: Item) -> bool {
        let knows = self.options.whereabouts.knows(self.there, item);
        if knows {
            self.relied.store(true, Relaxed);
        }
        knows
    }

    /// The manifest that `descriptor` points at.
    async fn read(&self, descriptor: &Descriptor) -> Result<Manifest, Error> {
        let manifest = self.from.manifest(&Selector::Digest(descriptor.digest)).await?;
        let found = manifest.bytes().len() as u64;
        if found != descriptor.size {
            let what = format!("manifest {} of {}", descriptor.digest, self.from.name());
            let mismatch =
                crate::Mismatch::Size { expected: descriptor.size, found, at_least: false };
            return Err(Error::mismatch(what, mismatch));
        }
        Ok(manifest)
    }

    /// All that `roots` refer to; the platform of the image, if its configuration came by.
    async fn contents(
        &self,
        roots: &[Manifest],
        kept: Option<&BTreeSet<Digest>>,
        look: bool,
    ) -> Result<Option<Platform>, Error> {
        let tree = Tree::read(self, roots, kept, look).await?;
        for descriptor in &tree.skipped {
            self.skipped_manifest(descriptor);
        }
        let bytes = tree.blobs.iter().map(|blob| blob.size).sum();
        self.observer.observe(CopyEvent::Planned { blobs: tree.blobs.len() as u64, bytes });
        let config = match roots.first().map(Manifest::content) {
            Some(Content::Image(image)) => image.config.as_ref().map(|config| config.digest),
            Some(Content::Index(_) | Content::Opaque) | None => None,
        };
        let platform = self.push_blobs(&tree.blobs, config).await?;
        // Collected, because a closure that lends would keep the whole from being `Send`.
        let puts: Vec<_> = tree.manifests.iter().map(|manifest| self.put(manifest, &[])).collect();
        futures::stream::iter(puts)
            .buffer_unordered(self.options.parallel.max(1))
            .try_collect::<()>()
            .await?;
        // An index may list another, so these go one by one, the inner ones first.
        for index in &tree.indexes {
            self.put(index, &[]).await?;
        }
        Ok(platform)
    }

    fn skipped_manifest(&self, descriptor: &Descriptor) {
        self.count(|tally| {
            tally.skipped += 1;
            tally.skipped_bytes += descriptor.size;
        });
        self.observer.observe(CopyEvent::Manifest { descriptor, sent: false });
    }

    /// Writes what others refer to, or a referrer. Without a tag it is written by one copy alone:
    /// docker-registry takes a link that is being written again for a wrong digest.
    async fn put(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error> {
        let (whereabouts, item) = (&self.options.whereabouts, Item::Manifest(manifest.digest()));
        let _ticket = match tags.is_empty() {
            false => None,
            true => match whereabouts.claim(self.there, item, None).await {
                Claim::Go(ticket, _) => Some(ticket),
                Claim::Present => {
                    self.relied.store(true, Relaxed);
                    self.skipped_manifest(&manifest.descriptor());
                    return Ok(());
                }
            },
        };
        self.write(manifest, tags).await?;
        self.sent_manifest(manifest);
        Ok(())
    }

    /// What is written without failing is there with all that it leads to. Copies that write the
    /// same manifest under several tags do it one after the other, for the same reason.
    async fn write(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error> {
        let (whereabouts, digest) = (&self.options.whereabouts, manifest.digest());
        let turn = whereabouts.claim(self.there, Item::Put(digest), None).await;
        self.to.put_manifest(manifest, tags).await?;
        whereabouts.learn(self.there, Item::Manifest(digest));
        drop(turn);
        Ok(())
    }

    fn sent_manifest(&self, manifest: &Manifest) {
        self.count(|tally| {
            tally.sent += 1;
            tally.sent_bytes += manifest.bytes().len() as u64;
        });
        let descriptor = manifest.descriptor();
        self.observer.observe(CopyEvent::Manifest { descriptor: &descriptor, sent: true });
    }

    fn count(&self, add: impl FnOnce(&mut Tally)) {
        add(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn finish(&self, source: &Source, platforms: Vec<Platform>, referrers: u64) -> Copied {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        Copied {
            descriptor: source.descriptor.clone(),
            source: source.origin,
            changed: tally.sent > 0,
            platforms,
            sent: tally.sent,
            sent_bytes: tally.sent_bytes,
            mounted: tally.mounted,
            mounted_bytes: tally.mounted_bytes,
            skipped: tally.skipped,
            skipped_bytes: tally.skipped_bytes,
            referrers,
        }
    }
}
