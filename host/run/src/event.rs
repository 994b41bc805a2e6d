//! What happens in a run: the one stream that everything that shows or stores listens to.
//!
//! `execute` says nothing in any other way. The terminal, the NDJSON stream, annotations and the
//! record are folds over it.
//!
//! Order: by time; `run-started` first, `run-finished` last. Between `step-started` and
//! `step-finished` of an instance lie its attempts and all that it says; a step that never begins has
//! `step-finished` alone.
//!
//! Within one version of the stream ([`crate::ndjson::VERSION`]) events and fields are added, never
//! changed.

use std::{fmt, sync::Arc, time::Duration};

use report::{Fault, Kind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{Outcome, Status, Timestamp};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Wall time.
    pub at: Timestamp,
    /// Milliseconds since the run began; never less than in the event before.
    pub elapsed_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Who listens.
pub trait EventSink: Send + Sync {
    /// Hears `event`. Called in order, one at a time, from whichever thread it happened on; must not
    /// wait, but for a moment at `run-finished`, and must not say anything to the same run.
    fn emit(&self, event: &Event);
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum EventKind {
    /// The run begins.
    RunStarted {
        /// The run's id.
        run: String,
        /// The pipeline's name.
        pipeline: String,
        /// Whether nothing is to be changed.
        dry_run: bool,
        /// How many steps run at once, at most.
        jobs: usize,
        /// The steps that take part, in plan order.
        steps: Vec<StepOutline>,
    },
    /// A step begins, with its first attempt.
    StepStarted {
        /// Which.
        step: Instance,
        /// What it is given, checked against the plugin's schema: a JSON object.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        inputs: Value,
        /// Whether it is to change nothing.
        #[serde(default, skip_serializing_if = "is_false")]
        dry_run: bool,
    },
    /// Another attempt begins.
    AttemptStarted {
        /// Of which step.
        step: Instance,
        /// From 2.
        attempt: u32,
    },
    /// An attempt failed and there will be another.
    AttemptFailed {
        /// Of which step.
        step: Instance,
        /// From 1.
        attempt: u32,
        /// How many there may be.
        attempts: u32,
        /// Why it failed.
        fault: Fault,
        /// How long until the next.
        pause_ms: u64,
    },
    /// A step ended, or will not begin.
    StepFinished(StepFinished),
    /// A step says something.
    Log {
        /// Which.
        step: Instance,
        /// How important it is.
        level: Level,
        /// What.
        message: String,
        /// Named values beside it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<(String, String)>,
    },
    /// A piece of work that takes a while begins.
    ProgressStarted {
        /// Of which step.
        step: Instance,
        /// Which, within the step.
        progress: ProgressId,
        /// What it is.
        title: String,
        /// How much there is to do, if known.
        total: Option<u64>,
        /// What is counted.
        unit: Unit,
    },
    /// So much more is done.
    ProgressAdvanced {
        /// Of which step.
        step: Instance,
        /// Which.
        progress: ProgressId,
        /// How much since the last such event.
        amount: u64,
    },
    /// The work has another title now.
    ProgressTitled {
        /// Of which step.
        step: Instance,
        /// Which.
        progress: ProgressId,
        /// The title.
        title: String,
    },
    /// The work is over.
    ProgressEnded {
        /// Of which step.
        step: Instance,
        /// Which.
        progress: ProgressId,
    },
    /// Messages that belong together begin.
    GroupStarted {
        /// Of which step.
        step: Instance,
        /// What they are about.
        title: String,
    },
    /// The innermost group of the step is complete.
    GroupEnded {
        /// Of which step.
        step: Instance,
    },
    /// The host did something for a step, or refused to.
    Ledger {
        /// Which.
        step: Instance,
        /// What.
        line: LedgerLine,
    },
    /// No further step begins, but for those that always run.
    RunStopping {
        /// Why.
        reason: StopReason,
        /// How long steps that always run may take from now; `None`: as long as they may anyway.
        cleanup_ms: Option<u64>,
    },
    /// The run is over.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
        /// What decides the exit code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit: Option<Kind>,
    },
    /// Something that a later version says and this one does not know.
    #[serde(other)]
    Unknown,
}

/// A step ended, or will not begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepFinished {
    /// Which; the step's id alone if it never came to have instances.
    pub step: Instance,
    /// How it ended.
    pub outcome: Outcome,
    /// What it found, if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// How many attempts were made; 0 if it never began.
    pub attempts: u32,
    /// Milliseconds since `step-started`.
    pub took_ms: u64,
    /// Its outputs, if it succeeded: a JSON object.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub outputs: Value,
    /// One line for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Whether the run goes on as if it had succeeded (`continue-on-error`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub tolerated: bool,
    /// Why it never began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The run whose result was taken: it did not begin in this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<String>,
    /// Whether its outputs held a secret, which is not said here: they are not what it gave.
    #[serde(default, skip_serializing_if = "is_false")]
    pub withheld: bool,
}

/// A step as the run begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepOutline {
    /// Its id.
    pub id: String,
    /// The plugin as the pipeline names it.
    pub uses: String,
    /// The plugin's version.
    pub version: String,
    /// The component's digest.
    pub digest: String,
}

/// One execution of a step: `build`, or `build[arch=arm64]` out of a matrix.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance(Arc<str>);

/// How important a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// For whoever looks for a bug in the plugin.
    Trace,
    /// For whoever looks for a mistake in the pipeline.
    Debug,
    /// Ordinary.
    Info,
    /// It works, but probably not as meant.
    Warn,
    /// It does not work.
    Error,
}

/// What progress counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Anything else.
    Items,
}

/// A piece of work, numbered from 1 within its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProgressId(pub(crate) u32);

/// One thing that the host did for a step, or refused to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LedgerLine {
    /// The capability: `http`, `oci`, `secrets`.
    pub capability: String,
    /// What was done: `GET`, `push-blob`, `use`.
    pub action: String,
    /// To what; holds no credential.
    pub target: String,
    /// What it came to, `ok`, a status or a digest; or the code of the fault: `denied.http`.
    pub result: String,
    /// Whether it was refused or failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failed: bool,
    /// Bytes moved, where that is a measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The images that it read or wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageUse>,
    /// How long it took; microseconds in text.
    #[serde(rename = "elapsed-us", with = "micros")]
    pub elapsed: Duration,
}

/// An image that a step had to do with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageUse {
    /// What the step did with it.
    pub role: ImageRole,
    /// `localhost:5000/app:v1`; the repository alone where it was named by digest.
    pub reference: String,
    /// What that pointed at, or points at now.
    pub digest: String,
}

/// What a step did with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageRole {
    /// It built upon it.
    Base,
    /// It looked at it, or copied it.
    Read,
    /// It wrote it.
    Written,
}

impl ImageRole {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Base, Self::Read, Self::Written];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Read => "read",
            Self::Written => "written",
        }
    }
}

impl fmt::Display for ImageRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why no further step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// A step failed, and the run is to end with the first failure.
    Failure,
    /// A person or a signal wants it to end.
    Cancelled,
    /// The run's deadline passed.
    TimedOut,
}

/// Says everything to several, in order.
#[derive(Clone, Default)]
pub struct Fanout(pub Vec<Arc<dyn EventSink>>);

/// Keeps every event in memory, for tests and for small runs.
#[derive(Debug, Default)]
pub struct EventLog(std::sync::Mutex<Vec<Event>>);

impl EventSink for Fanout {
    fn emit(&self, event: &Event) {
        for sink in &self.0 {
            sink.emit(event);
        }
    }
}

impl EventLog {
    /// What was said up to now.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl EventSink for EventLog {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event.clone());
    }
}

impl EventKind {
    /// Whom it is about; `None` if that is the run.
    pub fn step(&self) -> Option<&Instance> {
        match self {
            Self::StepStarted { step, .. }
            | Self::AttemptStarted { step, .. }
            | Self::AttemptFailed { step, .. }
            | Self::Log { step, .. }
            | Self::ProgressStarted { step, .. }
            | Self::ProgressAdvanced { step, .. }
            | Self::ProgressTitled { step, .. }
            | Self::ProgressEnded { step, .. }
            | Self::GroupStarted { step, .. }
            | Self::GroupEnded { step }
            | Self::Ledger { step, .. } => Some(step),
            Self::StepFinished(end) => Some(&end.step),
            Self::RunStarted { .. }
            | Self::RunStopping { .. }
            | Self::RunFinished { .. }
            | Self::Unknown => None,
        }
    }
}

impl ProgressId {
    /// Its number, for those who can only carry numbers.
    pub fn number(self) -> u64 {
        u64::from(self.0)
    }

    /// The piece of work with that number; one that never was is heard by nobody.
    pub fn from_number(number: u64) -> Self {
        Self(u32::try_from(number).unwrap_or_default())
    }
}

impl Instance {
    /// The instance of that name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Its whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of its step.
    pub fn step(&self) -> &str {
        self.0.split_once('[').map_or(&self.0, |(step, _)| step)
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Instance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Instance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A duration as whole microseconds.
mod micros {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}
