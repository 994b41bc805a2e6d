//! The one mouth of a run: masks, stamps and orders what is said, and keeps the account.
//!
//! Whatever is said passes here under one lock, so that events are in the order of their times and
//! nothing of a step comes after its end.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use report::{Fault, Mask};
use serde_json::Value;
use tokio::time::Instant;

use crate::{Clock, Event, EventKind, EventSink, RunRecord, event::StepFinished, record::Fold};

/// Takes known secrets out of `value`, as events show it; whether there was one.
pub fn mask_value(mask: &Mask, value: &mut Value) -> bool {
    // Every item, not only those up to the first that has one.
    let any = |found, item| mask_value(mask, item) | found;
    match value {
        Value::String(text) => mask_text(mask, text),
        Value::Array(items) => items.iter_mut().fold(false, any),
        Value::Object(fields) => fields.values_mut().fold(false, any),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn mask_text(mask: &Mask, text: &mut String) -> bool {
    let std::borrow::Cow::Owned(masked) = mask.apply(text) else { return false };
    *text = masked;
    true
}

pub(crate) struct Emitter {
    sink: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
    mask: Mask,
    started: Instant,
    fold: Mutex<Fold>,
}

impl Emitter {
    pub(crate) fn new(sink: Arc<dyn EventSink>, clock: Arc<dyn Clock>, mask: Mask) -> Self {
        Self { sink, clock, mask, started: Instant::now(), fold: Mutex::new(Fold::default()) }
    }

    pub(crate) fn emit(&self, kind: EventKind) {
        let kind = self.masked(kind);
        let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        self.say(&mut fold, kind);
    }

    /// Says `kind` unless `closed`.
    pub(crate) fn emit_unless(&self, closed: &AtomicBool, kind: EventKind) {
        let kind = self.masked(kind);
        let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        if !closed.load(Ordering::Relaxed) {
            self.say(&mut fold, kind);
        }
    }

    /// Says `kind` as the last that `closed` lets through.
    pub(crate) fn emit_last(&self, closed: &AtomicBool, kind: EventKind) {
        let kind = self.masked(kind);
        let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
        closed.store(true, Ordering::Relaxed);
        self.say(&mut fold, kind);
    }

    /// Looks at the account up to now; `None` before `run-started`.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&RunRecord) -> T) -> Option<T> {
        self.fold.lock().unwrap_or_else(PoisonError::into_inner).record().map(look)
    }

    /// The caller holds the lock.
    fn say(&self, fold: &mut Fold, kind: EventKind) {
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let event = Event { at: self.clock.now(), elapsed_ms, kind };
        fold.apply(&event);
        self.sink.emit(&event);
    }

    /// `kind` without any known secret in what plugins and servers wrote.
    fn masked(&self, mut kind: EventKind) -> EventKind {
        match &mut kind {
            EventKind::AttemptFailed { fault, .. } => self.mask_fault(fault),
            EventKind::StepStarted { inputs, .. } => {
                self.mask_value(inputs);
            }
            EventKind::StepFinished(StepFinished {
                outputs,
                summary,
                fault,
                reason,
                withheld,
                ..
            }) => {
                *withheld |= self.mask_value(outputs);
                summary.iter_mut().for_each(|text| self.mask_text(text));
                fault.iter_mut().for_each(|fault| self.mask_fault(fault));
                reason.iter_mut().for_each(|text| self.mask_text(text));
            }
            EventKind::Log { message, fields, .. } => {
                self.mask_text(message);
                fields.iter_mut().for_each(|(_, value)| self.mask_text(value));
            }
            EventKind::ProgressStarted { title, .. }
            | EventKind::ProgressTitled { title, .. }
            | EventKind::GroupStarted { title, .. } => self.mask_text(title),
            EventKind::Ledger { line, .. } => self.mask_text(&mut line.target),
            EventKind::RunStarted { .. }
            | EventKind::AttemptStarted { .. }
            | EventKind::ProgressAdvanced { .. }
            | EventKind::ProgressEnded { .. }
            | EventKind::GroupEnded { .. }
            | EventKind::RunStopping { .. }
            | EventKind::RunFinished { .. }
            | EventKind::Unknown => {}
        }
        kind
    }

    fn mask_fault(&self, fault: &mut Fault) {
        self.mask_text(&mut fault.message);
        fault.causes.iter_mut().for_each(|cause| self.mask_text(cause));
        fault.help.iter_mut().for_each(|help| self.mask_text(help));
    }

    /// Whether there was something to mask.
    fn mask_value(&self, value: &mut Value) -> bool {
        mask_value(&self.mask, value)
    }

    fn mask_text(&self, text: &mut String) {
        mask_text(&self.mask, text);
    }
}
