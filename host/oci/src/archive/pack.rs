//! Writing an archive: always whole, beside the old one, which it then replaces.
//!
//! The lists come first, then what the archive had in its order, then what is new in the order of
//! digests, all without times and owners: the same images written in the same order give the same
//! bytes. Everything is written as a layout, into which docker's lists are put beside the others,
//! as docker 25 and later do: so blobs stay as they are and every digest is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::Path;

use tempfile::NamedTempFile;

use super::contents::{Contents, DOCKER_MANIFEST, DOCKER_REPOSITORIES, INDEX, MARKER, blob_path};
use super::toc::Extent;
use super::{ArchiveFormat, Pending, docker};
use crate::layout::MARKER_CONTENT;
use crate::layout::index_file::IndexFile;
use crate::layout::read::read;
use crate::{Digest, Error, Manifest};

/// Who may read the file and what is in it: everybody, as usual.
const MODE: u32 = 0o644;

/// As much as is read and written at a time.
const BUFFER: usize = 1024 * 1024;

/// What is put into an archive.
pub(super) struct Addition<'a> {
    pub(super) format: &'a ArchiveFormat,
    pub(super) manifests: &'a [Pending],
    /// The file of a blob that was pushed.
    pub(super) blob: &'a dyn Fn(&Digest) -> Option<File>,
    /// The archive, for errors.
    pub(super) name: &'a str,
}

/// A document at the head of an archive.
type Document = (&'static str, Vec<u8>);

/// Writes what `old` has and `addition` to a file in `folder`.
pub(super) fn pack(
    old: Option<Contents>,
    addition: &Addition<'_>,
    folder: &Path,
) -> Result<NamedTempFile, Error> {
    let documents = documents(old.as_ref(), addition)?;
    write(old.as_ref(), addition, documents, folder).map_err(|source| Error::Io {
        what: "writing",
        place: addition.name.to_owned(),
        source,
    })
}

fn documents(old: Option<&Contents>, addition: &Addition<'_>) -> Result<Vec<Document>, Error> {
    let mut index = old.map_or_else(IndexFile::empty, |old| old.index.clone());
    let mut documents = vec![(MARKER, MARKER_CONTENT.to_vec())];
    match addition.format {
        ArchiveFormat::Oci => {
            for pending in addition.manifests {
                list(&mut index, pending, &|digest| known(old, addition, digest));
            }
            documents.push((INDEX, index.to_bytes()));
        }
        ArchiveFormat::Docker(_) => {
            let mut images = old.map_or_else(Vec::new, |old| old.docker.clone());
            for pending in addition.manifests {
                let names: Vec<String> =
                    pending.tags.iter().filter_map(|tag| addition.format.name_of(tag)).collect();
                docker::put(&mut index, &mut images, &pending.manifest, &names)?;
            }
            documents.push((INDEX, index.to_bytes()));
            documents.push((DOCKER_MANIFEST, docker::to_bytes(&images)));
            documents.push((DOCKER_REPOSITORIES, docker::repositories(&images)));
        }
    }
    Ok(documents)
}

/// Lists a manifest in `index.json`, as a layout does: what a tag that moves leaves behind stays
/// known if nothing else leads to it, and what the new one leads to need not be listed beside it.
fn list(index: &mut IndexFile, pending: &Pending, known: &dyn Fn(&Digest) -> Option<Manifest>) {
    let must_be_listed = |digest: &Digest| {
        known(digest).is_some_and(|m| m.subject().is_some() || !m.says_its_media_type())
    };
    let Pending { manifest, tags } = pending;
    let moved: Vec<Digest> =
        tags.iter().filter_map(|tag| index.tagged(tag)).map(|entry| entry.digest).collect();
    index.put(manifest, tags);
    for digest in moved {
        if index.with_digest(&digest).is_none()
            && must_be_listed(&digest)
            && let Some(manifest) = known(&digest)
        {
            index.put(&manifest, &[]);
        }
    }
    index.drop_bare(|entry| {
        manifest.manifests().iter().any(|child| child.digest == entry.digest)
            && !must_be_listed(&entry.digest)
    });
}

fn known(old: Option<&Contents>, addition: &Addition<'_>, digest: &Digest) -> Option<Manifest> {
    let new = addition.manifests.iter().find(|pending| pending.manifest.digest() == *digest);
    match new {
        Some(pending) => Some(pending.manifest.clone()),
        // One that cannot be read leads nowhere.
        None => old.and_then(|old| old.listed_manifest(digest).ok().flatten()),
    }
}

fn write(
    old: Option<&Contents>,
    addition: &Addition<'_>,
    documents: Vec<Document>,
    folder: &Path,
) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(MODE));
    let file = BufWriter::with_capacity(BUFFER, builder.tempfile_in(folder)?);
    let mut writer = Writer { archive: tar::Builder::new(file), written: BTreeSet::new() };
    for (name, bytes) in documents {
        writer.bytes(name, &bytes)?;
    }
    if let Some(old) = old {
        for (name, found) in old.toc.in_order() {
            match found {
                Ok(extent) => writer.part(name, &old.file, extent)?,
                Err(target) => writer.link(name, target)?,
            }
        }
    }
    for (digest, manifest) in reached(addition.manifests) {
        let name = blob_path(&digest);
        if let Some(manifest) = manifest {
            writer.bytes(&name, manifest.bytes())?;
        } else if let Some(file) = (addition.blob)(&digest) {
            let size = file.metadata()?.len();
            writer.part(&name, &file, Extent { offset: 0, size })?;
        }
    }
    let file = writer.archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_data()?;
    Ok(file)
}

/// All that the new manifests refer to, and they themselves.
fn reached(manifests: &[Pending]) -> BTreeMap<Digest, Option<&Manifest>> {
    let mut reached = BTreeMap::new();
    for Pending { manifest, .. } in manifests {
        for blob in manifest.blobs().iter().chain(manifest.manifests()) {
            reached.entry(blob.digest).or_insert(None);
        }
        reached.insert(manifest.digest(), Some(manifest));
    }
    reached
}

struct Writer {
    archive: tar::Builder<BufWriter<NamedTempFile>>,
    /// What has been written is not written again: of what the archive had, the new one counts.
    written: BTreeSet<String>,
}

impl Writer {
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.entry(name, bytes.len() as u64, bytes)
    }

    fn part(&mut self, name: &str, file: &File, extent: Extent) -> io::Result<()> {
        let part = Part { file, at: extent.offset, end: extent.offset + extent.size };
        self.entry(name, extent.size, io::BufReader::with_capacity(BUFFER, part))
    }

    fn entry(&mut self, name: &str, size: u64, content: impl Read) -> io::Result<()> {
        if !self.written.insert(name.to_owned()) {
            return Ok(());
        }
        let mut header = header(tar::EntryType::Regular);
        header.set_size(size);
        self.archive.append_data(&mut header, name, content)
    }

    /// Symbolic links are what all readers follow.
    fn link(&mut self, name: &str, target: &str) -> io::Result<()> {
        if !self.written.insert(name.to_owned()) {
            return Ok(());
        }
        let target = format!("{}{target}", "../".repeat(name.matches('/').count()));
        self.archive.append_link(&mut header(tar::EntryType::Symlink), name, target)
    }
}

fn header(kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(MODE);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

/// Some bytes of a file, exactly so many: an entry that is shorter than it says makes a broken
/// archive.
struct Part<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = (self.end - self.at).min(buffer.len() as u64);
        let bytes = read(self.file, self.at, want)?;
        if (bytes.len() as u64) < want {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(start) = buffer.get_mut(..bytes.len()) {
            start.copy_from_slice(&bytes);
        }
        self.at += want;
        Ok(bytes.len())
    }
}
