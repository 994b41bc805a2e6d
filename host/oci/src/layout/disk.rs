//! The files of a layout: where they are, and how they change.
//!
//! Synchronous; runs where it may block. What is written comes from `work`, where it is until it is
//! complete.

mod work;

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;

use super::index_file::IndexFile;
use crate::{
    Algorithm, Content, Descriptor, Digest, Error, LARGEST_MANIFEST, Manifest, MediaType, Mismatch,
    Selector, Tag,
};

/// What says that a directory is a layout (image-spec, "oci-layout file").
const MARKER: &str = "oci-layout";
pub(crate) const MARKER_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// A larger `index.json` is none: at 300 bytes an entry it would list more than 200,000 images.
const LARGEST_INDEX: u64 = 64 * 1024 * 1024;

/// How old a blob may look that pushes ask for: less than any sensible age of garbage, more than
/// would write down every pull.
const REFRESHED: Duration = Duration::from_secs(600);

/// The files of one layout.
pub(super) struct Disk {
    path: PathBuf,
    name: String,
    prepared: OnceLock<()>,
    /// Dropped when nothing works here any more.
    _held: Option<Box<dyn Send + Sync>>,
}

impl Disk {
    pub(super) fn new(path: PathBuf, name: String) -> Self {
        Self { path, name, prepared: OnceLock::new(), _held: None }
    }

    pub(super) fn holding(self, held: Box<dyn Send + Sync>) -> Self {
        Self { _held: Some(held), ..self }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn exists(&self) -> bool {
        self.path.join(MARKER).is_file()
    }

    pub(super) fn not_found(&self, what: String) -> Error {
        Error::NotFound { what, place: self.name.clone() }
    }

    pub(super) fn io(&self, what: &'static str) -> impl Fn(io::Error) -> Error {
        let place = self.name.clone();
        move |source| Error::Io { what, place: place.clone(), source }
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
    }

    pub(super) fn read_index(&self) -> Result<IndexFile, Error> {
        let path = self.path.join("index.json");
        let Some(bytes) = self.read_file(&path, LARGEST_INDEX)? else {
            return Ok(IndexFile::empty());
        };
        IndexFile::parse(&bytes).map_err(|why| Error::invalid(format!("`{}`", path.display()), why))
    }

    fn read_file(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let file = match fs_err::File::open(path) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.io("reading")(error)),
        };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(self.io("reading"))?;
        if bytes.len() as u64 > limit {
            let why = format!("it has more than {limit} bytes");
            return Err(Error::invalid(format!("`{}`", path.display()), why));
        }
        Ok(Some(bytes))
    }

    /// What the selector points at, digest checked.
    pub(super) fn find(&self, selector: &Selector) -> Result<Option<Manifest>, Error> {
        let index = self.read_index()?;
        match selector {
            Selector::Tag(tag) => match index.tagged(tag) {
                Some(entry) => self.read_manifest(&entry.digest, Some(&entry.media_type)),
                None => Ok(None),
            },
            Selector::Digest(digest) => {
                let declared = index.with_digest(digest).map(|entry| &entry.media_type);
                self.read_manifest(digest, declared)
            }
        }
    }

    pub(super) fn resolve(&self, selector: &Selector) -> Result<Option<Descriptor>, Error> {
        let index = self.read_index()?;
        let entry = match selector {
            Selector::Tag(tag) => index.tagged(tag),
            Selector::Digest(digest) => index.with_digest(digest),
        };
        if let Some(entry) = entry {
            // The tag is ours; who asks is told what is pointed at.
            let mut found = Descriptor::new(entry.media_type.clone(), entry.digest, entry.size);
            found.artifact_type.clone_from(&entry.artifact_type);
            return Ok((self.blob_size(&entry.digest)? == Some(entry.size)).then_some(found));
        }
        match self.find(selector) {
            Ok(found) => Ok(found.map(|manifest| manifest.descriptor())),
            // Another blob than a manifest.
            Err(Error::Invalid { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The blob at `digest`, if it is a manifest: of the declared type, or as it looks.
    pub(super) fn read_manifest(
        &self,
        digest: &Digest,
        declared: Option<&MediaType>,
    ) -> Result<Option<Manifest>, Error> {
        let path = self.blob_path(digest);
        if declared.is_none() && self.blob_size(digest)?.is_some_and(|s| s > LARGEST_MANIFEST) {
            return Ok(None);
        }
        let Some(bytes) = self.read_file(&path, LARGEST_MANIFEST)? else { return Ok(None) };
        digest.verify(&bytes).map_err(|mismatch| self.damaged(digest, mismatch))?;
        let bytes = Bytes::from(bytes);
        match declared {
            Some(declared) => Manifest::checked(declared.clone(), *digest, bytes).map(Some),
            None => match Manifest::guessed(*digest, bytes) {
                Ok(manifest) => Ok(Some(manifest)),
                Err(Error::Invalid { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    fn damaged(&self, digest: &Digest, mismatch: Mismatch) -> Error {
        Error::mismatch(format!("manifest {digest} of {}", self.name), mismatch)
    }

    pub(super) fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        Ok(self.blob_facts(digest)?.map(|facts| facts.len()))
    }

    pub(super) fn blob_facts(&self, digest: &Digest) -> Result<Option<Metadata>, Error> {
        match fs_err::metadata(self.blob_path(digest)) {
            Ok(facts) => Ok(facts.is_file().then_some(facts)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.io("looking for a blob")(error)),
        }
    }

    /// All blobs, manifests among them. Files with other names than digests are not ours.
    pub(super) fn blobs(&self) -> Result<BTreeMap<Digest, Metadata>, Error> {
        let failed = self.io("listing blobs");
        let mut blobs = BTreeMap::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let folder = self.path.join("blobs").join(algorithm.as_str());
            let files = match fs_err::read_dir(folder) {
                Ok(files) => files,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(failed(error)),
            };
            for file in files {
                let file = file.map_err(&failed)?;
                let name = file.file_name();
                let digest =
                    name.to_str().and_then(|hex| format!("{algorithm}:{hex}").parse().ok());
                match (digest, file.metadata()) {
                    (Some(digest), Ok(facts)) if facts.is_file() => {
                        blobs.insert(digest, facts);
                    }
                    (_, Err(error)) if !is_absent(&error) => return Err(failed(error)),
                    (Some(_) | None, _) => {}
                }
            }
        }
        Ok(blobs)
    }

    /// The size of a blob that somebody is about to refer to: it is young again, and no garbage for
    /// a while.
    pub(super) fn wanted_size(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let Some(facts) = self.blob_facts(digest)? else { return Ok(None) };
        if !super::garbage::is_old(&facts, REFRESHED) {
            return Ok(Some(facts.len()));
        }
        self.refresh(digest, &facts);
        // Once more: until now it may have been garbage.
        self.blob_size(digest)
    }

    pub(super) fn refresh(&self, digest: &Digest, facts: &Metadata) {
        // To set what is set changes nothing but the time of the last change.
        if let Err(error) = fs_err::set_permissions(self.blob_path(digest), facts.permissions()) {
            tracing::debug!(%error, "a blob that is asked for keeps its age");
        }
    }

    pub(super) fn open_blob(&self, digest: &Digest) -> Result<File, Error> {
        match fs_err::File::open(self.blob_path(digest)) {
            Ok(file) => Ok(file.into_file()),
            Err(error) if is_absent(&error) => Err(self.not_found(format!("blob {digest}"))),
            Err(error) => Err(self.io("opening a blob")(error)),
        }
    }

    fn change_index<T>(
        &self,
        change: impl FnOnce(&mut IndexFile) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.prepare()?;
        let _guard = self.lock()?;
        let mut index = self.read_index()?;
        let before = index.to_bytes();
        let result = change(&mut index)?;
        let after = index.to_bytes();
        if after != before {
            self.write_index(&index)?;
        }
        Ok(result)
    }

    pub(super) fn write_index(&self, index: &IndexFile) -> Result<(), Error> {
        self.write(&self.path.join("index.json"), &index.to_bytes())
    }

    /// `is_whole`: what the manifest refers to must be there when it is.
    pub(super) fn put_manifest(
        &self,
        manifest: &Manifest,
        tags: &[Tag],
        is_whole: bool,
    ) -> Result<(), Error> {
        self.prepare()?;
        let digest = manifest.digest();
        self.put_bytes(manifest)?;
        self.change_index(|index| {
            // Garbage is collected under the same lock: what is here now stays.
            self.put_bytes(manifest)?;
            if is_whole {
                self.check_blobs(manifest)?;
            }
            // What a tag that moves leaves behind stays known, if nothing else leads to it.
            let moved: Vec<Descriptor> =
                tags.iter().filter_map(|tag| index.tagged(tag).cloned()).collect();
            index.put(manifest, tags);
            for old in moved.into_iter().filter(|old| old.digest != digest) {
                self.keep_listed(index, &old)?;
            }
            let children = manifest.manifests();
            index.drop_bare(|entry| {
                children.iter().any(|child| child.digest == entry.digest)
                    && !self.must_be_listed(entry)
            });
            Ok(())
        })
    }

    fn put_bytes(&self, manifest: &Manifest) -> Result<(), Error> {
        let digest = manifest.digest();
        if self.wanted_size(&digest)? == Some(manifest.bytes().len() as u64) {
            return Ok(());
        }
        self.write(&self.blob_path(&digest), manifest.bytes())
    }

    fn check_blobs(&self, manifest: &Manifest) -> Result<(), Error> {
        let Content::Image(_) = manifest.content() else { return Ok(()) };
        let own = manifest.blobs().into_iter().filter(|blob| !blob.media_type.is_foreign_layer());
        for blob in own {
            if self.blob_size(&blob.digest)?.is_none() {
                let why = format!("its blob {} is gone", blob.digest);
                return Err(Error::invalid(format!("manifest {}", manifest.digest()), why));
            }
        }
        Ok(())
    }

    /// Lists a manifest without a tag, if it would be lost otherwise.
    fn keep_listed(&self, index: &mut IndexFile, entry: &Descriptor) -> Result<(), Error> {
        if index.with_digest(&entry.digest).is_none()
            && self.must_be_listed(entry)
            && let Some(manifest) = self.read_manifest(&entry.digest, Some(&entry.media_type))?
        {
            index.put(&manifest, &[]);
        }
        Ok(())
    }

    /// Referrers are found by the index alone, and so is the type of what does not say it.
    fn must_be_listed(&self, entry: &Descriptor) -> bool {
        self.read_manifest(&entry.digest, Some(&entry.media_type)).is_ok_and(|manifest| {
            manifest.is_some_and(|m| m.subject().is_some() || !m.says_its_media_type())
        })
    }

    pub(super) fn link_blob(&self, from: &Self, digest: &Digest) -> Result<bool, Error> {
        let Some(size) = from.blob_size(digest)? else { return Ok(false) };
        self.prepare()?;
        let to = self.blob_path(digest);
        if let Some(parent) = to.parent() {
            fs_err::create_dir_all(parent).map_err(self.io("linking a blob"))?;
        }
        match fs_err::hard_link(from.blob_path(digest), &to) {
            Ok(()) => Ok(true),
            // One that a power failure cut is written anew.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(self.blob_size(digest)? == Some(size))
            }
            // File systems without hard links exist; then the bytes are sent.
            Err(error) => {
                tracing::debug!(%error, "a blob could not be linked");
                Ok(false)
            }
        }
    }

    pub(super) fn delete(&self, selector: &Selector) -> Result<bool, Error> {
        if !self.exists() {
            return Ok(false);
        }
        match selector {
            Selector::Tag(tag) => self.change_index(|index| match index.remove_tag(tag) {
                Some(entry) => self.keep_listed(index, &entry).map(|()| true),
                None => Ok(false),
            }),
            Selector::Digest(digest) => {
                // Nothing but a manifest is deleted as one.
                let is_manifest = self.resolve(selector)?.is_some();
                let was_listed = self.change_index(|index| Ok(index.remove_digest(digest)))?;
                if is_manifest {
                    self.remove_blob(digest)?;
                }
                Ok(is_manifest || was_listed)
            }
        }
    }

    pub(super) fn delete_blob(&self, digest: &Digest) -> Result<bool, Error> {
        match self.read_index()?.with_digest(digest) {
            Some(_) => Err(Error::invalid(format!("blob {digest}"), "it is a manifest")),
            None => self.remove_blob(digest),
        }
    }

    pub(super) fn remove_blob(&self, digest: &Digest) -> Result<bool, Error> {
        match fs_err::remove_file(self.blob_path(digest)) {
            Ok(()) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(self.io("deleting a blob")(error)),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
