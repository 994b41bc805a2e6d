//! Archives: images in one file.
//!
//! An `oci-archive` is an OCI layout in a tar archive, a `docker-archive` is what `docker save` writes
//! and `docker load` reads. `toc` finds what lies where in the file, `contents` and `docker` make images
//! of it, `pack` writes; an [`Archive`] is the [`Store`] over one file.
//!
//! Reading unpacks nothing: a blob is a range of the file, verified as it streams. Writing is gathered
//! in a folder beside the file and seen by this store alone, until [`Store::finish`] writes a new file
//! from the old one and what was gathered, and renames it: whoever is killed before leaves the old file
//! or none. What an archive holds stays in it; several processes may add to the same one.

mod contents;
mod docker;
mod pack;
mod staging;
mod toc;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use report::{and_list, or_list, plural};

use crate::layout::blocking;
use crate::layout::read::stream;
use crate::only_image::{Listed, only_image};
use crate::{
    BlobSource, BlobStream, Descriptor, Digest, Error, LARGEST_MANIFEST, Manifest, MediaType,
    MountSource, Pushed, Reference, RepositoryName, Selector, Store, Tag,
};
use contents::Contents;
use staging::Staging;

/// As many names as an error lists.
const MOST_SHOWN: usize = 10;

/// How a file of images is built, and which names in it are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// An OCI layout in a tar archive.
    Oci,
    /// What `docker save` writes; of its images those that are called so, or nothing that has a name.
    Docker(Option<Reference>),
}

/// One archive. Cheap to clone.
#[derive(Clone)]
pub struct Archive(Arc<Inner>);

struct Inner {
    path: PathBuf,
    format: ArchiveFormat,
    name: String,
    /// Whether `latest` means the only image, where nothing is called so.
    takes_only_image: bool,
    state: Mutex<State>,
    /// One at a time packs.
    packing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    opened: Option<Arc<Contents>>,
    staging: Option<Arc<Staging>>,
    pending: Vec<Pending>,
}

/// A manifest that will be in the next file.
#[derive(Clone)]
struct Pending {
    manifest: Manifest,
    tags: Vec<Tag>,
}

impl ArchiveFormat {
    /// What the image at `tag` is called in the archive.
    fn name_of(&self, tag: &Tag) -> Option<String> {
        match self {
            Self::Oci => Some(tag.to_string()),
            Self::Docker(repository) => {
                repository.as_ref().map(|repository| format!("{}:{tag}", repository.name()))
            }
        }
    }

    /// The tag of an image that is called so, if it is meant.
    fn tag_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        match self {
            Self::Oci => Some(name),
            Self::Docker(repository) => {
                name.strip_prefix(&repository.as_ref()?.name())?.strip_prefix(':')
            }
        }
    }
}

impl Archive {
    /// The archive at `path`, which comes into being when it is finished for the first time.
    pub fn new(path: impl Into<PathBuf>, format: ArchiveFormat) -> Self {
        Self::with(path.into(), format, false)
    }

    /// The same for reading, where no tag was written: `latest` is the only image, if nothing is
    /// called `latest`; which of several is meant must be said.
    pub fn without_tag(path: impl Into<PathBuf>, format: ArchiveFormat) -> Self {
        Self::with(path.into(), format, true)
    }

    fn with(path: PathBuf, format: ArchiveFormat, takes_only_image: bool) -> Self {
        let name = match &format {
            ArchiveFormat::Oci => format!("oci-archive:{}", path.display()),
            ArchiveFormat::Docker(None) => format!("docker-archive:{}", path.display()),
            ArchiveFormat::Docker(Some(repository)) => {
                format!("docker-archive:{}:{}", path.display(), repository.name())
            }
        };
        Self(Arc::new(Inner {
            path,
            format,
            name,
            takes_only_image,
            state: Mutex::default(),
            packing: tokio::sync::Mutex::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file holds; none while there is none.
    async fn contents(&self) -> Result<Option<Arc<Contents>>, Error> {
        if let Some(opened) = &self.state().opened {
            return Ok(Some(Arc::clone(opened)));
        }
        let inner = Arc::clone(&self.0);
        let opened =
            blocking(move || Contents::open(&inner.path, &inner.format, &inner.name)).await?;
        let opened = opened.map(Arc::new);
        self.state().opened.clone_from(&opened);
        Ok(opened)
    }

    async fn staging(&self) -> Result<Arc<Staging>, Error> {
        if let Some(staging) = &self.state().staging {
            return Ok(Arc::clone(staging));
        }
        let inner = Arc::clone(&self.0);
        let staging = blocking(move || Staging::beside(&inner.path, &inner.name)).await?;
        // Whoever came here at the same time made one too; one of them goes.
        Ok(Arc::clone(self.state().staging.get_or_insert_with(|| Arc::new(staging))))
    }

    fn staged(&self) -> Option<Arc<Staging>> {
        self.state().staging.clone()
    }

    /// What was put and is not in the file yet.
    fn pending(&self, selector: &Selector) -> Option<Manifest> {
        let state = self.state();
        let is_it = |pending: &&Pending| match selector {
            Selector::Tag(tag) => pending.tags.contains(tag),
            Selector::Digest(digest) => pending.manifest.digest() == *digest,
        };
        state.pending.iter().rev().find(is_it).map(|pending| pending.manifest.clone())
    }

    async fn find(&self, selector: &Selector) -> Result<Option<Manifest>, Error> {
        if let Some(manifest) = self.pending(selector) {
            return Ok(Some(manifest));
        }
        let Some(contents) = self.contents().await? else { return Ok(None) };
        match selector {
            Selector::Digest(digest) => contents.listed_manifest(digest),
            Selector::Tag(tag) => match self.named(&contents, tag)? {
                Some(found) => contents.manifest(&found.digest, Some(&found.media_type)),
                None => Ok(None),
            },
        }
    }

    fn named(&self, contents: &Contents, tag: &Tag) -> Result<Option<Descriptor>, Error> {
        let name = self.0.format.name_of(tag);
        let named = |image: &&Listed| name.is_some() && image.name == name;
        if let Some(image) = contents.images.iter().find(named) {
            return Ok(Some(image.descriptor.clone()));
        }
        if !self.0.takes_only_image || *tag != Tag::latest() {
            return Ok(None);
        }
        if let ArchiveFormat::Docker(Some(_)) = &self.0.format {
            return Ok(None);
        }
        let speaks = |entry: &Descriptor| {
            let manifest = contents.manifest(&entry.digest, Some(&entry.media_type));
            manifest.ok().flatten().is_some_and(|manifest| manifest.subject().is_some())
        };
        only_image(&contents.images, speaks).map_err(|several| {
            let names = or_list(several.iter().map(|image| image.shown()).take(MOST_SHOWN));
            contents.invalid(format!("it holds {} images, choose {names}", several.len()))
        })
    }

    async fn put(&self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Error> {
        if let ArchiveFormat::Docker(repository) = &self.0.format {
            if repository.is_none() && !tags.is_empty() {
                let why =
                    "the image needs a name in it, write `docker-archive:FILE:REPOSITORY:TAG`";
                return Err(Error::invalid(format!("`{}`", self.0.name), why));
            }
            self.check_image(manifest).await?;
        }
        // Here, so that one which cannot be read stops a copy before it is finished.
        self.contents().await?;
        self.state().pending.push(Pending { manifest: manifest.clone(), tags: tags.to_vec() });
        Ok(())
    }

    /// Whether docker could load it.
    async fn check_image(&self, manifest: &Manifest) -> Result<(), Error> {
        let invalid = |why: String| Error::invalid(manifest.digest().to_string(), why);
        let (config, layers) = docker::image_parts(manifest)?;
        for layer in layers {
            if self.blob_size(&layer.digest).await?.is_none() {
                let help = match layer.media_type.is_foreign_layer() {
                    true => ", so set `foreign-layers = \"include\"`",
                    false => "",
                };
                return Err(invalid(format!(
                    "its layer {} is not there, and an archive of docker has all of an image{help}",
                    layer.digest
                )));
            }
        }
        let bytes = self.blob(config).await?.collect(LARGEST_MANIFEST).await?;
        let diff_ids = docker::diff_ids(&bytes)
            .map_err(|error| invalid(format!("its configuration: {error}")))?;
        match diff_ids.len() == layers.len() {
            true => Ok(()),
            false => Err(invalid(format!(
                "its configuration knows {}, it has {}",
                plural(diff_ids.len(), "layer"),
                layers.len()
            ))),
        }
    }

    async fn pack(&self) -> Result<(), Error> {
        let _one = self.0.packing.lock().await;
        let pending = self.state().pending.clone();
        if pending.is_empty() {
            return Ok(());
        }
        let staging = self.staging().await?;
        let (inner, count) = (Arc::clone(&self.0), pending.len());
        blocking(move || staging.replace(&inner.path, &inner.format, &inner.name, &pending))
            .await?;
        let mut state = self.state();
        state.pending.drain(..count);
        state.opened = None;
        Ok(())
    }

    fn not_found(&self, what: String) -> Error {
        Error::NotFound { what, place: self.0.name.clone() }
    }

    fn unchangeable(&self) -> Error {
        let why = "nothing is deleted from an archive, write a new one";
        Error::invalid(format!("`{}`", self.0.name), why)
    }
}

impl Store for Archive {
    fn name(&self) -> String {
        self.0.name.clone()
    }

    fn resolve<'a>(
        &'a self,
        selector: &'a Selector,
    ) -> BoxFuture<'a, Result<Option<Descriptor>, Error>> {
        Box::pin(async move { Ok(self.find(selector).await?.map(|found| found.descriptor())) })
    }

    fn manifest<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<Manifest, Error>> {
        Box::pin(async move {
            let found = self.find(selector).await?;
            found.ok_or_else(|| self.not_found(format!("manifest {selector}")))
        })
    }

    fn put_manifest<'a>(
        &'a self,
        manifest: &'a Manifest,
        tags: &'a [Tag],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.put(manifest, tags))
    }

    fn blob_size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>> {
        Box::pin(async move {
            if let Some(staging) = self.staged()
                && let Some(size) = staging.layout.blob_size(digest).await?
            {
                return Ok(Some(size));
            }
            let contents = self.contents().await?;
            Ok(contents.and_then(|contents| contents.blobs.get(digest).map(|at| at.size)))
        })
    }

    fn blob<'a>(&'a self, blob: &'a Descriptor) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(async move {
            let whole = self.blob_range(blob, 0..u64::MAX).await?;
            Ok(whole.verified(blob, &self.0.name))
        })
    }

    fn blob_range<'a>(
        &'a self,
        blob: &'a Descriptor,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(async move {
            if let Some(staging) = self.staged()
                && staging.layout.blob_size(&blob.digest).await?.is_some()
            {
                return staging.layout.blob_range(blob, range).await;
            }
            let contents = self.contents().await?;
            let found = contents.and_then(|contents| {
                Some((*contents.blobs.get(&blob.digest)?, Arc::clone(&contents.file)))
            });
            let (extent, file) =
                found.ok_or_else(|| self.not_found(format!("blob {}", blob.digest)))?;
            let at = |position: u64| extent.offset + position.min(extent.size);
            Ok(stream(file, at(range.start)..at(range.end), self.0.name.clone()))
        })
    }

    fn push_blob<'a>(
        &'a self,
        blob: &'a Descriptor,
        content: &'a dyn BlobSource,
        _mount_from: Option<&'a RepositoryName>,
    ) -> BoxFuture<'a, Result<Pushed, Error>> {
        Box::pin(async move {
            if self.blob_size(&blob.digest).await? == Some(blob.size) {
                return Ok(Pushed::Present);
            }
            self.staging().await?.layout.push_blob(blob, content, None).await
        })
    }

    fn mount_source(&self) -> Option<MountSource> {
        None
    }

    fn tags<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let contents = self.contents().await?;
            let (mut tags, is_empty) = {
                let state = self.state();
                let tags = state.pending.iter().flat_map(|pending| &pending.tags);
                (tags.map(Tag::to_string).collect::<Vec<_>>(), state.pending.is_empty())
            };
            if contents.is_none() && is_empty {
                return Err(self.not_found("repository".to_owned()));
            }
            if let (ArchiveFormat::Docker(None), Some(contents)) = (&self.0.format, &contents) {
                let names = contents.images.iter().map(Listed::shown).take(MOST_SHOWN);
                return Err(contents.invalid(format!(
                    "tags are those of one repository in it, and it holds {}",
                    and_list(names)
                )));
            }
            let images = contents.iter().flat_map(|contents| &contents.images);
            let names = images.filter_map(|image| self.0.format.tag_of(image.name.as_deref()?));
            tags.extend(names.map(str::to_owned));
            tags.sort();
            tags.dedup();
            tags.retain(|tag| after.is_none_or(|after| tag.as_str() > after));
            tags.truncate(limit);
            Ok(tags)
        })
    }

    fn referrers<'a>(
        &'a self,
        digest: &'a Digest,
        artifact_type: Option<&'a MediaType>,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>, Error>> {
        Box::pin(async move {
            let mut manifests: Vec<Manifest> =
                self.state().pending.iter().map(|pending| pending.manifest.clone()).collect();
            if let Some(contents) = self.contents().await? {
                for entry in contents.index.descriptors() {
                    match contents.manifest(&entry.digest, Some(&entry.media_type)) {
                        Ok(found) => manifests.extend(found),
                        // One that cannot be read refers to nothing; whoever asks for it is told.
                        Err(Error::Io { what, place, source }) => {
                            return Err(Error::Io { what, place, source });
                        }
                        Err(error) => tracing::debug!(%error, "a manifest cannot be read"),
                    }
                }
            }
            let mut found: Vec<Descriptor> = Vec::new();
            for manifest in manifests {
                let refers = manifest.subject().is_some_and(|subject| subject.digest == *digest);
                let entry = manifest.as_referrer();
                let fits = artifact_type.is_none() || entry.artifact_type.as_ref() == artifact_type;
                if refers && fits && found.iter().all(|known| known.digest != entry.digest) {
                    found.push(entry);
                }
            }
            Ok(found)
        })
    }

    fn delete<'a>(&'a self, _selector: &'a Selector) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { Err(self.unchangeable()) })
    }

    fn delete_blob<'a>(&'a self, _digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { Err(self.unchangeable()) })
    }

    fn finish(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.pack())
    }
}
