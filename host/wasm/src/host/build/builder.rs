//! How a build works, and where it begins.

use capability::{BuildFilesystem, BuildRebased, GrantedBuilder, Repository};
use report::Fault;
use wasmtime::component::Resource;

use super::PendingBuilder;
use crate::bindings::windlass::build::build as wit;
use crate::host::Answer;
use crate::state::StepState;

/// The usual level: as small as gzip, at a fraction of its time.
const ZSTD_LEVEL: i32 = 3;

impl StepState {
    fn builder(
        &self,
        this: &Resource<PendingBuilder>,
    ) -> wasmtime::Result<Result<GrantedBuilder, Fault>> {
        Ok(self.table.get(this)?.builder.clone())
    }

    fn tell(
        &mut self,
        this: &Resource<PendingBuilder>,
        tell: impl FnOnce(&GrantedBuilder) -> Result<(), Fault>,
    ) -> wasmtime::Result<()> {
        let pending = self.table.get_mut(this)?;
        if let Ok(builder) = &pending.builder
            && let Err(fault) = tell(builder)
        {
            pending.builder = Err(fault);
        }
        Ok(())
    }
}

impl wit::HostBuilder for StepState {
    async fn new(
        &mut self,
        platform: Option<String>,
    ) -> wasmtime::Result<Resource<PendingBuilder>> {
        let builder = self.granted.build.builder(platform.as_deref());
        Ok(self.table.push(PendingBuilder { builder })?)
    }

    async fn platform(&mut self, this: Resource<PendingBuilder>) -> wasmtime::Result<String> {
        Ok(self.builder(&this)?.map(|builder| builder.platform()).unwrap_or_default())
    }

    async fn machine(&mut self) -> wasmtime::Result<String> {
        Ok(capability::GrantedBuild::machine())
    }

    async fn can_run(&mut self, this: Resource<PendingBuilder>) -> wasmtime::Result<bool> {
        Ok(self.builder(&this)?.is_ok_and(|builder| builder.can_run()))
    }

    async fn no_cache(&mut self, this: Resource<PendingBuilder>) -> wasmtime::Result<()> {
        self.tell(&this, |builder| {
            builder.no_cache();
            Ok(())
        })
    }

    async fn source_date_epoch(
        &mut self,
        this: Resource<PendingBuilder>,
        seconds: u64,
    ) -> wasmtime::Result<()> {
        self.tell(&this, |builder| {
            builder.source_date_epoch(seconds);
            Ok(())
        })
    }

    async fn compression(
        &mut self,
        this: Resource<PendingBuilder>,
        compression: wit::Compression,
    ) -> wasmtime::Result<()> {
        self.tell(&this, |builder| {
            builder.compression(match compression {
                wit::Compression::Gzip => capability::LayerCompression::Gzip,
                wit::Compression::Zstd => capability::LayerCompression::Zstd { level: ZSTD_LEVEL },
                wit::Compression::None => capability::LayerCompression::None,
            });
            Ok(())
        })
    }

    async fn cache_from(
        &mut self,
        this: Resource<PendingBuilder>,
        repository: Resource<Repository>,
    ) -> wasmtime::Result<()> {
        let repository = self.table.get(&repository)?.clone();
        self.tell(&this, |builder| builder.cache_from(&repository))
    }

    async fn cache_to(
        &mut self,
        this: Resource<PendingBuilder>,
        repository: Resource<Repository>,
    ) -> wasmtime::Result<()> {
        let repository = self.table.get(&repository)?.clone();
        self.tell(&this, |builder| builder.cache_to(&repository))
    }

    async fn scratch(
        &mut self,
        this: Resource<PendingBuilder>,
    ) -> Answer<Resource<BuildFilesystem>> {
        let made = self.builder(&this)?.map(|builder| builder.scratch());
        self.pushed(made)
    }

    async fn base(
        &mut self,
        this: Resource<PendingBuilder>,
        reference: String,
        platform: Option<String>,
    ) -> Answer<Resource<BuildFilesystem>> {
        let found = match self.builder(&this)? {
            Ok(builder) => builder.base(&reference, platform.as_deref()).await,
            Err(fault) => Err(fault),
        };
        self.pushed(found)
    }

    async fn rebase(
        &mut self,
        this: Resource<PendingBuilder>,
        reference: String,
        old_base: String,
        new_base: String,
    ) -> Answer<Resource<BuildRebased>> {
        let rebased = match self.builder(&this)? {
            Ok(builder) => builder.rebase(&reference, &old_base, &new_base).await,
            Err(fault) => Err(fault),
        };
        self.pushed(rebased)
    }

    async fn drop(&mut self, this: Resource<PendingBuilder>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
