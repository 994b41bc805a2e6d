//! The progress of a copy, as people see it.

use std::sync::{Mutex, PoisonError};

use ::oci::{CopyEvent, CopyObserver, Pushed, Selector};

use super::super::{GrantedOci, Repository};
use crate::voice::{Unit, Voice};

/// What is shown of a digest in a title; the ledger has all of it.
const SHOWN_HEX: usize = 12;

/// The progress of a copy: a bar that begins when something has to be moved.
pub(super) struct Bar {
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
    pub(super) fn new(
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
        Self::titled(oci, title)
    }

    pub(super) fn titled(oci: &GrantedOci, title: String) -> Self {
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
