//! How steps and runs end.

use std::fmt;

use report::{Fault, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::RunRecord;

/// How a step, or a run, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It did its work, or found it done.
    Succeeded,
    /// It could not do its work.
    Failed,
    /// A grant, or a policy of the host, refused it something.
    Denied,
    /// A person or a signal stopped it, or kept it from beginning.
    Cancelled,
    /// It never began, and says why.
    Skipped,
    /// A deadline passed.
    TimedOut,
}

/// What a step that succeeded found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Something is different now.
    Changed,
    /// All was as it should be.
    Unchanged,
    /// There was nothing to do.
    Skipped,
}

/// The answer of a step that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOutcome {
    /// What it found.
    pub status: Status,
    /// A JSON object.
    pub outputs: Value,
    /// One line for a person.
    pub summary: Option<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResult {
    /// How it ended: cancelled and timed out before anything else, then as the first step in plan
    /// order that failed, else succeeded.
    pub outcome: Outcome,
    /// What decides the exit code; `None` for success.
    pub exit: Option<Kind>,
    /// The account of the run, equal to the fold over its events.
    pub record: RunRecord,
    /// See [`RunResult::worst_fault`].
    pub(crate) fault: Option<Fault>,
}

impl RunResult {
    /// Why the run did not succeed: the person's wish or the run's deadline if that ended it, else
    /// the fault of the first step in plan order that failed and was not to be tolerated.
    ///
    /// Its kind is [`RunResult::exit`].
    pub fn worst_fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }
}

impl Outcome {
    /// The word for it in events, and in templates as `steps.ID.outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::TimedOut => "timed-out",
        }
    }

    /// How a step ended that failed with `fault`.
    pub fn of_fault(fault: &Fault) -> Self {
        match fault.kind {
            Kind::Denied => Self::Denied,
            Kind::Timeout => Self::TimedOut,
            Kind::Cancelled => Self::Cancelled,
            Kind::NotFound
            | Kind::Unauthorized
            | Kind::Conflict
            | Kind::Invalid
            | Kind::Transient
            | Kind::Mismatch
            | Kind::Trap
            | Kind::Failed
            | Kind::Internal => Self::Failed,
        }
    }

    /// Whether it began and did not succeed.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Failed | Self::Denied | Self::Cancelled | Self::TimedOut => true,
            Self::Succeeded | Self::Skipped => false,
        }
    }

    /// The outcome of a step from those of its instances, in their order: the first failure, else
    /// success if one succeeded, else skipped.
    pub(crate) fn of_instances(instances: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::Skipped;
        for outcome in instances {
            if outcome.is_failure() {
                return outcome;
            }
            if outcome == Self::Succeeded {
                all = outcome;
            }
        }
        all
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Status {
    /// The word for it in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
