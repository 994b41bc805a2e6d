//! Files as streams.
//!
//! What the kernel has in memory is read where the reader stands; only for the rest is a thread
//! taken that may wait for a disk.

use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;

use super::blocking;
use crate::{BlobStream, Error};

/// Large enough that a hop to a blocking thread (tens of microseconds) is lost in it, small enough
/// to have a dozen in flight.
const CHUNK: u64 = 256 * 1024;

/// The bytes of `file` in `range`; fewer where it ends.
pub(crate) fn stream(file: Arc<File>, range: Range<u64>, place: String) -> BlobStream {
    let start = (Some(file), range.start, range.end);
    BlobStream::new(futures::stream::try_unfold(start, move |(file, at, end)| {
        let place = place.clone();
        async move {
            let Some(file) = file.filter(|_| at < end) else { return Ok(None) };
            let want = (end - at).min(CHUNK);
            if let Some(bytes) = read_at_hand(&file, at, want) {
                let next = at + bytes.len() as u64;
                return Ok(Some((bytes, (Some(file), next, end))));
            }
            let (file, bytes) = blocking(move || {
                read(&file, at, want).map(|bytes| (file, bytes)).map_err(|source| Error::Io {
                    what: "reading a blob",
                    place,
                    source,
                })
            })
            .await?;
            let length = bytes.len() as u64;
            let file = (length == want).then_some(file);
            Ok((length > 0).then_some((bytes, (file, at + length, end))))
        }
    }))
}

/// What is in memory already, up to `want` bytes of it. `None` where there is nothing, at the end, or
/// where the system cannot tell: then reading may take time, and has its own errors.
#[cfg(target_os = "linux")]
fn read_at_hand(file: &File, at: u64, want: u64) -> Option<Bytes> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut bytes = vec![0; usize::try_from(want).ok()?];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let length = preadv2(file, &mut parts, at, ReadWriteFlags::NOWAIT).ok()?;
    bytes.truncate(length);
    (length > 0).then(|| Bytes::from(bytes))
}

#[cfg(not(target_os = "linux"))]
fn read_at_hand(_file: &File, _at: u64, _want: u64) -> Option<Bytes> {
    None
}

pub(crate) fn read(file: &File, at: u64, want: u64) -> std::io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(want).unwrap_or_default()];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + filled as u64) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(Bytes::from(bytes))
}
