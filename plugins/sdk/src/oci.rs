//! Images and artifacts in registries and layouts. The bytes stay in the host.
//!
//! Needs the grant `oci`: `pull`, `push` and `delete`. A place is
//! `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]` or `oci-layout:PATH[:TAG][@DIGEST]`.
//!
//! ```ignore
//! let source = Repository::open("docker.io/library/node:22", Access::PULL)?;
//! let target = Repository::open("localhost:5000/node:22", Access::PULL | Access::PUSH)?;
//! let copied = Copy::new(&source, &source.selector(), &target).tag("22").run()?;
//! ```

use crate::Result;
use crate::bindings::windlass::oci::oci as wit;

pub use wit::{Access, Annotation, Descriptor, Manifest};

/// One repository of a registry, or one layout directory.
#[derive(Debug)]
pub struct Repository(wit::Repository);

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

    /// Keeps only these platforms (`os/architecture[/variant]`) of an index.
    pub fn platforms(self, platforms: &[String]) -> Self {
        self.0.platforms(platforms);
        self
    }

    /// Overwrites a tag that points elsewhere.
    pub fn force(self) -> Self {
        self.0.force();
        self
    }

    /// Does it.
    ///
    /// # Errors
    /// `oci.conflict` if a tag points elsewhere and nothing forces it, `oci.not-found`,
    /// `oci.mismatch`, `oci.unauthorized`, `oci.transient`.
    pub fn run(self) -> Result<Copied> {
        let copied = self.0.run()?;
        Ok(Copied {
            descriptor: copied.descriptor(),
            is_changed: copied.changed(),
            platforms: copied.platforms(),
            sent: copied.sent(),
            sent_bytes: copied.sent_bytes(),
            mounted: copied.mounted(),
            skipped: copied.skipped(),
        })
    }
}

/// What a copy did.
#[derive(Debug, Clone)]
pub struct Copied {
    /// What stands in the target now.
    pub descriptor: Descriptor,
    /// Whether anything was written or a tag moved.
    pub is_changed: bool,
    /// The platforms that came along, `os/architecture[/variant]`; one for a single image.
    pub platforms: Vec<String>,
    /// Blobs and manifests sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Blobs mounted from another repository of the target's registry.
    pub mounted: u64,
    /// Blobs and manifests that were there already.
    pub skipped: u64,
}
