//! stub
use crate::*;
/// What a copy may be told.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// The tags under which the copy is written; none: under its digest alone.
    pub tags: Vec<Tag>,
    /// Keep only these platforms of an index; none: all. One platform: its manifest is copied,
    /// without the index. Several: a new index, with a new digest.
    pub platforms: Vec<Platform>,
    /// Move tags that point elsewhere.
    pub force: bool,
    /// How many blobs are moved at the same time.
    pub parallel: usize,
}
/// What a copy did.
#[derive(Clone, Debug)]
pub struct Copied {
    /// What stands in the target now.
    pub descriptor: Descriptor,
    /// Whether anything was written or a tag moved.
    pub changed: bool,
    /// The platforms that came along; empty if nothing had to be read to see that all is there
    /// (see [`platforms`]).
    pub platforms: Vec<Platform>,
    /// Blobs and manifests sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Blobs mounted from another repository of the target's registry.
    pub mounted: u64,
    /// Blobs and manifests that were there already.
    pub skipped: u64,
}
/// Something happened during a copy.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CopyEvent<'a> {
    /// A manifest was read: so many further blobs will be looked at, of so many bytes in all.
    Planned {
        /// How many.
        blobs: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Bytes of a blob passed.
    Bytes(u64),
    /// A blob is in the target. If bytes of it passed before, and it was retried, they are counted
    /// again in [`CopyEvent::Bytes`].
    Blob {
        /// Which.
        blob: &'a Descriptor,
        /// How it got there.
        pushed: Pushed,
    },
    /// A manifest or index is in the target.
    Manifest {
        /// Which.
        descriptor: &'a Descriptor,
        /// Whether it was sent; otherwise it was there.
        sent: bool,
    },
}
/// Who wants to know about the progress of a copy.
pub trait CopyObserver: Send + Sync {
    /// Something happened.
    fn observe(&self, event: CopyEvent<'_>);
}
/// Nobody.
impl CopyObserver for () {
    fn observe(&self, _event: CopyEvent<'_>) {}
}
/// Copies the manifest or index at `selector` and all that it refers to.
pub async fn copy(from: &dyn Store, selector: &Selector, to: &dyn Store, options: &CopyOptions, observer: &dyn CopyObserver) -> Result<Copied, Error> {
    let _ = (from, selector, to, options, observer); todo!()
}
/// The platforms of what stands at `selector`: those of an index, or the one of an image.
pub async fn platforms(store: &dyn Store, selector: &Selector) -> Result<Vec<Platform>, Error> { let _ = (store, selector); todo!() }
