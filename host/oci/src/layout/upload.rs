//! Blobs that are being received.
//!
//! Chunks are gathered, then written (and hashed, where nobody else does it) on a blocking thread
//! while the next ones arrive: never more than twice [`GATHER`] bytes are held.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use tempfile::NamedTempFile;

use super::blocking;
use super::disk::Disk;
use crate::{Algorithm, BlobStream, Digest, Error, Hasher, Mismatch, Upload};

/// As much as makes the hop to a blocking thread cheap.
const GATHER: usize = 512 * 1024;

/// What is written to the disk at once while more comes: large enough for the disk's best speed.
const FLUSH: u64 = 4 * 1024 * 1024;

/// A file that becomes a blob.
pub(super) struct LayoutUpload {
    disk: Arc<Disk>,
    /// Nothing while a write is under way, and after one that failed.
    file: Option<Partial>,
    writing: Option<BoxFuture<'static, Result<Partial, Error>>>,
    gathered: Vec<Bytes>,
    gathered_size: usize,
    size: u64,
}

struct Partial {
    file: NamedTempFile,
    written: u64,
    /// Up to where the disk was told to write.
    flushed: u64,
    /// Nothing where somebody else holds the bytes against their digest.
    hasher: Option<(Algorithm, Hasher)>,
}

impl Partial {
    /// Sends the disk to work on what is written, from time to time: otherwise it would begin when
    /// all is here, and whoever pushes would wait for it.
    fn flush(&mut self) {
        let behind = self.written.saturating_sub(self.flushed);
        if behind >= FLUSH {
            start_writeback(self.file.as_file(), self.flushed, behind);
            self.flushed = self.written;
        }
    }
}

/// Pages that are dirty are what this advice writes; those that are written it may forget. It waits
/// for neither.
#[cfg(target_os = "linux")]
fn start_writeback(file: &std::fs::File, offset: u64, length: u64) {
    use rustix::fs::{Advice, fadvise};
    if let Err(error) = fadvise(file, offset, std::num::NonZeroU64::new(length), Advice::DontNeed) {
        tracing::debug!(%error, "a blob is written to the disk at its end");
    }
}

#[cfg(not(target_os = "linux"))]
fn start_writeback(_file: &std::fs::File, _offset: u64, _length: u64) {}

impl LayoutUpload {
    pub(super) async fn start(
        disk: Arc<Disk>,
        hashed_by: Option<Algorithm>,
    ) -> Result<Self, Error> {
        let opened = Arc::clone(&disk);
        let file = blocking(move || opened.partial()).await?;
        let hasher = hashed_by.map(|algorithm| (algorithm, Hasher::new(algorithm)));
        Ok(Self {
            disk,
            file: Some(Partial { file, written: 0, flushed: 0, hasher }),
            writing: None,
            gathered: Vec::new(),
            gathered_size: 0,
            size: 0,
        })
    }

    /// Takes a stream that proves itself.
    pub(super) async fn receive(
        mut self,
        mut content: BlobStream,
        digest: Digest,
    ) -> Result<(), Error> {
        while let Some(chunk) = content.next().await {
            self.add(chunk?).await?;
        }
        let (disk, partial) = (Arc::clone(&self.disk), self.settle().await?);
        blocking(move || disk.keep_blob(partial.file, &digest)).await
    }

    async fn add(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.size = self.size.saturating_add(chunk.len() as u64);
        self.gathered_size += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_size >= GATHER { self.write().await } else { Ok(()) }
    }

    /// Starts to write what was gathered, once what was written before is done.
    async fn write(&mut self) -> Result<(), Error> {
        let mut partial = self.idle().await?;
        let chunks = std::mem::take(&mut self.gathered);
        self.gathered_size = 0;
        let disk = Arc::clone(&self.disk);
        let writing = tokio::task::spawn_blocking(move || {
            for chunk in &chunks {
                partial.file.write_all(chunk).map_err(disk.io("writing a blob"))?;
                partial.written = partial.written.saturating_add(chunk.len() as u64);
                if let Some((_, hasher)) = &mut partial.hasher {
                    hasher.update(chunk);
                }
            }
            partial.flush();
            Ok(partial)
        });
        let disk = Arc::clone(&self.disk);
        self.writing = Some(Box::pin(async move {
            let stopped = |_| disk.io("writing a blob")(std::io::ErrorKind::Interrupted.into());
            writing.await.map_err(stopped)?
        }));
        Ok(())
    }

    async fn idle(&mut self) -> Result<Partial, Error> {
        if let Some(writing) = &mut self.writing {
            let done = writing.await;
            self.writing = None;
            self.file = Some(done?);
        }
        let gone = || self.disk.io("writing a blob")(std::io::ErrorKind::BrokenPipe.into());
        self.file.take().ok_or_else(gone)
    }

    /// Everything written.
    async fn settle(&mut self) -> Result<Partial, Error> {
        if !self.gathered.is_empty() {
            self.write().await?;
        }
        self.idle().await
    }
}

impl Upload for LayoutUpload {
    fn append(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.add(chunk))
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn commit(mut self: Box<Self>, digest: Digest) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let partial = self.settle().await?;
            let disk = Arc::clone(&self.disk);
            blocking(move || {
                let Partial { mut file, hasher, .. } = partial;
                let found = match hasher {
                    Some((algorithm, hasher)) if algorithm == digest.algorithm() => hasher.finish(),
                    Some(_) | None => {
                        hash(&mut file, digest.algorithm()).map_err(disk.io("reading back"))?
                    }
                };
                if found != digest {
                    let mismatch = Mismatch::digest(digest, found);
                    return Err(Error::mismatch(
                        format!("the upload to {}", disk.name()),
                        mismatch,
                    ));
                }
                disk.keep_blob(file, &digest)
            })
            .await
        })
    }
}

fn hash(file: &mut NamedTempFile, algorithm: Algorithm) -> std::io::Result<Digest> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; GATHER];
    file.seek(SeekFrom::Start(0))?;
    loop {
        let length = file.read(&mut buffer)?;
        match buffer.get(..length) {
            Some(bytes) if length > 0 => hasher.update(bytes),
            _ => return Ok(hasher.finish()),
        }
    }
}
