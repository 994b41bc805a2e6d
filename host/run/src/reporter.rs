//! What a step says while it works, from any thread.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    EventKind, Instance, LedgerLine, Level, ProgressId, Unit, emitter::Emitter, event::StepFinished,
};

/// Between two events of one piece of work: more than an eye sees, so that a copy that advances a
/// thousand times a second does not become a thousand lines.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The voice of one step instance.
///
/// Cheap to clone. Once the instance has finished, nothing that is said is heard any more: a host
/// call that outlives its step cannot write behind its last line.
#[derive(Clone)]
pub struct StepReporter(Arc<Voice>);

struct Voice {
    emitter: Arc<Emitter>,
    step: Instance,
    closed: AtomicBool,
    /// From 1.
    attempt: AtomicU32,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    last: u32,
    open: BTreeMap<ProgressId, Bar>,
}

/// A piece of work that has not ended.
struct Bar {
    /// Done and not yet said.
    unsaid: u64,
    said: Instant,
}

impl StepReporter {
    pub(crate) fn new(emitter: Arc<Emitter>, step: Instance) -> Self {
        Self(Arc::new(Voice {
            emitter,
            step,
            closed: AtomicBool::new(false),
            attempt: AtomicU32::new(1),
            progress: Mutex::default(),
        }))
    }

    /// Who speaks.
    pub fn step(&self) -> &Instance {
        &self.0.step
    }

    /// Says `message`, with named values beside it.
    pub fn log(
        &self,
        level: Level,
        message: impl Into<String>,
        fields: impl IntoIterator<Item = (String, String)>,
    ) {
        let fields = fields.into_iter().collect();
        self.emit(EventKind::Log { step: self.instance(), level, message: message.into(), fields });
    }

    /// Begins a piece of work; `total` is `None` where the end is not known.
    pub fn progress_start(
        &self,
        title: impl Into<String>,
        total: Option<u64>,
        unit: Unit,
    ) -> ProgressId {
        let mut all = self.progress();
        all.last += 1;
        let progress = ProgressId(all.last);
        all.open.insert(progress, Bar { unsaid: 0, said: Instant::now() });
        let title = title.into();
        self.emit(EventKind::ProgressStarted {
            step: self.instance(),
            progress,
            title,
            total,
            unit,
        });
        progress
    }

    /// So much more is done. Amounts are gathered and said ten times a second; none gets lost.
    /// Does nothing for work that has ended.
    pub fn progress_advance(&self, progress: ProgressId, amount: u64) {
        let mut all = self.progress();
        let Some(bar) = all.open.get_mut(&progress) else { return };
        bar.unsaid = bar.unsaid.saturating_add(amount);
        if bar.unsaid > 0 && bar.said.elapsed() >= PROGRESS_INTERVAL {
            let amount = std::mem::take(&mut bar.unsaid);
            bar.said = Instant::now();
            self.emit(EventKind::ProgressAdvanced { step: self.instance(), progress, amount });
        }
    }

    /// Gives the work another title. Does nothing for work that has ended.
    pub fn progress_title(&self, progress: ProgressId, title: impl Into<String>) {
        let all = self.progress();
        if all.open.contains_key(&progress) {
            let title = title.into();
            self.emit(EventKind::ProgressTitled { step: self.instance(), progress, title });
        }
    }

    /// Ends the work. Does nothing for work that has ended.
    pub fn progress_end(&self, progress: ProgressId) {
        let mut all = self.progress();
        let Some(bar) = all.open.remove(&progress) else { return };
        self.end_bar(progress, &bar);
    }

    /// Begins messages that belong together; groups nest.
    pub fn group_start(&self, title: impl Into<String>) {
        self.emit(EventKind::GroupStarted { step: self.instance(), title: title.into() });
    }

    /// Ends the innermost group.
    pub fn group_end(&self) {
        self.emit(EventKind::GroupEnded { step: self.instance() });
    }

    /// Says what the host did for the step, or refused to.
    pub fn ledger(&self, line: LedgerLine) {
        self.emit(EventKind::Ledger { step: self.instance(), line });
    }

    /// The attempt that runs, or ran last.
    pub(crate) fn attempt(&self) -> u32 {
        self.0.attempt.load(Ordering::Relaxed)
    }

    /// Begins another attempt.
    pub(crate) fn attempt_start(&self, attempt: u32) {
        self.0.attempt.store(attempt, Ordering::Relaxed);
        self.emit(EventKind::AttemptStarted { step: self.instance(), attempt });
    }

    /// Ends an attempt: whatever work it left open is over.
    pub(crate) fn end_progress(&self) {
        let mut all = self.progress();
        for (progress, bar) in std::mem::take(&mut all.open) {
            self.end_bar(progress, &bar);
        }
    }

    pub(crate) fn emit(&self, kind: EventKind) {
        self.0.emitter.emit_unless(&self.0.closed, kind);
    }

    /// Says how the instance ended, and nothing after that. A second call says nothing.
    pub(crate) fn finish(&self, finished: StepFinished) {
        if !self.0.closed.load(Ordering::Relaxed) {
            self.end_progress();
            self.0.emitter.emit_last(&self.0.closed, EventKind::StepFinished(finished));
        }
    }

    fn end_bar(&self, progress: ProgressId, bar: &Bar) {
        if bar.unsaid > 0 {
            let amount = bar.unsaid;
            self.emit(EventKind::ProgressAdvanced { step: self.instance(), progress, amount });
        }
        self.emit(EventKind::ProgressEnded { step: self.instance(), progress });
    }

    fn instance(&self) -> Instance {
        self.0.step.clone()
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
