//! What speaks about a manifest (distribution-spec, "Listing Referrers").
//!
//! The index lists every manifest with a subject that came through us. Where others wrote, a list may
//! stand under the tag of the specification ("Referrers Tag Schema"); what it names is found too.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::disk::Disk;
use crate::{Content, Descriptor, Digest, Error, Manifest, Selector, Tag};

/// What is remembered of manifests, so that they need not be read again and again.
const MOST_REMEMBERED: usize = 10_000;

/// What a larger manifest says is not remembered: annotations can have megabytes.
const LARGEST_REMEMBERED: u64 = 16 * 1024;

/// The tag of a list has as many characters of the digest.
const TAG_LENGTH: usize = 64;

/// What is known of manifests; content never changes.
#[derive(Default)]
pub(super) struct Remembered(Mutex<BTreeMap<Digest, Option<Referrer>>>);

/// A manifest that speaks about another.
#[derive(Clone)]
struct Referrer {
    subject: Digest,
    entry: Descriptor,
}

/// Those of `subject`, in the order of the index.
pub(super) fn read(
    disk: &Disk,
    subject: &Digest,
    remembered: &Remembered,
) -> Result<Vec<Descriptor>, Error> {
    let mut found: Vec<Descriptor> = Vec::new();
    let listed = disk.read_index()?.descriptors().collect::<Vec<_>>();
    for entry in listed.into_iter().chain(under_the_tag(disk, subject)?) {
        if found.iter().any(|known| known.digest == entry.digest) {
            continue;
        }
        let referrer = remembered.referrer(disk, &entry)?;
        found.extend(referrer.filter(|r| r.subject == *subject).map(|r| r.entry));
    }
    Ok(found)
}

/// What a client that knew no better registry listed by hand.
fn under_the_tag(disk: &Disk, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
    let hex = subject.hex();
    let hex = hex.get(..TAG_LENGTH).unwrap_or(&hex);
    let Ok(tag) = format!("{}-{hex}", subject.algorithm()).parse::<Tag>() else {
        return Ok(Vec::new());
    };
    let list = readable(disk.find(&Selector::Tag(tag)))?;
    let mut here = Vec::new();
    if let Some(Content::Index(index)) = list.as_ref().map(Manifest::content) {
        for entry in &index.manifests {
            if disk.blob_size(&entry.digest)?.is_some() {
                here.push(entry.clone());
            }
        }
    }
    Ok(here)
}

/// One that cannot be read refers to nothing; whoever asks for it is told.
fn readable<T>(manifest: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match manifest {
        Err(Error::Invalid { .. } | Error::Mismatch { .. } | Error::Schema1 { .. }) => Ok(None),
        manifest => manifest,
    }
}

impl Remembered {
    /// What `entry` says about another manifest.
    fn referrer(&self, disk: &Disk, entry: &Descriptor) -> Result<Option<Referrer>, Error> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(referrer) = known().get(&entry.digest) {
            return Ok(referrer.clone());
        }
        let manifest = readable(disk.read_manifest(&entry.digest, Some(&entry.media_type)))?;
        // One that is not here, or damaged, may be pushed yet.
        let Some(manifest) = manifest else { return Ok(None) };
        let referrer = manifest
            .subject()
            .map(|subject| Referrer { subject: subject.digest, entry: manifest.as_referrer() });
        // What speaks about nothing is small to remember, however large it is.
        if referrer.is_none() || entry.size <= LARGEST_REMEMBERED {
            let mut remembered = known();
            if remembered.len() >= MOST_REMEMBERED {
                remembered.clear();
            }
            remembered.insert(entry.digest, referrer.clone());
        }
        Ok(referrer)
    }
}
