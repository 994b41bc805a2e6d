//! Runs of ACR Tasks, as the host lists them beside its own.
//!
//! ```text
//! login server or name ──Arm::task_registry──▶ TaskRegistry ──Arm::task_runs──▶ TaskRun, newest first
//! ```
//!
//! What a registry says is shown to people: of its texts only what ASCII can print is kept.

use report::Fault;
use serde_json::Value;

use crate::answer::shown;
use crate::arm::Arm;
use crate::error::Error;

/// The versions that az speaks in 2026.
const SUBSCRIPTIONS: &str = "2022-12-01";
const REGISTRIES: &str = "2026-09-01-preview";
const TASKS: &str = "2025-03-01-preview";

/// The kind of a registry, in ids.
const KIND: &str = "Microsoft.ContainerRegistry/registries";

/// Subscriptions that are searched for a registry.
const MOST_SUBSCRIPTIONS: usize = 50;

/// Names that are told where none fits.
const MOST_TOLD: usize = 10;

/// The most that is asked for at once, and kept of what a run lists.
const PAGE: usize = 100;

/// Runs that are looked at, at most, for those that are wanted.
const MOST_LOOKED_AT: usize = 2000;

/// Names have 50 characters at most, ids and states far less.
const LONGEST_WORD: usize = 64;

/// References of images, messages.
const LONGEST_TEXT: usize = 512;

/// A registry with its place in Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRegistry {
    id: String,
    /// The host that images are pulled from, in lower case.
    pub login_server: String,
}

/// A run of ACR Tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskRun {
    /// `ca1`
    pub id: String,
    /// The task, if it is one of a task.
    pub task: Option<String>,
    /// `linux/amd64`, or as much of it as is known.
    pub platform: String,
    /// How it stands, in Azure's word: `Queued`, `Started`, `Running`, `Succeeded`, `Failed`,
    /// `Canceled`, `Error`, `Timeout`.
    pub status: String,
    /// What started it.
    pub trigger: TaskTrigger,
    /// When it was asked for; milliseconds since 1970, as all times here.
    pub created: Option<u64>,
    /// When it began.
    pub started: Option<u64>,
    /// When it was over.
    pub finished: Option<u64>,
    /// What it made.
    pub images: Vec<TaskImage>,
    /// The bases whose change has started it.
    pub updated: Vec<TaskImage>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What starts a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TaskTrigger {
    /// Somebody.
    #[default]
    Manual,
    /// A repository, in Azure's word: `Commit`, `Pull Request`.
    Source(String),
    /// The time of day.
    Timer,
    /// A base image that is another one now.
    ImageUpdate,
}

/// An image of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskImage {
    /// `HOST/REPOSITORY:TAG`, or without the tag.
    pub reference: String,
    /// Its digest; empty if it is not known.
    pub digest: String,
}

/// Which runs are wanted.
pub struct Wanted<'a> {
    /// Only those of this task.
    pub task: Option<&'a str>,
    /// Only those with this status, in Azure's word.
    pub status: Option<&'a str>,
    /// Nothing that was asked for before; milliseconds since 1970.
    pub since: Option<u64>,
    /// Whatever else is asked of one.
    pub keep: Option<&'a (dyn Fn(&TaskRun) -> bool + Send + Sync)>,
    /// So many of the newest.
    pub last: usize,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskRuns {
    /// The newest first.
    pub runs: Vec<TaskRun>,
    /// Whether there may be older ones, which nobody looked at.
    pub is_cut: bool,
}

impl Arm<'_> {
    /// The registry of this login server or name, in `subscription` or else in all that the identity
    /// sees.
    ///
    /// # Errors
    /// `not-found.azure` with the registries that there are; Azure's refusals; as
    /// [`crate::Identity::token`].
    pub async fn task_registry(
        self,
        word: &str,
        subscription: Option<&str>,
    ) -> Result<TaskRegistry, Fault> {
        Box::pin(self.find_registry(word, subscription)).await.map_err(Fault::from)
    }

    async fn find_registry(
        self,
        word: &str,
        subscription: Option<&str>,
    ) -> Result<TaskRegistry, Error> {
        let subscriptions = match subscription {
            Some(id) => vec![id.to_owned()],
            None => {
                let listed = self.list("/subscriptions", SUBSCRIPTIONS, "subscriptions").await?;
                listed.iter().filter_map(enabled_subscription).collect()
            }
        };
        let mut seen = Vec::new();
        for subscription in subscriptions.iter().take(MOST_SUBSCRIPTIONS) {
            let path = format!("/subscriptions/{subscription}/providers/{KIND}");
            for registry in self.list(&path, REGISTRIES, "the registries").await? {
                let Some(registry) = TaskRegistry::read(&registry) else { continue };
                if registry.is_called(word) {
                    return Ok(registry);
                }
                seen.push(registry.login_server);
            }
        }
        seen.truncate(MOST_TOLD);
        let word = shown(word);
        Err(Error::NoRegistry { word, searched: subscriptions.len(), seen })
    }

    /// The runs of a registry that are `wanted`, the newest first.
    ///
    /// # Errors
    /// Azure's refusals; as [`crate::Identity::token`].
    pub async fn task_runs(
        self,
        registry: &TaskRegistry,
        wanted: &Wanted<'_>,
    ) -> Result<TaskRuns, Fault> {
        Box::pin(self.find_runs(registry, wanted)).await.map_err(Fault::from)
    }

    async fn find_runs(
        self,
        registry: &TaskRegistry,
        wanted: &Wanted<'_>,
    ) -> Result<TaskRuns, Error> {
        let mut filters = Vec::new();
        for (name, word) in [("TaskName", wanted.task), ("Status", wanted.status)] {
            let Some(word) = word else { continue };
            // No task is called otherwise, so none is found.
            if !is_name(word) {
                return Ok(TaskRuns::default());
            }
            filters.push(format!("{name} eq '{word}'"));
        }
        let filter = filters.join(" and ");
        let mut query = Vec::new();
        if !filter.is_empty() {
            query.push(("$filter", filter.as_str()));
        }
        // One more than is wanted, to know whether there are. Where more may have to be looked at than
        // are wanted, or than a page has, Azure is not told how many.
        let top = (wanted.last + 1).to_string();
        if wanted.keep.is_none() && wanted.last < PAGE {
            query.push(("$top", top.as_str()));
        }
        let what = format!("the runs of `{}`", registry.login_server);
        let mut pages = self.pages(&format!("{}/runs", registry.id), TASKS, &query, &what)?;
        let (mut found, mut looked_at) = (TaskRuns::default(), 0);
        while let Some(page) = pages.next().await? {
            for run in page.iter().filter_map(TaskRun::read) {
                looked_at += 1;
                if wanted.since.zip(run.created).is_some_and(|(since, at)| at < since) {
                    return Ok(found);
                }
                if wanted.keep.is_some_and(|keep| !keep(&run)) {
                    continue;
                }
                if found.runs.len() == wanted.last {
                    found.is_cut = true;
                    return Ok(found);
                }
                found.runs.push(run);
            }
            if looked_at >= MOST_LOOKED_AT {
                found.is_cut = true;
                return Ok(found);
            }
        }
        Ok(found)
    }
}

impl TaskRegistry {
    fn read(value: &Value) -> Option<Self> {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let id = text("/id")?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.()".contains(c);
        let is_segment = |segment: &str| {
            !segment.is_empty() && segment.chars().any(|c| c != '.') && segment.chars().all(is_part)
        };
        let fine = id.strip_prefix('/')?.split('/').all(is_segment);
        let server = text("/properties/loginServer")?.to_ascii_lowercase();
        let fine = fine && !server.is_empty() && server.chars().all(is_part);
        fine.then(|| Self { id: id.to_owned(), login_server: server })
    }

    /// Its name: the last word of its id.
    pub fn name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or_default()
    }

    fn is_called(&self, word: &str) -> bool {
        self.name().eq_ignore_ascii_case(word) || self.login_server.eq_ignore_ascii_case(word)
    }
}

impl TaskRun {
    /// What Azure says of a run; none if it says no id.
    fn read(value: &Value) -> Option<Self> {
        let properties = value.get("properties").unwrap_or(value);
        let text = |pointer: &str| {
            let text = properties.pointer(pointer).and_then(Value::as_str)?;
            (!text.trim().is_empty()).then_some(text)
        };
        let word = |pointer: &str| text(pointer).map(|text| printable(text, LONGEST_WORD));
        let time = |pointer: &str| text(pointer).and_then(millis);
        let images = |pointer: &str| {
            let images = properties.pointer(pointer).and_then(Value::as_array);
            images.into_iter().flatten().take(PAGE).filter_map(TaskImage::read).collect()
        };
        let name = || value.get("name").and_then(Value::as_str).map(str::to_owned);
        let id = text("/runId").map(str::to_owned).or_else(name).filter(|id| is_name(id))?;
        let parts = ["/platform/os", "/platform/architecture", "/platform/variant"];
        let parts: Vec<String> = parts.into_iter().filter_map(word).collect();
        Some(Self {
            id,
            task: word("/task"),
            platform: parts.join("/").to_ascii_lowercase(),
            status: word("/status").unwrap_or_else(|| "Unknown".to_owned()),
            trigger: TaskTrigger::read(properties),
            created: time("/createTime").or_else(|| time("/startTime")),
            started: time("/startTime"),
            finished: time("/finishTime"),
            images: images("/outputImages"),
            updated: images("/imageUpdateTrigger/images"),
            error: text("/runErrorMessage").map(|text| printable(text, LONGEST_TEXT)),
        })
    }
}

impl TaskTrigger {
    /// The order is az's: a run may name several.
    fn read(properties: &Value) -> Self {
        let is = |key: &str| properties.get(key).is_some_and(|value| !value.is_null());
        let event = properties.pointer("/sourceTrigger/eventType").and_then(Value::as_str);
        match event.map(|event| printable(event, LONGEST_WORD)).filter(|event| !event.is_empty()) {
            Some(event) => Self::Source(event),
            None if is("timerTrigger") => Self::Timer,
            None if is("imageUpdateTrigger") => Self::ImageUpdate,
            None => Self::Manual,
        }
    }

    /// As az's table has it: `Manual`, `Commit`, `Pull Request`, `Image Update`, `Timer`.
    pub fn word(&self) -> &str {
        match self {
            Self::Manual => "Manual",
            Self::Source(event) => event,
            Self::Timer => "Timer",
            Self::ImageUpdate => "Image Update",
        }
    }
}

impl TaskImage {
    fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| {
            let text = value.get(key).and_then(Value::as_str).unwrap_or_default();
            printable(text, LONGEST_TEXT)
        };
        let (registry, repository, tag) = (text("registry"), text("repository"), text("tag"));
        let reference = match tag.is_empty() {
            true => format!("{registry}/{repository}"),
            false => format!("{registry}/{repository}:{tag}"),
        };
        (!repository.is_empty()).then(|| Self { reference, digest: text("digest") })
    }
}

fn enabled_subscription(value: &Value) -> Option<String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let is_off = text("state").is_some_and(|state| state.eq_ignore_ascii_case("Disabled"));
    text("subscriptionId").filter(|id| is_name(id) && !is_off).map(str::to_owned)
}

/// What ids, names of tasks and states are made of.
fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= LONGEST_WORD
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// One line of what every terminal prints and none obeys: no controls, no marks that turn or hide what
/// stands beside them.
fn printable(text: &str, longest: usize) -> String {
    let shown = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.trim().chars().take(longest).map(shown).collect()
}

/// Milliseconds since 1970, of `2026-11-27T21:24:02.1234567+00:00`.
fn millis(text: &str) -> Option<u64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

#[cfg(test)]
mod tests;
