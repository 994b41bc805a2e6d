//! One build, and where its filesystems begin.

use crate::Result;
use crate::bindings::windlass::build::build as wit;
use crate::oci::Repository;

use super::{Compression, Filesystem, Rebased};

/// One build for one platform.
#[derive(Debug)]
pub struct Builder(pub(super) wit::Builder);

impl Builder {
    /// For `os/architecture[/variant]`; without one that of this machine.
    #[must_use]
    pub fn new(platform: Option<&str>) -> Self {
        Self(wit::Builder::new(platform))
    }

    /// The platform.
    #[must_use]
    pub fn platform(&self) -> String {
        self.0.platform()
    }

    /// The platform of this machine, with `linux` for images.
    #[must_use]
    pub fn machine() -> String {
        wit::Builder::machine()
    }

    /// Whether commands of the platform can be run on this machine.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.0.can_run()
    }

    /// Does everything anew.
    #[must_use]
    pub fn no_cache(self) -> Self {
        self.0.no_cache();
        self
    }

    /// Times in new layers that are later become this one, in seconds since 1970.
    #[must_use]
    pub fn source_date_epoch(self, seconds: u64) -> Self {
        self.0.source_date_epoch(seconds);
        self
    }

    /// Compresses new layers in this way.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        self.0.compression(compression);
        self
    }

    /// Looks for what was built elsewhere in this repository, opened with `pull`.
    #[must_use]
    pub fn cache_from(self, repository: &Repository) -> Self {
        self.0.cache_from(&repository.0);
        self
    }

    /// Keeps what is built in this repository, opened with `push`.
    #[must_use]
    pub fn cache_to(self, repository: &Repository) -> Self {
        self.0.cache_to(&repository.0);
        self
    }

    /// An empty filesystem.
    ///
    /// # Errors
    /// What was wrong with the builder: its platform, a cache that it may not use.
    pub fn scratch(&self) -> Result<Filesystem> {
        Ok(Filesystem(self.0.scratch()?))
    }

    /// That of an image, for the builder's platform or another.
    ///
    /// # Errors
    /// `denied.oci`, `oci.not-found`, `oci.no-such-platform`, `oci.unauthorized`.
    pub fn base(&self, reference: &str, platform: Option<&str>) -> Result<Filesystem> {
        Ok(Filesystem(self.0.base(reference, platform)?))
    }

    /// An image whose layers above `old_base` stand on `new_base` instead.
    ///
    /// # Errors
    /// `conflict.build` with the reason where that is not safe.
    pub fn rebase(&self, reference: &str, old_base: &str, new_base: &str) -> Result<Rebased> {
        Ok(Rebased(self.0.rebase(reference, old_base, new_base)?))
    }
}
