//! What is copied.

use capability::{BuildContext, BuildCopy, BuildFilesystem, CopySource};
use wasmtime::component::Resource;

use super::given;
use crate::bindings::windlass::build::build as wit;
use crate::state::StepState;

impl StepState {
    fn copy_request(&mut self, this: &Resource<BuildCopy>) -> wasmtime::Result<&mut BuildCopy> {
        Ok(self.table.get_mut(this)?)
    }
}

impl wit::HostCopyRequest for StepState {
    async fn new(
        &mut self,
        destination: String,
        directory: String,
    ) -> wasmtime::Result<Resource<BuildCopy>> {
        Ok(self.table.push(BuildCopy::new(destination, directory))?)
    }

    async fn from_context(
        &mut self,
        this: Resource<BuildCopy>,
        context: Resource<BuildContext>,
        pattern: String,
    ) -> wasmtime::Result<()> {
        let context = self.table.get(&context)?.clone();
        self.copy_request(&this)?.sources.push(CopySource::Context(context, pattern));
        Ok(())
    }

    async fn from_filesystem(
        &mut self,
        this: Resource<BuildCopy>,
        filesystem: Resource<BuildFilesystem>,
        pattern: String,
    ) -> wasmtime::Result<()> {
        let filesystem = self.table.get(&filesystem)?.clone();
        self.copy_request(&this)?
            .sources
            .push(CopySource::Filesystem(Box::new(filesystem), pattern));
        Ok(())
    }

    async fn from_url(
        &mut self,
        this: Resource<BuildCopy>,
        url: String,
        checksum: Option<String>,
    ) -> wasmtime::Result<()> {
        self.copy_request(&this)?.sources.push(CopySource::Url { url, checksum });
        Ok(())
    }

    async fn from_given(
        &mut self,
        this: Resource<BuildCopy>,
        file: wit::GivenFile,
    ) -> wasmtime::Result<()> {
        self.copy_request(&this)?.sources.push(CopySource::Given(given(file)));
        Ok(())
    }

    async fn unpack(&mut self, this: Resource<BuildCopy>) -> wasmtime::Result<()> {
        self.copy_request(&this)?.unpack = true;
        Ok(())
    }

    async fn owner(&mut self, this: Resource<BuildCopy>, owner: String) -> wasmtime::Result<()> {
        self.copy_request(&this)?.owner = Some(owner);
        Ok(())
    }

    async fn mode(&mut self, this: Resource<BuildCopy>, mode: String) -> wasmtime::Result<()> {
        self.copy_request(&this)?.mode = Some(mode);
        Ok(())
    }

    async fn parents(&mut self, this: Resource<BuildCopy>) -> wasmtime::Result<()> {
        self.copy_request(&this)?.parents = true;
        Ok(())
    }

    async fn exclude(
        &mut self,
        this: Resource<BuildCopy>,
        pattern: String,
    ) -> wasmtime::Result<()> {
        self.copy_request(&this)?.exclude.push(pattern);
        Ok(())
    }

    async fn link(&mut self, this: Resource<BuildCopy>) -> wasmtime::Result<()> {
        self.copy_request(&this)?.link = true;
        Ok(())
    }

    async fn drop(&mut self, this: Resource<BuildCopy>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
