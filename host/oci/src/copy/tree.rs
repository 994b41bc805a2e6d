//! What a manifest leads to.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;

use super::Job;
use super::whereabouts::Item;
use crate::{Content, Descriptor, Digest, Error, Manifest, MediaType};

/// Indexes in indexes deeper than this are an attack, or a loop that a hash does not allow.
const DEEPEST: usize = 8;

/// A copy holds all manifests; this many of the usual size (1 KiB) are 16 MiB.
const MOST_MANIFESTS: usize = 16 * 1024;

/// Nobody else's numbers are believed: the manifests that are held at a time have no more bytes.
pub(super) const MOST_MANIFEST_BYTES: u64 = 64 * 1024 * 1024;

/// Everything below some manifests that is to be in the target before it.
#[derive(Default)]
pub(super) struct Tree {
    /// Each once.
    pub(super) blobs: Vec<Descriptor>,
    /// Images and artifacts, which refer to blobs alone.
    pub(super) manifests: Vec<Manifest>,
    /// Indexes, the inner ones first.
    pub(super) indexes: Vec<Manifest>,
    /// Manifests that are in the target already, with all that they lead to.
    pub(super) skipped: Vec<Descriptor>,
    seen: BTreeSet<Digest>,
    bytes: u64,
}

impl Tree {
    /// Reads what `roots` lead to. With `look`, manifests that are in the target already are taken
    /// as whole; those that are known to be there are in any case. Of the manifests that the roots
    /// list only those that are `kept` are read.
    pub(super) async fn read(
        job: &Job<'_>,
        roots: &[Manifest],
        kept: Option<&BTreeSet<Digest>>,
        look: bool,
    ) -> Result<Self, Error> {
        let mut tree = Self::default();
        for root in roots {
            if let Some(kept) = kept {
                let dropped = root.manifests().iter().map(|entry| entry.digest);
                tree.seen.extend(dropped.filter(|digest| !kept.contains(digest)));
            }
            tree.add_blobs(job, root.blobs());
            tree.descend(job, root, look, 1).await?;
        }
        tree.leave_what_lies_elsewhere(job).await?;
        Ok(tree)
    }

    fn descend<'t>(
        &'t mut self,
        job: &'t Job<'_>,
        index: &'t Manifest,
        look: bool,
        depth: usize,
    ) -> BoxFuture<'t, Result<(), Error>> {
        Box::pin(async move {
            let what = || format!("index {}", index.digest());
            if depth > DEEPEST {
                let why = format!("it lies {depth} indexes deep, at most {DEEPEST} are followed");
                return Err(Error::invalid(what(), why));
            }
            let (mut manifests, blobs): (Vec<Descriptor>, Vec<Descriptor>) =
                index.manifests().iter().cloned().partition(|entry| is_manifest(&entry.media_type));
            // BuildKit keeps caches in indexes that list layers.
            self.add_blobs(job, blobs);
            manifests.retain(|entry| self.seen.insert(entry.digest));
            if self.seen.len() > MOST_MANIFESTS {
                let why = format!("it leads to more than {MOST_MANIFESTS} manifests");
                return Err(Error::invalid(what(), why));
            }
            let bytes = manifests.iter().map(|entry| entry.size);
            self.bytes = bytes.fold(self.bytes, u64::saturating_add);
            if self.bytes > MOST_MANIFEST_BYTES {
                let why = format!("it leads to more than {MOST_MANIFEST_BYTES} bytes of manifests");
                return Err(Error::invalid(what(), why));
            }
            let reads: Vec<_> = manifests.iter().map(|entry| missing(job, entry, look)).collect();
            let children: Vec<Option<Manifest>> = futures::stream::iter(reads)
                .buffered(job.options.parallel.max(1))
                .try_collect()
                .await?;
            for (entry, child) in manifests.into_iter().zip(children) {
                let Some(child) = child else {
                    self.skipped.push(entry);
                    continue;
                };
                self.add_blobs(job, child.blobs());
                match child.content() {
                    Content::Index(_) => {
                        self.descend(job, &child, look, depth + 1).await?;
                        self.indexes.push(child);
                    }
                    Content::Image(_) | Content::Opaque => self.manifests.push(child),
                }
            }
            Ok(())
        })
    }

    /// Foreign layers stay where they are, unless they are asked for.
    fn add_blobs(&mut self, job: &Job<'_>, blobs: Vec<Descriptor>) {
        for blob in blobs {
            if (!is_foreign(&blob) || job.options.foreign_layers) && self.seen.insert(blob.digest) {
                self.blobs.push(blob);
            }
        }
    }

    /// A registry need not have a foreign layer; its URLs still name it then.
    async fn leave_what_lies_elsewhere(&mut self, job: &Job<'_>) -> Result<(), Error> {
        let mut absent = BTreeSet::new();
        for blob in self.blobs.iter().filter(|blob| is_foreign(blob)) {
            if job.from.blob_size(&blob.digest).await?.is_none() {
                absent.insert(blob.digest);
            }
        }
        self.blobs.retain(|blob| !absent.contains(&blob.digest));
        Ok(())
    }
}

fn is_foreign(blob: &Descriptor) -> bool {
    blob.media_type.is_foreign_layer() && !blob.urls.is_empty()
}

/// The manifest, if it must be sent.
async fn missing(job: &Job<'_>, entry: &Descriptor, look: bool) -> Result<Option<Manifest>, Error> {
    let is_there =
        job.knows(Item::Manifest(entry.digest)) || (look && job.holds(&entry.digest).await?);
    match is_there {
        true => Ok(None),
        false => job.read(entry).await.map(Some),
    }
}

/// Whether an entry of an index is to be fetched as a manifest; what nobody knows is one if its
/// type says so.
pub(super) fn is_manifest(media_type: &MediaType) -> bool {
    let text = media_type.as_str();
    media_type.is_manifest()
        || media_type.is_schema1()
        || text.contains("manifest")
        || text.contains("index")
}
