//! What a manifest leads to.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;

use super::Job;
use crate::{Content, Descriptor, Digest, Error, Manifest, MediaType};

/// Indexes in indexes deeper than this are an attack, or a loop that a hash does not allow.
const DEEPEST: usize = 8;

/// A copy holds all manifests; this many of the usual size (1 KiB) are 16 MiB.
const MOST_MANIFESTS: usize = 16 * 1024;

/// Everything below one manifest that is to be in the target before it.
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
}

impl Tree {
    /// Reads what `root` leads to. With `look`, manifests that are in the target already are taken
    /// as whole. Of the manifests that `root` lists only those that are `kept` are read.
    pub(super) async fn read(
        job: &Job<'_>,
        root: &Manifest,
        kept: Option<&BTreeSet<Digest>>,
        look: bool,
    ) -> Result<Self, Error> {
        let mut tree = Self {
            blobs: Vec::new(),
            manifests: Vec::new(),
            indexes: Vec::new(),
            skipped: Vec::new(),
            seen: BTreeSet::new(),
        };
        if let Some(kept) = kept {
            let dropped = root.manifests().iter().map(|entry| entry.digest);
            tree.seen.extend(dropped.filter(|digest| !kept.contains(digest)));
        }
        tree.add_blobs(root.blobs());
        tree.descend(job, root, look, 1).await?;
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
            self.add_blobs(blobs);
            manifests.retain(|entry| self.seen.insert(entry.digest));
            if self.seen.len() > MOST_MANIFESTS {
                let why = format!("it leads to more than {MOST_MANIFESTS} manifests");
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
                self.add_blobs(child.blobs());
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

    /// Foreign layers stay where they are: registries neither have nor want them.
    fn add_blobs(&mut self, blobs: Vec<Descriptor>) {
        for blob in blobs {
            let is_foreign = blob.media_type.is_foreign_layer() && !blob.urls.is_empty();
            if !is_foreign && self.seen.insert(blob.digest) {
                self.blobs.push(blob);
            }
        }
    }
}

/// The manifest, if it must be sent.
async fn missing(job: &Job<'_>, entry: &Descriptor, look: bool) -> Result<Option<Manifest>, Error> {
    match look && job.holds(&entry.digest).await? {
        true => Ok(None),
        false => job.read(entry).await.map(Some),
    }
}

/// Whether an entry of an index is to be fetched as a manifest; what nobody knows is one if its
/// type says so.
fn is_manifest(media_type: &MediaType) -> bool {
    let text = media_type.as_str();
    media_type.is_manifest()
        || media_type.is_schema1()
        || text.contains("manifest")
        || text.contains("index")
}
