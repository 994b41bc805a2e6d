//! `scheduleRun`: what is to be run, understood and queued.

use std::sync::Arc;

use serde_json::{Value, json};

use super::builder::{Argument, Context};
use super::{allowed, execute, run};
use crate::answer::{Answer, Answered, Refusal};
use crate::arm::Admitted;
use crate::azure::Azure;
use crate::json::{at, text};
use crate::registry::control::Registry;
use crate::world::Resource;

/// Seconds that a run may take.
const TIMEOUTS: std::ops::RangeInclusive<u64> = 300..=28_800;
const USUAL_TIMEOUT: u64 = 3600;

/// Arguments and images of one build.
const MOST_ARGUMENTS: usize = 200;
const MOST_IMAGES: usize = 100;

/// What is to be run.
pub(super) struct Order {
    pub(super) context: Source,
    pub(super) work: Work,
    pub(super) platform: String,
    pub(super) timeout: u64,
}

/// Where the context comes from.
pub(super) enum Source {
    /// A path of the registry's container.
    Uploaded(String),
    Given(Context),
}

/// The kinds of work.
pub(super) enum Work {
    Docker {
        dockerfile: String,
        target: Option<String>,
        arguments: Vec<Argument>,
        images: Vec<String>,
        push: bool,
        no_cache: bool,
    },
    /// Steps of a YAML file, which the emulator does not run.
    Steps,
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("InvalidParameters", message).target("request")
}

pub(super) fn answer(admitted: &Admitted<'_>, registry: &Registry) -> Answered {
    allowed(admitted, registry)?;
    let request = admitted.call.object()?;
    let task = match text(&request, "/type") {
        "TaskRunRequest" => Some(task_of(admitted, &request)?),
        _ => None,
    };
    begin(admitted.azure, registry, &request, task.as_ref(), None).map(Answer::ok)
}

/// Runs the task `id`, since a base of it is another one now: `trigger` says which.
pub(super) fn update(azure: &Arc<Azure>, id: &str, trigger: &Value) -> Result<(), Refusal> {
    let found = azure.store.read(|world| {
        let (registry, _) = id.rsplit_once("/tasks/")?;
        let (task, resource) = (world.resource(id)?.clone(), world.resource(registry)?.clone());
        Some((task, Registry { id: registry.to_owned(), resource }))
    });
    // Deleted meanwhile.
    let Some((task, registry)) = found else { return Ok(()) };
    begin(azure, &registry, &Value::Null, Some(&task), Some(trigger)).map(drop)
}

/// Queues and starts a run; what the client is told of it.
fn begin(
    azure: &Arc<Azure>,
    registry: &Registry,
    request: &Value,
    task: Option<&Resource>,
    update: Option<&Value>,
) -> Result<Value, Refusal> {
    let body = task.map_or_else(|| request.clone(), |task| of_task(task, request));
    let order = order(&body)?;
    let is_docker = matches!(order.work, Work::Docker { .. });
    let kind = match (task.is_some(), is_docker) {
        (false, _) => "QuickRun",
        (true, true) => "AutoBuild",
        (true, false) => "AutoRun",
    };
    let agent = at(&body, "/agentConfiguration");
    let token = text(request, "/overrideTaskStepProperties/updateTriggerToken");
    let new = run::New {
        kind,
        platform: at(&body, "/platform").clone(),
        agent: if agent.is_object() { agent.clone() } else { json!({ "cpu": 2 }) },
        task: task.map(Resource::name),
        archived: at(request, "/isArchiveEnabled").as_bool().unwrap_or(false),
        token: Some(token).filter(|token| !token.is_empty()),
        update,
    };
    let (id, shown) = run::queue(azure, registry, &new)?;
    execute::start(azure, registry, id, order, task.map(|task| task.id().to_owned()));
    Ok(shown)
}

fn order(body: &Value) -> Result<Order, Refusal> {
    let os = text(body, "/platform/os").to_ascii_lowercase();
    if !["linux", "windows"].contains(&os.as_str()) {
        return Err(invalid("The platform's 'os' has to be Linux or Windows."));
    }
    let architecture = match text(body, "/platform/architecture") {
        "" => "amd64",
        known @ ("amd64" | "x86" | "386" | "arm" | "arm64") => known,
        other => return Err(invalid(format!("The architecture '{other}' is not supported."))),
    };
    let variant = text(body, "/platform/variant");
    let variant = if variant.is_empty() { String::new() } else { format!("/{variant}") };
    let timeout = at(body, "/timeout");
    let timeout = if timeout.is_null() { Some(USUAL_TIMEOUT) } else { timeout.as_u64() };
    let timeout = timeout
        .filter(|timeout| TIMEOUTS.contains(timeout))
        .ok_or_else(|| invalid("The timeout has to be between 300 and 28800 seconds."))?;
    let context = match text(body, "/sourceLocation") {
        "" | "/dev/null" => Source::Given(Context::Empty),
        place if place.contains("://") || place.starts_with("git@") => {
            Source::Given(Context::Remote(place.to_owned()))
        }
        place if place.starts_with("github.com/") => {
            Source::Given(Context::Remote(format!("https://{place}")))
        }
        place => Source::Uploaded(place.to_owned()),
    };
    let work = match text(body, "/type") {
        "DockerBuildRequest" | "Docker" => docker(body)?,
        "FileTaskRunRequest" | "FileTask" if !text(body, "/taskFilePath").is_empty() => Work::Steps,
        "EncodedTaskRunRequest" | "EncodedTask"
            if !text(body, "/encodedTaskContent").is_empty() =>
        {
            Work::Steps
        }
        other => {
            return Err(invalid(format!(
                "The request of type '{other}' is incomplete or unknown."
            )));
        }
    };
    Ok(Order { context, work, platform: format!("{os}/{architecture}{variant}"), timeout })
}

fn docker(body: &Value) -> Result<Work, Refusal> {
    let dockerfile = text(body, "/dockerFilePath");
    if dockerfile.is_empty() {
        return Err(invalid("'dockerFilePath' is required."));
    }
    let given = at(body, "/arguments").as_array().cloned().unwrap_or_default();
    let names = at(body, "/imageNames").as_array().cloned().unwrap_or_default();
    if given.len() > MOST_ARGUMENTS || names.len() > MOST_IMAGES {
        return Err(invalid("There are too many arguments or images."));
    }
    let argument = |argument: &Value| {
        let name = text(argument, "/name");
        (!name.is_empty()).then(|| Argument {
            name: name.to_owned(),
            value: report::Secret::new(text(argument, "/value")),
            is_secret: at(argument, "/isSecret").as_bool().unwrap_or(false),
        })
    };
    let arguments: Option<Vec<_>> = given.iter().map(argument).collect();
    let images: Option<Vec<_>> = names.iter().map(|n| n.as_str().map(str::to_owned)).collect();
    let target = text(body, "/target");
    Ok(Work::Docker {
        dockerfile: dockerfile.to_owned(),
        target: Some(target.to_owned()).filter(|target| !target.is_empty()),
        arguments: arguments.ok_or_else(|| invalid("An argument has no name."))?,
        images: images.ok_or_else(|| invalid("'imageNames' has to be a list of texts."))?,
        push: at(body, "/isPushEnabled").as_bool().unwrap_or(true),
        no_cache: at(body, "/noCache").as_bool().unwrap_or(false),
    })
}

/// The task that is to be run.
fn task_of(admitted: &Admitted<'_>, request: &Value) -> Result<Resource, Refusal> {
    let id = text(request, "/taskId");
    let task = admitted.azure.store.read(|world| world.resource(id).cloned());
    let task = task.filter(|task| task.text("/type").ends_with("/tasks")).ok_or_else(|| {
        let name = id.rsplit('/').next().unwrap_or_default();
        crate::arm::not_found(
            &format!("{}/tasks", crate::registry::KIND),
            name,
            admitted.call.segment(3),
        )
    })?;
    if task.text("/properties/status") == "Disabled" {
        return Err(invalid(format!("The task '{}' is disabled.", task.name())));
    }
    Ok(task)
}

/// The request that a task stands for, with what this run has otherwise.
fn of_task(task: &Resource, request: &Value) -> Value {
    let full = task.hidden.0.get("full").unwrap_or(&task.body);
    let mut body = at(full, "/properties/step").clone();
    let mut put = |name: &str, value: &Value| {
        if !value.is_null() {
            crate::json::set(&mut body, name, value.clone());
        }
    };
    for name in ["platform", "timeout", "agentConfiguration"] {
        put(name, at(full, &format!("/properties/{name}")));
    }
    put("sourceLocation", at(full, "/properties/step/contextPath"));
    let over = at(request, "/overrideTaskStepProperties");
    put("sourceLocation", at(over, "/contextPath"));
    put("target", at(over, "/target"));
    put("dockerFilePath", at(over, "/file"));
    let mut arguments =
        at(full, "/properties/step/arguments").as_array().cloned().unwrap_or_default();
    for argument in at(over, "/arguments").as_array().into_iter().flatten() {
        arguments.retain(|known| at(known, "/name") != at(argument, "/name"));
        arguments.push(argument.clone());
    }
    put("arguments", &Value::Array(arguments));
    body
}
