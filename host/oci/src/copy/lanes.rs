//! Room on the wire.
//!
//! On a slow link many streams fill the pauses of each other. On a fast one the processors are the
//! limit, and streams that share them all end at the same time: then every blob waits for the disk
//! of the target at once, and nothing moves meanwhile. So large blobs begin few at a time, and the
//! registry stores the first while the next ones pass; only if the first take long is the link slow,
//! and from then on all go that may.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// From this size on, moving a blob takes longer than asking for it.
const LARGE: u64 = 4 * 1024 * 1024;

/// Fewer streams could leave a fast link idle: one reads while the other is answered.
const LEAST: usize = 2;

/// Who has waited so long knows that the link is slow. Only the first large blobs of a run wait.
const PATIENCE: Duration = Duration::from_millis(500);

/// Room for the blobs of all copies that share it.
pub(super) struct Lanes {
    all: Arc<Semaphore>,
    /// Room for large blobs; closed once the link is known to be slow, and then nobody needs it.
    large: Arc<Semaphore>,
    patience: Duration,
}

/// Room for one blob, until it is dropped.
pub(super) struct Lane {
    _one: Option<OwnedSemaphorePermit>,
    _large: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    /// For `most` blobs at a time.
    pub(super) fn new(most: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(LEAST, usize::from);
        Self::with(most, processors.max(LEAST), PATIENCE)
    }

    fn with(most: usize, large: usize, patience: Duration) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let room = |permits: usize| Arc::new(Semaphore::new(permits));
        Self { all: room(most), large: room(large.min(most)), patience }
    }

    /// Waits for room for a blob of `size` bytes.
    pub(super) async fn enter(&self, size: u64) -> Lane {
        // First, so that who waits for this keeps no small blob waiting.
        let large = if size < LARGE { None } else { self.enter_large().await };
        Lane { _one: Arc::clone(&self.all).acquire_owned().await.ok(), _large: large }
    }

    async fn enter_large(&self) -> Option<OwnedSemaphorePermit> {
        let entered = timeout(self.patience, Arc::clone(&self.large).acquire_owned()).await;
        if entered.is_err() {
            tracing::debug!("the link is slow: more blobs move at a time");
            self.large.close();
        }
        entered.ok()?.ok()
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> Arc<Semaphore> {
        Arc::clone(&self.all)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// How many of the blobs enter at once, one after the other.
    async fn entered(lanes: &Lanes, sizes: &[u64]) -> Vec<Lane> {
        let mut entered = Vec::new();
        for &size in sizes {
            entered.extend(lanes.enter(size).now_or_never());
        }
        entered
    }

    #[tokio::test]
    async fn large_blobs_begin_few_at_a_time_and_small_ones_do_not_wait_for_them() {
        let lanes = Lanes::with(4, 2, Duration::MAX);
        let mut moving = entered(&lanes, &[LARGE; 3]).await;
        assert_eq!(moving.len(), 2);
        moving.extend(entered(&lanes, &[LARGE - 1; 3]).await);
        assert_eq!(moving.len(), 4, "no more than may in all");
        moving.clear();
        assert_eq!(entered(&lanes, &[LARGE]).await.len(), 1, "the next when the first have passed");
    }

    #[tokio::test]
    async fn on_a_slow_link_all_go_that_may() {
        let lanes = Lanes::with(4, 2, Duration::ZERO);
        let mut moving = entered(&lanes, &[LARGE; 2]).await;
        moving.push(lanes.enter(LARGE).await);
        moving.extend(entered(&lanes, &[LARGE; 2]).await);
        assert_eq!(moving.len(), 4);
    }
}
