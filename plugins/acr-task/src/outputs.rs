//! What later steps can refer to.

use serde::Serialize;
use windlass_plugin::Schema;

/// What was done, and what there is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, windlass_plugin::Outputs)]
#[serde(rename_all = "kebab-case")]
pub struct Outputs {
    /// The task's resource id.
    pub id: Option<String>,
    /// The id of the task's own identity, to give it roles: of one with `[system]`.
    pub principal_id: Option<String>,
    /// Whether anything is different now.
    pub changed: bool,
    /// What was different before, as places in the task.
    pub differences: Vec<String>,
    /// Whether it is triggered: `Enabled` or `Disabled`.
    pub status: Option<String>,
    /// The run, of `run` and `cancel`.
    pub run_id: Option<String>,
    /// The digest of the first image that a run made.
    pub digest: Option<String>,
    /// The runs, of `run` and `list-runs`; the newest first.
    pub runs: Vec<Run>,
}

/// A run, in the words of az's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// Its id, such as `ca10`.
    pub id: String,
    /// The task, if it is one of a task.
    pub task: Option<String>,
    /// The operating system.
    pub platform: String,
    /// `Queued`, `Running`, `Succeeded`, `Failed`, …
    pub status: String,
    /// `Manual`, `Commit`, `Pull Request`, `Image Update`, `Timer`.
    pub trigger: String,
    /// When it was begun.
    pub started: Option<String>,
    /// When it was over.
    pub finished: Option<String>,
    /// What it made, by reference.
    pub images: Vec<String>,
    /// Their digests.
    pub digests: Vec<String>,
}

impl From<acr::Run> for Run {
    fn from(run: acr::Run) -> Self {
        Self {
            id: run.id,
            task: run.task,
            platform: run.os,
            status: run.status.word().to_owned(),
            trigger: run.trigger.word().to_owned(),
            started: run.started,
            finished: run.finished,
            images: run.images.iter().map(acr::Image::reference).collect(),
            digests: run.images.into_iter().map(|image| image.digest).collect(),
        }
    }
}
