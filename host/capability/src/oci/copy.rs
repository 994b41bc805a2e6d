//! Copies between repositories that a step has opened: one, or several at the same time.
//!
//! What a copy is told is checked here, word by word, and handed to `oci::copy`, which moves the
//! bytes. What is known of blobs in registries belongs to the run, since copies of other steps may
//! have brought a blob; whether *this* step may use it is its grant's business: without `pull` of a
//! repository nothing is mounted from there, however its digest became known.

mod bar;
mod batch;

use std::sync::Arc;

use ::oci::{
    CopyOptions, IndexChoice, MayMount, MediaType, MountSource, Place, Platform, Referrers,
    RepositoryName, Selector, Store, Tag, Whereabouts,
};
use report::Fault;

use super::{
    AccessFlags, Descriptor, GrantedOci, Repository, invalid, not_a_place,
    repository::{Right, parse_digest, parse_selector, parse_tag},
};
use crate::call::Effect;
use crate::grant::{RepositoryId, Want};
use crate::voice::{ImageRole, Said};
use bar::Bar;
pub use batch::PlannedCopy;

/// What stands for the platform of this machine.
const SYSTEM: &str = "system";

/// What `windlass:oci/oci.copy-request` was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyRequest {
    /// Also write it under these tags; none: under its digest alone.
    pub tags: Vec<String>,
    /// Keep only these platforms (`os/architecture[/variant]`, or `system`) of an index; none: all.
    pub platforms: Option<Vec<String>>,
    /// Keep the index as it is although not all of its platforms are copied.
    pub is_sparse: bool,
    /// Overwrite a tag that points elsewhere.
    pub force: bool,
    /// The digest that the source must have.
    pub expect: Option<String>,
    /// What refers to the image comes along.
    pub referrers: ReferrerChoice,
    /// Look for referrers also where the image itself is unchanged.
    pub recheck_referrers: bool,
    /// Copy layers too that are not to be distributed.
    pub foreign_layers: bool,
    /// `HOST[:PORT]/REPOSITORY` of the target's registry that may have the blobs.
    pub mount_from: Option<String>,
}

/// Which referrers come along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReferrerChoice {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those of these artifact types.
    Only(Vec<String>),
}

/// What a copy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What stands in the target now.
    pub descriptor: Descriptor,
    /// What the source has there: another digest where platforms were chosen.
    pub source_digest: String,
    /// Whether anything was written or a tag moved.
    pub changed: bool,
    /// `os/architecture[/variant]`; empty where nothing had to be read.
    pub platforms: Vec<String>,
    /// Blobs and manifests sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Blobs mounted from another repository of the target's registry.
    pub mounted: u64,
    /// Their bytes.
    pub mounted_bytes: u64,
    /// Blobs and manifests that were there already.
    pub skipped: u64,
    /// Their bytes, as far as they were looked at.
    pub skipped_bytes: u64,
    /// Referrers that came along, sent or there already.
    pub referrers: u64,
}

/// What a copy would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// What would stand in the target.
    pub descriptor: Descriptor,
    /// What the source has there: another digest where platforms were chosen.
    pub source_digest: String,
    /// Whether anything would be written or a tag moved.
    pub changed: bool,
    /// Whether all of it is in the target already, under its digest.
    pub present: bool,
    /// `os/architecture[/variant]`.
    pub platforms: Vec<String>,
    /// Blobs and manifests that would be sent.
    pub send: u64,
    /// Their bytes.
    pub send_bytes: u64,
    /// Blobs that could be mounted.
    pub mount: u64,
    /// Their bytes.
    pub mount_bytes: u64,
    /// Blobs and manifests that are there already.
    pub skip: u64,
    /// Their bytes.
    pub skip_bytes: u64,
    /// Referrers that would come along.
    pub referrers: u64,
    /// The tags that would be written, and the digests that they point at today.
    pub moves: Vec<(String, Option<String>)>,
}

impl GrantedOci {
    /// Copies `selector` of `source`, and all that it refers to, to `target`; the tags come last.
    ///
    /// `source` must have been opened with `pull`, `target` with `pull` and `push`.
    ///
    /// # Errors
    /// `denied.oci`, `denied.dry-run`, `invalid.oci`, `oci.not-found`, `oci.conflict`,
    /// `oci.mismatch`, `oci.unauthorized`, `oci.transient`, …
    pub async fn copy(
        &self,
        source: &Repository,
        selector: &str,
        target: &Repository,
        request: &CopyRequest,
    ) -> Result<Copied, Fault> {
        self.copy_one(source, selector, target, request, true).await
    }

    /// Without `finishes` the target is left unfinished, which is then the caller's to do.
    async fn copy_one(
        &self,
        source: &Repository,
        selector: &str,
        target: &Repository,
        request: &CopyRequest,
        finishes: bool,
    ) -> Result<Copied, Fault> {
        let mut used = target.begin("copy", &request.tags.join(","));
        used.target = format!("{} to {}", source.begin("", selector).target, used.target);
        let copied = Box::pin(self.copy_checked(source, selector, target, request, finishes)).await;
        self.call.voice.end(used, copied, |copied| {
            let Copied { changed, descriptor, source_digest, sent_bytes, .. } = copied;
            let role = if *changed { ImageRole::Written } else { ImageRole::Read };
            Said::from((format!("{} {}", word(*changed), descriptor.digest), Some(*sent_bytes)))
                .images(ImageRole::Read, [source.name_of(selector)], source_digest)
                .images(role, target.named(&request.tags), &descriptor.digest)
        })
    }

    /// What [`Self::copy`] would do, by reading alone; allowed in a dry run.
    ///
    /// `source` must have been opened with `pull`, `target` with `pull`.
    ///
    /// # Errors
    /// As [`Self::copy`], but a tag that points elsewhere is none.
    pub async fn forecast(
        &self,
        source: &Repository,
        selector: &str,
        target: &Repository,
        request: &CopyRequest,
    ) -> Result<Forecast, Fault> {
        let mut used = target.begin("forecast", &request.tags.join(","));
        used.target = format!("{} to {}", source.begin("", selector).target, used.target);
        let forecast = Box::pin(self.forecast_checked(source, selector, target, request)).await;
        self.call.voice.end(used, forecast, |forecast| {
            (format!("{} {}", word(forecast.changed), forecast.descriptor.digest), None)
        })
    }

    async fn copy_checked(
        &self,
        source: &Repository,
        selector: &str,
        target: &Repository,
        request: &CopyRequest,
        finishes: bool,
    ) -> Result<Copied, Fault> {
        source.may(Right::Pull)?;
        target.may(Right::Pull)?;
        target.may(Right::Push)?;
        let selector = parse_selector(selector)?;
        let options = CopyOptions { finishes, ..self.options(target, request).await? };
        let bar = Bar::new(self, source, &selector, target, &request.tags);
        let copied = ::oci::copy(&*source.store, &selector, &*target.store, &options, &bar).await?;
        Ok(Copied {
            descriptor: Descriptor::from(&copied.descriptor),
            source_digest: copied.source.to_string(),
            changed: copied.changed,
            platforms: copied.platforms.iter().map(ToString::to_string).collect(),
            sent: copied.sent,
            sent_bytes: copied.sent_bytes,
            mounted: copied.mounted,
            mounted_bytes: copied.mounted_bytes,
            skipped: copied.skipped,
            skipped_bytes: copied.skipped_bytes,
            referrers: copied.referrers,
        })
    }

    async fn forecast_checked(
        &self,
        source: &Repository,
        selector: &str,
        target: &Repository,
        request: &CopyRequest,
    ) -> Result<Forecast, Fault> {
        source.may(Right::Pull)?;
        target.may(Right::Pull)?;
        let selector: Selector = parse_selector(selector)?;
        let options = self.options(target, request).await?;
        let found = ::oci::forecast(&*source.store, &selector, &*target.store, &options).await?;
        let moves = found.moves.iter();
        Ok(Forecast {
            descriptor: Descriptor::from(&found.descriptor),
            source_digest: found.source.to_string(),
            changed: found.changed,
            present: found.present,
            platforms: found.platforms.iter().map(ToString::to_string).collect(),
            send: found.send,
            send_bytes: found.send_bytes,
            mount: found.mount,
            mount_bytes: found.mount_bytes,
            skip: found.skip,
            skip_bytes: found.skip_bytes,
            referrers: found.referrers,
            moves: moves
                .map(|moved| (moved.tag.to_string(), moved.from.map(|from| from.to_string())))
                .collect(),
        })
    }

    /// What a push of something new into `target` is told besides: its tags, what is known of the
    /// blobs in registries, and from where they may be mounted.
    pub(crate) fn of_push(
        &self,
        target: &Repository,
        tags: &[String],
    ) -> Result<(Vec<Tag>, Whereabouts, Option<MayMount>), Fault> {
        let tags = tags.iter().map(|tag| parse_tag(tag)).collect::<Result<_, _>>()?;
        Ok((tags, self.oci.whereabouts(), self.may_mount(target)))
    }

    /// The progress of such a push.
    pub(crate) fn push_bar(&self, target: &Repository) -> impl ::oci::CopyObserver {
        Bar::of_push(self, target)
    }

    /// What `request` says, understood; the rest is the run's and the grant's.
    async fn options(
        &self,
        target: &Repository,
        request: &CopyRequest,
    ) -> Result<CopyOptions, Fault> {
        let (mount_from, mount_store) = match &request.mount_from {
            Some(reference) => self.mount_from(reference, target).await?.unzip(),
            None => (None, None),
        };
        Ok(CopyOptions {
            tags: request.tags.iter().map(|tag| parse_tag(tag)).collect::<Result<_, _>>()?,
            platforms: parse_platforms(request.platforms.as_deref().unwrap_or_default())?,
            index: match request.is_sparse {
                true => IndexChoice::Sparse,
                false => IndexChoice::New,
            },
            force: request.force,
            expect: request.expect.as_deref().map(parse_digest).transpose()?,
            referrers: match &request.referrers {
                ReferrerChoice::None => Referrers::None,
                ReferrerChoice::All => Referrers::All,
                ReferrerChoice::Only(types) => {
                    Referrers::Only(types.iter().map(|kind| MediaType::new(kind)).collect())
                }
            },
            recheck_referrers: request.recheck_referrers,
            foreign_layers: request.foreign_layers,
            whereabouts: self.oci.whereabouts(),
            may_mount: self.may_mount(target),
            mount_from,
            mount_store,
            ..CopyOptions::default()
        })
    }

    /// The repository that `reference` names, if it is one of the target's registry. A hostile image
    /// could name the digests of a private one, so the step must be granted to pull from there.
    async fn mount_from(
        &self,
        reference: &str,
        target: &Repository,
    ) -> Result<Option<(RepositoryName, Arc<dyn Store>)>, Fault> {
        let place: Place = reference.parse().map_err(not_a_place)?;
        let id = RepositoryId::of(&place).map_err(|error| error.into_fault("oci"))?;
        self.call.check(&Want::Pull(&id), Effect::Look)?;
        match (&place, &id, &target.id) {
            (
                Place::Registry(reference),
                RepositoryId::Registry { host, .. },
                RepositoryId::Registry { host: own, .. },
            ) if host == own => {
                let access = AccessFlags { pull: true, ..AccessFlags::default() };
                let store = self.oci.store(&place, &id, access, &target.tally).await?;
                Ok(Some((reference.repository().clone(), store)))
            }
            _ => Ok(None),
        }
    }

    /// Whether the step may pull from another repository of the target's registry.
    fn may_mount(&self, target: &Repository) -> Option<MayMount> {
        let own = target.store.mount_source()?;
        let RepositoryId::Registry { host, .. } = target.id.clone() else {
            return None;
        };
        let grant = Arc::clone(&self.call.grant);
        Some(Arc::new(move |source: &MountSource| {
            let name = source.repository.to_string();
            let id = RepositoryId::Registry { host: host.clone(), name };
            source.registry == own.registry && grant.allows(&Want::Pull(&id)).is_ok()
        }))
    }
}

fn word(changed: bool) -> &'static str {
    if changed { "changed" } else { "unchanged" }
}

fn parse_platforms(texts: &[String]) -> Result<Vec<Platform>, Fault> {
    let parse = |text: &String| {
        let system = (text == SYSTEM).then(system_platform);
        system.as_ref().unwrap_or(text).parse().map_err(|error: ::oci::PlatformError| {
            invalid(error.to_string())
                .help("write it as `linux/amd64`; `system` is that of this machine")
        })
    };
    texts.iter().map(parse).collect()
}

/// The platform of images that this machine runs: those for Linux, as on macOS in a virtual machine,
/// but on Windows its own.
pub(crate) fn system_platform() -> String {
    let os = if cfg!(windows) { "windows" } else { "linux" };
    let text = format!("{os}/{}", std::env::consts::ARCH);
    // As images name it: `amd64`, not `x86_64`.
    text.parse().map_or(text, |platform: Platform| platform.to_string())
}
