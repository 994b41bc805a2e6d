//! Entries to a blob.

use std::io::{self, Read, Write};

use super::block::BLOCK;
use super::pipeline::Pipeline;
use super::{Compression, Layer, LayerError, LayerOptions, compare, header};
use crate::{Entry, EntryKind};

/// Levels that zstd has for this.
const ZSTD_LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

/// Writes a layer, entry by entry.
///
/// Entries come in the order of [`compare`], each path once. What has been written of a layer that
/// was not finished is worth nothing.
pub struct LayerWriter {
    pipeline: Pipeline,
    source_date_epoch: Option<i64>,
    level: Result<(), i32>,
    last: Option<Entry>,
    header: Vec<u8>,
}

impl LayerWriter {
    /// A layer that goes into `sink`, which is flushed and dropped at the end.
    pub fn new(sink: impl Write + Send + 'static, options: &LayerOptions) -> Self {
        let level = match options.compression {
            Compression::Zstd { level } if !ZSTD_LEVELS.contains(&level) => Err(level),
            Compression::Zstd { .. } | Compression::Gzip | Compression::None => Ok(()),
        };
        Self {
            pipeline: Pipeline::new(Box::new(sink), options),
            source_date_epoch: options.source_date_epoch,
            level,
            last: None,
            header: Vec::new(),
        }
    }

    /// Adds `entry`; a file has the bytes of `content`, exactly as many as it says.
    ///
    /// `content` of anything else is not looked at.
    ///
    /// # Errors
    /// [`LayerError::Order`], [`LayerError::Path`], [`LayerError::Reserved`] and
    /// [`LayerError::Unrepresentable`] if the entry cannot be there, and then nothing was written;
    /// [`LayerError::Changed`] if the content is shorter or longer.
    pub fn add(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), LayerError> {
        self.start(entry)?;
        let EntryKind::File { size } = entry.kind else { return Ok(()) };
        let changed =
            |found| LayerError::Changed { path: entry.path.clone(), expected: size, found };
        let unreadable = |source| LayerError::Content { path: entry.path.clone(), source };
        let mut left = size;
        while left > 0 {
            let count = self.pipeline.read(content, left).map_err(sink)?.map_err(unreadable)?;
            if count == 0 {
                return Err(changed(size - left));
            }
            left -= count as u64;
        }
        if !is_at_end(content).map_err(unreadable)? {
            return Err(changed(size + 1));
        }
        self.pipeline.write(zeros(padding(size))).map_err(sink)
    }

    /// Adds `entry`, which has no content: no file, or an empty one.
    ///
    /// # Errors
    /// As [`LayerWriter::add`].
    pub fn add_empty(&mut self, entry: &Entry) -> Result<(), LayerError> {
        self.add(entry, &mut io::empty())
    }

    /// Ends the archive; what the layer is known by.
    ///
    /// # Errors
    /// [`LayerError::Sink`] if the last bytes could not be written.
    pub fn finish(mut self) -> Result<Layer, LayerError> {
        self.level.map_err(|level| LayerError::Level { level })?;
        // Two empty blocks, as POSIX says, and no padding to tapes.
        self.pipeline.write(zeros(2 * BLOCK)).map_err(sink)?;
        self.pipeline.finish().map_err(sink)
    }

    fn start(&mut self, entry: &Entry) -> Result<(), LayerError> {
        self.level.map_err(|level| LayerError::Level { level })?;
        if let Some(last) = self.last.as_ref().filter(|last| compare(last, entry).is_ge()) {
            return Err(LayerError::Order { path: entry.path.clone(), after: last.path.clone() });
        }
        let epoch = self.source_date_epoch.unwrap_or(i64::MAX);
        self.header.clear();
        header::encode(entry, entry.mtime.min(epoch), &mut self.header)?;
        self.pipeline.write(&self.header).map_err(sink)?;
        self.last = Some(entry.clone());
        Ok(())
    }
}

/// How many bytes a content of `size` lacks to whole blocks.
pub(super) fn padding(size: u64) -> usize {
    // Less than a block.
    (size.wrapping_neg() % BLOCK as u64) as usize
}

fn zeros(count: usize) -> &'static [u8] {
    const ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
    ZEROS.get(..count).unwrap_or(&ZEROS)
}

fn is_at_end(content: &mut dyn Read) -> io::Result<bool> {
    loop {
        match content.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|count| count == 0),
        }
    }
}

fn sink(source: io::Error) -> LayerError {
    LayerError::Sink { source }
}
