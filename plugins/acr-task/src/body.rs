//! A task as Azure wants it.

use acr::{Argument, Platform};
use arm::{Body, Http};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use windlass_plugin::{Error, Result};

use crate::act::Cloud;
use crate::inputs::{BaseTrigger, Inputs};

/// What a run may take where nothing is said: az's own.
const USUAL_TIMEOUT: u64 = 3600;

/// What az gives a task to compute with.
const CPUS: u32 = 2;

/// How files end that are no Dockerfiles.
const TASK_FILES: [&str; 4] = [".yaml", ".yml", ".toml", ".json"];

/// The names of triggers, which az's are, so that it finds them.
pub const SOURCE: &str = "defaultSourceTriggerName";
/// See [`SOURCE`].
pub const BASE: &str = "defaultBaseimageTriggerName";

/// The task that the inputs describe, in a registry at `location`.
///
/// # Errors
/// `invalid.inputs` for what makes no sense together.
pub fn body<C: Cloud>(
    inputs: &Inputs,
    location: &str,
    cloud: &C,
) -> Result<Body<<C::Http as Http>::Secret>> {
    let platform = match &inputs.platform {
        Some(platform) => Platform::parse(platform)?,
        None => Platform::default(),
    };
    let (step, secrets) = step(inputs, cloud)?;
    let timeout = acr::run_timeout(inputs.run_timeout.as_deref())?.unwrap_or(USUAL_TIMEOUT);
    let mut properties = json!({
        "status": if inputs.disabled { "Disabled" } else { "Enabled" },
        "isSystemTask": false,
        "timeout": timeout,
        "platform": platform.to_json(),
        "step": step,
        "trigger": trigger(inputs)?,
        "credentials": match &inputs.source_acr_auth_id {
            Some(identity) => json!({ "sourceRegistry": { "identity": identity } }),
            None => json!({}),
        },
    });
    match &inputs.agent_pool {
        Some(pool) => put(&mut properties, "agentPoolName", pool.as_str()),
        None => put(&mut properties, "agentConfiguration", json!({ "cpu": CPUS })),
    }
    let mut task = json!({ "location": location, "properties": properties });
    if let Some(identity) = identity(&inputs.assign_identity) {
        put(&mut task, "identity", identity);
    }
    let mut body = Body::from(task);
    for (pointer, secret) in secrets {
        body = body.sealed(format!("/properties/step{pointer}"), secret);
    }
    if let Some(token) = &inputs.git_token {
        if body.value.pointer("/properties/step/contextAccessToken").is_some() {
            body = body.sealed("/properties/step/contextAccessToken", cloud.secret(token)?);
        }
        let place = "/properties/trigger/sourceTriggers/0/sourceRepository/\
                     sourceControlAuthProperties/token";
        if body.value.pointer(place).is_some() {
            body = body.sealed(place, cloud.secret(token)?);
        }
    }
    Ok(body)
}

type Step<S> = (Value, Vec<(String, S)>);

fn step<C: Cloud>(inputs: &Inputs, cloud: &C) -> Result<Step<<C::Http as Http>::Secret>> {
    let context = inputs.context.as_deref().filter(|context| *context != "/dev/null");
    let file = inputs.file.as_deref().unwrap_or("Dockerfile");
    if context.is_none() && inputs.command.is_none() {
        return Err(Error::invalid("a task without `command` needs a `context`")
            .hint("name a git repository: `https://HOST/REPOSITORY.git#BRANCH`"));
    }
    let (mut list, secrets) =
        Argument::write(acr::arguments(&inputs.args, &inputs.secret_args, |name| {
            cloud.secret(name)
        })?);
    let is_file = TASK_FILES.iter().any(|ending| file.ends_with(ending));
    let is_docker = inputs.command.is_none() && !is_file;
    if !is_docker {
        list.iter_mut().for_each(|value| put(value, "type", "SetValue"));
    }
    let key = if is_docker { "arguments" } else { "values" };
    let mut step = match &inputs.command {
        Some(command) => {
            let timeout = acr::run_timeout(inputs.run_timeout.as_deref())?.unwrap_or(USUAL_TIMEOUT);
            json!({ "type": "EncodedTask", "encodedTaskContent": encoded(command, timeout)? })
        }
        None if is_file => json!({ "type": "FileTask", "taskFilePath": file }),
        None => {
            let mut step = json!({
                "type": "Docker", "dockerFilePath": file, "isPushEnabled": !inputs.images.is_empty(),
                "noCache": inputs.no_cache,
            });
            put(&mut step, "imageNames", inputs.images.clone());
            if let Some(target) = &inputs.target {
                put(&mut step, "target", target.as_str());
            }
            step
        }
    };
    put(&mut step, key, list);
    if let Some(context) = context {
        put(&mut step, "contextPath", context);
        if inputs.git_token.is_some() {
            put(&mut step, "contextAccessToken", "");
        }
    }
    let sealed =
        secrets.into_iter().map(|(index, secret)| (format!("/{key}/{index}/value"), secret));
    Ok((step, sealed.collect()))
}

/// A task file with one command, as az writes it.
fn encoded(command: &str, timeout: u64) -> Result<String> {
    if command.trim().is_empty() || command.contains(['\n', '\r']) {
        return Err(Error::invalid("`command` is empty, or has several lines")
            .hint("put several commands into a task file, and name it with `file`"));
    }
    let text = format!(
        "version: v1.1.0\nsteps: \n  - cmd: {command}\n    disableWorkingDirectoryOverride: \
         true\n    timeout: {timeout}\n"
    );
    Ok(STANDARD.encode(text))
}

fn trigger(inputs: &Inputs) -> Result<Value> {
    let mut trigger = json!({});
    let by_commit = inputs.commit_trigger.unwrap_or(inputs.git_token.is_some());
    if by_commit || inputs.pull_request_trigger {
        put(&mut trigger, "sourceTriggers", json!([source(inputs, by_commit)?]));
    }
    let timers = inputs.schedules.iter().enumerate().map(|(index, text)| timer(index, text));
    let timers: Vec<Value> = timers.collect::<Result<_>>()?;
    if !timers.is_empty() {
        put(&mut trigger, "timerTriggers", timers);
    }
    let kind = match inputs.base_image_trigger {
        BaseTrigger::Runtime => "Runtime",
        BaseTrigger::All => "All",
        BaseTrigger::None => return Ok(trigger),
    };
    let base = json!({
        "name": BASE, "baseImageTriggerType": kind, "status": "Enabled",
        "updateTriggerPayloadType": "Default",
    });
    put(&mut trigger, "baseImageTrigger", base);
    Ok(trigger)
}

fn source(inputs: &Inputs, by_commit: bool) -> Result<Value> {
    let context = inputs.context.as_deref().unwrap_or_default();
    let host = context.split('/').nth(2).unwrap_or_default().to_ascii_lowercase();
    let kind = match host.as_str() {
        "github.com" => "Github",
        _ if host == "dev.azure.com" || host.ends_with(".visualstudio.com") => {
            "VisualStudioTeamService"
        }
        _ => {
            return Err(Error::invalid(format!("commits to `{context}` cannot trigger a task"))
                .hint("ACR Tasks hear of GitHub and Azure DevOps; say `commit-trigger = false`"));
        }
    };
    if inputs.git_token.is_none() {
        return Err(Error::invalid("a task that commits trigger needs a token of the repository")
            .hint("name a secret with `git-token`, or say `commit-trigger = false`"));
    }
    let branch =
        context.split_once('#').map_or("", |(_, rest)| rest.split(':').next().unwrap_or(""));
    let branch = if branch.is_empty() { "master" } else { branch };
    let pulls = inputs.pull_request_trigger;
    let events: Vec<&str> = [(by_commit, "commit"), (pulls, "pullrequest")]
        .into_iter()
        .filter_map(|(is, event)| is.then_some(event))
        .collect();
    Ok(json!({
        "name": SOURCE, "status": "Enabled", "sourceTriggerEvents": events,
        "sourceRepository": {
            "sourceControlType": kind, "repositoryUrl": context, "branch": branch,
            "sourceControlAuthProperties": { "tokenType": "PAT", "token": "", "scope": "repo" },
        },
    }))
}

fn timer(index: usize, text: &str) -> Result<Value> {
    let (name, schedule) = match text.split_once(':') {
        Some((name, schedule)) => (name.trim().to_owned(), schedule.trim()),
        None => (format!("t{}", index + 1), text.trim()),
    };
    if name.is_empty() || schedule.split_whitespace().count() != 5 {
        return Err(Error::invalid(format!("`{text}` is no schedule")).hint(
            "write five fields, in UTC: `0 21 * * *`, or with a name, `nightly:0 21 * * *`",
        ));
    }
    Ok(json!({ "name": name, "status": "Enabled", "schedule": schedule }))
}

fn identity(assigned: &[String]) -> Option<Value> {
    let is_system = assigned.iter().any(|word| word == "[system]");
    let users = assigned.iter().filter(|word| *word != "[system]");
    let users: Map<String, Value> = users.map(|id| (id.clone(), json!({}))).collect();
    let kind = match (is_system, users.is_empty()) {
        (true, true) => "SystemAssigned",
        (true, false) => "SystemAssigned, UserAssigned",
        (false, false) => "UserAssigned",
        (false, true) => return None,
    };
    let mut identity = json!({ "type": kind });
    if !users.is_empty() {
        put(&mut identity, "userAssignedIdentities", users);
    }
    Some(identity)
}

pub(crate) fn put(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Value::Object(object) = object {
        object.insert(key.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests;
