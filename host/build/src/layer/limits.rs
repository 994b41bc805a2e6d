//! How much an archive may be.

/// 256 GiB of plain bytes: more than the largest images of models, less than a disk.
const MOST_BYTES: u64 = 256 << 30;

/// Two million entries: ten times a full distribution, little enough to count within minutes.
const MOST_ENTRIES: u64 = 2_000_000;

/// 500 to 1: gzip cannot do more than 1032 to 1, and reaches half of that on nothing but zeros.
const MOST_RATIO: u64 = 500;

/// A ratio is only looked at beyond 1 GiB: an empty database file inflates as far as it likes.
pub(crate) const RATIO_FROM: u64 = 1 << 30;

/// A path of Linux has fewer bytes.
pub(crate) const LONGEST_PATH: usize = 4096;

/// A name of Linux has no more bytes.
pub(crate) const LONGEST_NAME: usize = 255;

/// 1 MiB of extended header: all attributes of a file at their largest fit.
pub(crate) const LARGEST_EXTENSION: u64 = 1 << 20;

/// What an archive may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Plain bytes of the archive.
    pub bytes: u64,
    /// Entries.
    pub entries: u64,
    /// Plain bytes for each compressed one, once there is a gibibyte of them.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: MOST_BYTES, entries: MOST_ENTRIES, ratio: MOST_RATIO }
    }
}
