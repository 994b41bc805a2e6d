//! The plain bytes of a blob, made by a thread of its own ahead of whoever reads them.
//!
//! What they are is told by their first bytes; media types are often wrong. The same thread hashes
//! and counts, so that a bomb is found before its bytes are anywhere.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use oci::{Algorithm, Digest, Hasher};

use super::block::{BLOCK, Block};
use super::limits::RATIO_FROM;
use super::{Limits, ReadError};

/// Bytes that are handed over at once.
const CHUNK: usize = 256 << 10;

/// Chunks that wait.
const QUEUE: usize = 4;

/// A reader of plain bytes.
pub(super) struct Plain {
    full: Option<Receiver<Result<Vec<u8>, ReadError>>>,
    empty: Sender<Vec<u8>>,
    thread: Option<JoinHandle<(Digest, u64)>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Plain {
    /// Starts to read `blob`.
    pub(super) fn new(blob: impl Read + Send + 'static, limits: Limits) -> Self {
        let (send, full) = sync_channel(QUEUE);
        let (empty, recycled) = channel();
        let thread = thread::Builder::new()
            .name("inflate".to_owned())
            .spawn(move || inflate(blob, limits, &send, &recycled));
        let (thread, full) = match thread {
            Ok(thread) => (Some(thread), full),
            Err(source) => {
                // Said by the first read.
                let (send, full) = sync_channel(1);
                _ = send.send(Err(ReadError::Source { source }));
                (None, full)
            }
        };
        Self { full: Some(full), empty, thread, chunk: Vec::new(), at: 0 }
    }

    /// What is there, at least one byte unless it is the end.
    pub(super) fn available(&mut self) -> Result<&[u8], ReadError> {
        if self.at >= self.chunk.len()
            && let Some(full) = &self.full
        {
            match full.recv() {
                Ok(Ok(chunk)) => {
                    // It may have ended meanwhile.
                    _ = self.empty.send(std::mem::replace(&mut self.chunk, chunk));
                    self.at = 0;
                }
                Ok(Err(error)) => {
                    self.full = None;
                    return Err(error);
                }
                Err(_) => self.full = None,
            }
        }
        Ok(self.chunk.get(self.at..).unwrap_or_default())
    }

    /// Marks `count` of the available bytes as read.
    pub(super) fn consume(&mut self, count: usize) {
        self.at = self.chunk.len().min(self.at + count);
    }

    /// Fills `into` as far as there are bytes; how many there were.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        let mut done = 0;
        while done < into.len() {
            let available = self.available()?;
            let count = available.len().min(into.len() - done);
            if count == 0 {
                break;
            }
            if let (Some(to), Some(from)) =
                (into.get_mut(done..done + count), available.get(..count))
            {
                to.copy_from_slice(from);
            }
            self.consume(count);
            done += count;
        }
        Ok(done)
    }

    /// Leaves out `count` bytes; how many of them there were.
    pub(super) fn skip(&mut self, count: u64) -> Result<u64, ReadError> {
        let mut left = count;
        while left > 0 {
            let available = self.available()?.len();
            if available == 0 {
                break;
            }
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(available);
            self.consume(now);
            left -= now as u64;
        }
        Ok(count - left)
    }

    /// Reads to the end; the digest and number of all plain bytes.
    pub(super) fn finish(mut self) -> Result<(Digest, u64), ReadError> {
        loop {
            let available = self.available()?.len();
            if available == 0 {
                break;
            }
            self.consume(available);
        }
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        ended.ok_or_else(|| {
            let source = io::Error::other("the thread that reads the layer has ended");
            ReadError::Source { source }
        })
    }
}

/// Reads all of `blob` into chunks.
fn inflate(
    blob: impl Read + Send + 'static,
    limits: Limits,
    full: &SyncSender<Result<Vec<u8>, ReadError>>,
    recycled: &Receiver<Vec<u8>>,
) -> (Digest, u64) {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut size = 0;
    let packed = Arc::new(AtomicU64::new(0));
    let run = || -> Result<(), ReadError> {
        let (mut plain, format) = decoder(Counted { inner: blob, count: Arc::clone(&packed) })?;
        loop {
            let mut chunk = recycled.try_recv().unwrap_or_default();
            chunk.resize(CHUNK, 0);
            let filled = fill(&mut plain, &mut chunk).map_err(|error| broken(error, format))?;
            chunk.truncate(filled);
            size += filled as u64;
            if filled == 0 {
                return Ok(());
            }
            if size > limits.bytes {
                return Err(ReadError::Limit { limit: limits.bytes, what: "bytes" });
            }
            let packed = packed.load(Ordering::Relaxed);
            if format.is_some() && size > RATIO_FROM && size / limits.ratio.max(1) > packed {
                return Err(ReadError::Bomb { packed, plain: size, ratio: limits.ratio });
            }
            hasher.update(&chunk);
            if full.send(Ok(chunk)).is_err() {
                return Ok(());
            }
        }
    };
    if let Err(error) = run() {
        // Nobody may be listening any more.
        _ = full.send(Err(error));
    }
    (hasher.finish(), size)
}

/// The decoder for `blob`, and the name of its format.
fn decoder(
    mut blob: impl Read + Send + 'static,
) -> Result<(Box<dyn Read>, Option<&'static str>), ReadError> {
    let mut first = Block([0; BLOCK]);
    let length = fill(&mut blob, &mut first.0).map_err(ReadError::from_io)?;
    let mark = first.0.get(..length).unwrap_or_default().to_vec();
    // A tar begins with a name, which may be any of the marks.
    let is_plain = length == BLOCK && first.is_sealed();
    let is_skippable = mark.first().is_some_and(|byte| byte & 0xf0 == 0x50)
        && mark.get(1..4) == Some(b"\x2a\x4d\x18");
    let is_gzip = mark.starts_with(b"\x1f\x8b");
    let is_zstd = mark.starts_with(b"\x28\xb5\x2f\xfd") || is_skippable;
    let is_xz = mark.starts_with(b"\xfd7zXZ\0");
    let is_bzip2 = mark.starts_with(b"BZh");
    let whole = BufReader::with_capacity(CHUNK / 4, io::Cursor::new(mark).chain(blob));
    Ok(match (is_gzip, is_zstd) {
        _ if is_plain => (Box::new(whole), None),
        (true, _) => (Box::new(flate2::bufread::MultiGzDecoder::new(whole)), Some("gzip")),
        (_, true) => (Box::new(unzstd(whole)?), Some("zstd")),
        _ if is_xz => (Box::new(unxz(whole)), Some("xz")),
        _ if is_bzip2 => (Box::new(bzip2::bufread::MultiBzDecoder::new(whole)), Some("bzip2")),
        _ => (Box::new(whole), None),
    })
}

fn unzstd(whole: impl BufRead) -> Result<impl Read, ReadError> {
    zstd::stream::read::Decoder::with_buffer(whole).map_err(|source| ReadError::Source { source })
}

fn unxz(whole: impl BufRead) -> impl Read {
    lzma_rust2::XzReader::new(whole, true)
}

/// Fills `into` as far as there are bytes.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// An error of the decoder, unless it comes from below it.
fn broken(error: io::Error, format: Option<&'static str>) -> ReadError {
    match (error.downcast::<ReadError>(), format) {
        (Ok(below), _) => below,
        (Err(source), Some(format)) => ReadError::Compression { format, source },
        (Err(source), None) => ReadError::Source { source },
    }
}

/// Counts what is read, and marks its errors as those of the source.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                self.count.fetch_add(count as u64, Ordering::Relaxed);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(source) => Err(ReadError::Source { source }.into()),
        }
    }
}
