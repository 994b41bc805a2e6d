//! A download that breaks goes on where it broke.

use futures::StreamExt as _;

use super::RemoteRepository;
use crate::{BlobStream, Descriptor, Error};

struct State {
    repository: RemoteRepository,
    blob: Descriptor,
    stream: Option<BlobStream>,
    at: u64,
    attempt: u32,
}

/// `first`, and what is missing of it by ranges, as often as the options allow without progress.
pub(super) fn stream(
    repository: RemoteRepository,
    blob: Descriptor,
    first: BlobStream,
) -> BlobStream {
    let start = State { repository, blob, stream: Some(first), at: 0, attempt: 1 };
    BlobStream::new(futures::stream::try_unfold(start, |mut state| async move {
        loop {
            let failed = match &mut state.stream {
                Some(stream) => match stream.next().await {
                    Some(Ok(chunk)) => {
                        state.at += chunk.len() as u64;
                        state.attempt = 1;
                        return Ok(Some((chunk, state)));
                    }
                    Some(Err(error)) => error,
                    None => return Ok(None),
                },
                None => match state.rest().await {
                    Ok(stream) => {
                        state.stream = Some(stream);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            state.pause(failed).await?;
        }
    }))
}

impl State {
    async fn rest(&mut self) -> Result<BlobStream, Error> {
        self.repository.get_range(&self.blob, self.at..self.blob.size).await
    }

    /// Waits, unless it has been tried often enough.
    async fn pause(&mut self, failed: Error) -> Result<(), Error> {
        let retry = self.repository.remote.options.retry;
        if self.attempt >= retry.attempts || !failed.is_transient() {
            return Err(failed);
        }
        tracing::debug!(at = self.at, error = %failed, "a download goes on");
        tokio::time::sleep(retry.pause(self.attempt)).await;
        self.attempt += 1;
        self.stream = None;
        Ok(())
    }
}
