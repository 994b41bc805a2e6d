//! Several copies at the same time, so that one guest that waits moves many images.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use report::{Fault, Kind};
use tokio::task::JoinSet;

use super::{Copied, CopyRequest, Forecast};
use crate::oci::{GrantedOci, Repository};

/// Four images at once: with six blobs each that fills a link over all pauses, and is little enough
/// for a registry not to mind.
const AT_ONCE: usize = 4;

/// Sixteen forecasts at once: they ask for headers and manifests, and move nothing.
const LOOKS_AT_ONCE: usize = 16;

/// A copy of a batch.
#[derive(Clone)]
pub struct PlannedCopy {
    /// Where from.
    pub source: Repository,
    /// The tag or digest there.
    pub selector: String,
    /// Where to.
    pub target: Repository,
    /// How.
    pub request: CopyRequest,
}

impl GrantedOci {
    /// Makes `copies`, some of them at the same time; the answers are in their order.
    ///
    /// Without `keep_going` none begins after one has failed; those that did not begin then answer
    /// `cancelled.oci`.
    pub async fn copy_all(
        &self,
        copies: Vec<PlannedCopy>,
        keep_going: bool,
    ) -> Vec<Result<Copied, Fault>> {
        let has_failed = Arc::new(AtomicBool::new(false));
        each(copies, AT_ONCE, |copy| {
            let (oci, has_failed) = (self.clone(), Arc::clone(&has_failed));
            async move {
                if !keep_going && has_failed.load(Ordering::Relaxed) {
                    return Err(not_begun());
                }
                let PlannedCopy { source, selector, target, request } = copy;
                let copied = oci.copy(&source, &selector, &target, &request).await;
                has_failed.fetch_or(copied.is_err(), Ordering::Relaxed);
                copied
            }
        })
        .await
    }

    /// What [`Self::copy_all`] would do, by reading alone.
    pub async fn forecast_all(&self, copies: Vec<PlannedCopy>) -> Vec<Result<Forecast, Fault>> {
        each(copies, LOOKS_AT_ONCE, |copy| {
            let oci = self.clone();
            async move {
                let PlannedCopy { source, selector, target, request } = copy;
                oci.forecast(&source, &selector, &target, &request).await
            }
        })
        .await
    }
}

/// Runs `work` for every copy, `most` at once, on all processors: digests are much of the work. Ends
/// them all when it is dropped.
async fn each<T, F>(
    copies: Vec<PlannedCopy>,
    most: usize,
    work: impl Fn(PlannedCopy) -> F,
) -> Vec<Result<T, Fault>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let mut answers = Vec::new();
    answers.resize_with(copies.len(), || Err(not_begun()));
    let mut waiting = copies.into_iter().enumerate();
    let mut tasks = JoinSet::new();
    loop {
        while tasks.len() < most
            && let Some((place, copy)) = waiting.next()
        {
            let copy = work(copy);
            tasks.spawn(async move { (place, copy.await) });
        }
        match tasks.join_next().await {
            Some(Ok((place, answer))) => {
                if let Some(slot) = answers.get_mut(place) {
                    *slot = answer;
                }
            }
            // Nobody but us could cancel one: it panicked, and so do we, for the engine to report.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => return answers,
        }
    }
}

fn not_begun() -> Fault {
    Fault::new(Kind::Cancelled, "the copy was not begun, since another one failed")
        .code("cancelled.oci")
}
