//! OCI image layouts: images in a directory (image-spec 1.1, "Image Layout").
//!
//! `disk` knows files, locks and atomic writes and is synchronous; `upload` and `read` stream;
//! `referrers` finds what speaks about a manifest; a [`Layout`] is the [`Store`] over one directory,
//! a [`LayoutRegistry`] many of them below one, which `garbage` keeps clean.
//!
//! Other tools read what is written here, and may write too. Two processes may use a directory at
//! the same time: blobs come into being by a rename, `index.json` changes under a lock. Whatever is
//! killed, however, leaves nothing half written under its name.

mod disk;
mod garbage;
pub(crate) mod index_file;
pub(crate) mod read;
mod referrers;
mod registry;
mod upload;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
pub use garbage::{Garbage, GarbageOptions};
pub use registry::LayoutRegistry;

use report::or_list;

use crate::only_image::{Listed, only_image};
use crate::{
    Algorithm, BlobSource, BlobStream, Descriptor, Digest, Error, Manifest, MediaType, MountSource,
    Pushed, RepositoryName, Selector, Store, Tag,
};
use disk::Disk;
pub(crate) use disk::MARKER_CONTENT;
use referrers::Remembered;
use upload::LayoutUpload;

/// As many names as an error lists.
const MOST_SHOWN: usize = 10;

/// One layout directory. Cheap to clone.
#[derive(Clone)]
pub struct Layout {
    disk: Arc<Disk>,
    /// The registry that the directory is a repository of.
    registry: Option<(Arc<registry::Root>, RepositoryName)>,
    referrers: Arc<Remembered>,
    /// Whether `latest` means the only image, where nothing is called so.
    takes_only_image: bool,
}

impl Layout {
    /// The layout at `path`, which comes into being with its first write.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = format!("oci-layout:{}", path.display());
        Self::over(Disk::new(path, name))
    }

    /// The same for reading, where no tag was written: `latest` is the only image, if nothing is
    /// called `latest`; which of several is meant must be said.
    pub fn without_tag(path: impl Into<PathBuf>) -> Self {
        Self { takes_only_image: true, ..Self::new(path) }
    }

    fn over(disk: Disk) -> Self {
        let (disk, referrers) = (Arc::new(disk), Arc::default());
        Self { disk, registry: None, referrers, takes_only_image: false }
    }

    /// The layout at `path`, which keeps `held` for as long as anything works on its files, also
    /// what goes on behind a caller that has given up.
    pub(crate) fn holding(path: PathBuf, held: Box<dyn Send + Sync>) -> Self {
        let name = format!("oci-layout:{}", path.display());
        Self::over(Disk::new(path, name).holding(held))
    }

    fn of_registry(root: Arc<registry::Root>, repository: RepositoryName) -> Self {
        let registry = Some((Arc::clone(&root), repository.clone()));
        Self { registry, ..Self::over(root.disk(&repository)) }
    }

    /// The file of a blob, if it is there.
    pub(crate) fn blob_file(&self, digest: &Digest) -> Option<std::fs::File> {
        self.disk.open_blob(digest).ok()
    }

    /// Takes bytes whose digest is not known yet.
    async fn start_upload(&self, hashed_by: Option<Algorithm>) -> Result<LayoutUpload, Error> {
        LayoutUpload::start(Arc::clone(&self.disk), hashed_by).await
    }

    /// Runs work on the disk where it may block.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let disk = Arc::clone(&self.disk);
        blocking(move || work(&disk)).await
    }

    async fn link(&self, blob: Digest, from: &RepositoryName) -> Result<bool, Error> {
        let Some((root, _)) = &self.registry else { return Ok(false) };
        let other = root.disk(from);
        self.on_disk(move |disk| disk.link_blob(&other, &blob)).await
    }
}

/// What `selector` means where no tag was written.
fn meant(disk: &Disk, selector: Selector, takes_only_image: bool) -> Result<Selector, Error> {
    if !takes_only_image || selector != Selector::Tag(Tag::latest()) {
        return Ok(selector);
    }
    let index = disk.read_index()?;
    if index.tagged(&Tag::latest()).is_some() {
        return Ok(selector);
    }
    let listed = index.named().map(|(descriptor, name)| Listed { descriptor, name });
    let listed: Vec<Listed> = listed.collect();
    let speaks = |entry: &Descriptor| {
        let manifest = disk.read_manifest(&entry.digest, Some(&entry.media_type));
        manifest.ok().flatten().is_some_and(|manifest| manifest.subject().is_some())
    };
    match only_image(&listed, speaks) {
        Ok(only) => Ok(only.map_or(selector, |only| Selector::Digest(only.digest))),
        Err(several) => {
            let names = or_list(several.iter().map(|image| image.shown()).take(MOST_SHOWN));
            let why = format!("it holds {} images, choose {names}", several.len());
            Err(Error::invalid(format!("`{}`", disk.name()), why))
        }
    }
}

/// The one place where this room leaves the async runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(broken) => match broken.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Io {
                what: "a disk operation",
                place: "a runtime that is shutting down".to_owned(),
                source: std::io::ErrorKind::Interrupted.into(),
            }),
        },
    }
}

impl Store for Layout {
    fn name(&self) -> String {
        self.disk.name().to_owned()
    }

    fn resolve<'a>(
        &'a self,
        selector: &'a Selector,
    ) -> BoxFuture<'a, Result<Option<Descriptor>, Error>> {
        let (selector, takes_only_image) = (selector.clone(), self.takes_only_image);
        Box::pin(self.on_disk(move |disk| disk.resolve(&meant(disk, selector, takes_only_image)?)))
    }

    fn manifest<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<Manifest, Error>> {
        let (selector, takes_only_image) = (selector.clone(), self.takes_only_image);
        Box::pin(self.on_disk(move |disk| {
            let found = disk.find(&meant(disk, selector.clone(), takes_only_image)?)?;
            found.ok_or_else(|| disk.not_found(format!("manifest {selector}")))
        }))
    }

    fn put_manifest<'a>(
        &'a self,
        manifest: &'a Manifest,
        tags: &'a [Tag],
    ) -> BoxFuture<'a, Result<(), Error>> {
        let (manifest, tags) = (manifest.clone(), tags.to_vec());
        let is_whole = self.registry.is_some();
        Box::pin(self.on_disk(move |disk| disk.put_manifest(&manifest, &tags, is_whole)))
    }

    fn blob_size<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>> {
        let digest = *digest;
        // In a registry, whoever asks pushes, and may refer to it next.
        let is_wanted = self.registry.is_some();
        Box::pin(self.on_disk(move |disk| match is_wanted {
            true => disk.wanted_size(&digest),
            false => disk.blob_size(&digest),
        }))
    }

    fn blob<'a>(&'a self, blob: &'a Descriptor) -> BoxFuture<'a, Result<BlobStream, Error>> {
        Box::pin(async move {
            let whole = self.blob_range(blob, 0..u64::MAX).await?;
            Ok(whole.verified(blob, self.disk.name()))
        })
    }

    fn blob_range<'a>(
        &'a self,
        blob: &'a Descriptor,
        range: Range<u64>,
    ) -> BoxFuture<'a, Result<BlobStream, Error>> {
        let digest = blob.digest;
        Box::pin(async move {
            let file = self.on_disk(move |disk| disk.open_blob(&digest)).await?;
            Ok(read::stream(Arc::new(file), range, self.disk.name().to_owned()))
        })
    }

    fn push_blob<'a>(
        &'a self,
        blob: &'a Descriptor,
        content: &'a dyn BlobSource,
        mount_from: Option<&'a RepositoryName>,
    ) -> BoxFuture<'a, Result<Pushed, Error>> {
        Box::pin(async move {
            // A blob of the wrong length is what a power failure leaves: it is written again.
            if self.blob_size(&blob.digest).await? == Some(blob.size) {
                return Ok(Pushed::Present);
            }
            if let Some(from) = mount_from
                && self.link(blob.digest, from).await?
            {
                return Ok(Pushed::Mounted);
            }
            let stream = content.open().await?.verified(blob, "the source");
            // The stream proves itself: nothing is hashed again.
            self.start_upload(None).await?.receive(stream, blob.digest).await?;
            Ok(Pushed::Sent)
        })
    }

    fn mount_source(&self) -> Option<MountSource> {
        let (root, repository) = self.registry.as_ref()?;
        let registry = format!("layouts:{}", root.path.display());
        Some(MountSource { registry, repository: repository.clone() })
    }

    fn tags<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        let after = after.map(str::to_owned);
        Box::pin(self.on_disk(move |disk| {
            if !disk.exists() {
                return Err(disk.not_found("repository".to_owned()));
            }
            let mut tags = disk.read_index()?.tags();
            tags.sort();
            tags.dedup();
            tags.retain(|tag| after.as_ref().is_none_or(|after| tag > after));
            tags.truncate(limit);
            Ok(tags)
        }))
    }

    fn referrers<'a>(
        &'a self,
        digest: &'a Digest,
        artifact_type: Option<&'a MediaType>,
    ) -> BoxFuture<'a, Result<Vec<Descriptor>, Error>> {
        Box::pin(async move {
            let (subject, remembered) = (*digest, Arc::clone(&self.referrers));
            let listed = self.on_disk(move |disk| referrers::read(disk, &subject, &remembered));
            let mut listed = listed.await?;
            listed.retain(|entry| {
                artifact_type.is_none() || entry.artifact_type.as_ref() == artifact_type
            });
            Ok(listed)
        })
    }

    fn delete<'a>(&'a self, selector: &'a Selector) -> BoxFuture<'a, Result<bool, Error>> {
        let selector = selector.clone();
        Box::pin(self.on_disk(move |disk| disk.delete(&selector)))
    }

    fn delete_blob<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        let digest = *digest;
        Box::pin(self.on_disk(move |disk| disk.delete_blob(&digest)))
    }
}
