//! Runs.

use arm::{Arm, Body, Failure, Http, ResourceId};
use serde_json::Value;
use windlass_plugin::{Error, Result};

use crate::{Registry, TASKS};

/// One execution of a build or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id, such as `ca10`.
    pub id: String,
    /// How it stands.
    pub status: Status,
    /// The task, if it is one of a task.
    pub task: Option<String>,
    /// The operating system that it runs on.
    pub os: String,
    /// What started it.
    pub trigger: Trigger,
    /// When it was begun, in Azure's words.
    pub started: Option<String>,
    /// When it was over, in Azure's words.
    pub finished: Option<String>,
    /// What it made.
    pub images: Vec<Image>,
    /// Azure's word on what went wrong.
    pub error: Option<String>,
}

/// What a run made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The registry's login server.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The tag, if it has one.
    pub tag: Option<String>,
    /// The digest.
    pub digest: String,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Waiting, running, or whatever else is no end.
    Going(String),
    /// It did what it should.
    Succeeded,
    /// A step of it failed.
    Failed,
    /// Somebody ended it.
    Canceled,
    /// It took too long.
    Timeout,
    /// Azure could not run it.
    Error,
}

/// What started a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody.
    Manual,
    /// A schedule.
    Timer,
    /// A base image that was updated.
    ImageUpdate,
    /// A source repository: `Commit`, `Pull Request`.
    Source(String),
}

impl Status {
    /// What Azure calls it.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "canceled" | "cancelled" => Self::Canceled,
            "timeout" => Self::Timeout,
            "error" => Self::Error,
            _ => Self::Going(word.to_owned()),
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Going(_))
    }

    /// Azure's word for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Going(word) => word,
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Timeout => "Timeout",
            Self::Error => "Error",
        }
    }
}

impl Trigger {
    /// As az's table of runs has it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Manual => "Manual",
            Self::Timer => "Timer",
            Self::ImageUpdate => "Image Update",
            Self::Source(event) => event,
        }
    }

    /// The order is az's: a run may name several.
    fn read(properties: &Value) -> Self {
        let is = |key: &str| properties.get(key).is_some_and(|value| !value.is_null());
        let event = properties.pointer("/sourceTrigger/eventType").and_then(Value::as_str);
        match event.map(str::trim).filter(|event| !event.is_empty()) {
            Some(event) => Self::Source(event.to_owned()),
            None if is("timerTrigger") => Self::Timer,
            None if is("imageUpdateTrigger") => Self::ImageUpdate,
            None => Self::Manual,
        }
    }
}

impl Run {
    /// What Azure says of a run; none if it says no id.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let properties = value.get("properties").unwrap_or(value);
        let text = |key: &str| {
            let text = properties.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let name = || value.get("name").and_then(Value::as_str).map(str::to_owned);
        let images = properties.get("outputImages").and_then(Value::as_array);
        Some(Self {
            id: text("runId").or_else(name).filter(|id| is_id(id))?,
            status: Status::read(&text("status").unwrap_or_default()),
            task: text("task"),
            os: properties
                .pointer("/platform/os")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            trigger: Trigger::read(properties),
            started: text("startTime"),
            finished: text("finishTime"),
            images: images.into_iter().flatten().filter_map(Image::read).collect(),
            error: text("runErrorMessage"),
        })
    }

    /// This run, if it succeeded.
    ///
    /// # Errors
    /// `azure.run-failed`, `azure.run-error`, `timeout.azure`, `cancelled.azure`; `azure.run-going` of
    /// one that is not over.
    pub fn success(self) -> Result<Self> {
        let why = self.error.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        let refuse = |code: &str, what: &str, hint: &str| {
            Err(Error::new(code, format!("run `{}` {what}{why}", self.id)).hint(hint))
        };
        match &self.status {
            Status::Succeeded => Ok(self),
            Status::Failed => {
                refuse("azure.run-failed", "failed in Azure", "its log says why, step by step")
            }
            Status::Error => refuse(
                "azure.run-error",
                "could not be run by Azure",
                "look at its log; where Azure is to blame, the same step may succeed later",
            ),
            Status::Timeout => refuse(
                "timeout.azure",
                "took longer than it may in Azure",
                "give it more with `run-timeout`, such as \"2h\"; eight hours at most",
            ),
            Status::Canceled => {
                refuse("cancelled.azure", "was cancelled in Azure", "run the step again")
            }
            Status::Going(word) => refuse(
                "azure.run-going",
                &format!("is not over, its status is `{word}`"),
                "wait for its end",
            ),
        }
    }
}

impl Image {
    fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            registry: text("registry")?,
            repository: text("repository")?,
            tag: text("tag").filter(|tag| !tag.is_empty()),
            digest: text("digest")?,
        })
    }

    /// Its reference: with the tag where it has one, else with the digest.
    #[must_use]
    pub fn reference(&self) -> String {
        match &self.tag {
            Some(tag) => format!("{}/{}:{tag}", self.registry, self.repository),
            None => format!("{}/{}@{}", self.registry, self.repository, self.digest),
        }
    }
}

/// Whether `id` can be a run's, and so a part of a path.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The place of a run.
///
/// # Errors
/// `invalid.inputs` for what is no run's id.
pub(crate) fn place(registry: &Registry, id: &str) -> Result<ResourceId> {
    if !is_id(id) {
        return Err(Error::invalid(format!("`{id}` is no run of a registry"))
            .hint("a run is called by letters and digits, such as `ca10`"));
    }
    Ok(registry.id.child("runs", id)?)
}

/// Starts what `body` says: a [`crate::BuildRequest`] or a [`crate::TaskRequest`].
///
/// # Errors
/// Those of Azure; where it does not allow ACR Tasks at all, what to do instead.
pub fn schedule<H: Http>(
    arm: &Arm<'_, H>,
    registry: &Registry,
    body: &Body<H::Secret>,
) -> Result<Run> {
    let answer = arm
        .post(format!("{}/scheduleRun", registry.id), TASKS, Some(body))
        .map_err(|failure| explain(failure, registry))?;
    let value = arm.finish(answer, &arm::Wait::default())?;
    Run::read(&value).ok_or_else(|| {
        Error::new("azure.odd-answer", "Azure took the run, and did not say what it is called")
            .hint("`az acr task list-runs` shows it")
    })
}

/// What a refusal of ACR Tasks means, and what to do instead.
pub fn explain(failure: Failure, registry: &Registry) -> Error {
    let code = failure.azure_code().unwrap_or_default().to_owned();
    let status = failure.status();
    let error = Error::from(failure);
    match code.as_str() {
        "TasksOperationsNotAllowed" => {
            let whole = Error::new("denied.azure", error.message().to_owned());
            whole.hint(
                "Azure runs no ACR Tasks in this subscription, as in those with free credit: build \
                 on this machine with `builder = \"local\"`, which pushes to the same registry; or \
                 ask Azure's support to allow them",
            )
        }
        _ if status == Some(403) && registry.is_abac => error.hint(
            "the registry has permissions for each repository: say `source-acr-auth-id = \
             \"[caller]\"`, and give the identity `Container Registry Tasks Contributor` and \
             `Container Registry Repository Writer`",
        ),
        _ => error,
    }
}

/// How a run stands.
///
/// # Errors
/// Those of Azure.
pub fn show<H: Http>(arm: &Arm<'_, H>, registry: &Registry, id: &str) -> Result<Run> {
    let value = arm.get(place(registry, id)?, TASKS)?;
    Run::read(&value).ok_or_else(|| {
        Error::new("azure.odd-answer", format!("what Azure says of run `{id}` is no run"))
            .hint("check `endpoint`; another server may have answered")
    })
}

/// The newest runs, at most `top`, of one task or of all, of one status or of any.
///
/// # Errors
/// Those of Azure; `invalid.inputs` for a name that is none.
pub fn list<H: Http>(
    arm: &Arm<'_, H>,
    registry: &Registry,
    task: Option<&str>,
    status: Option<&str>,
    top: u32,
) -> Result<Vec<Run>> {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    let mut filters = Vec::new();
    for (key, word) in [("TaskName", task), ("Status", status)] {
        let Some(word) = word else { continue };
        if !is_word(word) {
            return Err(Error::invalid(format!("`{word}` is neither a task nor a status"))
                .hint("write letters, digits, `-` and `_`"));
        }
        filters.push(format!("{key} eq '{word}'"));
    }
    let filter = match filters.is_empty() {
        true => String::new(),
        false => format!("$filter={}&", filters.join(" and ")),
    };
    // One page holds them: `$top` is its length.
    let value = arm.get(format!("{}/runs?{filter}$top={top}", registry.id), TASKS)?;
    let runs = value.get("value").and_then(Value::as_array).into_iter().flatten();
    Ok(runs.filter_map(Run::read).take(top as usize).collect())
}

/// Ends a run.
///
/// # Errors
/// Those of Azure.
pub fn cancel<H: Http>(arm: &Arm<'_, H>, registry: &Registry, id: &str) -> Result<()> {
    let answer = arm.post(format!("{}/cancel", place(registry, id)?), TASKS, None)?;
    arm.finish(answer, &arm::Wait::default())?;
    Ok(())
}

#[cfg(test)]
mod tests;
