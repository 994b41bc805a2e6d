//! `windlass:build`.

use std::sync::Arc;

use capability::{
    BuildCommand, BuildContext, BuildCopy, BuildFilesystem, BuildOutput, BuildRebased,
    BuildWritten, CommandMount, CopySource, GivenFile, GrantedBuilder, Repository, SecretHandle,
};
use report::Fault;
use wasmtime::component::Resource;

use super::oci::to_wit;
use super::{Answer, answer};
use crate::bindings::windlass::build::build as wit;
use crate::bindings::windlass::oci::oci::Descriptor;
use crate::state::StepState;

/// The usual level: as small as gzip, at a fraction of its time.
const ZSTD_LEVEL: i32 = 3;

/// What a method that cannot fail was refused: said when the handle is used.
#[expect(
    unreachable_pub,
    reason = "the bindings name it again, and they are public within their module"
)]
pub struct PendingBuilder {
    builder: Result<GrantedBuilder, Fault>,
}

impl wit::Host for StepState {}

impl StepState {
    fn pushed<T: Send + 'static>(&mut self, made: Result<T, Fault>) -> Answer<Resource<T>> {
        match made {
            Ok(value) => answer(Ok(self.table.push(value)?)),
            Err(fault) => answer(Err(fault)),
        }
    }

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

    fn copy_request(&mut self, this: &Resource<BuildCopy>) -> wasmtime::Result<&mut BuildCopy> {
        Ok(self.table.get_mut(this)?)
    }

    fn command(&mut self, this: &Resource<BuildCommand>) -> wasmtime::Result<&mut BuildCommand> {
        Ok(self.table.get_mut(this)?)
    }
}

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

fn given(file: wit::GivenFile) -> GivenFile {
    GivenFile { path: file.path, content: file.content, mode: file.mode }
}
