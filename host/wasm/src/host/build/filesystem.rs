//! Filesystems, which never change.

use capability::{BuildCommand, BuildCopy, BuildFilesystem};
use wasmtime::component::Resource;

use crate::bindings::windlass::build::build as wit;
use crate::host::{Answer, answer};
use crate::state::StepState;

impl wit::HostFilesystem for StepState {
    async fn config(
        &mut self,
        this: Resource<BuildFilesystem>,
    ) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.config())
    }

    async fn digest(
        &mut self,
        this: Resource<BuildFilesystem>,
    ) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.digest())
    }

    async fn resolved(
        &mut self,
        this: Resource<BuildFilesystem>,
    ) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.resolved())
    }

    async fn name(&mut self, this: Resource<BuildFilesystem>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.name())
    }

    async fn was_cached(&mut self, this: Resource<BuildFilesystem>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.was_cached())
    }

    async fn new_layers(&mut self, this: Resource<BuildFilesystem>) -> wasmtime::Result<u32> {
        Ok(self.table.get(&this)?.new_layers())
    }

    async fn copy(
        &mut self,
        this: Resource<BuildFilesystem>,
        request: Resource<BuildCopy>,
    ) -> Answer<Resource<BuildFilesystem>> {
        let request = self.table.delete(request)?;
        let filesystem = self.table.get(&this)?.clone();
        let made = filesystem.copy(request).await;
        self.pushed(made)
    }

    async fn run(
        &mut self,
        this: Resource<BuildFilesystem>,
        request: Resource<BuildCommand>,
    ) -> Answer<Resource<BuildFilesystem>> {
        let command = self.table.delete(request)?;
        let filesystem = self.table.get(&this)?.clone();
        let made = filesystem.run(command).await;
        self.pushed(made)
    }

    async fn make_directory(
        &mut self,
        this: Resource<BuildFilesystem>,
        path: String,
        owner: Option<String>,
    ) -> Answer<Resource<BuildFilesystem>> {
        let filesystem = self.table.get(&this)?.clone();
        let made = filesystem.make_directory(&path, owner.as_deref()).await;
        self.pushed(made)
    }

    async fn read(
        &mut self,
        this: Resource<BuildFilesystem>,
        path: String,
    ) -> Answer<Option<Vec<u8>>> {
        let filesystem = self.table.get(&this)?.clone();
        answer(filesystem.read(&path).await)
    }

    async fn bill_of_materials(
        &mut self,
        this: Resource<BuildFilesystem>,
        format: wit::BillFormat,
        name: String,
    ) -> Answer<String> {
        let format = match format {
            wit::BillFormat::Spdx => capability::BillFormat::Spdx,
            wit::BillFormat::Cyclonedx => capability::BillFormat::CycloneDx,
        };
        let filesystem = self.table.get(&this)?.clone();
        answer(filesystem.bill_of_materials(format, &name).await)
    }

    async fn drop(&mut self, this: Resource<BuildFilesystem>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
