//! The account of a run: a pure fold over its events.
//!
//! Holds what a summary shows, for ever: how each step ended, what it gave, why it failed. What steps
//! said line by line stays in the events.

use std::collections::{BTreeMap, HashMap};

use report::{Fault, Kind};
use serde::{Deserialize, Serialize};

use crate::{
    Event, EventKind, Instance, Level, Outcome, StopReason, Timestamp,
    event::{LedgerLine, StepFinished, StepOutline},
};

/// The version of the record. A field more does not change it; a meaning that changes does.
pub const RECORD_VERSION: u32 = 1;

/// The account of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunRecord {
    /// [`RECORD_VERSION`] of whoever wrote it.
    pub record_version: u32,
    /// The run's id.
    pub run: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` if the account breaks off before that.
    pub finished_at: Option<Timestamp>,
    /// Milliseconds from its beginning to the last event.
    pub elapsed_ms: u64,
    /// Why it ended before all steps were through.
    pub stopped: Option<StopReason>,
    /// How it ended; `None` if the account breaks off before that.
    pub outcome: Option<Outcome>,
    /// What decided the exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Kind>,
    /// The steps that took part, in plan order.
    pub steps: Vec<StepRecord>,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepRecord {
    /// Which step, and which plugin.
    pub outline: StepOutline,
    /// Its executions in the order in which they began; more than one out of a matrix.
    pub instances: Vec<InstanceRecord>,
}

/// One execution of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InstanceRecord {
    /// Its name.
    pub instance: Instance,
    /// Milliseconds from the run's beginning to its own; `None` if it never began.
    pub started_ms: Option<u64>,
    /// How it ended; `None` if the account breaks off before that.
    pub end: Option<StepFinished>,
    /// The faults of the attempts before the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retried: Vec<Fault>,
    /// How many warnings it logged.
    pub warnings: u64,
    /// How many errors it logged.
    pub errors: u64,
    /// What the host did for it, by capability.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ledger: BTreeMap<String, LedgerTotal>,
}

/// What the host did for a step in one capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LedgerTotal {
    /// Calls, refused and failed ones among them.
    pub calls: u64,
    /// Calls that did not succeed.
    pub failed: u64,
    /// Bytes moved.
    pub bytes: u64,
}

/// A record that grows with the events.
#[derive(Default)]
pub(crate) struct Fold {
    record: Option<RunRecord>,
    /// Where each step is in the record.
    steps: HashMap<String, usize>,
    /// Where each instance is within its step.
    instances: HashMap<Instance, usize>,
}

impl RunRecord {
    /// The account that `events` give; `None` if they do not begin with `run-started`.
    ///
    /// They may break off anywhere: what is not known then is `None`.
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut fold = Fold::default();
        events.into_iter().for_each(|event| fold.apply(event));
        fold.record
    }

    /// The step `id`.
    pub fn step(&self, id: &str) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.outline.id == id)
    }

    /// How many steps ended with `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps.iter().filter(|step| step.outcome() == Some(outcome)).count()
    }
}

impl StepRecord {
    /// How the step ended: as the first instance that failed, else succeeded if one did, else
    /// skipped; `None` while an instance has not ended, or none has begun.
    pub fn outcome(&self) -> Option<Outcome> {
        if self.instances.is_empty() {
            return None;
        }
        let ends: Option<Vec<Outcome>> =
            self.instances.iter().map(InstanceRecord::outcome).collect();
        ends.map(Outcome::of_instances)
    }

    /// Whether it failed and the run went on as if it had not.
    pub fn is_tolerated(&self) -> bool {
        self.instances.iter().filter_map(|instance| instance.end.as_ref()).any(|end| end.tolerated)
    }

    /// The fault of the first instance that failed.
    pub fn fault(&self) -> Option<&Fault> {
        self.instances.iter().find_map(|instance| instance.end.as_ref()?.fault.as_ref())
    }
}

impl InstanceRecord {
    /// How it ended; `None` if the account breaks off before that.
    pub fn outcome(&self) -> Option<Outcome> {
        self.end.as_ref().map(|end| end.outcome)
    }

    fn new(instance: Instance) -> Self {
        Self {
            instance,
            started_ms: None,
            end: None,
            retried: Vec::new(),
            warnings: 0,
            errors: 0,
            ledger: BTreeMap::new(),
        }
    }

    fn count(&mut self, line: &LedgerLine) {
        let total = match self.ledger.get_mut(&line.capability) {
            Some(total) => total,
            None => self.ledger.entry(line.capability.clone()).or_default(),
        };
        total.calls += 1;
        total.failed += u64::from(line.failed);
        total.bytes = total.bytes.saturating_add(line.bytes.unwrap_or_default());
    }
}

impl Fold {
    pub(crate) fn record(&self) -> Option<&RunRecord> {
        self.record.as_ref()
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        if let EventKind::RunStarted { run, pipeline, dry_run, jobs: _, steps } = &event.kind {
            self.begin(event.at, run, pipeline, *dry_run, steps);
        }
        let Some(record) = &mut self.record else { return };
        record.elapsed_ms = event.elapsed_ms;
        match &event.kind {
            EventKind::RunStopping { reason, .. } => record.stopped = Some(*reason),
            EventKind::RunFinished { outcome, exit } => {
                record.finished_at = Some(event.at);
                record.outcome = Some(*outcome);
                record.exit = *exit;
            }
            EventKind::StepStarted { step, .. } => {
                if let Some(instance) = self.instance(step) {
                    instance.started_ms = Some(event.elapsed_ms);
                }
            }
            EventKind::AttemptFailed { step, fault, .. } => {
                if let Some(instance) = self.instance(step) {
                    instance.retried.push(fault.clone());
                }
            }
            EventKind::StepFinished(end) => {
                if let Some(instance) = self.instance(&end.step) {
                    instance.end = Some(end.clone());
                }
            }
            EventKind::Log { step, level: level @ (Level::Warn | Level::Error), .. } => {
                if let Some(instance) = self.instance(step) {
                    instance.warnings += u64::from(*level == Level::Warn);
                    instance.errors += u64::from(*level == Level::Error);
                }
            }
            EventKind::Ledger { step, line } => {
                if let Some(instance) = self.instance(step) {
                    instance.count(line);
                }
            }
            EventKind::RunStarted { .. }
            | EventKind::AttemptStarted { .. }
            | EventKind::Log { .. }
            | EventKind::ProgressStarted { .. }
            | EventKind::ProgressAdvanced { .. }
            | EventKind::ProgressTitled { .. }
            | EventKind::ProgressEnded { .. }
            | EventKind::GroupStarted { .. }
            | EventKind::GroupEnded { .. }
            | EventKind::Unknown => {}
        }
    }

    fn begin(
        &mut self,
        at: Timestamp,
        run: &str,
        pipeline: &str,
        dry_run: bool,
        steps: &[StepOutline],
    ) {
        self.steps = steps.iter().map(|step| step.id.clone()).zip(0..).collect();
        self.instances.clear();
        self.record = Some(RunRecord {
            record_version: RECORD_VERSION,
            run: run.to_owned(),
            pipeline: pipeline.to_owned(),
            dry_run,
            started_at: at,
            finished_at: None,
            elapsed_ms: 0,
            stopped: None,
            outcome: None,
            exit: None,
            steps: steps
                .iter()
                .map(|outline| StepRecord { outline: outline.clone(), instances: Vec::new() })
                .collect(),
        });
    }

    /// The record of `instance`, made if need be; `None` for a step that is not of this run.
    fn instance(&mut self, instance: &Instance) -> Option<&mut InstanceRecord> {
        let step = *self.steps.get(instance.step())?;
        let instances = &mut self.record.as_mut()?.steps.get_mut(step)?.instances;
        let place = match self.instances.get(instance) {
            Some(place) => *place,
            None => {
                instances.push(InstanceRecord::new(instance.clone()));
                self.instances.insert(instance.clone(), instances.len() - 1);
                instances.len() - 1
            }
        };
        instances.get_mut(place)
    }
}
