//! Images of a step's build on their way out.

use ::oci::CopyOptions;
use report::Fault;

use super::{BuildFilesystem, BuildRebased, GrantedBuild};
use crate::oci::{Descriptor, Repository};
use crate::voice::{ImageRole, Said};

/// Images that are written together.
pub struct BuildOutput {
    granted: GrantedBuild,
    output: build::Output,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildWritten {
    /// What stands there now.
    pub descriptor: Descriptor,
    /// Whether anything was written or a tag moved.
    pub changed: bool,
    /// The bytes that were sent.
    pub sent_bytes: u64,
    /// Blobs that were mounted from another repository.
    pub mounted: u64,
    /// Blobs and manifests that were there already.
    pub skipped: u64,
}

impl GrantedBuild {
    /// An empty output.
    pub fn output(&self, format: build::ImageFormat) -> BuildOutput {
        BuildOutput { granted: self.clone(), output: build::Output::new(format) }
    }
}

impl BuildOutput {
    /// Adds an image: the layers of `filesystem`, and a configuration as JSON.
    ///
    /// # Errors
    /// `invalid.build` for one that does not fit.
    pub fn add(&mut self, filesystem: &BuildFilesystem, config: &str) -> Result<Descriptor, Fault> {
        Ok(Descriptor::from(&self.output.add(&filesystem.filesystem, config)?))
    }

    /// Adds an image that was rebased.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_rebased(&mut self, rebased: &BuildRebased) -> Result<Descriptor, Fault> {
        Ok(Descriptor::from(&self.output.add_rebased(&rebased.rebased)?))
    }

    /// An annotation of each manifest, and of the index if there is one.
    pub fn annotate(&mut self, name: &str, value: &str) {
        self.output.annotate(name, value);
    }

    /// The index, or the one image.
    ///
    /// # Errors
    /// `invalid.build` if nothing was added.
    pub fn descriptor(&self) -> Result<Descriptor, Fault> {
        Ok(Descriptor::from(&self.output.descriptor()?))
    }

    /// Writes it into `target`, under its digest and `tags`.
    ///
    /// # Errors
    /// `denied.oci` (also in a dry run), `invalid.oci`, `oci.unauthorized`, `oci.transient`, …
    pub async fn push(&self, target: &Repository, tags: &[String]) -> Result<BuildWritten, Fault> {
        let used = target.begin("push", &tags.join(","));
        let written = Box::pin(self.push_checked(target, tags)).await;
        self.granted.call.voice.end(used, written, |written| {
            let digest = &written.descriptor.digest;
            Said::from((digest, Some(written.sent_bytes))).images(
                ImageRole::Written,
                target.named(tags),
                digest,
            )
        })
    }

    async fn push_checked(
        &self,
        target: &Repository,
        tags: &[String],
    ) -> Result<BuildWritten, Fault> {
        let store = target.writable()?;
        let (tags, whereabouts, may_mount) = self.granted.oci.of_push(target, tags)?;
        let options = CopyOptions { whereabouts, may_mount, ..CopyOptions::default() };
        let bar = self.granted.oci.push_bar(target);
        let written = self.output.push(&*store, tags, options, &bar).await?;
        Ok(BuildWritten {
            descriptor: Descriptor::from(&written.descriptor),
            changed: written.changed,
            sent_bytes: written.sent_bytes,
            mounted: written.mounted,
            skipped: written.skipped,
        })
    }
}
