//! A key for the cache: equal if and only if what is copied is equal.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::digests::{ContentDigest, Trouble, Wanted};
use super::{Content, DigestCache, Picked, Picks, SelectError, Source};
use crate::EntryKind;

/// The first bytes, so that another way of writing things gives another key.
const VERSION: &[u8] = b"windlass copy 1\0";

/// The key of `picks`: SHA-256 over path, kind, mode, owner, link target, extended attributes and
/// content of each entry, in their order. Times do not count, as in Docker.
///
/// `sources` are those that were given to [`select`](super::select). Files that `cache` does not know
/// are read, two at a time.
///
/// # Errors
/// [`SelectError::Unreadable`] or [`SelectError::Changed`], of the first file with trouble.
pub fn fingerprint(
    picks: &Picks,
    sources: &[Source<'_>],
    cache: &mut DigestCache,
) -> Result<oci::Digest, SelectError> {
    let mut files = Vec::new();
    for picked in &picks.entries {
        if let Content::File { source, path, metadata } = &picked.content
            && let Some(source) = sources.get(*source)
        {
            files.push((source, Wanted { tree: source.origin.tree, path, metadata }));
        }
    }
    let (sources, wanted): (Vec<&Source<'_>>, Vec<_>) = files.into_iter().unzip();
    let digests = cache.digests(&wanted).map_err(|(index, trouble)| {
        let path = wanted.get(index).map_or(Path::new(""), |wanted| wanted.path).to_owned();
        let origin = sources.get(index).map_or("", |source| source.origin.name).to_owned();
        match trouble {
            Trouble::Unreadable(source) => SelectError::Unreadable { path, origin, source },
            Trouble::Changed => SelectError::Changed { path, origin },
        }
    })?;
    let mut hasher = Sha256::new();
    hasher.update(VERSION);
    let mut digests = digests.iter();
    for picked in &picks.entries {
        let digest = match picked.content {
            Content::File { .. } => digests.next(),
            Content::None => None,
        };
        add(&mut hasher, picked, digest);
    }
    Ok(oci::Digest::of(&hasher.finalize()))
}

fn add(hasher: &mut Sha256, picked: &Picked, content: Option<&ContentDigest>) {
    let entry = &picked.entry;
    text(hasher, entry.path.as_os_str().as_encoded_bytes());
    for number in [entry.mode, entry.uid, entry.gid] {
        hasher.update(number.to_le_bytes());
    }
    let numbers = |hasher: &mut Sha256, major: &u32, minor: &u32| {
        hasher.update(major.to_le_bytes());
        hasher.update(minor.to_le_bytes());
    };
    match &entry.kind {
        EntryKind::File { size } => {
            hasher.update(b"f");
            hasher.update(size.to_le_bytes());
            hasher.update(content.map_or(&[] as &[u8], |digest| digest.as_slice()));
        }
        EntryKind::Directory => hasher.update(b"d"),
        EntryKind::Symlink { target } => {
            hasher.update(b"l");
            text(hasher, target.as_os_str().as_encoded_bytes());
        }
        EntryKind::Hardlink { target } => {
            hasher.update(b"h");
            text(hasher, target.as_os_str().as_encoded_bytes());
        }
        EntryKind::CharacterDevice { major, minor } => {
            hasher.update(b"c");
            numbers(hasher, major, minor);
        }
        EntryKind::BlockDevice { major, minor } => {
            hasher.update(b"b");
            numbers(hasher, major, minor);
        }
        EntryKind::Fifo => hasher.update(b"p"),
        EntryKind::Whiteout => hasher.update(b"w"),
        EntryKind::Opaque => hasher.update(b"o"),
    }
    hasher.update((entry.xattrs.len() as u64).to_le_bytes());
    for (name, value) in &entry.xattrs {
        text(hasher, name.as_encoded_bytes());
        text(hasher, value);
    }
}

/// Bytes with their number before them: no two lists of texts look alike.
fn text(hasher: &mut Sha256, text: &[u8]) {
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text);
}
