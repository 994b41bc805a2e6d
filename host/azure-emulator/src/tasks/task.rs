//! Tasks: descriptions of runs, with what starts them. They are kept and can be run; of what starts
//! them by itself there is the base image that is another one ([`super::base`]).

use serde_json::{Map, Value, json};

use crate::answer::{Answer, Answered, Refusal};
use crate::arm::{Admitted, not_found};
use crate::clock;
use crate::graph::Principal;
use crate::json::{as_object, at, set, text};
use crate::registry::KIND;
use crate::registry::control::Registry;
use crate::world::{Resource, World};

/// Lists whose entries have names, by which a `PATCH` finds them.
const NAMED: [&str; 2] = ["timerTriggers", "sourceTriggers"];

pub(super) fn answer(admitted: &Admitted<'_>, registry: &Registry, rest: &[&str]) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let method = call.method.as_str();
    if let ("GET", []) = (method, rest) {
        let list = |world: &World| admitted.list(world, world.children(&registry.id, "tasks"));
        return Ok(Answer::list(azure.store.read(list)));
    }
    let name = call.segment(9);
    let id = format!("{}/tasks/{name}", registry.id);
    if let ("PUT", [_]) = (method, rest) {
        return put(admitted, registry, &id, name);
    }
    let found = azure.store.read(|world| world.resource(&id).cloned());
    let missing = || not_found(&format!("{KIND}/tasks"), name, call.segment(3));
    match (method, rest) {
        ("GET", [_]) => found.map(|task| Answer::ok(task.body)).ok_or_else(missing),
        ("POST", [_, "listdetails"]) => {
            let task = found.ok_or_else(missing)?;
            Ok(Answer::ok(task.hidden.0.get("full").cloned().unwrap_or(task.body)))
        }
        ("PATCH", [_]) => {
            let task = found.ok_or_else(missing)?;
            let mut full = task.hidden.0.get("full").cloned().unwrap_or(task.body);
            merge(&mut full, &call.object()?);
            keep(admitted, &id, full)
        }
        ("DELETE", [_]) => azure.store.change(|world| {
            let Some(task) = world.resource(&id) else { return Ok(Answer::empty(204)) };
            let body = task.body.clone();
            world.remove(&id);
            world.principals.retain(|p| p.resource.as_deref() != Some(id.as_str()));
            Ok(Answer::ok(body))
        }),
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

/// As JSON merge patches, but lists of triggers grow by name.
fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().into_iter().flatten() {
        let old = at(into, &format!("/{name}")).clone();
        match value {
            Value::Null => {
                as_object(into).remove(name);
            }
            Value::Object(_) if name == "step" && at(&old, "/type") != at(value, "/type") => {
                set(into, name, value.clone());
            }
            Value::Object(_) => {
                let mut inner = if old.is_object() { old } else { json!({}) };
                // A host's name may have a slash or a tilde in theory; members are found by key.
                if let Some(known) = into.get(name).filter(|known| known.is_object()) {
                    inner = known.clone();
                }
                merge(&mut inner, value);
                set(into, name, inner);
            }
            Value::Array(new) if NAMED.contains(&name.as_str()) => {
                let mut list = old.as_array().cloned().unwrap_or_default();
                for entry in new {
                    let same = |known: &&mut Value| at(known, "/name") == at(entry, "/name");
                    match list.iter_mut().find(same) {
                        Some(known) => merge(known, entry),
                        None => list.push(entry.clone()),
                    }
                }
                set(into, name, list);
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                set(into, name, value.clone());
            }
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("InvalidParameters", message).target("request")
}

fn check(name: &str, full: &Value) -> Result<(), Refusal> {
    let named = (5..=50).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !named {
        return Err(invalid(format!(
            "The task name '{name}' is invalid: 5 to 50 letters, digits, '-' and '_'."
        )));
    }
    let properties = at(full, "/properties");
    let needed: &[&str] = match text(properties, "/step/type") {
        "Docker" => &["dockerFilePath"],
        "FileTask" => &["taskFilePath"],
        "EncodedTask" => &["encodedTaskContent"],
        _ if at(properties, "/isSystemTask") == &json!(true) => &[],
        other => return Err(invalid(format!("The step of type '{other}' is not known."))),
    };
    if let Some(name) =
        needed.iter().find(|name| text(properties, &format!("/step/{name}")).is_empty())
    {
        return Err(invalid(format!("The step's '{name}' is required.")));
    }
    let os = text(properties, "/platform/os").to_ascii_lowercase();
    if !needed.is_empty() && !["linux", "windows"].contains(&os.as_str()) {
        return Err(invalid("The platform's 'os' has to be Linux or Windows."));
    }
    let timers = at(properties, "/trigger/timerTriggers").as_array();
    for timer in timers.into_iter().flatten() {
        let schedule = text(timer, "/schedule");
        let part =
            |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"*/,-".contains(&b));
        if schedule.split_whitespace().count() != 5 || !schedule.split_whitespace().all(part) {
            return Err(invalid(format!("The schedule '{schedule}' is not five fields of cron.")));
        }
    }
    Ok(())
}

fn put(admitted: &Admitted<'_>, registry: &Registry, id: &str, name: &str) -> Answered {
    let mut full = admitted.call.object()?;
    for (member, value) in
        [("type", format!("{KIND}/tasks")), ("id", id.to_owned()), ("name", name.to_owned())]
    {
        set(&mut full, member, value);
    }
    if text(&full, "/location").is_empty() {
        set(&mut full, "location", registry.location());
    }
    let now = clock::arm(admitted.azure.clock().now());
    let old = admitted.azure.store.read(|world| world.resource(id).map(|task| task.body.clone()));
    let date = old.map(|old| at(&old, "/properties/creationDate").clone()).unwrap_or(json!(now));
    crate::json::object(&mut full, "properties").insert("creationDate".to_owned(), date);
    keep(admitted, id, full)
}

/// Checks a task, gives it its identity, and keeps it: whole for `listDetails`, without secrets for
/// everybody else.
fn keep(admitted: &Admitted<'_>, id: &str, mut full: Value) -> Answered {
    check(text(&full, "/name"), &full)?;
    crate::json::object(&mut full, "properties")
        .insert("provisioningState".to_owned(), json!("Succeeded"));
    let tenant = &admitted.azure.config.names.tenant;
    admitted.azure.store.change(|world| {
        super::base::take_over(world.resource(id), &mut full);
        if text(&full, "/identity/type").contains("SystemAssigned") {
            let name = text(&full, "/name").to_owned();
            let known =
                world.principals.iter().find(|p| p.resource.as_deref() == Some(id)).cloned();
            let principal = known.unwrap_or_else(|| {
                let principal = Principal::of_resource(&name, id);
                world.principals.push(principal.clone());
                principal
            });
            let identity = crate::json::object(&mut full, "identity");
            identity.insert("principalId".to_owned(), json!(principal.id));
            identity.insert("tenantId".to_owned(), json!(tenant));
        }
        let mut shown = full.clone();
        conceal(&mut shown);
        let mut task = Resource::new(shown.clone());
        task.hidden.0.insert("full".to_owned(), full);
        world.put(task);
        Ok(Answer::ok(shown))
    })
}

/// Takes secrets out of a document.
fn conceal(value: &mut Value) {
    match value {
        Value::Object(map) => conceal_members(map),
        Value::Array(list) => list.iter_mut().for_each(conceal),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn conceal_members(map: &mut Map<String, Value>) {
    map.remove("contextAccessToken");
    map.remove("sourceControlAuthProperties");
    let is_opaque = map.get("type").and_then(Value::as_str) == Some("Opaque");
    if is_opaque || map.get("isSecret") == Some(&json!(true)) {
        map.remove("value");
    }
    map.values_mut().for_each(conceal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_merge_and_triggers_grow_by_name() {
        let mut task = json!({ "properties": {
            "credentials": { "customRegistries": { "a.azurecr.io": {}, "b.azurecr.io": {} } },
            "trigger": { "timerTriggers": [{ "name": "t1", "schedule": "a", "status": "Enabled" }] },
        } });
        merge(
            &mut task,
            &json!({ "properties": {
            "credentials": { "customRegistries": { "a.azurecr.io": null } },
            "trigger": { "timerTriggers": [{ "name": "t1", "schedule": "b" }, { "name": "t2" }] },
        } }),
        );
        assert_eq!(
            task,
            json!({ "properties": {
            "credentials": { "customRegistries": { "b.azurecr.io": {} } },
            "trigger": { "timerTriggers": [
                { "name": "t1", "schedule": "b", "status": "Enabled" }, { "name": "t2" },
            ] },
        } })
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut task = json!({ "step": { "contextAccessToken": "x", "arguments": [
            { "name": "a", "value": "x", "isSecret": true }, { "name": "b", "value": "y", "isSecret": false },
        ] }, "password": { "type": "Opaque", "value": "x" }, "user": { "type": "Vaultsecret", "value": "u" } });
        conceal(&mut task);
        assert!(!task.to_string().contains("\"x\""), "{task}");
        assert!(task.to_string().contains("\"y\"") && task.to_string().contains("\"u\""));
    }
}
