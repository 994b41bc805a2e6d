//! What is run.

use std::sync::Arc;

use capability::{BuildCommand, BuildContext, BuildFilesystem, CommandMount, SecretHandle};
use wasmtime::component::Resource;

use crate::bindings::windlass::build::build as wit;
use crate::state::StepState;

impl StepState {
    fn command(&mut self, this: &Resource<BuildCommand>) -> wasmtime::Result<&mut BuildCommand> {
        Ok(self.table.get_mut(this)?)
    }
}

impl wit::HostRunRequest for StepState {
    async fn new(
        &mut self,
        arguments: Vec<String>,
        title: String,
    ) -> wasmtime::Result<Resource<BuildCommand>> {
        Ok(self.table.push(BuildCommand::new(arguments, title))?)
    }

    async fn environment(
        &mut self,
        this: Resource<BuildCommand>,
        variable: wit::Variable,
    ) -> wasmtime::Result<()> {
        self.command(&this)?.environment.push((variable.name, variable.value));
        Ok(())
    }

    async fn ambient(
        &mut self,
        this: Resource<BuildCommand>,
        variable: wit::Variable,
    ) -> wasmtime::Result<()> {
        self.command(&this)?.ambient.push((variable.name, variable.value));
        Ok(())
    }

    async fn directory(
        &mut self,
        this: Resource<BuildCommand>,
        path: String,
    ) -> wasmtime::Result<()> {
        self.command(&this)?.directory = path;
        Ok(())
    }

    async fn user(&mut self, this: Resource<BuildCommand>, user: String) -> wasmtime::Result<()> {
        self.command(&this)?.user = user;
        Ok(())
    }

    async fn network(&mut self, this: Resource<BuildCommand>) -> wasmtime::Result<()> {
        self.command(&this)?.network = true;
        Ok(())
    }

    async fn script(
        &mut self,
        this: Resource<BuildCommand>,
        path: String,
        content: Vec<u8>,
    ) -> wasmtime::Result<()> {
        self.command(&this)?.mounts.push(CommandMount::Script { path, content });
        Ok(())
    }

    async fn mount_cache(
        &mut self,
        this: Resource<BuildCommand>,
        target: String,
        id: String,
        sharing: wit::CacheSharing,
        mode: u32,
        uid: u32,
        gid: u32,
        read_only: bool,
    ) -> wasmtime::Result<()> {
        let sharing = match sharing {
            wit::CacheSharing::Shared => capability::CacheSharing::Shared,
            wit::CacheSharing::Private => capability::CacheSharing::Private,
            wit::CacheSharing::Locked => capability::CacheSharing::Locked,
        };
        let mount = CommandMount::Cache { target, id, sharing, mode, uid, gid, read_only };
        self.command(&this)?.mounts.push(mount);
        Ok(())
    }

    async fn mount_context(
        &mut self,
        this: Resource<BuildCommand>,
        target: String,
        context: Resource<BuildContext>,
        source: String,
        writable: bool,
    ) -> wasmtime::Result<()> {
        let context = self.table.get(&context)?.clone();
        let mount = CommandMount::Context { target, context, source, writable };
        self.command(&this)?.mounts.push(mount);
        Ok(())
    }

    async fn mount_filesystem(
        &mut self,
        this: Resource<BuildCommand>,
        target: String,
        filesystem: Resource<BuildFilesystem>,
        source: String,
        writable: bool,
    ) -> wasmtime::Result<()> {
        let filesystem = Arc::new(self.table.get(&filesystem)?.clone());
        let mount = CommandMount::Filesystem { target, filesystem, source, writable };
        self.command(&this)?.mounts.push(mount);
        Ok(())
    }

    async fn mount_tmpfs(
        &mut self,
        this: Resource<BuildCommand>,
        target: String,
        size: Option<u64>,
    ) -> wasmtime::Result<()> {
        self.command(&this)?.mounts.push(CommandMount::Tmpfs { target, size });
        Ok(())
    }

    async fn mount_secret(
        &mut self,
        this: Resource<BuildCommand>,
        target: String,
        secret: Resource<SecretHandle>,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> wasmtime::Result<()> {
        let secret = self.table.get(&secret)?.clone();
        let mount = CommandMount::Secret { target, secret, mode, uid, gid };
        self.command(&this)?.mounts.push(mount);
        Ok(())
    }

    async fn secret_variable(
        &mut self,
        this: Resource<BuildCommand>,
        name: String,
        secret: Resource<SecretHandle>,
    ) -> wasmtime::Result<()> {
        let secret = self.table.get(&secret)?.clone();
        self.command(&this)?.mounts.push(CommandMount::SecretVariable { name, secret });
        Ok(())
    }

    async fn drop(&mut self, this: Resource<BuildCommand>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
