//! Layers: sorted tars of [`Entry`](crate::Entry)s, compressed, known by two digests.
//!
//! A [`LayerWriter`] takes entries and their content and streams them through tar, the digest of the
//! plain bytes (the *diff-id*), the compressor and the digest of the blob into a sink; every byte is
//! touched once. A [`LayerReader`] goes the other way and believes nothing: names, sizes and
//! compression ratios have limits.
//!
//! Same entries, same bytes, whatever the machine and however many threads: headers say only what
//! an [`Entry`](crate::Entry) says, the order is that of [`compare`], and the compressor gets blocks of a fixed
//! size. Extended headers (PAX) are written only where the plain one cannot say it.
//!
//! Source: OCI image-spec 1.1, "Image Layer Filesystem Changeset"; POSIX.1-2017, "pax".

mod block;
mod error;
mod gzip;
mod header;
mod inflate;
mod limits;
mod order;
mod pax;
mod pipeline;
mod probe;
mod read;
mod write;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

use oci::{Descriptor, Digest, MediaType};
use serde::{Deserialize, Serialize};

pub use error::{LayerError, ReadError};
pub use limits::Limits;
pub use order::{compare, sort, with_parents};
pub use read::LayerReader;
pub use write::LayerWriter;

/// What the name of a removed file begins with.
pub(crate) const WHITEOUT: &[u8] = b".wh.";

/// The name of the mark in a directory whose lower content is gone.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

/// A layer that has been written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Layer {
    /// Points at the compressed blob; the media type is the OCI one.
    pub descriptor: Descriptor,
    /// The digest of the plain tar, as an image's configuration lists it.
    pub diff_id: Digest,
    /// Bytes of the plain tar.
    pub size: u64,
}

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// What every registry and runtime reads.
    #[default]
    Gzip,
    /// Smaller and much faster; runtimes since 2021 read it.
    Zstd {
        /// From 1 (fast) to 19 (small).
        level: i32,
    },
    /// Not at all.
    None,
}

/// How a [`LayerWriter`] works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerOptions {
    /// How the blob is compressed.
    pub compression: Compression,
    /// Later modification times become this one. Seconds since 1970.
    pub source_date_epoch: Option<i64>,
    /// How many threads compress. The bytes do not depend on it.
    pub threads: usize,
}

impl Default for LayerOptions {
    fn default() -> Self {
        Self { compression: Compression::default(), source_date_epoch: None, threads: 2 }
    }
}

impl Compression {
    /// What OCI images call such a layer.
    pub fn media_type(self) -> MediaType {
        match self {
            Self::Gzip => MediaType::OCI_LAYER_GZIP,
            Self::Zstd { .. } => MediaType::new("application/vnd.oci.image.layer.v1.tar+zstd"),
            Self::None => MediaType::new("application/vnd.oci.image.layer.v1.tar"),
        }
    }

    /// What Docker images (version 2, schema 2) call it.
    pub fn docker_media_type(self) -> MediaType {
        match self {
            Self::Gzip => MediaType::DOCKER_LAYER_GZIP,
            Self::Zstd { .. } => MediaType::DOCKER_LAYER_ZSTD,
            Self::None => MediaType::DOCKER_LAYER,
        }
    }
}

/// The chain id of a layer on top of `parent`: what an unpacked layer is known by.
///
/// Source: OCI image-spec 1.1, "Layer ChainID".
pub fn chain_id(parent: Option<&Digest>, diff_id: &Digest) -> Digest {
    match parent {
        None => *diff_id,
        Some(parent) => Digest::of(format!("{parent} {diff_id}").as_bytes()),
    }
}
