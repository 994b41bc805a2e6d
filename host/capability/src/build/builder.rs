//! One build of a step.

use ::oci::Platform;
use report::Fault;

use super::{BuildFilesystem, GrantedBuild, invalid};
use crate::oci::{AccessFlags, Repository, system_platform};
use crate::voice::{ImageRole, Said, Use};

/// One build for one platform.
#[derive(Clone)]
pub struct GrantedBuilder {
    granted: GrantedBuild,
    builder: build::Builder,
}

/// An image on another base.
#[derive(Clone)]
pub struct BuildRebased {
    granted: GrantedBuild,
    pub(super) rebased: build::Rebased,
    resolved: String,
}

impl GrantedBuild {
    /// A build for `platform`, `os/architecture[/variant]`; without one for this machine's.
    ///
    /// # Errors
    /// `invalid.build` for what is no platform.
    pub fn builder(&self, platform: Option<&str>) -> Result<GrantedBuilder, Fault> {
        let builder = build::Builder::new(self.engine.clone(), parse(platform)?);
        Ok(GrantedBuilder { granted: self.clone(), builder })
    }

    /// The platform of this machine, with `linux` for images.
    pub fn machine() -> String {
        system_platform()
    }
}

impl GrantedBuilder {
    /// The platform.
    pub fn platform(&self) -> String {
        self.builder.settings().platform.to_string()
    }

    /// Whether commands of the platform can be run on this machine.
    pub fn can_run(&self) -> bool {
        let machine: Option<Platform> = system_platform().parse().ok();
        machine.is_some_and(|machine| machine.satisfies(&self.builder.settings().platform))
    }

    /// Does everything anew.
    pub fn no_cache(&self) {
        self.builder.settings().no_cache = true;
    }

    /// Times that are later become this one.
    pub fn source_date_epoch(&self, seconds: u64) {
        self.builder.settings().source_date_epoch = i64::try_from(seconds).unwrap_or(i64::MAX);
    }

    /// How new layers are compressed.
    pub fn compression(&self, compression: build::layer::Compression) {
        self.builder.settings().compression = compression;
    }

    /// Looks for what was built elsewhere in `repository`, opened with `pull`; one that was not is
    /// refused when it is read.
    pub fn cache_from(&self, repository: &Repository) -> Result<(), Fault> {
        let store = repository.readable()?;
        self.builder.settings().cache_from.push(store);
        Ok(())
    }

    /// Keeps what is built in `repository`, opened with `push`.
    pub fn cache_to(&self, repository: &Repository) -> Result<(), Fault> {
        let store = repository.writable()?;
        self.builder.settings().cache_to.push(store);
        Ok(())
    }

    /// An empty filesystem.
    pub fn scratch(&self) -> BuildFilesystem {
        let filesystem = self.builder.scratch();
        BuildFilesystem { granted: self.granted.clone(), filesystem, is_cached: false }
    }

    /// That of an image.
    ///
    /// # Errors
    /// `denied.oci`, `oci.not-found`, `oci.unauthorized`, `invalid.build`, …
    pub async fn base(
        &self,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<BuildFilesystem, Fault> {
        let used = Use::begin("build", "base", reference);
        let found = self.base_checked(reference, platform).await;
        self.granted.call.voice.end(used, found, |found| {
            let Some(base) = found.filesystem.base() else { return Said::default() };
            Said::from((&base.resolved, None)).images(
                ImageRole::Base,
                [base.name.clone()],
                base.resolved,
            )
        })
    }

    /// An image whose layers above `old` stand on `new` instead.
    ///
    /// # Errors
    /// `conflict.build` with the reason where that is not safe; as [`Self::base`].
    pub async fn rebase(
        &self,
        reference: &str,
        old: &str,
        new: &str,
    ) -> Result<BuildRebased, Fault> {
        let image = self.base(reference, None).await?;
        let old = self.base(old, None).await?;
        let new = self.base(new, None).await?;
        let rebased = build::rebase(&image.filesystem, &old.filesystem, &new.filesystem).await;
        let rebased = rebased.map_err(|error| self.granted.call.voice.masked(error.into()))?;
        let resolved = new.filesystem.base().map(|base| base.resolved.to_string());
        let granted = self.granted.clone();
        Ok(BuildRebased { granted, rebased, resolved: resolved.unwrap_or_default() })
    }

    async fn base_checked(
        &self,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<BuildFilesystem, Fault> {
        let access = AccessFlags { pull: true, ..AccessFlags::default() };
        let repository = self.granted.oci.open(reference, access).await?;
        let platform = platform.map(|platform| parse(Some(platform))).transpose()?;
        let (store, selector, name) = repository.as_base()?;
        let filesystem = self.builder.base(store, &selector, name, platform.as_ref()).await?;
        Ok(BuildFilesystem { granted: self.granted.clone(), filesystem, is_cached: false })
    }
}

impl BuildRebased {
    /// Its configuration, as JSON.
    pub fn config(&self) -> &str {
        &self.rebased.config
    }

    /// The digest that the new base's reference pointed at.
    pub fn resolved(&self) -> &str {
        &self.resolved
    }

    /// How many layers were moved.
    pub fn layers(&self) -> u32 {
        u32::try_from(self.rebased.layers).unwrap_or(u32::MAX)
    }

    /// Whether it stood on the new base already.
    pub fn is_unchanged(&self) -> bool {
        self.rebased.is_unchanged
    }

    /// Its root filesystem.
    pub fn filesystem(&self) -> BuildFilesystem {
        let (granted, filesystem) = (self.granted.clone(), self.rebased.filesystem.clone());
        BuildFilesystem { granted, filesystem, is_cached: false }
    }
}

fn parse(platform: Option<&str>) -> Result<Platform, Fault> {
    let machine = platform.is_none().then(system_platform);
    let text = platform.or(machine.as_deref()).unwrap_or_default();
    text.parse().map_err(|error: ::oci::PlatformError| {
        invalid(error.to_string()).help("write it as `linux/amd64`")
    })
}
