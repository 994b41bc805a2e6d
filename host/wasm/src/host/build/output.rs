//! Images, what became of them, and those on another base.

use capability::{BuildFilesystem, BuildOutput, BuildRebased, BuildWritten, Repository};
use wasmtime::component::Resource;

use crate::bindings::windlass::build::build as wit;
use crate::bindings::windlass::oci::oci::Descriptor;
use crate::host::oci::to_wit;
use crate::host::{Answer, answer};
use crate::state::StepState;

impl wit::HostOutput for StepState {
    async fn new(&mut self, format: wit::ImageFormat) -> wasmtime::Result<Resource<BuildOutput>> {
        let output = self.granted.build.output(match format {
            wit::ImageFormat::Oci => capability::ImageFormat::Oci,
            wit::ImageFormat::Docker => capability::ImageFormat::Docker,
        });
        Ok(self.table.push(output)?)
    }

    async fn add(
        &mut self,
        this: Resource<BuildOutput>,
        filesystem: Resource<BuildFilesystem>,
        config: String,
    ) -> Answer<Descriptor> {
        let filesystem = self.table.get(&filesystem)?.clone();
        answer(self.table.get_mut(&this)?.add(&filesystem, &config).map(to_wit))
    }

    async fn add_rebased(
        &mut self,
        this: Resource<BuildOutput>,
        rebased: Resource<BuildRebased>,
    ) -> Answer<Descriptor> {
        let rebased = self.table.get(&rebased)?.clone();
        answer(self.table.get_mut(&this)?.add_rebased(&rebased).map(to_wit))
    }

    async fn annotation(
        &mut self,
        this: Resource<BuildOutput>,
        variable: wit::Variable,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.annotate(&variable.name, &variable.value);
        Ok(())
    }

    async fn descriptor(&mut self, this: Resource<BuildOutput>) -> Answer<Descriptor> {
        answer(self.table.get(&this)?.descriptor().map(to_wit))
    }

    async fn push(
        &mut self,
        this: Resource<BuildOutput>,
        target: Resource<Repository>,
        tags: Vec<String>,
    ) -> Answer<Resource<BuildWritten>> {
        let target = self.table.get(&target)?.clone();
        let written = self.table.get(&this)?.push(&target, &tags).await;
        self.pushed(written)
    }

    async fn drop(&mut self, this: Resource<BuildOutput>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostWritten for StepState {
    async fn descriptor(&mut self, this: Resource<BuildWritten>) -> wasmtime::Result<Descriptor> {
        Ok(to_wit(self.table.get(&this)?.descriptor.clone()))
    }

    async fn changed(&mut self, this: Resource<BuildWritten>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.changed)
    }

    async fn sent_bytes(&mut self, this: Resource<BuildWritten>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.sent_bytes)
    }

    async fn mounted(&mut self, this: Resource<BuildWritten>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.mounted)
    }

    async fn skipped(&mut self, this: Resource<BuildWritten>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.skipped)
    }

    async fn drop(&mut self, this: Resource<BuildWritten>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostRebased for StepState {
    async fn config(&mut self, this: Resource<BuildRebased>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.config().to_owned())
    }

    async fn resolved(&mut self, this: Resource<BuildRebased>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.resolved().to_owned())
    }

    async fn layers(&mut self, this: Resource<BuildRebased>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&this)?.layers())
    }

    async fn unchanged(&mut self, this: Resource<BuildRebased>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.is_unchanged())
    }

    async fn filesystem(
        &mut self,
        this: Resource<BuildRebased>,
    ) -> wasmtime::Result<Resource<BuildFilesystem>> {
        let filesystem = self.table.get(&this)?.filesystem();
        Ok(self.table.push(filesystem)?)
    }

    async fn drop(&mut self, this: Resource<BuildRebased>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
