//! Images and artifacts in registries and layouts. The bytes stay in the host.
//!
//! Needs the grant `oci`: `pull`, `push` and `delete`. A place is
//! `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`, `oci-layout:PATH[:TAG][@DIGEST]`,
//! `oci-archive:FILE[:TAG][@DIGEST]` or `docker-archive:FILE[:REPOSITORY[:TAG]][@DIGEST]`.
//!
//! ```ignore
//! let source = Repository::open("docker.io/library/node:22", Access::PULL)?;
//! let target = Repository::open("localhost:5000/node:22", Access::PULL | Access::PUSH)?;
//! let copied = Copy::new(&source, &source.selector(), &target).tag("22").run()?;
//! ```

use std::collections::BTreeMap;

use crate::Result;
use crate::bindings::windlass::oci::oci as wit;

pub use wit::{Access, Annotation, Descriptor, Manifest, MovedTag};

/// One repository of a registry, or one layout directory.
#[derive(Debug)]
pub struct Repository(pub(crate) wit::Repository);

impl Repository {
    /// Opens the place that `reference` names. Asks the registry nothing yet.
    ///
    /// # Errors
    /// `denied.oci` names the grant to add; `invalid.oci` if it is not a reference.
    pub fn open(reference: &str, access: Access) -> Result<Self> {
        Ok(Self(wit::Repository::open(reference, access)?))
    }

    /// The place without tag and digest.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// The digest or else the tag of the reference it was opened by; `latest` where it had none.
    #[must_use]
    pub fn selector(&self) -> String {
        self.0.selector()
    }

    /// What `selector` (a tag or a digest) points at; none where there is nothing.
    ///
    /// # Errors
    /// `oci.unauthorized`, `oci.transient`.
    pub fn resolve(&self, selector: &str) -> Result<Option<Descriptor>> {
        Ok(self.0.resolve(selector)?)
    }

    /// The manifest or index at `selector`, digest checked.
    ///
    /// # Errors
    /// `oci.not-found`, `oci.mismatch`, `oci.unauthorized`, `oci.transient`.
    pub fn get_manifest(&self, selector: &str) -> Result<Manifest> {
        Ok(self.0.get_manifest(selector)?)
    }

    /// Writes a manifest under its digest and under `tags`. What it refers to must be there.
    ///
    /// # Errors
    /// `oci.unauthorized`, `oci.transient`, or what the registry says of it.
    pub fn put_manifest(
        &self,
        media_type: &str,
        content: &[u8],
        tags: &[String],
    ) -> Result<Descriptor> {
        Ok(self.0.put_manifest(media_type, content, tags)?)
    }

    /// Opens a blob; nothing is transferred before it is read.
    ///
    /// # Errors
    /// `oci.not-found`, `oci.unauthorized`, `oci.transient`.
    pub fn get_blob(&self, descriptor: &Descriptor) -> Result<Blob> {
        Ok(Blob(self.0.get_blob(descriptor)?))
    }

    /// Writes a small blob, at most 4 MiB, and says what it has become.
    ///
    /// # Errors
    /// `oci.unauthorized`, `oci.transient`.
    pub fn put_blob(&self, media_type: &str, content: &[u8]) -> Result<Descriptor> {
        Ok(self.0.put_blob(media_type, content)?)
    }

    /// Up to `limit` tags (1 to 1000) in lexical order, behind `after`.
    ///
    /// # Errors
    /// `oci.not-found`, `oci.unauthorized`, `oci.transient`.
    pub fn tags(&self, after: Option<&str>, limit: u32) -> Result<Vec<String>> {
        Ok(self.0.tags(after, limit)?)
    }

    /// The manifests whose subject is `digest`, of one artifact type or of all.
    ///
    /// # Errors
    /// `oci.unauthorized`, `oci.transient`.
    pub fn referrers(&self, digest: &str, artifact_type: Option<&str>) -> Result<Vec<Descriptor>> {
        Ok(self.0.referrers(digest, artifact_type)?)
    }

    /// What the registry was asked through this handle until now, copies included, by HTTP method.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.0.requests().into_iter().map(|request| (request.method, request.count)).collect()
    }

    /// Deletes the manifest at a digest, or a tag. False where there was nothing.
    ///
    /// # Errors
    /// `denied.oci` without the grant, `oci.unauthorized`, `oci.transient`.
    pub fn delete(&self, selector: &str) -> Result<bool> {
        Ok(self.0.delete(selector)?)
    }
}

/// A blob that the host holds a handle of.
#[derive(Debug)]
pub struct Blob(wit::Blob);

impl Blob {
    /// Digest, size, media type.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        self.0.descriptor()
    }

    /// Bytes from `offset`, at most 1 MiB a call; fewer at the end.
    ///
    /// # Errors
    /// `oci.mismatch`, `oci.transient`.
    pub fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>> {
        Ok(self.0.read(offset, length)?)
    }
}

/// A copy of a manifest or index and of all that it refers to, done by the host.
#[derive(Debug)]
#[must_use = "a copy does nothing before `run`"]
pub struct Copy(wit::CopyRequest);

impl Copy {
    /// From `selector` in `source` to `target`, opened with `pull` and `push`. Without a tag it is
    /// written under its digest alone.
    pub fn new(source: &Repository, selector: &str, target: &Repository) -> Self {
        Self(wit::CopyRequest::new(&source.0, selector, &target.0))
    }

    /// Also writes it under this tag.
    pub fn tag(self, tag: &str) -> Self {
        self.0.tag(tag);
        self
    }

    /// Keeps only these platforms (`os/architecture[/variant]`, or `system`) of an index.
    pub fn platforms(self, platforms: &[String]) -> Self {
        self.0.platforms(platforms);
        self
    }

    /// Overwrites a tag that points elsewhere.
    pub fn force(self) -> Self {
        self.0.force();
        self
    }

    /// The source must have this digest.
    pub fn expect(self, digest: &str) -> Self {
        self.0.expect(digest);
        self
    }

    /// Of the platforms that are kept, writes the index as it is, with its digest.
    pub fn sparse(self) -> Self {
        self.0.sparse();
        self
    }

    /// What refers to the image comes along, of these artifact types; of all without any said.
    pub fn referrers(self, artifact_types: Option<&[String]>) -> Self {
        self.0.referrers(artifact_types);
        self
    }

    /// Looks for referrers also where the image and its tags are unchanged.
    pub fn recheck_referrers(self) -> Self {
        self.0.recheck_referrers();
        self
    }

    /// Also copies layers that the image says are not to be distributed.
    pub fn include_foreign_layers(self) -> Self {
        self.0.include_foreign_layers();
        self
    }

    /// Mounts blobs from this repository (`HOST[:PORT]/REPOSITORY`) of the target's registry if it
    /// has them; needs the grant to pull from it.
    pub fn mount_from(self, repository: &str) -> Self {
        self.0.mount_from(repository);
        self
    }

    /// What [`Copy::run`] would do, by reading alone; allowed in a dry run.
    ///
    /// # Errors
    /// As [`Copy::run`], but for `oci.conflict`.
    pub fn forecast(&self) -> Result<Forecast> {
        Ok(Forecast::from(self.0.forecast()?))
    }

    /// Does it.
    ///
    /// # Errors
    /// `oci.conflict` if a tag points elsewhere and nothing forces it, `oci.not-found`,
    /// `oci.mismatch`, `oci.unauthorized`, `oci.transient`.
    pub fn run(self) -> Result<Copied> {
        Ok(Copied::from(self.0.run()?))
    }
}

/// Several copies, of which the host makes some at the same time.
#[derive(Debug)]
#[must_use = "a batch does nothing before `run`"]
pub struct CopyBatch(wit::CopyBatch);

impl CopyBatch {
    /// Gathers copies.
    pub fn new(copies: impl IntoIterator<Item = Copy>) -> Self {
        let batch = wit::CopyBatch::new();
        copies.into_iter().for_each(|copy| batch.add(copy.0));
        Self(batch)
    }

    /// Goes on with the others when one fails. Without it the copies that had not begun then have
    /// the error `cancelled.oci`.
    pub fn keep_going(self) -> Self {
        self.0.keep_going();
        self
    }

    /// What [`CopyBatch::run`] would do, by reading alone; allowed in a dry run.
    #[must_use]
    pub fn forecast(&self) -> Vec<Result<Forecast>> {
        let answers = self.0.forecast().into_iter();
        answers.map(|answer| Ok(Forecast::from(answer?))).collect()
    }

    /// Makes them; in their order.
    #[must_use]
    pub fn run(self) -> Vec<Result<Copied>> {
        let answers = self.0.run().into_iter();
        answers.map(|answer| Ok(Copied::from(answer?))).collect()
    }
}

/// References whose digests the host asks for at the same time.
#[derive(Debug)]
#[must_use = "a lookup asks nothing before `run`"]
pub struct Lookup(wit::Lookup);

impl Lookup {
    /// Gathers references; each needs the grant to pull.
    pub fn new(references: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let lookup = wit::Lookup::new();
        references.into_iter().for_each(|reference| lookup.add(reference.as_ref()));
        Self(lookup)
    }

    /// What each points at, in their order; none where there is nothing.
    #[must_use]
    pub fn run(&self) -> Vec<Result<Option<Descriptor>>> {
        self.0.run().into_iter().map(|answer| Ok(answer?)).collect()
    }

    /// What registries were asked by [`Lookup::run`] until now, by method.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.0.requests().into_iter().map(|request| (request.method, request.count)).collect()
    }
}

/// What a copy did.
#[derive(Debug, Clone)]
pub struct Copied {
    /// What stands in the target now.
    pub descriptor: Descriptor,
    /// The digest that the source has there: another one where platforms were chosen.
    pub source_digest: String,
    /// Whether anything was written or a tag moved.
    pub is_changed: bool,
    /// The platforms that came along, `os/architecture[/variant]`; one for a single image, none
    /// where nothing had to be read.
    pub platforms: Vec<String>,
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
    /// Referrers that came along, sent or there already.
    pub referrers: u64,
}

impl From<wit::Copied> for Copied {
    fn from(copied: wit::Copied) -> Self {
        Self {
            descriptor: copied.descriptor(),
            source_digest: copied.source_digest(),
            is_changed: copied.changed(),
            platforms: copied.platforms(),
            sent: copied.sent(),
            sent_bytes: copied.sent_bytes(),
            mounted: copied.mounted(),
            mounted_bytes: copied.mounted_bytes(),
            skipped: copied.skipped(),
            skipped_bytes: copied.skipped_bytes(),
            referrers: copied.referrers(),
        }
    }
}

/// What a copy would do.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// What would stand in the target.
    pub descriptor: Descriptor,
    /// The digest that the source has there: another one where platforms are chosen.
    pub source_digest: String,
    /// Whether anything would be written or a tag moved.
    pub is_changed: bool,
    /// Whether all of the image is in the target already, under its digest.
    pub is_present: bool,
    /// The platforms that would come along, `os/architecture[/variant]`.
    pub platforms: Vec<String>,
    /// Blobs and manifests that would be sent.
    pub send: u64,
    /// Their bytes.
    pub send_bytes: u64,
    /// Blobs that could be mounted from another repository of the target's registry.
    pub mount: u64,
    /// Their bytes.
    pub mount_bytes: u64,
    /// Blobs and manifests that are there already.
    pub skip: u64,
    /// Their bytes.
    pub skip_bytes: u64,
    /// Referrers that would come along.
    pub referrers: u64,
    /// The tags that would be written; one that points elsewhere today only with [`Copy::force`].
    pub moves: Vec<MovedTag>,
}

impl From<wit::Forecast> for Forecast {
    fn from(forecast: wit::Forecast) -> Self {
        Self {
            descriptor: forecast.descriptor(),
            source_digest: forecast.source_digest(),
            is_changed: forecast.changed(),
            is_present: forecast.present(),
            platforms: forecast.platforms(),
            send: forecast.send(),
            send_bytes: forecast.send_bytes(),
            mount: forecast.mount(),
            mount_bytes: forecast.mount_bytes(),
            skip: forecast.skip(),
            skip_bytes: forecast.skip_bytes(),
            referrers: forecast.referrers(),
            moves: forecast.moves(),
        }
    }
}
