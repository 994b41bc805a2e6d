//! A copy between two repositories that a step has opened.

use std::sync::{Mutex, PoisonError};

use ::oci::{CopyEvent, CopyObserver, CopyOptions, Platform, Pushed, Selector};
use report::Fault;

use super::{
    Descriptor, GrantedOci, Repository, invalid,
    repository::{Right, parse_selector, parse_tag},
};
use crate::voice::{Unit, Voice};

/// What is shown of a digest in a title; the ledger has all of it.
const SHOWN_HEX: usize = 12;

/// What `windlass:oci/oci.copy-request` was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyRequest {
    /// Also write it under these tags; none: under its digest alone.
    pub tags: Vec<String>,
    /// Keep only these platforms (`os/architecture[/variant]`) of an index; none: all.
    pub platforms: Option<Vec<String>>,
    /// Overwrite a tag that points elsewhere.
    pub force: bool,
}

/// What a copy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// What stands in the target now.
    pub descriptor: Descriptor,
    /// Whether anything was written or a tag moved.
    pub changed: bool,
    /// `os/architecture[/variant]`; one for a single image.
    pub platforms: Vec<String>,
    /// Blobs and manifests sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Blobs mounted from another repository of the target's registry.
    pub mounted: u64,
    /// Blobs and manifests that were there already.
    pub skipped: u64,
}

impl GrantedOci {
    /// Copies `selector` of `source`, and all that it refers to, to `target`; the tags come last.
    ///
    /// `source` must have been opened with `pull`, `target` with `pull` and `push`.
    ///
    /// # Errors
    /// `denied.oci` (also in a dry run), `invalid.oci`, `oci.not-found`, `oci.conflict`,
    /// `oci.mismatch`, `oci.unauthorized`, `oci.transient`, …
    pub async fn copy(
        &self,
        source: &Repository,
        selector: &str,
        target: &Repository,
        request: &CopyRequest,
    ) -> Result<Copied, Fault> {
        let mut used = target.begin("copy", &request.tags.join(","));
        used.target = format!("{} to {}", source.begin("", selector).target, used.target);
        let copied = Box::pin(self.copy_checked(source, selector, target, request)).await;
        self.call.voice.end(used, copied, |copied| {
            (format!("{} {}", word(copied), copied.descriptor.digest), Some(copied.sent_bytes))
        })
    }

    async fn copy_checked(
        &self,
        source: &Repository,
        selector: &str,
        target: &Repository,
        request: &CopyRequest,
    ) -> Result<Copied, Fault> {
        source.may(Right::Pull)?;
        target.may(Right::Pull)?;
        target.may(Right::Push)?;
        let selector = parse_selector(selector)?;
        let options = CopyOptions {
            tags: request.tags.iter().map(|tag| parse_tag(tag)).collect::<Result<_, _>>()?,
            platforms: parse_platforms(request.platforms.as_deref().unwrap_or_default())?,
            force: request.force,
            ..CopyOptions::default()
        };
        let bar = Bar::new(self, source, &selector, target);
        let copied = ::oci::copy(source.store(), &selector, target.store(), &options, &bar).await?;
        let platforms = match copied.platforms.is_empty() {
            // Nothing had to be read to see that all is there; the caller wants to know all the same.
            true => {
                let selector = Selector::Digest(copied.descriptor.digest);
                ::oci::platforms(target.store(), &selector).await?
            }
            false => copied.platforms,
        };
        Ok(Copied {
            descriptor: Descriptor::from(&copied.descriptor),
            changed: copied.changed,
            platforms: platforms.iter().map(ToString::to_string).collect(),
            sent: copied.sent,
            sent_bytes: copied.sent_bytes,
            mounted: copied.mounted,
            skipped: copied.skipped,
        })
    }
}

/// The progress of a copy: a bar that begins when something has to be moved.
struct Bar {
    voice: Voice,
    title: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The progress, once there is something to show.
    id: Option<u64>,
    /// The bytes of all blobs that will be looked at.
    total: Option<u64>,
    /// Bytes of blobs that were there before the first byte moved.
    there: u64,
}

impl Bar {
    fn new(
        oci: &GrantedOci,
        source: &Repository,
        selector: &Selector,
        target: &Repository,
    ) -> Self {
        let from = source.name();
        let title = match selector {
            Selector::Tag(tag) => format!("copy {from}:{tag} to {}", target.name()),
            Selector::Digest(digest) => {
                let hex: String = digest.hex().chars().take(SHOWN_HEX).collect();
                format!("copy {from}@{}:{hex} to {}", digest.algorithm(), target.name())
            }
        };
        Self { voice: oci.call.voice.clone(), title, state: Mutex::default() }
    }
}

impl CopyObserver for Bar {
    fn observe(&self, event: CopyEvent<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            CopyEvent::Planned { bytes, .. } => {
                state.total = Some(state.total.unwrap_or_default() + bytes);
            }
            CopyEvent::Bytes(bytes) => {
                let State { id, total, there } = *state;
                let id = id.unwrap_or_else(|| {
                    let id = self.voice.progress_start(&self.title, total, Unit::Bytes);
                    self.voice.progress_advance(id, there);
                    id
                });
                state.id = Some(id);
                self.voice.progress_advance(id, bytes);
            }
            // Not moved, and done all the same.
            CopyEvent::Blob { blob, pushed: Pushed::Mounted | Pushed::Present } => match state.id {
                Some(id) => self.voice.progress_advance(id, blob.size),
                None => state.there += blob.size,
            },
            // Of a blob that was sent the bytes were counted; of manifests there is nothing to count.
            CopyEvent::Blob { pushed: Pushed::Sent, .. } | CopyEvent::Manifest { .. } | _ => {}
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = state.id {
            self.voice.progress_end(id);
        }
    }
}

fn word(copied: &Copied) -> &'static str {
    if copied.changed { "changed" } else { "unchanged" }
}

fn parse_platforms(texts: &[String]) -> Result<Vec<Platform>, Fault> {
    let parse = |text: &String| {
        text.parse().map_err(|error: ::oci::PlatformError| invalid(error.to_string()))
    };
    texts.iter().map(parse).collect()
}
