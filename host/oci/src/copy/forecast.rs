//! What a copy would do.
//!
//! Asks as the copy would, and where the copy would just send, for headers. Nothing is written: no
//! method of a store that changes it is called here, or by what is called here.

use futures::{StreamExt as _, TryStreamExt as _};

use super::plan::{Plan, Source};
use super::tree::Tree;
use super::{Job, MovedTag};
use crate::{
    Content, CopyOptions, Descriptor, Error, Forecast, Manifest, Platform, Selector, Store,
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
    let digest = plan.source.digest();
    let moves: Vec<MovedTag> = plan
        .target
        .pending(digest)
        .map(|(tag, from)| MovedTag { tag: tag.clone(), from: from.copied() })
        .collect();
    let mut forecast = Forecast {
        descriptor: plan.source.descriptor.clone(),
        changed: !(plan.is_there && moves.is_empty()),
        platforms: plan.source.platforms(),
        send: 0,
        send_bytes: 0,
        mount: 0,
        mount_bytes: 0,
        skip: 0,
        skip_bytes: 0,
        referrers: 0,
        moves,
    };
    if !forecast.changed {
        forecast.skip = 1;
        forecast.skip_bytes = forecast.descriptor.size;
        return Ok(forecast);
    }
    if !plan.is_there {
        let manifest = match &plan.source.manifest {
            Some(manifest) => manifest.clone(),
            None => job.read(&plan.source.descriptor).await?,
        };
        job.weigh(&manifest, &plan, &mut forecast).await?;
        if forecast.platforms.is_empty() {
            forecast.platforms = named_platforms(&job, &manifest, &plan.source).await?;
        }
    }
    forecast.send += 1;
    forecast.send_bytes += forecast.descriptor.size;
    Ok(forecast)
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
    /// Adds all that `root` leads to.
    async fn weigh(
        &self,
        root: &Manifest,
        plan: &Plan,
        forecast: &mut Forecast,
    ) -> Result<(), Error> {
        let tree =
            Tree::read(self, root, plan.source.kept.as_ref(), plan.target.is_known()).await?;
        for manifest in tree.manifests.iter().chain(&tree.indexes) {
            forecast.send += 1;
            forecast.send_bytes += manifest.bytes().len() as u64;
        }
        forecast.skip += tree.skipped.len() as u64;
        forecast.skip_bytes += tree.skipped.iter().map(|entry| entry.size).sum::<u64>();
        // Collected, because a closure that lends would keep the whole from being `Send`.
        let looks: Vec<_> = tree.blobs.iter().map(|blob| self.fate(blob)).collect();
        let fates: Vec<(Fate, u64)> = futures::stream::iter(looks)
            .buffer_unordered(self.options.parallel.max(1))
            .try_collect()
            .await?;
        for (fate, size) in fates {
            let (count, bytes) = match fate {
                Fate::Send => (&mut forecast.send, &mut forecast.send_bytes),
                Fate::Mount => (&mut forecast.mount, &mut forecast.mount_bytes),
                Fate::Skip => (&mut forecast.skip, &mut forecast.skip_bytes),
            };
            *count += 1;
            *bytes += size;
        }
        Ok(())
    }

    async fn fate(&self, blob: &Descriptor) -> Result<(Fate, u64), Error> {
        let fate = match self.to.blob_size(&blob.digest).await? {
            Some(_) => Fate::Skip,
            None if self.mount_from.is_some() => Fate::Mount,
            None => Fate::Send,
        };
        Ok((fate, blob.size))
    }
}
