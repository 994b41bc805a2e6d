//! What a build may copy.

use capability::{BuildContext, BuildUploaded, UploadRequest};
use wasmtime::component::Resource;

use super::given;
use crate::bindings::windlass::build::build as wit;
use crate::host::{Answer, answer};
use crate::state::StepState;

impl wit::HostContext for StepState {
    async fn open(&mut self, source: String) -> Answer<Resource<BuildContext>> {
        let opened = self.granted.build.context(&source).await;
        self.pushed(opened)
    }

    async fn given(&mut self, files: Vec<wit::GivenFile>) -> Answer<Resource<BuildContext>> {
        let given = self.granted.build.given(files.into_iter().map(given).collect());
        self.pushed(given)
    }

    async fn ignore(
        &mut self,
        this: Resource<BuildContext>,
        name: String,
        text: String,
    ) -> Answer<()> {
        answer(self.table.get(&this)?.ignore(&name, &text))
    }

    async fn read(
        &mut self,
        this: Resource<BuildContext>,
        path: String,
    ) -> Answer<Option<Vec<u8>>> {
        let context = self.table.get(&this)?.clone();
        answer(context.read(&path).await)
    }

    async fn ignores(
        &mut self,
        this: Resource<BuildContext>,
        path: String,
    ) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.ignores(&path))
    }

    async fn revision(&mut self, this: Resource<BuildContext>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&this)?.revision())
    }

    async fn commit_time(&mut self, this: Resource<BuildContext>) -> Answer<Option<u64>> {
        let context = self.table.get(&this)?.clone();
        answer(context.commit_time().await)
    }

    async fn newest_time(&mut self, this: Resource<BuildContext>) -> Answer<Option<u64>> {
        let context = self.table.get(&this)?.clone();
        answer(context.newest_time().await)
    }

    async fn upload(
        &mut self,
        this: Resource<BuildContext>,
        url: String,
        headers: Vec<wit::Variable>,
        keep: Option<String>,
        add: Vec<wit::GivenFile>,
    ) -> Answer<Resource<BuildUploaded>> {
        let context = self.table.get(&this)?.clone();
        let headers = headers.into_iter().map(|header| (header.name, header.value)).collect();
        let add = add.into_iter().map(given).collect();
        let request = UploadRequest { url, headers, keep, add };
        let sent = self.granted.build.upload(&context, request).await;
        self.pushed(sent)
    }

    async fn drop(&mut self, this: Resource<BuildContext>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostUploaded for StepState {
    async fn status(&mut self, this: Resource<BuildUploaded>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&this)?.status)
    }

    async fn text(&mut self, this: Resource<BuildUploaded>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.text.clone())
    }

    async fn size(&mut self, this: Resource<BuildUploaded>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.size)
    }

    async fn digest(&mut self, this: Resource<BuildUploaded>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.digest.clone())
    }

    async fn drop(&mut self, this: Resource<BuildUploaded>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
