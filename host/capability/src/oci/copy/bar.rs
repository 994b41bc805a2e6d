//! The progress of a copy, as people see it.

use std::sync::{Mutex, PoisonError};

use ::oci::{CopyEvent, CopyObserver, Pushed, Selector};

use super::super::{GrantedOci, Repository};
use crate::voice::{Unit, Voice};

/// What is shown of a digest in a title; the ledger has all of it.
const SHOWN_HEX: usize = 12;

/// The progress of a copy: a bar that begins when something has to be moved, and another one when it
/// turns out that what speaks about the image has to be moved too.
pub(super) struct Bar {
    voice: Voice,
    /// None of something that was made here.
    source: Option<String>,
    target: String,
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
    /// Whether it is about what speaks about the image.
    is_about_referrers: bool,
}

impl Bar {
    pub(super) fn new(
        oci: &GrantedOci,
        source: &Repository,
        selector: &Selector,
        target: &Repository,
        tags: &[String],
    ) -> Self {
        let from = source.name();
        let source = match selector {
            Selector::Tag(tag) => format!("{from}:{tag}"),
            Selector::Digest(digest) => {
                let hex: String = digest.hex().chars().take(SHOWN_HEX).collect();
                format!("{from}@{}:{hex}", digest.algorithm())
            }
        };
        let target = match tags {
            [] => target.name(),
            tags => format!("{}:{}", target.name(), tags.join(",")),
        };
        Self::titled(oci, Some(source), target)
    }

    /// Of something new that is written into `target`.
    pub(super) fn of_push(oci: &GrantedOci, target: &Repository) -> Self {
        Self::titled(oci, None, target.name())
    }

    fn titled(oci: &GrantedOci, source: Option<String>, target: String) -> Self {
        Self { voice: oci.call.voice.clone(), source, target, state: Mutex::default() }
    }

    fn start(&self, state: &State) -> u64 {
        let Self { source, target, .. } = self;
        let title = match (source, state.is_about_referrers) {
            (None, _) => format!("push {target}"),
            (Some(source), false) => format!("copy {source} to {target}"),
            (Some(source), true) => format!("copy the referrers of {source} to {target}"),
        };
        let id = self.voice.progress_start(&title, state.total, Unit::Bytes);
        self.voice.progress_advance(id, state.there);
        id
    }
}

impl CopyObserver for Bar {
    fn observe(&self, event: CopyEvent<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            // The first is about the image, the others are about what speaks about it.
            CopyEvent::Planned { bytes, .. } => {
                let State { id, total, is_about_referrers, .. } = std::mem::take(&mut *state);
                if let Some(id) = id {
                    self.voice.progress_end(id);
                }
                state.is_about_referrers = is_about_referrers || total.is_some();
                state.total = Some(bytes);
            }
            CopyEvent::Bytes(bytes) => {
                let id = state.id.unwrap_or_else(|| self.start(&state));
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
