//! `windlass runs …`, as people type it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand, ValueEnum};
use run::{Clock as _, SystemClock, Timestamp};

use super::{Format, How, name_and_value};

/// How lists of runs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table for people
    Human,
    /// For programs, on standard output
    Json,
    /// For shells: columns between tabs, no heading
    Tsv,
}

/// `record::RunStatus`, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    /// Created, not begun
    Queued,
    /// Under way
    Running,
    /// All went well
    Succeeded,
    /// A step failed, was denied or took too long
    Failed,
    /// Somebody stopped it
    Cancelled,
    /// Its process ended without it
    Interrupted,
}

/// `run::Trigger`, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trigger {
    /// A person, or a program that called the command
    Manual,
    /// A commit on a branch
    Commit,
    /// A base image that is another one now
    ImageUpdate,
    /// The time of day
    Timer,
    /// A request from outside
    Webhook,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) command: Option<OfRuns>,
    #[command(flatten)]
    pub(crate) list: List,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only runs of this pipeline
    #[arg(long, short, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Only runs in this state; may be repeated
    #[arg(long, value_enum, value_name = "STATUS")]
    pub(crate) status: Vec<Status>,
    /// Only runs that this started; may be repeated
    #[arg(long, value_enum, value_name = "TRIGGER")]
    pub(crate) trigger: Vec<Trigger>,
    /// Only runs that read or wrote this image: a repository, a reference or a digest
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Only runs since then: `2026-01-31`, `2026-01-31T08:15:00Z`, or how long ago, `2h`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Only runs before then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) before: Option<Timestamp>,
    /// So many of the newest, at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) last: u32,
    /// Runs of ACR Tasks in this registry too, by its login server or name; may be repeated
    #[arg(long, value_name = "REGISTRY")]
    pub(crate) acr: Vec<String>,
    /// With --acr: the pipeline file whose identity asks Azure; who this machine is if not said
    #[arg(long, value_name = "FILE", requires = "acr")]
    pub(crate) file: Option<PathBuf>,
    /// With --file: which identity of it, where it has several
    #[arg(long, value_name = "NAME", requires = "file")]
    pub(crate) identity: Option<String>,
    /// With --acr: the registry's subscription, by id; all that the identity sees if not said
    #[arg(long, value_name = "ID", requires = "acr", value_parser = subscription)]
    pub(crate) subscription: Option<String>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = ListFormat::Human)]
    pub(crate) format: ListFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OfRuns {
    /// Show a run: its steps, attempts, inputs, outputs and images, and why it failed
    Show {
        /// The run's id, or what it begins with
        id: String,
        /// How results are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Show what was said in a run; -v shows more
    Logs {
        /// The run's id, or what it begins with
        id: String,
        /// Only what this step said
        #[arg(long, value_name = "STEP")]
        step: Option<String>,
        /// Go on until the run is over
        #[arg(long, short)]
        follow: bool,
        /// How results are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Ask a run to end; steps with `always` still run. A second time: end it at once
    Cancel {
        /// The run's id, or what it begins with
        id: String,
        /// Come back when the run is over
        #[arg(long)]
        wait: bool,
    },
    /// Run a pipeline again as a run has run it, with the same inputs
    Rerun(Rerun),
    /// Forget runs that are over
    Prune(Prune),
}

#[derive(Args, Debug)]
pub(crate) struct Rerun {
    /// The run's id, or what it begins with
    pub(crate) id: String,
    /// Run this step and what comes after it; take the rest from the record where it still holds
    #[arg(long, value_name = "STEP", conflicts_with = "failed")]
    pub(crate) from: Option<String>,
    /// Run what did not succeed; take the rest from the record where it still holds
    #[arg(long)]
    pub(crate) failed: bool,
    /// Set an input of the pipeline in place of the recorded one; may be repeated
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) inputs: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args, Debug)]
pub(crate) struct Prune {
    /// Leave so many of the newest
    #[arg(long, value_name = "N", required_unless_present = "older_than")]
    pub(crate) keep: Option<u64>,
    /// Leave those that were created within this time, such as 30d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<Duration>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

impl From<Status> for record::RunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Queued => Self::Queued,
            Status::Running => Self::Running,
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Trigger> for run::Trigger {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Manual => Self::Manual,
            Trigger::Commit => Self::Commit,
            Trigger::ImageUpdate => Self::ImageUpdate,
            Trigger::Timer => Self::Timer,
            Trigger::Webhook => Self::Webhook,
        }
    }
}

/// What can stand in a path.
fn subscription(text: &str) -> Result<String, String> {
    match text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err("expected an id: letters, digits and `-`".to_owned()),
    }
}

/// A day, a moment, or how long ago.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(before_now(ago));
    }
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    let time: Result<SystemTime, _> = humantime::parse_rfc3339_weak(&whole);
    time.map(Timestamp::from).map_err(|_| {
        "expected a day such as 2026-01-31, a moment such as 2026-01-31T08:15:00Z, or how long \
         ago, such as 2h"
            .to_owned()
    })
}

/// So long ago.
pub(crate) fn before_now(ago: Duration) -> Timestamp {
    let now = SystemClock.now().as_millis();
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(now.saturating_sub(ago))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_times_and_how_long_ago() {
        let day = moment("2026-01-31").unwrap();
        assert_eq!(day.to_string(), "2026-01-31T00:00:00.000Z");
        assert_eq!(moment("2026-01-31T00:00:00Z").unwrap(), day);
        let ago = moment("2h").unwrap().as_millis();
        let now = SystemClock.now().as_millis();
        assert!((7_199_000..7_260_000).contains(&(now - ago)), "{}", now - ago);
        assert!(moment("yesterday").unwrap_err().contains("2026-01-31"));
    }
}
