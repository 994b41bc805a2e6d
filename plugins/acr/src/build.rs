//! What is scheduled: a build, or a run of a task.

use arm::{Body, ResourceId};
use serde_json::{Map, Value as Json, json};
use windlass_plugin::{Error, Result};

/// A build as `scheduleRun` wants it: `DockerBuildRequest`.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildRequest<S> {
    /// What the image is called in the registry, each `REPOSITORY:TAG`; `{{.Run.ID}}` and its like are
    /// Azure's to fill in. Without a name nothing is pushed.
    pub images: Vec<String>,
    /// Where the context is: a URL, or the relative path of what was uploaded.
    pub source: String,
    /// The Dockerfile, in the context.
    pub file: String,
    /// For what.
    pub platform: Platform,
    /// Build arguments.
    pub arguments: Vec<Argument<S>>,
    /// The stage to build.
    pub target: Option<String>,
    /// Whether everything is done anew.
    pub no_cache: bool,
    /// The longest that Azure lets it run, in seconds; an hour where nothing is said.
    pub timeout: Option<u64>,
    /// The pool of agents that runs it.
    pub agent_pool: Option<String>,
    /// As whom the run speaks with its own registry, `[caller]` or an identity; registries with
    /// permissions for each repository need it.
    pub source_auth: Option<String>,
}

/// A run of a task as `scheduleRun` wants it: `TaskRunRequest`.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRequest<S> {
    /// The task.
    pub task: ResourceId,
    /// Build arguments in place of the task's.
    pub arguments: Vec<Argument<S>>,
    /// The context in place of the task's.
    pub context: Option<String>,
    /// The Dockerfile or task file in place of the task's.
    pub file: Option<String>,
    /// The stage in place of the task's.
    pub target: Option<String>,
}

/// A build argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument<S> {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value<S>,
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<S> {
    /// In the open.
    Plain(String),
    /// Known to the host alone; Azure does not log it.
    Secret(S),
}

/// A platform as ACR Tasks know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Operating systems that agents have.
const SYSTEMS: [&str; 2] = ["linux", "windows"];

/// Architectures that ACR Tasks know.
const ARCHITECTURES: [&str; 5] = ["amd64", "arm64", "arm", "386", "x86"];

/// Variants that ACR Tasks know.
const VARIANTS: [&str; 3] = ["v6", "v7", "v8"];

impl Platform {
    /// `os/architecture[/variant]`, or `os` alone.
    ///
    /// # Errors
    /// `invalid.inputs` for what ACR Tasks do not build for.
    pub fn parse(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let mut words = lower.split('/');
        let os = words.next().unwrap_or_default();
        let (architecture, variant) = (words.next().unwrap_or("amd64"), words.next());
        let is_known = SYSTEMS.contains(&os)
            && ARCHITECTURES.contains(&architecture)
            && variant.is_none_or(|variant| VARIANTS.contains(&variant))
            && words.next().is_none();
        match is_known {
            true => Ok(Self {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
                variant: variant.map(str::to_owned),
            }),
            false => Err(Error::invalid(format!("ACR Tasks do not build for `{text}`")).hint(
                "they know `linux` and `windows`, with `amd64`, `arm64`, `arm`, `386` or `x86`, and \
                 `v6`, `v7` or `v8`, as in `linux/arm64/v8`",
            )),
        }
    }

    /// As Azure has it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut platform = json!({ "os": self.os, "architecture": self.architecture });
        put(&mut platform, "variant", self.variant.as_deref());
        platform
    }
}

impl Default for Platform {
    /// az's own: `linux/amd64`.
    fn default() -> Self {
        Self { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None }
    }
}

impl<S> BuildRequest<S> {
    /// The body.
    #[must_use]
    pub fn body(self) -> Body<S> {
        let auth = self.source_auth.as_ref();
        let credentials = match auth {
            Some(identity) => json!({ "sourceRegistry": { "identity": identity } }),
            None => json!({}),
        };
        let (arguments, secrets) = Argument::write(self.arguments);
        let mut value = json!({
            "type": "DockerBuildRequest",
            "isPushEnabled": !self.images.is_empty(),
            "sourceLocation": self.source,
            "platform": self.platform.to_json(),
            "dockerFilePath": self.file,
            "arguments": arguments,
            "credentials": credentials,
        });
        if !self.images.is_empty() {
            put(&mut value, "imageNames", Some(self.images));
        }
        put(&mut value, "target", self.target);
        put(&mut value, "noCache", self.no_cache.then_some(true));
        put(&mut value, "timeout", self.timeout);
        put(&mut value, "agentPoolName", self.agent_pool);
        sealed(value, "/arguments", secrets)
    }
}

impl<S> TaskRequest<S> {
    /// The body.
    #[must_use]
    pub fn body(self) -> Body<S> {
        let (arguments, secrets) = Argument::write(self.arguments);
        let mut step = json!({ "arguments": arguments, "values": [] });
        put(&mut step, "contextPath", self.context);
        put(&mut step, "file", self.file);
        put(&mut step, "target", self.target);
        let value = json!({
            "type": "TaskRunRequest",
            "taskId": self.task.to_string(),
            "overrideTaskStepProperties": step,
        });
        sealed(value, "/overrideTaskStepProperties/arguments", secrets)
    }
}

impl<S> Argument<S> {
    /// The list, and which of it are secrets.
    #[must_use]
    pub fn write(arguments: Vec<Self>) -> (Vec<Json>, Vec<(usize, S)>) {
        let mut secrets = Vec::new();
        let list = arguments.into_iter().enumerate().map(|(index, argument)| {
            let (value, is_secret) = match argument.value {
                Value::Plain(text) => (text, false),
                Value::Secret(secret) => {
                    secrets.push((index, secret));
                    (String::new(), true)
                }
            };
            json!({
                "type": "Argument", "name": argument.name, "value": value, "isSecret": is_secret,
            })
        });
        let list = list.collect();
        (list, secrets)
    }
}

/// A body with these secrets of the arguments below `at`.
fn sealed<S>(value: Json, at: &str, secrets: Vec<(usize, S)>) -> Body<S> {
    secrets.into_iter().fold(Body::from(value), |body, (index, secret)| {
        body.sealed(format!("{at}/{index}/value"), secret)
    })
}

fn put(object: &mut Json, key: &str, value: Option<impl Into<Json>>) {
    if let (Json::Object(object), Some(value)) = (object, value) {
        Map::insert(object, key.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests;
