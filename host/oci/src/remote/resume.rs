//! A download that breaks goes on where it broke.

use std::ops::Range;

use futures::StreamExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::RemoteRepository;
use crate::{BlobStream, Descriptor, Error};

/// Breaks of one download in all, however far it comes between them: a layer of 10 GB over a line
/// that breaks every 100 MB. Who hands out a byte at a time is not waited for.
pub(super) const MOST_BREAKS: u32 = 100;

struct State {
    repository: RemoteRepository,
    blob: Descriptor,
    stream: Option<BlobStream>,
    at: u64,
    end: u64,
    /// Since something came that was not there before.
    attempt: u32,
    breaks: u32,
    started: Instant,
    /// Kept over breaks: who waits for room does not hold any.
    _room: Option<OwnedSemaphorePermit>,
}

/// `first`, which is `range` of the blob, and what is missing of it when it breaks off, as often as
/// the options allow without progress.
pub(super) fn stream(
    repository: RemoteRepository,
    blob: Descriptor,
    range: Range<u64>,
    first: BlobStream,
    room: Option<OwnedSemaphorePermit>,
) -> BlobStream {
    let stream = Some(first);
    let start = State {
        repository,
        blob,
        stream,
        at: range.start,
        end: range.end,
        attempt: 1,
        breaks: 0,
        started: Instant::now(),
        _room: room,
    };
    BlobStream::new(futures::stream::try_unfold(start, |mut state| async move {
        loop {
            let failed = match &mut state.stream {
                Some(stream) => match stream.next().await {
                    // What a registry without ranges sends again is cut off: nothing of it is left.
                    Some(Ok(chunk)) if chunk.is_empty() => continue,
                    Some(Ok(chunk)) => {
                        state.at += chunk.len() as u64;
                        state.attempt = 1;
                        return Ok(Some((chunk, state)));
                    }
                    Some(Err(error)) => error,
                    None => return Ok(None),
                },
                None => {
                    // A request that fails has been sent often enough.
                    state.stream = Some(state.rest().await?);
                    continue;
                }
            };
            state.pause(failed).await?;
        }
    }))
}

impl State {
    async fn rest(&mut self) -> Result<BlobStream, Error> {
        self.repository.range(&self.blob, self.at..self.end).await
    }

    /// Waits, unless it has been tried often enough.
    async fn pause(&mut self, failed: Error) -> Result<(), Error> {
        let retry = self.repository.remote.options.retry;
        self.breaks += 1;
        let is_hopeless = self.attempt >= retry.attempts || self.breaks > MOST_BREAKS;
        if is_hopeless || !failed.is_transient() {
            return Err(failed.tried(self.breaks, self.started.elapsed()));
        }
        tracing::debug!(at = self.at, error = %failed, "a download goes on");
        tokio::time::sleep(retry.pause(self.attempt)).await;
        self.attempt += 1;
        self.stream = None;
        Ok(())
    }
}
