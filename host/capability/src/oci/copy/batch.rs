//! Several copies at the same time, so that one guest that waits moves many images.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ::oci::Store;
use report::{Fault, Kind, plural};
use tokio::task::JoinSet;

use super::{Copied, CopyRequest, Forecast};
use crate::oci::{GrantedOci, Repository};
use crate::voice::{Unit, Voice};

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
    /// `cancelled.oci`. An archive is written when all that go into it are there.
    pub async fn copy_all(
        &self,
        copies: Vec<PlannedCopy>,
        keep_going: bool,
    ) -> Vec<Result<Copied, Fault>> {
        let has_failed = Arc::new(AtomicBool::new(false));
        let targets: Vec<_> = copies.iter().map(|copy| Arc::clone(&copy.target.store)).collect();
        let count = Arc::new(Count::of(&self.call.voice, copies.len()));
        let mut answers = each(copies, AT_ONCE, |copy| {
            let (oci, has_failed) = (self.clone(), Arc::clone(&has_failed));
            let count = Arc::clone(&count);
            async move {
                if !keep_going && has_failed.load(Ordering::Relaxed) {
                    return Err(not_begun());
                }
                let PlannedCopy { source, selector, target, request } = copy;
                let copied = oci.copy_one(&source, &selector, &target, &request, false).await;
                has_failed.fetch_or(copied.is_err(), Ordering::Relaxed);
                count.one_more();
                copied
            }
        })
        .await;
        self.finish_each(&targets, &mut answers).await;
        answers
    }

    /// Finishes every target into which something was copied; where that fails, nothing was.
    async fn finish_each(&self, targets: &[Arc<dyn Store>], answers: &mut [Result<Copied, Fault>]) {
        let mut finished: Vec<&Arc<dyn Store>> = Vec::new();
        for (place, target) in targets.iter().enumerate() {
            let is_copied = answers.get(place).is_some_and(Result::is_ok);
            if !is_copied || finished.iter().any(|known| Arc::ptr_eq(known, target)) {
                continue;
            }
            finished.push(target);
            let Err(error) = target.finish().await else { continue };
            let fault = self.call.voice.masked(Fault::from(error));
            for (other, answer) in targets.iter().zip(answers.iter_mut()) {
                if Arc::ptr_eq(other, target) && answer.is_ok() {
                    *answer = Err(fault.clone());
                }
            }
        }
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

/// How many of the copies are done, where there are more than can be seen at a time.
struct Count(Option<(Voice, u64)>);

impl Count {
    fn of(voice: &Voice, copies: usize) -> Self {
        Self((copies > AT_ONCE).then(|| {
            let title = format!("copy {}", plural(copies, "image"));
            (voice.clone(), voice.progress_start(&title, Some(copies as u64), Unit::Items))
        }))
    }

    fn one_more(&self) {
        if let Some((voice, id)) = &self.0 {
            voice.progress_advance(*id, 1);
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if let Some((voice, id)) = &self.0 {
            voice.progress_end(*id);
        }
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
