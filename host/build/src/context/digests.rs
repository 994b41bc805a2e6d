//! Digests of files that are remembered as long as the files do not change.
//!
//! A file is known by device, inode, size and the nanoseconds of its last changes; a build of an
//! unchanged context costs a `stat` for each file. A file that changed within two seconds before it
//! was looked at is never remembered: it might change again within the same tick of the clock, and
//! nobody would see it (git calls such files racy).
//!
//! The memory is a list of bytes that the caller keeps. It is checked when it is read; what is
//! damaged, or of another version, is empty.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sha2::{Digest as _, Sha256};

use crate::tree::{Metadata, Time, Tree};

/// The SHA-256 of a content.
pub(super) type ContentDigest = [u8; 32];

/// What was found out about files.
#[derive(Debug)]
pub struct DigestCache {
    known: HashMap<Identity, Known>,
    /// From when on a change is too fresh to be trusted.
    fresh: Time,
    today: u32,
    is_changed: bool,
    hashed: u64,
}

/// A file whose digest is wanted.
pub(super) struct Wanted<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) path: &'a Path,
    pub(super) metadata: &'a Metadata,
}

/// Why a digest cannot be had.
pub(super) enum Trouble {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// It is not as long as it was.
    Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    mtime: Time,
    ctime: Time,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    digest: ContentDigest,
    /// The day it was last of use.
    used: u32,
}

/// The first bytes: what it is, and the version of the format.
const MAGIC: &[u8; 16] = b"windlass digest1";

/// Bytes of one record: identity, day, digest.
const RECORD: usize = 8 + 8 + 8 + 12 + 12 + 4 + 32;

/// 200,000 files are 17 MB; the least used go first.
const MOST_KNOWN: usize = 200_000;

/// Time stamps of some file systems have steps of two seconds.
const FRESH_SECONDS: i64 = 2;

/// Readers of files; more do not help on the small machines that builds run on.
const THREADS: usize = 2;

/// Below a mebibyte a second thread takes longer to start than it helps.
const WORTH_A_THREAD: u64 = 1024 * 1024;

impl DigestCache {
    /// What `bytes` say; empty if there are none. `now` is the time since 1970, taken before any
    /// metadata is read.
    pub fn read(bytes: Option<&[u8]>, now: Time) -> Self {
        let fresh = Time { seconds: now.seconds - FRESH_SECONDS, ..now };
        let today = u32::try_from(now.seconds / (24 * 60 * 60)).unwrap_or(0);
        let known = bytes.and_then(parse).unwrap_or_default();
        Self { known, fresh, today, is_changed: false, hashed: 0 }
    }

    /// The bytes to keep; none if those that were read are still right.
    pub fn write(&mut self) -> Option<Vec<u8>> {
        if !self.is_changed {
            return None;
        }
        self.is_changed = false;
        let mut records: Vec<(&Identity, &Known)> = self.known.iter().collect();
        records.sort_unstable_by_key(|(id, known)| (u32::MAX - known.used, id.device, id.inode));
        records.truncate(MOST_KNOWN);
        let mut bytes = Vec::with_capacity(MAGIC.len() + records.len() * RECORD + 32);
        bytes.extend_from_slice(MAGIC);
        for (id, known) in records {
            for number in [id.device, id.inode, id.size] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            for time in [id.mtime, id.ctime] {
                bytes.extend_from_slice(&time.seconds.to_le_bytes());
                bytes.extend_from_slice(&time.nanos.to_le_bytes());
            }
            bytes.extend_from_slice(&known.used.to_le_bytes());
            bytes.extend_from_slice(&known.digest);
        }
        let seal = Sha256::digest(&bytes);
        bytes.extend_from_slice(&seal);
        Some(bytes)
    }

    /// How many files are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many files had to be read since the memory was.
    pub fn hashed(&self) -> u64 {
        self.hashed
    }

    /// The digests of `files`, in their order; of the first that has trouble, which and why.
    pub(super) fn digests(
        &mut self,
        files: &[Wanted<'_>],
    ) -> Result<Vec<ContentDigest>, (usize, Trouble)> {
        let mut digests = vec![ContentDigest::default(); files.len()];
        let mut missing = Vec::new();
        for (index, (file, digest)) in files.iter().zip(&mut digests).enumerate() {
            let known = identity(file.metadata).and_then(|id| self.known.get_mut(&id));
            let Some(known) = known else {
                missing.push(index);
                continue;
            };
            *digest = known.digest;
            if known.used != self.today {
                known.used = self.today;
                self.is_changed = true;
            }
        }
        for (index, digest) in hash(files, &missing)? {
            if let (Some(slot), Some(file)) = (digests.get_mut(index), files.get(index)) {
                *slot = digest;
                self.remember(file, digest);
            }
        }
        Ok(digests)
    }

    fn remember(&mut self, file: &Wanted<'_>, digest: ContentDigest) {
        self.hashed += 1;
        let metadata = file.metadata;
        let Some(id) = identity(metadata) else { return };
        if metadata.ctime >= self.fresh {
            return;
        }
        // It may have changed between the two: then the digest is not that of the identity.
        if file.tree.metadata(file.path).ok().and_then(|now| identity(&now)) != Some(id) {
            return;
        }
        self.known.insert(id, Known { digest, used: self.today });
        self.is_changed = true;
    }
}

/// What a file is known by; none if it has no identity, or nobody knows when it changed.
fn identity(metadata: &Metadata) -> Option<Identity> {
    let Metadata { device, inode, size, mtime, ctime, .. } = *metadata;
    let is_known = inode != 0 && ctime != Time::default();
    is_known.then_some(Identity { device, inode, size, mtime, ctime })
}

/// Reads the files `missing` of `files`.
fn hash(
    files: &[Wanted<'_>],
    missing: &[usize],
) -> Result<Vec<(usize, ContentDigest)>, (usize, Trouble)> {
    let sizes = missing.iter().filter_map(|index| files.get(*index)).map(|file| file.metadata.size);
    let threads = if sizes.sum::<u64>() < WORTH_A_THREAD { 1 } else { THREADS };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; 256 * 1024];
        let mut done = Vec::new();
        while let Some(&index) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(file) = files.get(index) else { continue };
            match content(file, &mut buffer) {
                Ok(digest) => done.push((index, digest)),
                Err(trouble) => return Err((index, trouble)),
            }
        }
        Ok(done)
    };
    if threads == 1 {
        return work();
    }
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut done = Vec::with_capacity(missing.len());
    let mut first: Option<(usize, Trouble)> = None;
    for result in results {
        match result {
            Ok(Ok(digests)) => done.extend(digests),
            Ok(Err(trouble)) => {
                if first.as_ref().is_none_or(|first| trouble.0 < first.0) {
                    first = Some(trouble);
                }
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    first.map_or(Ok(done), Err)
}

/// Reads one file; it must have as many bytes as its metadata said.
fn content(file: &Wanted<'_>, buffer: &mut [u8]) -> Result<ContentDigest, Trouble> {
    let mut reader = file.tree.open(file.path).map_err(Trouble::Unreadable)?;
    let mut hasher = Sha256::new();
    let mut left = file.metadata.size;
    loop {
        let count = match reader.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Trouble::Unreadable(error)),
        };
        if count == 0 {
            break;
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
        left = left.checked_sub(count as u64).ok_or(Trouble::Changed)?;
    }
    if left > 0 {
        return Err(Trouble::Changed);
    }
    Ok(hasher.finalize().into())
}

/// The records in `bytes`, if they are whole.
fn parse(bytes: &[u8]) -> Option<HashMap<Identity, Known>> {
    let (sealed, seal) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if Sha256::digest(sealed).as_slice() != seal {
        return None;
    }
    let (records, rest) = sealed.strip_prefix(MAGIC)?.as_chunks::<RECORD>();
    rest.is_empty().then_some(())?;
    let mut known = HashMap::with_capacity(records.len());
    for record in records {
        let mut fields = Fields(record);
        let (device, inode, size) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let mtime = Time { seconds: fields.u64()?.cast_signed(), nanos: fields.u32()? };
        let ctime = Time { seconds: fields.u64()?.cast_signed(), nanos: fields.u32()? };
        let used = fields.u32()?;
        let digest = *fields.0.first_chunk()?;
        known.insert(Identity { device, inode, size, mtime, ctime }, Known { digest, used });
    }
    Some(known)
}

/// Numbers, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }
}
