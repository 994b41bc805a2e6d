//! From plain bytes to a blob, on several threads.
//!
//! Bytes go round in parcels: the caller fills one, the first thread hashes it (diff-id), one of the
//! compressors makes its output, the last thread hashes that (digest), writes it, and gives the
//! parcel back. Blocks go to compressors in turn and are taken from them in turn, so nothing has to
//! be put in order again. Queues are short: that bounds memory, and slows down whoever is ahead.
//!
//! A layer that fits into one block, as most of RUN do, never starts a thread.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use oci::{Algorithm, Descriptor, Digest, Hasher};

use super::gzip::Gzip;
use super::{Compression, Layer, LayerOptions};

/// Plain bytes of a block: enough for deflate to lose nothing at its ends, few enough that two
/// compressors and their queues hold less than 10 MiB.
const GZIP_BLOCK: usize = 256 << 10;

/// The same for zstd, which looks further back.
const ZSTD_BLOCK: usize = 512 << 10;

/// Parcels that wait between two threads.
const QUEUE: usize = 2;

/// Compressors beyond this number only wait for the one that hashes.
const MOST_THREADS: usize = 8;

/// The way of a layer's bytes into its blob.
pub(super) struct Pipeline {
    compression: Compression,
    threads: usize,
    parcel: Parcel,
    state: State,
}

enum State {
    /// Nothing left the first block yet.
    Small(Box<dyn Write + Send>),
    Running(Threads),
    Failed,
}

struct Threads {
    full: SyncSender<Parcel>,
    empty: Receiver<Parcel>,
    hasher: JoinHandle<(Digest, u64)>,
    writer: JoinHandle<io::Result<(Digest, u64)>>,
}

struct Parcel {
    /// As long as a block.
    plain: Vec<u8>,
    /// How much of it is filled.
    used: usize,
    packed: Vec<u8>,
}

enum Compressor {
    Gzip(Box<Gzip>),
    Zstd(Box<zstd::bulk::Compressor<'static>>),
    None,
}

impl Pipeline {
    pub(super) fn new(sink: Box<dyn Write + Send>, options: &LayerOptions) -> Self {
        let block = match options.compression {
            Compression::Gzip | Compression::None => GZIP_BLOCK,
            Compression::Zstd { .. } => ZSTD_BLOCK,
        };
        Self {
            compression: options.compression,
            threads: options.threads.clamp(1, MOST_THREADS),
            parcel: Parcel::new(block),
            state: State::Small(sink),
        }
    }

    /// Adds `bytes`.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = self.room()?;
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            if let Some(room) = room.get_mut(..now.len()) {
                room.copy_from_slice(now);
            }
            self.parcel.used += now.len();
            bytes = later;
        }
        Ok(())
    }

    /// Adds at most `most` bytes of `from`, straight into the block; how many there were. The outer
    /// error is the sink's.
    pub(super) fn read(&mut self, from: &mut dyn Read, most: u64) -> io::Result<io::Result<usize>> {
        let room = self.room()?;
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(room.len());
        let count = loop {
            match from.read(room.get_mut(..most).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Err(error)),
                Ok(count) => break count.min(most),
            }
        };
        self.parcel.used += count;
        Ok(Ok(count))
    }

    /// The end.
    pub(super) fn finish(mut self) -> io::Result<Layer> {
        let (diff_id, size, digest, packed) =
            match std::mem::replace(&mut self.state, State::Failed) {
                State::Small(mut sink) => {
                    let mut compressor = Compressor::new(self.compression)?;
                    compressor.compress(&mut self.parcel)?;
                    sink.write_all(&self.parcel.packed)?;
                    sink.flush()?;
                    // Without a compressor both are the same bytes.
                    let digest = Digest::of(&self.parcel.packed);
                    let diff_id = match compressor {
                        Compressor::None => digest,
                        Compressor::Gzip(_) | Compressor::Zstd(_) => {
                            Digest::of(self.parcel.filled())
                        }
                    };
                    (diff_id, self.parcel.used as u64, digest, self.parcel.packed.len() as u64)
                }
                State::Running(threads) => {
                    let Threads { full, empty, hasher, writer } = threads;
                    // A refusal means that the writer failed, and it says so itself.
                    _ = full.send(self.parcel);
                    drop((full, empty));
                    let plain = hasher.join().map_err(|_| died())?;
                    let packed = writer.join().map_err(|_| died())??;
                    (plain.0, plain.1, packed.0, packed.1)
                }
                State::Failed => return Err(died()),
            };
        let descriptor = Descriptor::new(self.compression.media_type(), digest, packed);
        Ok(Layer { descriptor, diff_id, size })
    }

    /// What is free in the block, at least one byte.
    fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.parcel.used == self.parcel.plain.len() {
            self.send()?;
        }
        Ok(self.parcel.plain.get_mut(self.parcel.used..).unwrap_or_default())
    }

    /// Sends a full block on its way and takes an empty one.
    fn send(&mut self) -> io::Result<()> {
        let threads = match std::mem::replace(&mut self.state, State::Failed) {
            State::Small(sink) => start(sink, self.compression, self.threads)?,
            State::Running(threads) => threads,
            State::Failed => return Err(died()),
        };
        let empty =
            threads.empty.try_recv().unwrap_or_else(|_| Parcel::new(self.parcel.plain.len()));
        if threads.full.send(std::mem::replace(&mut self.parcel, empty)).is_err() {
            // Somebody behind stopped; only the writer has a reason to.
            drop(threads.full);
            return Err(match threads.writer.join() {
                Ok(Err(error)) => error,
                Ok(Ok(_)) | Err(_) => died(),
            });
        }
        self.state = State::Running(threads);
        Ok(())
    }
}

/// Starts the threads of a layer.
fn start(
    sink: Box<dyn Write + Send>,
    compression: Compression,
    count: usize,
) -> io::Result<Threads> {
    let (full, to_hash) = sync_channel::<Parcel>(QUEUE);
    let (recycle, empty) = channel();
    let mut to_pack = Vec::new();
    let mut packed = Vec::new();
    for number in 0..count {
        let mut compressor = Compressor::new(compression)?;
        let (send, inbox) = sync_channel::<Parcel>(QUEUE);
        let (outbox, receive) = sync_channel::<io::Result<Parcel>>(QUEUE);
        thread::Builder::new().name(format!("compress-{number}")).spawn(move || {
            for mut parcel in inbox {
                let result = compressor.compress(&mut parcel).map(|()| parcel);
                let failed = result.is_err();
                if outbox.send(result).is_err() || failed {
                    return;
                }
            }
        })?;
        to_pack.push(send);
        packed.push(receive);
    }
    let hasher = thread::Builder::new()
        .name("diff-id".to_owned())
        .spawn(move || hash(&to_hash, &to_pack))?;
    let writer = thread::Builder::new()
        .name("layer".to_owned())
        .spawn(move || write(sink, &packed, &recycle))?;
    Ok(Threads { full, empty, hasher, writer })
}

/// Hashes what is plain and hands it to the compressors in turn.
fn hash(inbox: &Receiver<Parcel>, to_pack: &[SyncSender<Parcel>]) -> (Digest, u64) {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut size = 0;
    for (parcel, next) in inbox.iter().zip(to_pack.iter().cycle()) {
        hasher.update(parcel.filled());
        size += parcel.used as u64;
        if next.send(parcel).is_err() {
            break;
        }
    }
    (hasher.finish(), size)
}

/// Takes what is compressed from the compressors in turn, hashes and writes it.
fn write(
    mut sink: Box<dyn Write + Send>,
    packed: &[Receiver<io::Result<Parcel>>],
    recycle: &Sender<Parcel>,
) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut size = 0;
    for from in packed.iter().cycle() {
        let Ok(parcel) = from.recv() else { break };
        let parcel = parcel?;
        hasher.update(&parcel.packed);
        size += parcel.packed.len() as u64;
        sink.write_all(&parcel.packed)?;
        // Nobody takes the last ones back.
        _ = recycle.send(parcel.emptied());
    }
    sink.flush()?;
    Ok((hasher.finish(), size))
}

impl Parcel {
    fn new(block: usize) -> Self {
        Self { plain: vec![0; block], used: 0, packed: Vec::new() }
    }

    fn filled(&self) -> &[u8] {
        self.plain.get(..self.used).unwrap_or_default()
    }

    fn emptied(mut self) -> Self {
        self.used = 0;
        self.packed.clear();
        self
    }
}

impl Compressor {
    fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Box::new(Gzip::new())),
            Compression::Zstd { level } => {
                let mut compressor = zstd::bulk::Compressor::new(level)?;
                // Each block is a frame; its checksum finds what the digest would, but earlier.
                compressor.include_checksum(true)?;
                Self::Zstd(Box::new(compressor))
            }
            Compression::None => Self::None,
        })
    }

    fn compress(&mut self, parcel: &mut Parcel) -> io::Result<()> {
        let Parcel { plain, used, packed } = parcel;
        let plain = plain.get(..*used).unwrap_or_default();
        packed.clear();
        match self {
            Self::Gzip(gzip) => gzip.compress(plain, packed),
            Self::Zstd(zstd) => {
                packed.resize(zstd::zstd_safe::compress_bound(plain.len()), 0);
                let size = zstd.compress_to_buffer(plain, packed.as_mut_slice())?;
                packed.truncate(size);
                Ok(())
            }
            Self::None => {
                packed.extend_from_slice(plain);
                Ok(())
            }
        }
    }
}

/// A thread ended without a word, which none does but by a bug.
fn died() -> io::Error {
    io::Error::other("a thread that writes the layer has ended")
}
