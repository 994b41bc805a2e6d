//! Garbage: what no image of a repository needs any more.
//!
//! What a tag leads to lives, with all that it refers to; so does what speaks about something that
//! lives; so does, unless it is told otherwise, every manifest. All else goes once it is old enough:
//! what is young may belong to a push that has not come to its manifest yet. A running registry may
//! use the directory meanwhile: the index is locked, and what is asked for there becomes young.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::disk::Disk;
use super::index_file::IndexFile;
use super::{LayoutRegistry, blocking};
use crate::{Digest, Error, LARGEST_MANIFEST, MediaType};

/// What may go.
#[derive(Clone, Copy, Debug)]
pub struct GarbageOptions {
    /// Only say what would go.
    pub dry_run: bool,
    /// What was written, or asked for by a push, more recently stays.
    pub older_than: Duration,
    /// Manifests that no tag leads to may go too.
    pub untagged: bool,
}

/// What went, or would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Repositories that were looked through.
    pub repositories: u64,
    /// Manifests and indexes.
    pub manifests: u64,
    /// Other blobs.
    pub blobs: u64,
    /// Bytes on the disk. Blobs that another repository still has are not counted.
    pub bytes: u64,
}

impl LayoutRegistry {
    /// Removes what no image needs, in one repository after another.
    ///
    /// # Errors
    /// The disk failed, or a manifest that lives cannot be read: then nothing is known of what it
    /// needs, and nothing of its repository goes.
    pub async fn collect_garbage(&self, options: GarbageOptions) -> Result<Garbage, Error> {
        let root = Arc::clone(self.root());
        blocking(move || {
            let mut garbage = Garbage::default();
            for name in root.names()? {
                collect(&root.disk(&name), options, &mut garbage)?;
            }
            Ok(garbage)
        })
        .await
    }
}

fn collect(disk: &Disk, options: GarbageOptions, garbage: &mut Garbage) -> Result<(), Error> {
    garbage.repositories += 1;
    if options.dry_run {
        let found = Search::new(disk, &disk.read_index()?, options)?.garbage()?;
        found.values().for_each(|file| garbage.count(file));
        return Ok(());
    }
    disk.prepare()?;
    let _guard = disk.lock()?;
    let mut index = disk.read_index()?;
    let found = Search::new(disk, &index, options)?.garbage()?;
    // First what leads to them: killed in between, the next one finds them again.
    if index.drop_bare(|entry| found.contains_key(&entry.digest)) {
        disk.write_index(&index)?;
    }
    for (digest, file) in found {
        // What was asked for since is wanted again.
        let is_old = disk.blob_facts(&digest)?.is_some_and(|now| is_old(&now, options.older_than));
        if is_old && disk.remove_blob(&digest)? {
            garbage.count(&file);
        }
    }
    Ok(())
}

/// A file among the blobs.
struct Found {
    facts: Metadata,
    is_manifest: bool,
}

/// A manifest that nothing is known to lead to.
struct Loose {
    media_type: MediaType,
    subject: Option<Digest>,
}

struct Search<'a> {
    disk: &'a Disk,
    options: GarbageOptions,
    files: BTreeMap<Digest, Metadata>,
    live: BTreeSet<Digest>,
    loose: BTreeMap<Digest, Loose>,
}

impl<'a> Search<'a> {
    fn new(disk: &'a Disk, index: &IndexFile, options: GarbageOptions) -> Result<Self, Error> {
        let files = disk.blobs()?;
        let mut search =
            Self { disk, options, files, live: BTreeSet::new(), loose: BTreeMap::new() };
        for (entry, is_tagged) in index.entries() {
            if is_tagged || !options.untagged {
                search.mark(&entry.digest, Some(&entry.media_type))?;
            } else {
                search.see(&entry.digest, Some(&entry.media_type))?;
            }
        }
        let all: Vec<Digest> = search.files.keys().copied().collect();
        for digest in &all {
            if !search.live.contains(digest) && !search.loose.contains_key(digest) {
                search.see(digest, None)?;
            }
        }
        Ok(search)
    }

    /// `digest` lives, and all that it refers to.
    fn mark(&mut self, digest: &Digest, declared: Option<&MediaType>) -> Result<(), Error> {
        let mut waiting = vec![(*digest, declared.cloned())];
        while let Some((digest, declared)) = waiting.pop() {
            if !self.live.insert(digest) {
                continue;
            }
            let manifest = self.disk.read_manifest(&digest, declared.as_ref())?;
            // An index may list what was never here.
            let Some(manifest) = manifest else { continue };
            self.live.extend(manifest.blobs().iter().map(|blob| blob.digest));
            let children = manifest.manifests().iter();
            waiting.extend(children.map(|child| (child.digest, Some(child.media_type.clone()))));
        }
        Ok(())
    }

    /// Remembers `digest`, if it is a manifest.
    fn see(&mut self, digest: &Digest, declared: Option<&MediaType>) -> Result<(), Error> {
        let is_small = self.files.get(digest).is_some_and(|file| file.len() <= LARGEST_MANIFEST);
        if !is_small {
            return Ok(());
        }
        let manifest = match self.disk.read_manifest(digest, declared) {
            Ok(manifest) => manifest,
            // Damaged, and nobody needs it.
            Err(Error::Mismatch { .. } | Error::Invalid { .. } | Error::Schema1 { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(manifest) = manifest {
            let subject = manifest.subject().map(|subject| subject.digest);
            let media_type = manifest.media_type().clone();
            self.loose.insert(*digest, Loose { media_type, subject });
        }
        Ok(())
    }

    /// What does not live, and is old enough.
    fn garbage(mut self) -> Result<BTreeMap<Digest, Found>, Error> {
        // One that lives may be what another one speaks about.
        while let Some((digest, media_type)) = self.next_to_live() {
            self.mark(&digest, Some(&media_type))?;
        }
        let Self { options, files, live, loose, .. } = self;
        let dead = files
            .into_iter()
            .filter(|(digest, facts)| !live.contains(digest) && is_old(facts, options.older_than));
        Ok(dead
            .map(|(digest, facts)| {
                (digest, Found { facts, is_manifest: loose.contains_key(&digest) })
            })
            .collect())
    }

    fn next_to_live(&self) -> Option<(Digest, MediaType)> {
        let lives = |digest: &Digest, loose: &Loose| {
            let is_old =
                self.files.get(digest).is_some_and(|facts| is_old(facts, self.options.older_than));
            let speaks = loose.subject.is_some_and(|subject| self.live.contains(&subject));
            !self.options.untagged || !is_old || speaks
        };
        let mut loose = self.loose.iter().filter(|(digest, _)| !self.live.contains(digest));
        let (digest, found) = loose.find(|(digest, found)| lives(digest, found))?;
        Some((*digest, found.media_type.clone()))
    }
}

impl Garbage {
    fn count(&mut self, found: &Found) {
        match found.is_manifest {
            true => self.manifests += 1,
            false => self.blobs += 1,
        }
        if links(&found.facts) <= 1 {
            self.bytes = self.bytes.saturating_add(found.facts.len());
        }
    }
}

/// Neither written, nor linked, nor asked for, for so long.
pub(super) fn is_old(facts: &Metadata, age: Duration) -> bool {
    let written = facts.modified().ok();
    let changed = changed(facts);
    let latest = written.into_iter().chain(changed).max();
    // A time to come is a clock that was set: young.
    latest.and_then(|time| time.elapsed().ok()).is_some_and(|found| found >= age)
}

#[cfg(unix)]
fn changed(facts: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt as _;
    let seconds = u64::try_from(facts.ctime()).ok()?;
    let nanoseconds = u64::try_from(facts.ctime_nsec()).ok()?;
    let since = Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanoseconds))?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(not(unix))]
fn changed(_facts: &Metadata) -> Option<SystemTime> {
    None
}

#[cfg(unix)]
fn links(facts: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(facts)
}

#[cfg(not(unix))]
fn links(_facts: &Metadata) -> u64 {
    1
}

#[cfg(test)]
mod tests;
