//! Bytes of blobs on their way.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};

use crate::{Descriptor, Digest, Error, Verifier};

/// The bytes of a blob, and whether somebody already holds them against their digest.
///
/// Whoever needs proof calls [`BlobStream::verified`]; a stream that carries its proof already is
/// not hashed again, so bytes are hashed once on their way, however many rooms they pass.
pub struct BlobStream {
    inner: BoxStream<'static, Result<Bytes, Error>>,
    proves: Option<(Digest, u64)>,
}

/// Where the bytes of a blob come from; opened when, and as often as, they are needed.
pub trait BlobSource: Send + Sync {
    /// The bytes from the start.
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>>;
}

impl BlobStream {
    /// Bytes that nobody has checked.
    pub fn new(bytes: impl Stream<Item = Result<Bytes, Error>> + Send + 'static) -> Self {
        Self { inner: bytes.boxed(), proves: None }
    }

    /// A stream that ends in [`Error::Mismatch`] unless its bytes are those of `blob`.
    ///
    /// The last chunk is held back until the verdict, so that nobody is ever given all the bytes of
    /// something that is wrong. `place` is named in the error.
    #[must_use]
    pub fn verified(self, blob: &Descriptor, place: &str) -> Self {
        let proof = Some((blob.digest, blob.size));
        if self.proves == proof {
            return self;
        }
        let checked = Verified {
            inner: self.inner,
            verifier: Some(Verifier::new(blob.digest, blob.size)),
            held: None,
            what: format!("blob {} of {place}", blob.digest),
        };
        Self { inner: checked.boxed(), proves: proof }
    }

    /// Shows `seen` the bytes that pass.
    #[must_use]
    pub(crate) fn watched(self, mut seen: impl FnMut(&[u8]) + Send + 'static) -> Self {
        let inner = self.inner.inspect(move |chunk| {
            if let Ok(bytes) = chunk {
                seen(bytes);
            }
        });
        Self { inner: inner.boxed(), proves: self.proves }
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
    what: String,
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
                    Ok(()) => Ok(Some(chunk)),
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
