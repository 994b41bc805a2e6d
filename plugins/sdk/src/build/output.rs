//! Images on their way out.

use crate::Result;
use crate::bindings::windlass::build::build as wit;
use crate::oci::{Descriptor, Repository};

use super::{Filesystem, ImageFormat};

/// Images that are written together: one, or one for each platform in an index.
#[derive(Debug)]
pub struct Output(pub(super) wit::Output);

impl Output {
    /// An empty one.
    #[must_use]
    pub fn new(format: ImageFormat) -> Self {
        Self(wit::Output::new(format))
    }

    /// Adds an image: the layers of `filesystem`, and a configuration as JSON, whose `rootfs` the
    /// host fills in.
    ///
    /// # Errors
    /// `invalid.build` for a configuration that does not fit.
    pub fn add(&self, filesystem: &Filesystem, config: &str) -> Result<Descriptor> {
        Ok(self.0.add(&filesystem.0, config)?)
    }

    /// Adds an image that was rebased.
    ///
    /// # Errors
    /// `invalid.build` for a platform that is there already.
    pub fn add_rebased(&self, rebased: &Rebased) -> Result<Descriptor> {
        Ok(self.0.add_rebased(&rebased.0)?)
    }

    /// An annotation of each manifest, and of the index if there is one.
    pub fn annotation(&self, name: &str, value: &str) {
        self.0.annotation(&wit::Variable { name: name.to_owned(), value: value.to_owned() });
    }

    /// The index, or the one image.
    ///
    /// # Errors
    /// `invalid.build` for an empty output.
    pub fn descriptor(&self) -> Result<Descriptor> {
        Ok(self.0.descriptor()?)
    }

    /// Writes it into `target`, under its digest and `tags`.
    ///
    /// # Errors
    /// `denied.oci`, `oci.unauthorized`, `oci.transient`.
    pub fn push(&self, target: &Repository, tags: &[String]) -> Result<Written> {
        Ok(Written(self.0.push(&target.0, tags)?))
    }
}

/// What a push did.
#[derive(Debug)]
pub struct Written(pub(super) wit::Written);

impl Written {
    /// What stands there now.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        self.0.descriptor()
    }

    /// Whether anything was written or a tag moved.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.0.changed()
    }

    /// The bytes that were sent.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.0.sent_bytes()
    }

    /// Blobs that were mounted from another repository.
    #[must_use]
    pub fn mounted(&self) -> u64 {
        self.0.mounted()
    }

    /// Blobs and manifests that were there already.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.0.skipped()
    }
}

/// An image on another base.
#[derive(Debug)]
pub struct Rebased(pub(super) wit::Rebased);

impl Rebased {
    /// Its configuration, as JSON.
    #[must_use]
    pub fn config(&self) -> String {
        self.0.config()
    }

    /// The digest that the new base's reference pointed at.
    #[must_use]
    pub fn resolved(&self) -> String {
        self.0.resolved()
    }

    /// How many layers were moved.
    #[must_use]
    pub fn layers(&self) -> u32 {
        self.0.layers()
    }

    /// Whether it stood on the new base already.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.0.unchanged()
    }

    /// Its root filesystem, which begins with the new base.
    #[must_use]
    pub fn filesystem(&self) -> Filesystem {
        Filesystem(self.0.filesystem())
    }
}
