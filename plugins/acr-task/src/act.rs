//! Does what is asked.

use std::time::Duration;

use acr::{Registries, Registry, Scope, TASKS, TaskRequest, Watcher};
use arm::{Arm, Body, Http, ResourceId, Wait};
use serde_json::{Value, json};
use windlass_plugin::{Error, Outcome, Result};

use crate::body::body;
use crate::diff;
use crate::inputs::{Action, Inputs};
use crate::outputs::{Outputs, Run};

/// az's own number of runs.
const USUAL_TOP: u32 = 15;

/// More is no list for a step.
const MOST_TOP: u32 = 1000;

/// What the logic needs of the host.
pub trait Cloud {
    /// How Azure is asked.
    type Http: Http;

    /// How Azure is asked.
    fn http(&self) -> &Self::Http;

    /// The handle of a secret.
    ///
    /// # Errors
    /// Those of the host.
    fn secret(&self, name: &str) -> Result<<Self::Http as Http>::Secret>;

    /// Tells a line of a run's log.
    fn line(&self, text: &str);
}

/// Does it; in a dry run only looks. A run is waited for `limit` at most.
///
/// # Errors
/// `invalid.inputs` for inputs that do not fit; Azure's errors; of a run that is waited for, those of
/// its end.
pub fn act<C: Cloud>(
    inputs: &Inputs,
    is_dry_run: bool,
    limit: Duration,
    cloud: &C,
) -> Result<Outcome<Outputs>> {
    let task = match (inputs.action, &inputs.name) {
        (Action::ListRuns | Action::Cancel, _) => None,
        (_, Some(name)) => Some(checked(name)?),
        (_, None) => {
            return Err(Error::invalid("nothing says which task").hint("give its `name`"));
        }
    };
    if inputs.identity.is_none() {
        return Err(Error::invalid("nothing says as whom Azure is asked")
            .hint("say `identity = \"NAME\"` of an `[identity.NAME]`"));
    }
    let arm = Arm::new(cloud.http(), inputs.endpoint.as_deref())?;
    let scope =
        Scope { subscription: inputs.subscription.clone(), group: inputs.resource_group.clone() };
    let registries = Registries::read(&arm, &scope)?;
    let registry = registries.expect(&inputs.registry)?;
    let id = task.map(|name| registry.id.child("tasks", name)).transpose()?;
    let actor = Actor { inputs, arm: &arm, registry, cloud, is_dry_run };
    match (inputs.action, id) {
        (Action::ListRuns, _) => actor.list_runs(),
        (Action::Cancel, _) => actor.cancel(),
        (Action::Create, Some(id)) => actor.create(&id),
        (Action::Show, Some(id)) => actor.show(&id),
        (Action::Run, Some(id)) => actor.run(id, limit),
        (Action::CredentialAdd, Some(id)) => actor.add_credential(&id),
        (Action::Delete, Some(id)) => actor.delete(&id),
        (_, None) => Err(Error::invalid("nothing says which task").hint("give its `name`")),
    }
}

fn checked(name: &str) -> Result<&str> {
    let is_name = (5..=50).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    match is_name {
        true => Ok(name),
        false => Err(Error::invalid(format!("no task can be called `{name}`"))
            .hint("write 5 to 50 letters, digits, `-` and `_`")),
    }
}

struct Actor<'a, 'h, C: Cloud> {
    inputs: &'a Inputs,
    arm: &'a Arm<'h, C::Http>,
    registry: &'a Registry,
    cloud: &'a C,
    is_dry_run: bool,
}

impl<C: Cloud> Actor<'_, '_, C> {
    fn create(&self, id: &ResourceId) -> Result<Outcome<Outputs>> {
        let wanted = body(self.inputs, &self.registry.location, self.cloud)?;
        let name = id.name();
        let Some(present) = self.arm.find(id, TASKS)? else {
            if self.is_dry_run {
                return Ok(
                    Outcome::changed(changed()).summary(format!("task `{name}` would be made"))
                );
            }
            let made = self.finished(self.arm.put(id, TASKS, &wanted))?;
            return Ok(Outcome::changed(told(&made, true)).summary(format!("made task `{name}`")));
        };
        let differences = diff::differences(&wanted.value, &present);
        if differences.is_empty() && !self.inputs.renew {
            let outcome = Outcome::unchanged(told(&present, false));
            return Ok(outcome.summary(format!("task `{name}` is as it should be")));
        }
        for place in &differences {
            self.cloud.http().say(&format!("different: {place}"));
        }
        let done = |outputs: Outputs, what: &str| {
            let outputs = Outputs { differences: differences.clone(), ..outputs };
            Outcome::changed(outputs).summary(format!("{what} task `{name}`"))
        };
        if self.is_dry_run {
            return Ok(done(told(&present, true), "would change"));
        }
        if diff::is_other_kind(&wanted.value, &present) {
            self.cloud.http().say(
                "it is another kind of task: it is replaced, and its credentials of other registries \
                 are to be added again",
            );
            let made = self.finished(self.arm.put(id, TASKS, &wanted))?;
            return Ok(done(told(&made, true), "replaced"));
        }
        let value = diff::patch(&wanted.value, &present);
        let patch = Body { value, holes: wanted.holes };
        let made = self.finished(self.arm.patch(id, TASKS, &patch))?;
        Ok(done(told(&made, true), "changed"))
    }

    fn finished(&self, begun: arm::Result<arm::Answer>) -> Result<Value> {
        Ok(begun.and_then(|answer| self.arm.finish(answer, &Wait::default()))?)
    }

    fn show(&self, id: &ResourceId) -> Result<Outcome<Outputs>> {
        let task = self.arm.get(id, TASKS)?;
        Ok(Outcome::unchanged(told(&task, false)).summary(format!("task `{}`", id.name())))
    }

    fn run(&self, id: ResourceId, limit: Duration) -> Result<Outcome<Outputs>> {
        let name = id.name().to_owned();
        if self.is_dry_run {
            return Ok(Outcome::changed(changed()).summary(format!("task `{name}` would be run")));
        }
        let request = TaskRequest {
            task: id,
            arguments: acr::arguments(&self.inputs.args, &self.inputs.secret_args, |name| {
                self.cloud.secret(name)
            })?,
            context: self.inputs.context.clone(),
            file: self.inputs.file.clone(),
            target: self.inputs.target.clone(),
        };
        let http = self.cloud.http();
        let begun = http.now();
        let mut run = acr::schedule(self.arm, self.registry, &request.body())?;
        http.say(&format!("run `{}` of task `{name}`", run.id));
        if !self.inputs.no_wait {
            let limit = limit.saturating_sub(http.now().saturating_sub(begun));
            let watcher = Watcher { limit, line: &|text| self.cloud.line(text) };
            run = acr::follow(self.arm, http, self.registry, &run.id, &watcher)?.success()?;
        }
        let summary = format!("run {}: {}", run.id, run.status.word());
        let outputs = Outputs {
            changed: true,
            run_id: Some(run.id.clone()),
            digest: run.images.first().map(|image| image.digest.clone()),
            runs: vec![Run::from(run)],
            ..Outputs::default()
        };
        Ok(Outcome::changed(outputs).summary(summary))
    }

    fn list_runs(&self) -> Result<Outcome<Outputs>> {
        let Inputs { name, status, top, .. } = self.inputs;
        let top = top.unwrap_or(USUAL_TOP);
        if !(1..=MOST_TOP).contains(&top) {
            return Err(Error::invalid(format!("`top` is {top}"))
                .hint(format!("write a number from 1 to {MOST_TOP}")));
        }
        let runs = acr::list(self.arm, self.registry, name.as_deref(), status.as_deref(), top)?;
        let runs: Vec<Run> = runs.into_iter().map(Run::from).collect();
        let summary = match runs.len() {
            1 => "1 run".to_owned(),
            count => format!("{count} runs"),
        };
        Ok(Outcome::unchanged(Outputs { runs, ..Outputs::default() }).summary(summary))
    }

    fn add_credential(&self, id: &ResourceId) -> Result<Outcome<Outputs>> {
        let Inputs { login_server, use_identity, username, password, .. } = self.inputs;
        let host = login_server.as_deref().filter(|host| host.contains('.') && !host.contains('/'));
        let Some(host) = host else {
            return Err(Error::invalid("nothing says which registry the task logs in to")
                .hint("give its `login-server`, such as `mybase.azurecr.io`"));
        };
        let (mut credential, is_sealed) = match (use_identity, username, password) {
            (Some(identity), None, None) => (json!({ "identity": identity }), false),
            (None, Some(username), Some(_)) => {
                let opaque = |value: &str| json!({ "type": "Opaque", "value": value });
                (json!({ "userName": opaque(username), "password": opaque("") }), true)
            }
            _ => {
                return Err(Error::invalid(
                    "a credential is an identity, or a user with a password",
                )
                .hint("give `use-identity = \"[system]\"`, or `username` and `password`"));
            }
        };
        if self.is_dry_run {
            let summary = format!("task `{}` would log in to {host}", id.name());
            return Ok(Outcome::changed(changed()).summary(summary));
        }
        // An identity can be compared; what is sealed cannot, and is sent.
        let present = self.arm.get(id, TASKS)?;
        let registries = present.pointer("/properties/credentials/customRegistries");
        let there = registries.and_then(|all| all.get(host)).and_then(|it| it.get("identity"));
        if !is_sealed && there.is_some() && there == credential.get("identity") {
            let summary = format!("task `{}` logs in to {host} already", id.name());
            return Ok(Outcome::unchanged(told(&present, false)).summary(summary));
        }
        let place = format!("/properties/credentials/customRegistries/{host}/password/value");
        let value = json!({
            "properties": { "credentials": { "customRegistries": { host: credential.take() } } },
        });
        let patch = match password.as_ref().filter(|_| is_sealed) {
            Some(name) => Body::from(value).sealed(place, self.cloud.secret(name)?),
            None => Body::from(value),
        };
        let made = self.finished(self.arm.patch(id, TASKS, &patch))?;
        let summary = format!("task `{}` logs in to {host}", id.name());
        Ok(Outcome::changed(told(&made, true)).summary(summary))
    }

    fn cancel(&self) -> Result<Outcome<Outputs>> {
        let Some(run) = &self.inputs.run_id else {
            return Err(Error::invalid("nothing says which run").hint("give its `run-id`"));
        };
        let outputs = Outputs { run_id: Some(run.clone()), ..changed() };
        if self.is_dry_run {
            return Ok(Outcome::changed(outputs).summary(format!("run {run} would be ended")));
        }
        acr::cancel(self.arm, self.registry, run)?;
        Ok(Outcome::changed(outputs).summary(format!("ended run {run}")))
    }

    fn delete(&self, id: &ResourceId) -> Result<Outcome<Outputs>> {
        let name = id.name();
        if self.is_dry_run {
            return Ok(match self.arm.find(id, TASKS)? {
                Some(_) => {
                    Outcome::changed(changed()).summary(format!("task `{name}` would be deleted"))
                }
                None => Outcome::unchanged(Outputs::default())
                    .summary(format!("there is no task `{name}`")),
            });
        }
        let answer = self.arm.delete(id, TASKS)?;
        if answer.status == 204 {
            let outcome = Outcome::unchanged(Outputs::default());
            return Ok(outcome.summary(format!("there was no task `{name}`")));
        }
        self.arm.finish(answer, &Wait::default())?;
        Ok(Outcome::changed(changed()).summary(format!("deleted task `{name}`")))
    }
}

fn changed() -> Outputs {
    Outputs { changed: true, ..Outputs::default() }
}

/// What is told of a task.
fn told(task: &Value, changed: bool) -> Outputs {
    let text = |pointer: &str| task.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Outputs {
        id: text("/id"),
        principal_id: text("/identity/principalId"),
        status: text("/properties/status"),
        changed,
        ..Outputs::default()
    }
}

#[cfg(test)]
pub(crate) mod tests;
