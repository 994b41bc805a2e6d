//! Copies between any two stores.
//!
//! The order makes a failure harmless: blobs, configurations, manifests, indexes, and the tags with
//! the last manifest of all. Whoever reads the target sees the old image or the new one, whole.
//!
//! Requests are the cost that counts, so each is asked for by a need: an unchanged tag costs one
//! `HEAD` on either side; a blob that may be there is asked for by the request that would start to
//! send it; manifests are looked for in the target only if the tag was there with other content.

mod blobs;
mod options;
mod tree;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _};

use crate::index::{Selection, select};
use crate::{
    Content, Descriptor, Digest, Error, Manifest, Platform, Pushed, RepositoryName, Selector,
    Store, Tag,
};
pub use options::{Copied, CopyOptions, Forecast, IndexChoice, MovedTag, Referrers, Whereabouts};
use tree::Tree;

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
    let target = Target::look(to, &options.tags).await?;
    let source = match options.platforms.is_empty() {
        true => job.whole(selector, &target).await?,
        false => job.filtered(selector).await?,
    };
    let (digest, place) = (source.descriptor().digest, to.name());
    let pending = target.pending(&digest, options.force, &place)?;
    // Where no tag was to tell, the content itself is asked for.
    // In the same repository everything is, but for an index that leaves some platforms out.
    let is_in_place = job.is_same_repository() && options.platforms.is_empty();
    let is_there = is_in_place
        || match options.tags.is_empty() || target.has_others(&digest) {
            true => to.resolve(&Selector::Digest(digest)).await?.is_some(),
            false => target.has(&digest),
        };
    if is_there && pending.is_empty() {
        let descriptor = source.descriptor();
        observer.observe(CopyEvent::Manifest { descriptor: &descriptor, sent: false });
        return Ok(job.finish(descriptor, false, 1, source.platforms()));
    }
    let manifest = match source {
        Source::Read(manifest) => *manifest,
        Source::Known(descriptor) => job.read(&descriptor).await?,
    };
    let mut found = match manifest.content() {
        Content::Index(index) => index.platforms(),
        Content::Image(_) | Content::Opaque => options.platforms.clone(),
    };
    if !is_there {
        let image = job.contents(&manifest, target.is_known()).await?;
        found.extend(image.filter(|_| found.is_empty()));
    }
    to.put_manifest(&manifest, &pending).await?;
    to.finish().await?;
    job.sent_manifest(&manifest);
    Ok(job.finish(manifest.descriptor(), true, 0, found))
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

/// What is to be copied, as far as it had to be read.
enum Source {
    Known(Box<Descriptor>),
    Read(Box<Manifest>),
}

/// What stands under the tags that are to be written.
struct Target(Vec<(Tag, Option<Descriptor>)>);

impl Source {
    fn descriptor(&self) -> Descriptor {
        match self {
            Self::Known(descriptor) => (**descriptor).clone(),
            Self::Read(manifest) => manifest.descriptor(),
        }
    }

    fn platforms(&self) -> Vec<Platform> {
        match self {
            Self::Read(manifest) => match manifest.content() {
                Content::Index(index) => index.platforms(),
                Content::Image(_) | Content::Opaque => Vec::new(),
            },
            Self::Known(descriptor) => descriptor.platform.iter().cloned().collect(),
        }
    }
}

impl Target {
    async fn look(to: &dyn Store, tags: &[Tag]) -> Result<Self, Error> {
        let looks = tags.iter().map(|tag| async move {
            let found = to.resolve(&Selector::Tag(tag.clone())).await?;
            Ok::<_, Error>((tag.clone(), found))
        });
        Ok(Self(futures::future::try_join_all(looks).await?))
    }

    fn found(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter().filter_map(|(_, found)| found.as_ref().map(|found| &found.digest))
    }

    /// Whether any of the tags is there.
    fn is_known(&self) -> bool {
        self.found().next().is_some()
    }

    fn has(&self, digest: &Digest) -> bool {
        self.found().any(|found| found == digest)
    }

    fn has_others(&self, digest: &Digest) -> bool {
        self.is_known() && !self.has(digest)
    }

    /// The tags that must be written.
    fn pending(&self, digest: &Digest, force: bool, place: &str) -> Result<Vec<Tag>, Error> {
        let mut pending = Vec::new();
        for (tag, found) in &self.0 {
            match found {
                Some(found) if found.digest == *digest => {}
                Some(found) if !force => {
                    return Err(Error::Conflict {
                        tag: tag.clone(),
                        place: place.to_owned(),
                        found: Box::new(found.digest),
                        wanted: Box::new(*digest),
                    });
                }
                Some(_) | None => pending.push(tag.clone()),
            }
        }
        Ok(pending)
    }
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
        Self { from, to, options, observer, mount_from, tally: Mutex::default() }
    }

    fn is_same_repository(&self) -> bool {
        let from = self.from.mount_source();
        from.is_some() && from == self.to.mount_source()
    }

    /// Everything at `selector`; read only if it will have to be.
    async fn whole(&self, selector: &Selector, target: &Target) -> Result<Source, Error> {
        let by_digest = matches!(selector, Selector::Digest(_));
        let needs_digest = self.options.tags.is_empty() && !by_digest;
        if !target.is_known() && !needs_digest {
            return Ok(Source::Read(Box::new(self.from.manifest(selector).await?)));
        }
        let found = self.from.resolve(selector).await?.ok_or_else(|| Error::NotFound {
            what: format!("manifest {selector}"),
            place: self.from.name(),
        })?;
        Ok(Source::Known(Box::new(found)))
    }

    /// What of it is for the wanted platforms.
    async fn filtered(&self, selector: &Selector) -> Result<Source, Error> {
        let wanted = &self.options.platforms;
        let manifest = self.from.manifest(selector).await?;
        let Content::Index(index) = manifest.content() else {
            let platform = blobs::platform_of(self.from, &manifest).await?;
            let fits = |have: &Platform| wanted.iter().any(|want| have.satisfies(want));
            return match platform.as_ref().is_none_or(fits) {
                true => Ok(Source::Read(Box::new(manifest))),
                false => Err(Error::NoSuchPlatform {
                    digest: manifest.digest(),
                    missing: wanted.clone(),
                    present: platform.into_iter().collect(),
                }),
            };
        };
        match select(&manifest, index, wanted)? {
            Selection::Whole => Ok(Source::Read(Box::new(manifest))),
            Selection::One(entry) => Ok(Source::Known(entry)),
            Selection::Some(cut) => Ok(Source::Read(cut)),
        }
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

    /// All that `root` refers to; the platform of its image, if its configuration came by.
    async fn contents(&self, root: &Manifest, look: bool) -> Result<Option<Platform>, Error> {
        let tree = Tree::read(self, root, look).await?;
        let bytes = tree.blobs.iter().map(|blob| blob.size).sum();
        self.observer.observe(CopyEvent::Planned { blobs: tree.blobs.len() as u64, bytes });
        let config = match root.content() {
            Content::Image(image) => image.config.as_ref().map(|config| config.digest),
            Content::Index(_) | Content::Opaque => None,
        };
        let platform = self.push_blobs(&tree.blobs, config).await?;
        // Collected, because a closure that lends would keep the whole from being `Send`.
        let puts: Vec<_> = tree.manifests.iter().map(|manifest| self.put(manifest)).collect();
        futures::stream::iter(puts)
            .buffer_unordered(self.options.parallel.max(1))
            .try_collect::<()>()
            .await?;
        // An index may list another, so these go one by one, the inner ones first.
        for index in &tree.indexes {
            self.put(index).await?;
        }
        Ok(platform)
    }

    async fn put(&self, manifest: &Manifest) -> Result<(), Error> {
        self.to.put_manifest(manifest, &[]).await?;
        self.sent_manifest(manifest);
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

    fn finish(
        &self,
        descriptor: Descriptor,
        changed: bool,
        skipped: u64,
        platforms: Vec<Platform>,
    ) -> Copied {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        Copied {
            descriptor,
            changed,
            platforms,
            sent: tally.sent,
            sent_bytes: tally.sent_bytes,
            mounted: tally.mounted,
            mounted_bytes: tally.mounted_bytes,
            skipped: tally.skipped + skipped,
            skipped_bytes: tally.skipped_bytes,
            referrers: 0,
        }
    }
}
