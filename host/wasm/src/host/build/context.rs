//! What a build may copy.

use capability::BuildContext;
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

    async fn drop(&mut self, this: Resource<BuildContext>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
