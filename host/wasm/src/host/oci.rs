//! `windlass:oci`.

use capability::{Blob, Copied, Descriptor, Repository};
use report::Fault;
use wasmtime::component::Resource;

use super::{Answer, answer};
use crate::bindings::windlass::oci::oci as wit;
use crate::state::StepState;

/// A copy that is being described; what `windlass:oci/oci.copy-request` holds.
#[expect(
    unreachable_pub,
    reason = "the bindings name it again, and they are public within their module"
)]
pub struct PendingCopy {
    source: Repository,
    selector: String,
    target: Repository,
    options: capability::CopyRequest,
    is_done: bool,
}

impl wit::Host for StepState {}

impl StepState {
    fn repository(&self, handle: &Resource<Repository>) -> wasmtime::Result<Repository> {
        Ok(self.table.get(handle)?.clone())
    }
}

impl wit::HostRepository for StepState {
    async fn open(
        &mut self,
        reference: String,
        access: wit::Access,
    ) -> Answer<Resource<Repository>> {
        let access = capability::AccessFlags {
            pull: access.contains(wit::Access::PULL),
            push: access.contains(wit::Access::PUSH),
            delete: access.contains(wit::Access::DELETE),
        };
        match self.granted.oci.open(&reference, access).await {
            Ok(repository) => answer(Ok(self.table.push(repository)?)),
            Err(fault) => answer(Err(fault)),
        }
    }

    async fn name(&mut self, this: Resource<Repository>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.name())
    }

    async fn selector(&mut self, this: Resource<Repository>) -> wasmtime::Result<String> {
        Ok(self.table.get(&this)?.selector())
    }

    async fn resolve(
        &mut self,
        this: Resource<Repository>,
        selector: String,
    ) -> Answer<Option<wit::Descriptor>> {
        let found = self.repository(&this)?.resolve(&selector).await;
        answer(found.map(|descriptor| descriptor.map(to_wit)))
    }

    async fn get_manifest(
        &mut self,
        this: Resource<Repository>,
        selector: String,
    ) -> Answer<wit::Manifest> {
        let manifest = self.repository(&this)?.get_manifest(&selector).await;
        answer(manifest.map(|manifest| wit::Manifest {
            descriptor: to_wit(manifest.descriptor),
            content: manifest.content.to_vec(),
        }))
    }

    async fn put_manifest(
        &mut self,
        this: Resource<Repository>,
        media_type: String,
        content: Vec<u8>,
        tags: Vec<String>,
    ) -> Answer<wit::Descriptor> {
        let put = self.repository(&this)?.put_manifest(&media_type, content, &tags).await;
        answer(put.map(to_wit))
    }

    async fn get_blob(
        &mut self,
        this: Resource<Repository>,
        descriptor: wit::Descriptor,
    ) -> Answer<Resource<Blob>> {
        match self.repository(&this)?.get_blob(&from_wit(descriptor)) {
            Ok(blob) => answer(Ok(self.table.push(blob)?)),
            Err(fault) => answer(Err(fault)),
        }
    }

    async fn put_blob(
        &mut self,
        this: Resource<Repository>,
        media_type: String,
        content: Vec<u8>,
    ) -> Answer<wit::Descriptor> {
        let put = self.repository(&this)?.put_blob(&media_type, content).await;
        answer(put.map(to_wit))
    }

    async fn tags(
        &mut self,
        this: Resource<Repository>,
        after: Option<String>,
        limit: u32,
    ) -> Answer<Vec<String>> {
        answer(self.repository(&this)?.tags(after.as_deref(), limit).await)
    }

    async fn referrers(
        &mut self,
        this: Resource<Repository>,
        digest: String,
        artifact_type: Option<String>,
    ) -> Answer<Vec<wit::Descriptor>> {
        let found = self.repository(&this)?.referrers(&digest, artifact_type.as_deref()).await;
        answer(found.map(|descriptors| descriptors.into_iter().map(to_wit).collect()))
    }

    async fn delete(&mut self, this: Resource<Repository>, selector: String) -> Answer<bool> {
        answer(self.repository(&this)?.delete(&selector).await)
    }

    async fn drop(&mut self, this: Resource<Repository>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostBlob for StepState {
    async fn descriptor(&mut self, this: Resource<Blob>) -> wasmtime::Result<wit::Descriptor> {
        Ok(to_wit(self.table.get(&this)?.descriptor()))
    }

    async fn read(&mut self, this: Resource<Blob>, offset: u64, length: u32) -> Answer<Vec<u8>> {
        let blob = self.table.get(&this)?.clone();
        answer(blob.read(offset, length).await.map(|bytes| bytes.to_vec()))
    }

    async fn drop(&mut self, this: Resource<Blob>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostCopyRequest for StepState {
    async fn new(
        &mut self,
        source: Resource<Repository>,
        selector: String,
        target: Resource<Repository>,
    ) -> wasmtime::Result<Resource<PendingCopy>> {
        let request = PendingCopy {
            source: self.repository(&source)?,
            selector,
            target: self.repository(&target)?,
            options: capability::CopyRequest::default(),
            is_done: false,
        };
        Ok(self.table.push(request)?)
    }

    async fn tag(&mut self, this: Resource<PendingCopy>, tag: String) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.options.tags.push(tag);
        Ok(())
    }

    async fn platforms(
        &mut self,
        this: Resource<PendingCopy>,
        platforms: Vec<String>,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.options.platforms = Some(platforms);
        Ok(())
    }

    async fn force(&mut self, this: Resource<PendingCopy>) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.options.force = true;
        Ok(())
    }

    async fn run(&mut self, this: Resource<PendingCopy>) -> Answer<Resource<Copied>> {
        let request = self.table.get_mut(&this)?;
        if std::mem::replace(&mut request.is_done, true) {
            let fault = Fault::new(report::Kind::Invalid, "this copy was done already");
            return answer(Err(fault.code("invalid.oci").help("make a new `copy` for each run")));
        }
        let (source, target) = (request.source.clone(), request.target.clone());
        let (selector, options) = (request.selector.clone(), request.options.clone());
        match self.granted.oci.copy(&source, &selector, &target, &options).await {
            Ok(copied) => answer(Ok(self.table.push(copied)?)),
            Err(fault) => answer(Err(fault)),
        }
    }

    async fn drop(&mut self, this: Resource<PendingCopy>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostCopied for StepState {
    async fn descriptor(&mut self, this: Resource<Copied>) -> wasmtime::Result<wit::Descriptor> {
        Ok(to_wit(self.table.get(&this)?.descriptor.clone()))
    }

    async fn changed(&mut self, this: Resource<Copied>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.changed)
    }

    async fn platforms(&mut self, this: Resource<Copied>) -> wasmtime::Result<Vec<String>> {
        Ok(self.table.get(&this)?.platforms.clone())
    }

    async fn sent(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.sent)
    }

    async fn sent_bytes(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.sent_bytes)
    }

    async fn mounted(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.mounted)
    }

    async fn skipped(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&this)?.skipped)
    }

    async fn drop(&mut self, this: Resource<Copied>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn to_wit(descriptor: Descriptor) -> wit::Descriptor {
    let Descriptor { media_type, digest, size, artifact_type, platform, annotations } = descriptor;
    let annotations =
        annotations.into_iter().map(|(key, value)| wit::Annotation { key, value }).collect();
    wit::Descriptor { media_type, digest, size, artifact_type, platform, annotations }
}

fn from_wit(descriptor: wit::Descriptor) -> Descriptor {
    let wit::Descriptor { media_type, digest, size, artifact_type, platform, annotations } =
        descriptor;
    let annotations =
        annotations.into_iter().map(|wit::Annotation { key, value }| (key, value)).collect();
    Descriptor { media_type, digest, size, artifact_type, platform, annotations }
}
