//! What a copy is told, and what it says.

use std::sync::Arc;

use super::Whereabouts;
use crate::{Descriptor, Digest, MediaType, MountSource, Platform, RepositoryName, Store, Tag};

/// As many as keep a link busy over the pauses of single requests; registries do not mind.
const USUAL_PARALLEL: usize = 6;

/// What a copy may be told.
#[derive(Clone)]
pub struct CopyOptions {
    /// The tags under which the copy is written; none: under its digest alone.
    pub tags: Vec<Tag>,
    /// Keep only these platforms of an index; none: all.
    pub platforms: Vec<Platform>,
    /// What becomes of an index when only some platforms are kept.
    pub index: IndexChoice,
    /// Move tags that point elsewhere; otherwise they are a conflict.
    pub force: bool,
    /// How many blobs are moved at the same time, by all copies that share `whereabouts`; at least
    /// one.
    pub parallel: usize,
    /// The digest that the source must have, before platforms are chosen; else nothing is written.
    pub expect: Option<Digest>,
    /// Which signatures, SBOMs and attestations come along.
    pub referrers: Referrers,
    /// Look for referrers also where the image itself is unchanged: it costs two requests or more.
    pub recheck_referrers: bool,
    /// Also copy layers that the image says must not be distributed, if the source has them: their
    /// URLs are never followed. Otherwise they stay where these point.
    pub foreign_layers: bool,
    /// What is known of blobs in registries; shared by the copies of a run.
    pub whereabouts: Whereabouts,
    /// A repository of the target's registry that may have the blobs; tried where nothing better is
    /// known.
    pub mount_from: Option<RepositoryName>,
    /// The same, for forecasts, which ask it; without it they take for granted that it has none.
    pub mount_store: Option<Arc<dyn Store>>,
    /// Whether a blob may be mounted from there, besides from the source; none: from nowhere else.
    /// What the source has given to another copy of the run may come from anywhere in any case.
    pub may_mount: Option<MayMount>,
    /// Whether the target is finished ([`crate::Store::finish`]) by this copy. Who makes several into
    /// one archive does that once, at the end: each time the file is written anew.
    pub finishes: bool,
}

/// Says whether a blob may be mounted from a repository. It must not block, nor copy.
pub type MayMount = Arc<dyn Fn(&MountSource) -> bool + Send + Sync>;

/// What becomes of an index when only some of its platforms are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexChoice {
    /// One platform: its manifest, without the index. Several: a new index, with a new digest.
    #[default]
    New,
    /// The index as it is, with its digest; the other platforms are not copied (a sparse index).
    /// Registries may refuse one (docker-registry does). That it is there says nothing of what it
    /// lists, so each wanted platform costs a request even if nothing changed; and who copies the
    /// whole image later to the same tag must delete the tag first, for its digest is the same.
    Sparse,
}

/// Which referrers come along: signatures, SBOMs, attestations, and what speaks about them. Tags of
/// cosign (`sha256-HEX.sig`) move without `force`, since a list of signatures grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Referrers {
    /// None; nobody is asked for them.
    #[default]
    None,
    /// All.
    All,
    /// Those of these artifact types. Signatures, attestations and SBOMs under cosign's tags are of
    /// the types that cosign gives them as referrers,
    /// `application/vnd.dev.cosign.artifact.{sig,att,sbom}.v1+json`, or of those of their layers.
    Only(Vec<MediaType>),
}

/// What a copy did.
#[derive(Clone, Debug)]
pub struct Copied {
    /// What stands in the target now.
    pub descriptor: Descriptor,
    /// What the source has there: another digest where platforms were chosen.
    pub source: Digest,
    /// Whether anything was written or a tag moved.
    pub changed: bool,
    /// The platforms that came along; empty where they would have cost a request of their own, as
    /// when nothing had to be read to see that all is there. [`super::platforms`] asks.
    pub platforms: Vec<Platform>,
    /// Blobs and manifests sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Blobs mounted from another repository of the target's registry.
    pub mounted: u64,
    /// Their bytes.
    pub mounted_bytes: u64,
    /// Blobs and manifests that were there already.
    pub skipped: u64,
    /// Their bytes, as far as they were looked at.
    pub skipped_bytes: u64,
    /// Referrers that are in the target now and came with this copy, sent or not.
    pub referrers: u64,
}

/// What a copy would do, as far as reading tells.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// What would stand in the target.
    pub descriptor: Descriptor,
    /// What the source has there: another digest where platforms were chosen.
    pub source: Digest,
    /// Whether anything would be written or a tag moved.
    pub changed: bool,
    /// Whether all of it is in the target already, under its digest.
    pub present: bool,
    /// The platforms that would come along.
    pub platforms: Vec<Platform>,
    /// Blobs and manifests that would be sent, and their bytes.
    pub send: u64,
    /// See `send`.
    pub send_bytes: u64,
    /// Blobs that are known to be in another repository of the target's registry.
    pub mount: u64,
    /// Their bytes.
    pub mount_bytes: u64,
    /// Blobs and manifests that are there.
    pub skip: u64,
    /// Their bytes.
    pub skip_bytes: u64,
    /// Referrers that would come along.
    pub referrers: u64,
    /// The tags that would be written.
    pub moves: Vec<MovedTag>,
}

/// A tag that would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTag {
    /// Which.
    pub tag: Tag,
    /// What it points at today.
    pub from: Option<Digest>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            platforms: Vec::new(),
            index: IndexChoice::default(),
            force: false,
            parallel: USUAL_PARALLEL,
            expect: None,
            referrers: Referrers::default(),
            recheck_referrers: true,
            foreign_layers: false,
            whereabouts: Whereabouts::default(),
            mount_from: None,
            mount_store: None,
            may_mount: None,
            finishes: true,
        }
    }
}
