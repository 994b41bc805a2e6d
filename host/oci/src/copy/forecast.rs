//! What a copy would do.
//!
//! Asks as the copy would, and where the copy would just send, for headers. Nothing is written: no
//! method of a store that changes it is called here, or by what is called here.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};

use super::plan::{Plan, Source};
use super::referrers::Levels;
use super::tree::Tree;
use super::whereabouts::Item;
use super::{Job, MovedTag};
use crate::{
    Content, CopyOptions, Descriptor, Digest, Error, Forecast, Manifest, Platform, Selector, Store,
};

/// What becomes of a blob.
enum Fate {
    Send,
    Mount,
    Skip,
}

/// What [`super::copy`] would do with the same arguments, as far as reading tells.
///
/// A tag that points elsewhere is no error here, with `force` or without: it is in
/// [`Forecast::moves`] with what it points at.
///
/// # Errors
/// Those of [`super::copy`], but for the conflict.
pub async fn forecast(
    from: &dyn Store,
    selector: &Selector,
    to: &dyn Store,
    options: &CopyOptions,
) -> Result<Forecast, Error> {
    let job = Job::new(from, to, options, &());
    let plan = Plan::make(&job, selector).await?;
    let moves = plan.target.pending(plan.source.digest());
    let moves = moves.map(|(tag, from)| MovedTag { tag: tag.clone(), from: from.copied() });
    let mut forecast = Forecast::of(&plan, moves.collect());
    // The copy would not ask, but go through the parts: who reads a forecast wants to know.
    forecast.present |= !plan.target.is_known() && job.holds(&plan.source.digest()).await?;
    let mut root = plan.source.manifest.clone();
    if !forecast.changed {
        forecast.skip(plan.source.descriptor.size);
    } else {
        if !plan.is_there {
            let manifest = match root.take() {
                Some(manifest) => manifest,
                None => job.read(&plan.source.descriptor).await?,
            };
            let kept = plan.source.kept.as_ref();
            let roots = std::slice::from_ref(&manifest);
            job.weigh(roots, kept, plan.target.is_known(), &mut forecast).await?;
            if forecast.platforms.is_empty() {
                forecast.platforms = named_platforms(&job, &manifest, &plan.source).await?;
            }
            root = Some(manifest);
        }
        forecast.send(plan.source.descriptor.size);
    }
    let levels = job.find_referrers(&plan, root.as_ref()).await?;
    job.weigh_referrers(&levels, &mut forecast).await?;
    Ok(forecast)
}

impl Forecast {
    fn of(plan: &Plan, moves: Vec<MovedTag>) -> Self {
        Self {
            descriptor: plan.source.descriptor.clone(),
            source: plan.source.origin,
            changed: !(plan.is_there && moves.is_empty()),
            present: plan.is_there,
            platforms: plan.source.platforms(),
            send: 0,
            send_bytes: 0,
            mount: 0,
            mount_bytes: 0,
            skip: 0,
            skip_bytes: 0,
            referrers: 0,
            moves,
        }
    }

    fn send(&mut self, bytes: u64) {
        self.send += 1;
        self.send_bytes += bytes;
    }

    fn mount(&mut self, bytes: u64) {
        self.mount += 1;
        self.mount_bytes += bytes;
    }

    fn skip(&mut self, bytes: u64) {
        self.skip += 1;
        self.skip_bytes += bytes;
    }
}

async fn named_platforms(
    job: &Job<'_>,
    manifest: &Manifest,
    source: &Source,
) -> Result<Vec<Platform>, Error> {
    match manifest.content() {
        Content::Index(index) => Ok(index.platforms_of(source.kept.as_ref())),
        Content::Image(_) | Content::Opaque => {
            Ok(super::blobs::platform_of(job.from, manifest).await?.into_iter().collect())
        }
    }
}

impl Job<'_> {
    /// Adds all that `roots` lead to.
    async fn weigh(
        &self,
        roots: &[Manifest],
        kept: Option<&BTreeSet<Digest>>,
        look: bool,
        forecast: &mut Forecast,
    ) -> Result<(), Error> {
        let tree = Tree::read(self, roots, kept, look).await?;
        for manifest in tree.manifests.iter().chain(&tree.indexes) {
            forecast.send(manifest.bytes().len() as u64);
        }
        tree.skipped.iter().for_each(|entry| forecast.skip(entry.size));
        // Collected, because a closure that lends would keep the whole from being `Send`.
        let looks: Vec<_> = tree.blobs.iter().map(|blob| self.fate(blob)).collect();
        let fates: Vec<(Fate, u64)> = futures::stream::iter(looks)
            .buffer_unordered(self.options.parallel.max(1))
            .try_collect()
            .await?;
        for (fate, bytes) in fates {
            match fate {
                Fate::Send => forecast.send(bytes),
                Fate::Mount => forecast.mount(bytes),
                Fate::Skip => forecast.skip(bytes),
            }
        }
        Ok(())
    }

    async fn weigh_referrers(&self, levels: &Levels, forecast: &mut Forecast) -> Result<(), Error> {
        for found in &levels.there {
            forecast.referrers += 1;
            forecast.skip(found.descriptor.size);
        }
        for level in &levels.missing {
            let manifests = self.read_all(level).await?;
            self.weigh(&manifests, None, false, forecast).await?;
            for found in level {
                forecast.changed = true;
                forecast.referrers += 1;
                forecast.send(found.descriptor.size);
            }
        }
        Ok(())
    }

    async fn fate(&self, blob: &Descriptor) -> Result<(Fate, u64), Error> {
        let (whereabouts, item) = (&self.options.whereabouts, Item::Blob(blob.digest));
        let fate = if self.knows(item) || whereabouts.is_foretold(self.there, item) {
            Fate::Skip
        } else if self.to.blob_size(&blob.digest).await?.is_some() {
            whereabouts.learn(self.there, item);
            Fate::Skip
        } else if whereabouts.foretell(self.there, item) {
            // Another forecast was quicker.
            Fate::Skip
        } else if self.mount_from.is_some()
            || self.is_elsewhere(item)
            || self.is_where_told(&blob.digest).await?
        {
            Fate::Mount
        } else {
            // What the source would give, it could give again.
            whereabouts.foretell(self.here, item);
            Fate::Send
        };
        Ok((fate, blob.size))
    }

    /// Whether the repository has it that may be mounted from.
    async fn is_where_told(&self, digest: &Digest) -> Result<bool, Error> {
        match &self.options.mount_store {
            Some(store) => Ok(store.blob_size(digest).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Whether it could be mounted from a repository that other copies have seen.
    fn is_elsewhere(&self, item: Item) -> bool {
        let whereabouts = &self.options.whereabouts;
        let is_given =
            whereabouts.has_given(self.here, item) || whereabouts.is_foretold(self.here, item);
        let permits = self.permits(is_given);
        permits.is_some_and(|may| whereabouts.elsewhere(self.there, item, may).is_some())
    }
}
