//! `windlass:oci`.

use std::collections::BTreeMap;

use capability::{
    Blob, Copied, CopyRequest, Descriptor, Forecast, OciLookup as Lookup, PlannedCopy,
    ReferrerChoice, Repository,
};
use report::Fault;
use wasmtime::component::Resource;

use super::{Answer, answer};
use crate::bindings::windlass::oci::oci as wit;
use crate::bindings::windlass::types::errors;
use crate::fault::to_guest;
use crate::state::StepState;

/// A copy that is being described; what `windlass:oci/oci.copy-request` holds.
#[expect(
    unreachable_pub,
    reason = "the bindings name it again, and they are public within their module"
)]
pub struct PendingCopy {
    copy: PlannedCopy,
    is_done: bool,
}

/// Copies that are being gathered; what `windlass:oci/oci.copy-batch` holds.
#[expect(
    unreachable_pub,
    reason = "the bindings name it again, and they are public within their module"
)]
#[derive(Default)]
pub struct PendingBatch {
    copies: Vec<PlannedCopy>,
    keep_going: bool,
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

    async fn requests(
        &mut self,
        this: Resource<Repository>,
    ) -> wasmtime::Result<Vec<wit::RequestCount>> {
        Ok(counts(self.table.get(&this)?.requests()))
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

impl StepState {
    fn told(&mut self, this: &Resource<PendingCopy>) -> wasmtime::Result<&mut CopyRequest> {
        Ok(&mut self.table.get_mut(this)?.copy.request)
    }

    fn copied(&self, this: &Resource<Copied>) -> wasmtime::Result<&Copied> {
        Ok(self.table.get(this)?)
    }

    fn seen(&self, this: &Resource<Forecast>) -> wasmtime::Result<&Forecast> {
        Ok(self.table.get(this)?)
    }

    /// A handle for each value; errors as a guest reads them.
    fn handles<T: Send + 'static>(
        &mut self,
        answers: Vec<Result<T, Fault>>,
    ) -> wasmtime::Result<Vec<Result<Resource<T>, errors::Error>>> {
        let handle = |answer| match answer {
            Ok(value) => Ok(Ok(self.table.push(value)?)),
            Err(fault) => Ok(Err(to_guest(fault))),
        };
        answers.into_iter().map(handle).collect()
    }
}

fn counts(requests: BTreeMap<String, u64>) -> Vec<wit::RequestCount> {
    requests.into_iter().map(|(method, count)| wit::RequestCount { method, count }).collect()
}

fn done_already() -> Fault {
    Fault::new(report::Kind::Invalid, "this copy was done already")
        .code("invalid.oci")
        .help("make a new `copy-request` for each run")
}

impl wit::HostCopyRequest for StepState {
    async fn new(
        &mut self,
        source: Resource<Repository>,
        selector: String,
        target: Resource<Repository>,
    ) -> wasmtime::Result<Resource<PendingCopy>> {
        let copy = PlannedCopy {
            source: self.repository(&source)?,
            selector,
            target: self.repository(&target)?,
            request: CopyRequest::default(),
        };
        Ok(self.table.push(PendingCopy { copy, is_done: false })?)
    }

    async fn tag(&mut self, this: Resource<PendingCopy>, tag: String) -> wasmtime::Result<()> {
        self.told(&this)?.tags.push(tag);
        Ok(())
    }

    async fn platforms(
        &mut self,
        this: Resource<PendingCopy>,
        platforms: Vec<String>,
    ) -> wasmtime::Result<()> {
        self.told(&this)?.platforms = Some(platforms);
        Ok(())
    }

    async fn force(&mut self, this: Resource<PendingCopy>) -> wasmtime::Result<()> {
        self.told(&this)?.force = true;
        Ok(())
    }

    async fn expect(
        &mut self,
        this: Resource<PendingCopy>,
        digest: String,
    ) -> wasmtime::Result<()> {
        self.told(&this)?.expect = Some(digest);
        Ok(())
    }

    async fn sparse(&mut self, this: Resource<PendingCopy>) -> wasmtime::Result<()> {
        self.told(&this)?.is_sparse = true;
        Ok(())
    }

    async fn referrers(
        &mut self,
        this: Resource<PendingCopy>,
        artifact_types: Option<Vec<String>>,
    ) -> wasmtime::Result<()> {
        self.told(&this)?.referrers =
            artifact_types.map_or(ReferrerChoice::All, ReferrerChoice::Only);
        Ok(())
    }

    async fn recheck_referrers(&mut self, this: Resource<PendingCopy>) -> wasmtime::Result<()> {
        self.told(&this)?.recheck_referrers = true;
        Ok(())
    }

    async fn include_foreign_layers(
        &mut self,
        this: Resource<PendingCopy>,
    ) -> wasmtime::Result<()> {
        self.told(&this)?.foreign_layers = true;
        Ok(())
    }

    async fn mount_from(
        &mut self,
        this: Resource<PendingCopy>,
        repository: String,
    ) -> wasmtime::Result<()> {
        self.told(&this)?.mount_from = Some(repository);
        Ok(())
    }

    async fn forecast(&mut self, this: Resource<PendingCopy>) -> Answer<Resource<Forecast>> {
        let PlannedCopy { source, selector, target, request } = self.table.get(&this)?.copy.clone();
        match self.granted.oci.forecast(&source, &selector, &target, &request).await {
            Ok(forecast) => answer(Ok(self.table.push(forecast)?)),
            Err(fault) => answer(Err(fault)),
        }
    }

    async fn run(&mut self, this: Resource<PendingCopy>) -> Answer<Resource<Copied>> {
        let pending = self.table.get_mut(&this)?;
        if std::mem::replace(&mut pending.is_done, true) {
            return answer(Err(done_already()));
        }
        let PlannedCopy { source, selector, target, request } = pending.copy.clone();
        match self.granted.oci.copy(&source, &selector, &target, &request).await {
            Ok(copied) => answer(Ok(self.table.push(copied)?)),
            Err(fault) => answer(Err(fault)),
        }
    }

    async fn drop(&mut self, this: Resource<PendingCopy>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostCopyBatch for StepState {
    async fn new(&mut self) -> wasmtime::Result<Resource<PendingBatch>> {
        Ok(self.table.push(PendingBatch::default())?)
    }

    async fn add(
        &mut self,
        this: Resource<PendingBatch>,
        request: Resource<PendingCopy>,
    ) -> wasmtime::Result<()> {
        let pending = self.table.delete(request)?;
        self.table.get_mut(&this)?.copies.push(pending.copy);
        Ok(())
    }

    async fn keep_going(&mut self, this: Resource<PendingBatch>) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.keep_going = true;
        Ok(())
    }

    async fn forecast(
        &mut self,
        this: Resource<PendingBatch>,
    ) -> wasmtime::Result<Vec<Result<Resource<Forecast>, errors::Error>>> {
        let copies = self.table.get(&this)?.copies.clone();
        let forecasts = self.granted.oci.forecast_all(copies).await;
        self.handles(forecasts)
    }

    async fn run(
        &mut self,
        this: Resource<PendingBatch>,
    ) -> wasmtime::Result<Vec<Result<Resource<Copied>, errors::Error>>> {
        let batch = self.table.get_mut(&this)?;
        let (copies, keep_going) = (batch.copies.clone(), batch.keep_going);
        let copied = match std::mem::replace(&mut batch.is_done, true) {
            true => copies.iter().map(|_| Err(done_already())).collect(),
            false => self.granted.oci.copy_all(copies, keep_going).await,
        };
        self.handles(copied)
    }

    async fn drop(&mut self, this: Resource<PendingBatch>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostLookup for StepState {
    async fn new(&mut self) -> wasmtime::Result<Resource<Lookup>> {
        Ok(self.table.push(Lookup::default())?)
    }

    async fn add(&mut self, this: Resource<Lookup>, reference: String) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.add(reference);
        Ok(())
    }

    async fn run(
        &mut self,
        this: Resource<Lookup>,
    ) -> wasmtime::Result<Vec<Result<Option<wit::Descriptor>, errors::Error>>> {
        let lookup = self.table.get(&this)?.clone();
        let answers = self.granted.oci.lookup(&lookup).await.into_iter();
        Ok(answers.map(|answer| answer.map(|found| found.map(to_wit)).map_err(to_guest)).collect())
    }

    async fn requests(
        &mut self,
        this: Resource<Lookup>,
    ) -> wasmtime::Result<Vec<wit::RequestCount>> {
        Ok(counts(self.table.get(&this)?.requests()))
    }

    async fn drop(&mut self, this: Resource<Lookup>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostCopied for StepState {
    async fn descriptor(&mut self, this: Resource<Copied>) -> wasmtime::Result<wit::Descriptor> {
        Ok(to_wit(self.copied(&this)?.descriptor.clone()))
    }

    async fn source_digest(&mut self, this: Resource<Copied>) -> wasmtime::Result<String> {
        Ok(self.copied(&this)?.source_digest.clone())
    }

    async fn changed(&mut self, this: Resource<Copied>) -> wasmtime::Result<bool> {
        Ok(self.copied(&this)?.changed)
    }

    async fn platforms(&mut self, this: Resource<Copied>) -> wasmtime::Result<Vec<String>> {
        Ok(self.copied(&this)?.platforms.clone())
    }

    async fn sent(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.copied(&this)?.sent)
    }

    async fn sent_bytes(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.copied(&this)?.sent_bytes)
    }

    async fn mounted(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.copied(&this)?.mounted)
    }

    async fn skipped(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.copied(&this)?.skipped)
    }

    async fn mounted_bytes(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.copied(&this)?.mounted_bytes)
    }

    async fn skipped_bytes(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.copied(&this)?.skipped_bytes)
    }

    async fn referrers(&mut self, this: Resource<Copied>) -> wasmtime::Result<u64> {
        Ok(self.copied(&this)?.referrers)
    }

    async fn drop(&mut self, this: Resource<Copied>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl wit::HostForecast for StepState {
    async fn descriptor(&mut self, this: Resource<Forecast>) -> wasmtime::Result<wit::Descriptor> {
        Ok(to_wit(self.seen(&this)?.descriptor.clone()))
    }

    async fn source_digest(&mut self, this: Resource<Forecast>) -> wasmtime::Result<String> {
        Ok(self.seen(&this)?.source_digest.clone())
    }

    async fn changed(&mut self, this: Resource<Forecast>) -> wasmtime::Result<bool> {
        Ok(self.seen(&this)?.changed)
    }

    async fn present(&mut self, this: Resource<Forecast>) -> wasmtime::Result<bool> {
        Ok(self.seen(&this)?.present)
    }

    async fn platforms(&mut self, this: Resource<Forecast>) -> wasmtime::Result<Vec<String>> {
        Ok(self.seen(&this)?.platforms.clone())
    }

    async fn send(&mut self, this: Resource<Forecast>) -> wasmtime::Result<u64> {
        Ok(self.seen(&this)?.send)
    }

    async fn send_bytes(&mut self, this: Resource<Forecast>) -> wasmtime::Result<u64> {
        Ok(self.seen(&this)?.send_bytes)
    }

    async fn mount(&mut self, this: Resource<Forecast>) -> wasmtime::Result<u64> {
        Ok(self.seen(&this)?.mount)
    }

    async fn mount_bytes(&mut self, this: Resource<Forecast>) -> wasmtime::Result<u64> {
        Ok(self.seen(&this)?.mount_bytes)
    }

    async fn skip(&mut self, this: Resource<Forecast>) -> wasmtime::Result<u64> {
        Ok(self.seen(&this)?.skip)
    }

    async fn skip_bytes(&mut self, this: Resource<Forecast>) -> wasmtime::Result<u64> {
        Ok(self.seen(&this)?.skip_bytes)
    }

    async fn referrers(&mut self, this: Resource<Forecast>) -> wasmtime::Result<u64> {
        Ok(self.seen(&this)?.referrers)
    }

    async fn moves(&mut self, this: Resource<Forecast>) -> wasmtime::Result<Vec<wit::MovedTag>> {
        let moves = self.seen(&this)?.moves.iter().cloned();
        Ok(moves.map(|(tag, from)| wit::MovedTag { tag, from }).collect())
    }

    async fn drop(&mut self, this: Resource<Forecast>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

pub(super) fn to_wit(descriptor: Descriptor) -> wit::Descriptor {
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
