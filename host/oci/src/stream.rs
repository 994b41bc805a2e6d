//! Bytes of blobs on their way.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};

use crate::{Descriptor, Digest, Error, Hasher, Verifier};

/// The bytes of a blob, and whether somebody already holds them against their digest.
///
/// Whoever needs proof calls [`BlobStream::verified`]; a stream that carries its proof already is
/// not hashed again, so bytes are hashed once on their way, however many rooms they pass.
pub struct BlobStream {
    inner: BoxStream<'static, Result<Bytes, Error>>,
    proves: Option<(Digest, u64)>,
    checkpoints: Checkpoints,
}

/// How far a stream was hashed, now and then: who must send its end again need not read its start.
#[derive(Clone, Default)]
pub(crate) struct Checkpoints(Arc<Mutex<Vec<(u64, Hasher)>>>);

/// The bytes between two checkpoints: what is read twice, at most, for a hash that goes on. A
/// hundred bytes are kept for each.
const CHECKPOINT_EVERY: u64 = 16 * 1024 * 1024;

/// Where the bytes of a blob come from; opened when, and as often as, they are needed.
pub trait BlobSource: Send + Sync {
    /// The bytes from the start.
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>>;

    /// The bytes behind the first `offset`, for who has those already. Who cannot begin in the
    /// middle reads the start and leaves it out.
    fn open_at(&self, offset: u64) -> BoxFuture<'_, Result<BlobStream, Error>> {
        Box::pin(async move { Ok(self.open().await?.window(offset, u64::MAX)) })
    }
}

impl BlobStream {
    /// Bytes that nobody has checked.
    pub fn new(bytes: impl Stream<Item = Result<Bytes, Error>> + Send + 'static) -> Self {
        Self { inner: bytes.boxed(), proves: None, checkpoints: Checkpoints::default() }
    }

    /// Those of a file in `range`, fewer where it ends; `place` is named in errors.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened.
    pub async fn of_file(path: &Path, range: Range<u64>, place: &str) -> Result<Self, Error> {
        let (path, name) = (path.to_owned(), place.to_owned());
        let open = move || {
            fs_err::File::open(path).map(fs_err::File::into_parts).map_err(|source| Error::Io {
                what: "opening a blob",
                place: name,
                source,
            })
        };
        let (file, _) = crate::layout::blocking(open).await?;
        Ok(crate::layout::read::stream(Arc::new(file), range, place.to_owned()))
    }

    /// A stream that ends in [`Error::Mismatch`] unless its bytes are those of `blob`.
    ///
    /// The last chunk is held back until the verdict, so that nobody is ever given all the bytes of
    /// something that is wrong. `place` is named in the error.
    #[must_use]
    pub fn verified(self, blob: &Descriptor, place: &str) -> Self {
        if self.proves == Some((blob.digest, blob.size)) {
            return self;
        }
        let start = (0, Hasher::new(blob.digest.algorithm()));
        self.verified_from(blob, place, start, Checkpoints::default())
    }

    /// The same for the end of a blob: `start` says what was hashed before it. Further checkpoints
    /// are added to `checkpoints`.
    pub(crate) fn verified_from(
        self,
        blob: &Descriptor,
        place: &str,
        (seen, hasher): (u64, Hasher),
        checkpoints: Checkpoints,
    ) -> Self {
        let checked = Verified {
            inner: self.inner,
            verifier: Some(Verifier::resumed(blob.digest, blob.size, seen, hasher)),
            held: None,
            checkpoints: checkpoints.clone(),
            next_checkpoint: seen.saturating_add(CHECKPOINT_EVERY),
            what: format!("blob {} of {place}", blob.digest),
        };
        let proves = (seen == 0).then_some((blob.digest, blob.size));
        Self { inner: checked.boxed(), proves, checkpoints }
    }

    /// Where its hash could go on, if it is verified.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        self.checkpoints.clone()
    }

    /// `length` bytes behind the first `skip`, which prove nothing.
    pub(crate) fn window(self, skip: u64, length: u64) -> Self {
        let cut = self.scan((skip, length), |(skip, left), chunk| {
            let chunk = chunk.map(|mut chunk: Bytes| {
                let len = chunk.len();
                let drop = usize::try_from(*skip).unwrap_or(usize::MAX).min(len);
                *skip -= drop as u64;
                let mut kept = chunk.split_off(drop);
                kept.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                let is_over = *left == 0;
                *left -= kept.len() as u64;
                (kept, is_over)
            });
            futures::future::ready(match chunk {
                Ok((_, true)) => None,
                Ok((kept, false)) => Some(Ok(kept)),
                Err(error) => Some(Err(error)),
            })
        });
        Self::new(cut)
    }

    /// Shows `seen` the bytes that pass.
    #[must_use]
    pub(crate) fn watched(self, mut seen: impl FnMut(&[u8]) + Send + 'static) -> Self {
        let inner = self.inner.inspect(move |chunk| {
            if let Ok(bytes) = chunk {
                seen(bytes);
            }
        });
        Self { inner: inner.boxed(), proves: self.proves, checkpoints: self.checkpoints }
    }

    /// All the bytes; at most `limit` of them.
    pub async fn collect(mut self, limit: u64) -> Result<Bytes, Error> {
        let mut all = Vec::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if all.is_empty() && chunk.len() as u64 <= limit {
                // Small blobs come in one piece: nothing to copy unless there is more.
                match self.next().await {
                    None => return Ok(chunk),
                    Some(second) => {
                        all.extend_from_slice(&chunk);
                        all.extend_from_slice(&second?);
                    }
                }
            } else {
                all.extend_from_slice(&chunk);
            }
            if all.len() as u64 > limit {
                let why = format!("it has more than {limit} bytes");
                return Err(Error::invalid("a blob that is read as a whole", why));
            }
        }
        Ok(Bytes::from(all))
    }
}

impl Stream for BlobStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner.poll_next_unpin(cx)
    }
}

impl fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStream").field("proves", &self.proves).finish_non_exhaustive()
    }
}

/// Bytes in memory are a source.
impl BlobSource for Bytes {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>> {
        let bytes = self.clone();
        Box::pin(async move { Ok(BlobStream::new(futures::stream::iter([Ok(bytes)]))) })
    }
}

struct Verified {
    inner: BoxStream<'static, Result<Bytes, Error>>,
    /// `None` once the verdict is spoken.
    verifier: Option<Verifier>,
    /// The chunk that is given out when the next one has come.
    held: Option<Bytes>,
    checkpoints: Checkpoints,
    next_checkpoint: u64,
    what: String,
}

impl Checkpoints {
    /// The last one that is not behind `at`.
    pub(crate) fn before(&self, at: u64) -> Option<(u64, Hasher)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find(|(seen, _)| *seen <= at).cloned()
    }

    pub(crate) fn add(&self, seen: u64, hasher: Hasher) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((seen, hasher));
    }

    /// Forgets those behind `at`.
    pub(crate) fn cut(&self, at: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(seen, _)| *seen <= at);
    }
}

impl Stream for Verified {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let Some(verifier) = &mut this.verifier else { return Poll::Ready(None) };
            let step = match futures::ready!(this.inner.poll_next_unpin(cx)) {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => match verifier.update(&chunk) {
                    Ok(()) => {
                        let (seen, hasher) = verifier.state();
                        if seen >= this.next_checkpoint {
                            this.checkpoints.add(seen, hasher.clone());
                            this.next_checkpoint = seen.saturating_add(CHECKPOINT_EVERY);
                        }
                        Ok(Some(chunk))
                    }
                    Err(mismatch) => Err(Error::mismatch(this.what.clone(), mismatch)),
                },
                Some(Err(error)) => Err(error),
                None => Ok(None),
            };
            match step {
                Ok(Some(chunk)) => {
                    if let Some(before) = this.held.replace(chunk) {
                        return Poll::Ready(Some(Ok(before)));
                    }
                }
                Ok(None) => {
                    let verdict = this.verifier.take().map(Verifier::finish);
                    return Poll::Ready(match verdict {
                        Some(Err(mismatch)) => {
                            Some(Err(Error::mismatch(this.what.clone(), mismatch)))
                        }
                        Some(Ok(())) | None => this.held.take().map(Ok),
                    });
                }
                Err(error) => {
                    this.verifier = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MediaType, Mismatch};

    async fn read(chunks: &[&'static [u8]], blob: &Descriptor) -> (Vec<u8>, Option<Error>) {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
        let mut stream = BlobStream::new(futures::stream::iter(chunks)).verified(blob, "here");
        let mut given = Vec::new();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => given.extend_from_slice(&chunk),
                Err(error) => return (given, Some(error)),
            }
        }
        (given, None)
    }

    #[tokio::test]
    async fn wrong_bytes_are_never_given_out_whole() {
        let blob = Descriptor::of(MediaType::OCTET_STREAM, b"onetwo");
        let (given, error) = read(&[b"one", b"", b"two"], &blob).await;
        assert_eq!((given.as_slice(), error.is_none()), (&b"onetwo"[..], true));

        let (given, error) = read(&[b"one", b"twp"], &blob).await;
        assert_eq!(given, b"one");
        assert!(matches!(error, Some(Error::Mismatch { mismatch: Mismatch::Digest { .. }, .. })));

        let (given, error) = read(&[b"one", b"tw"], &blob).await;
        assert_eq!(given, b"one");
        let error = error.unwrap();
        assert!(error.is_transient(), "a cut stream may come whole the next time: {error}");

        let (given, error) = read(&[b"one", b"two", b"three"], &blob).await;
        assert_eq!(given, b"one");
        assert!(!error.unwrap().is_transient());
    }

    #[tokio::test]
    async fn an_empty_blob_is_verified_too() {
        let blob = Descriptor::of(MediaType::OCTET_STREAM, b"");
        assert!(read(&[], &blob).await.1.is_none());
        let lie = Descriptor::new(MediaType::OCTET_STREAM, Digest::of(b"x"), 0);
        assert!(read(&[], &lie).await.1.is_some());
    }

    #[tokio::test]
    async fn collecting_stops_at_the_limit() {
        let chunks = || {
            futures::stream::iter([Ok(Bytes::from_static(b"ab")), Ok(Bytes::from_static(b"cd"))])
        };
        assert_eq!(BlobStream::new(chunks()).collect(4).await.unwrap(), "abcd");
        assert!(BlobStream::new(chunks()).collect(3).await.is_err());
        assert!(
            BlobStream::new(futures::stream::iter([Ok(Bytes::from_static(b"ab"))]))
                .collect(1)
                .await
                .is_err()
        );
    }
}
