//! A line of the table: a run of this machine, or one of ACR Tasks.

use azure::{TaskImage, TaskRun};
use record::{RunRow, Store};
use report::Fault;
use run::Timestamp;
use serde_json::{Value, json};

use super::{acr, as_json};
use crate::ui::to_the_second;

/// Columns of the table.
pub(super) const COLUMNS: usize = 8;

/// The headings, as people know them from `az acr task list-runs`; the last is only there where runs
/// come from several places.
pub(super) const HEADINGS: [&str; COLUMNS] =
    ["RUN ID", "PIPELINE", "PLATFORM", "STATUS", "TRIGGER", "STARTED", "DURATION", "WHERE"];

/// Where our own runs ran, whichever machine that is.
const HERE: &str = "here";

/// A run, wherever it ran.
pub(super) enum Row {
    /// Of this machine.
    Ours(Box<RunRow>),
    /// Of the registry with this login server.
    Theirs {
        /// The registry's login server.
        server: String,
        run: Box<TaskRun>,
    },
}

impl Row {
    /// What the table is sorted by: the beginning, or when it was asked for.
    pub(super) fn at(&self) -> Timestamp {
        match self {
            Self::Ours(row) => row.started_at.unwrap_or(row.created_at),
            Self::Theirs { run, .. } => {
                Timestamp::from_millis(run.started.or(run.created).unwrap_or_default())
            }
        }
    }

    /// For people: ids as short as they can be told apart.
    pub(super) fn shown(&self, store: Option<&Store>) -> Result<[String; COLUMNS], Fault> {
        Ok(match self {
            Self::Ours(row) => [
                match store {
                    Some(store) => store.short(&row.id)?,
                    None => row.id.clone(),
                },
                row.run.pipeline.clone(),
                system(&row.run.platform),
                row.status.to_string(),
                row.run.trigger.to_string(),
                row.started_at.map(to_the_second).unwrap_or_default(),
                row.took_ms().map(clock).unwrap_or_default(),
                HERE.to_owned(),
            ],
            Self::Theirs { server, run } => [
                run.id.clone(),
                run.task.clone().unwrap_or_default(),
                system(&run.platform),
                run.status.clone(),
                run.trigger.word().to_owned(),
                run.started.map(moment).unwrap_or_default(),
                took_ms(run).map(clock).unwrap_or_default(),
                server.clone(),
            ],
        })
    }

    /// For shells: whole ids, and the words that filters take.
    pub(super) fn plain(&self) -> [String; COLUMNS] {
        match self {
            Self::Ours(row) => [
                row.id.clone(),
                row.run.pipeline.clone(),
                row.run.platform.clone(),
                row.status.as_str().to_owned(),
                row.run.trigger.as_str().to_owned(),
                row.started_at.map(to_the_second).unwrap_or_default(),
                row.took_ms().map(clock).unwrap_or_default(),
                HERE.to_owned(),
            ],
            Self::Theirs { server, run } => [
                run.id.clone(),
                run.task.clone().unwrap_or_default(),
                run.platform.clone(),
                status(run),
                trigger(run),
                run.started.map(moment).unwrap_or_default(),
                took_ms(run).map(clock).unwrap_or_default(),
                server.clone(),
            ],
        }
    }

    /// For programs.
    pub(super) fn as_json(&self) -> Value {
        match self {
            Self::Ours(row) => as_json(row),
            Self::Theirs { server, run } => {
                let image = |image: &TaskImage| json!({ "reference": image.reference, "digest": image.digest });
                let images = |images: &[TaskImage]| images.iter().map(image).collect::<Vec<_>>();
                let time = |at: Option<u64>| at.map(Timestamp::from_millis);
                json!({
                    "id": run.id,
                    "where": server,
                    "task": run.task,
                    "platform": run.platform,
                    "status": status(run),
                    "azure-status": run.status,
                    "trigger": trigger(run),
                    "created-at": time(run.created),
                    "started-at": time(run.started),
                    "finished-at": time(run.finished),
                    "duration-ms": took_ms(run),
                    "images": images(&run.images),
                    "updated": images(&run.updated),
                    "error": run.error,
                })
            }
        }
    }

    /// The same where runs come from several places.
    pub(super) fn as_json_with_place(&self) -> Value {
        let mut value = self.as_json();
        if let (Self::Ours(_), Some(fields)) = (self, value.as_object_mut()) {
            fields.insert("where".to_owned(), HERE.into());
        }
        value
    }
}

/// A word that is not ours yet is written as ours are.
fn status(run: &TaskRun) -> String {
    acr::status(run).map_or_else(|| as_word(&run.status), |status| status.as_str().to_owned())
}

fn trigger(run: &TaskRun) -> String {
    let word = || as_word(run.trigger.word());
    acr::trigger(run).map_or_else(word, |trigger| trigger.as_str().to_owned())
}

fn as_word(text: &str) -> String {
    text.to_ascii_lowercase().replace(' ', "-")
}

fn took_ms(run: &TaskRun) -> Option<u64> {
    run.started.zip(run.finished).map(|(from, to)| to.saturating_sub(from))
}

fn moment(millis: u64) -> String {
    to_the_second(Timestamp::from_millis(millis))
}

/// `Linux`, of `linux/amd64`.
fn system(platform: &str) -> String {
    let name = platform.split('/').next().unwrap_or_default();
    let mut rest = name.chars();
    let first = rest.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}

/// `00:00:38`; a second that has begun counts.
fn clock(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use azure::TaskTrigger;

    use super::*;

    #[test]
    fn durations_are_read_off_a_clock() {
        assert_eq!(clock(0), "00:00:00");
        assert_eq!(clock(1), "00:00:01");
        assert_eq!(clock(37_001), "00:00:38");
        assert_eq!(clock(100 * 3_600_000), "100:00:00");
        assert_eq!(system("linux/amd64"), "Linux");
        assert_eq!(system(""), "");
    }

    #[test]
    fn a_run_of_azure_has_a_line_of_its_own() {
        let run = TaskRun {
            id: "ca1".to_owned(),
            platform: "linux/amd64".to_owned(),
            status: "Canceled".to_owned(),
            trigger: TaskTrigger::Source("Pull Request".to_owned()),
            created: Some(1_000),
            started: Some(2_000),
            finished: Some(1_500),
            ..TaskRun::default()
        };
        let row = Row::Theirs { server: "a.azurecr.io".to_owned(), run: Box::new(run) };
        let time = "1970-01-01T00:00:02Z";
        assert_eq!(
            row.shown(None).unwrap(),
            ["ca1", "", "Linux", "Canceled", "Pull Request", time, "00:00:00", "a.azurecr.io"]
        );
        assert_eq!(
            row.plain(),
            [
                "ca1",
                "",
                "linux/amd64",
                "cancelled",
                "pull-request",
                time,
                "00:00:00",
                "a.azurecr.io"
            ]
        );
        let value = row.as_json_with_place();
        assert_eq!((&value["where"], &value["duration-ms"]), (&json!("a.azurecr.io"), &json!(0)));
        let empty = Row::Theirs { server: String::new(), run: Box::default() };
        assert_eq!(empty.at(), Timestamp::from_millis(0));
        assert_eq!(empty.plain()[5..7], ["", ""]);
    }
}
