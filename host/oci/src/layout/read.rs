//! Files as streams.

use std::fs::File;
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
