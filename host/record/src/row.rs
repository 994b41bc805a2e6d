//! A run as a row: what is known of it besides its steps.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use report::Kind;
use run::{Outcome, Timestamp, Trigger};
use rusqlite::Row;
use serde_json::{Value, json};

use crate::RecordError;

/// A run that is to be recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline file; absolute, so that the run can be done again from anywhere.
    pub file: PathBuf,
    /// The digest of the file as it was read.
    pub source: String,
    /// The inputs that were given, as text.
    pub inputs: BTreeMap<String, String>,
    /// Names of inputs that were given and hold a secret: their values are not kept.
    pub withheld: Vec<String>,
    /// What started it.
    pub trigger: Trigger,
    /// What there is to say of that: the image and its digests, the commit.
    pub cause: Value,
    /// The machine's operating system and processor, `linux/amd64`.
    pub platform: String,
    /// The run that it does again.
    pub rerun_of: Option<String>,
    /// What else was chosen on the command line.
    pub choices: Choices,
}

/// What a person may choose for a run besides its inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// The one step that runs.
    pub only: Option<String>,
    /// Whether steps that do not depend on a failed one go on.
    pub keep_going: bool,
}

/// A run in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Its place in the order of creation.
    pub(crate) key: i64,
    /// Its id, whole.
    pub id: String,
    /// What it is.
    pub run: NewRun,
    /// How far it is.
    pub status: RunStatus,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What decided the exit code.
    pub exit: Option<Kind>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it was last heard of.
    pub heard_at: Timestamp,
    /// The process that runs or ran it.
    pub pid: Option<u32>,
    /// How often somebody asked it to end.
    pub cancels: u32,
    /// Lines that were too many to keep.
    pub lost: u64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// It is created and has not begun.
    Queued,
    /// A process runs it.
    Running,
    /// All went well.
    Succeeded,
    /// A step failed, was denied, or took too long.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// Its process ended without it.
    Interrupted,
}

/// The columns that [`RunRow::read`] reads, of the table `runs`.
pub(crate) const COLUMNS: &str = "key, id, pipeline, file, source, inputs, withheld, trigger, cause, platform, rerun_of, \
     choices, status, outcome, exit, created_at, started_at, finished_at, heard_at, pid, cancels, \
     lost";

impl RunStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The status that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the run may still come to something else.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Of a run that ended so.
    pub(crate) fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded | Outcome::Skipped => Self::Succeeded,
            Outcome::Failed | Outcome::Denied | Outcome::TimedOut => Self::Failed,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

impl fmt::Display for RunStatus {
    /// As people read it in a table: `Succeeded`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Interrupted => "Interrupted",
        })
    }
}

impl Choices {
    pub(crate) fn to_text(&self) -> String {
        json!({ "only": self.only, "keep-going": self.keep_going }).to_string()
    }

    fn of_text(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        Some(Self {
            only: value.get("only").and_then(Value::as_str).map(str::to_owned),
            keep_going: value.get("keep-going").and_then(Value::as_bool)?,
        })
    }
}

impl RunRow {
    /// Reads the [`COLUMNS`] of a row.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, RecordError>> {
        let text = |column: usize| row.get::<_, String>(column);
        let (inputs, withheld, choices) = (text(5)?, text(6)?, text(11)?);
        let (trigger, status) = (text(7)?, text(12)?);
        let cause: Option<String> = row.get(8)?;
        let words: (Option<String>, Option<String>) = (row.get(13)?, row.get(14)?);
        let parts = || {
            Ok(Parts {
                inputs: parse("inputs", &inputs, |text| serde_json::from_str(text).ok())?,
                withheld: parse("a list of names", &withheld, |text| {
                    serde_json::from_str(text).ok()
                })?,
                trigger: parse("a trigger", &trigger, Trigger::parse)?,
                cause: match &cause {
                    Some(text) => parse("a cause", text, |text| serde_json::from_str(text).ok())?,
                    None => Value::Null,
                },
                choices: parse("choices", &choices, Choices::of_text)?,
                status: parse("a status", &status, RunStatus::parse)?,
                outcome: words.0.as_deref().and_then(outcome),
                exit: words.1.as_deref().and_then(Kind::parse),
            })
        };
        let parts = match parts() {
            Ok(parts) => parts,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(Self {
            key: row.get(0)?,
            id: row.get(1)?,
            run: NewRun {
                pipeline: row.get(2)?,
                file: PathBuf::from(text(3)?),
                source: row.get(4)?,
                inputs: parts.inputs,
                withheld: parts.withheld,
                trigger: parts.trigger,
                cause: parts.cause,
                platform: row.get(9)?,
                rerun_of: row.get(10)?,
                choices: parts.choices,
            },
            status: parts.status,
            outcome: parts.outcome,
            exit: parts.exit,
            created_at: moment(row.get(15)?),
            started_at: row.get::<_, Option<i64>>(16)?.map(moment),
            finished_at: row.get::<_, Option<i64>>(17)?.map(moment),
            heard_at: moment(row.get(18)?),
            pid: row.get(19)?,
            cancels: row.get(20)?,
            lost: row.get::<_, i64>(21)?.unsigned_abs(),
        }))
    }

    /// Milliseconds from its beginning to its end, once it has ended.
    pub fn took_ms(&self) -> Option<u64> {
        let (started, finished) = (self.started_at?, self.finished_at?);
        Some(finished.as_millis().saturating_sub(started.as_millis()))
    }
}

/// What of a row is words.
struct Parts {
    inputs: BTreeMap<String, String>,
    withheld: Vec<String>,
    trigger: Trigger,
    cause: Value,
    choices: Choices,
    status: RunStatus,
    outcome: Option<Outcome>,
    exit: Option<Kind>,
}

pub(crate) fn parse<T>(
    what: &'static str,
    text: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, RecordError> {
    read(text).ok_or_else(|| RecordError::Strange { what, found: text.to_owned() })
}

/// The outcome that `word` names.
pub(crate) fn outcome(word: &str) -> Option<Outcome> {
    serde_json::from_value(Value::from(word)).ok()
}

/// SQLite's integers are signed; ours are counts.
pub(crate) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis.unsigned_abs())
}

/// The same, the other way round.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millis().cast_signed()
}
