//! Instance views: what a group and its containers are doing.

use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::azure::Azure;
use crate::clock;
use crate::json::{at, object, set, text};

/// Events that are shown of a container.
const MOST_EVENTS: usize = 20;

/// Changes the properties of a group.
fn change(azure: &Azure, id: &str, change: impl FnOnce(&mut Value, &str)) -> Result<(), Refusal> {
    let now = clock::arm(azure.clock().now());
    azure.store.change(|world| {
        let Some(group) = world.resource_mut(id) else { return Ok(()) };
        let mut properties = at(&group.body, "/properties").clone();
        change(&mut properties, &now);
        set(&mut group.body, "properties", properties);
        Ok(())
    })
}

/// Writes what the group as a whole is doing.
pub(super) fn group(
    azure: &Azure,
    id: &str,
    provisioning: &str,
    state: &str,
) -> Result<(), Refusal> {
    change(azure, id, |properties, _| {
        set(properties, "provisioningState", provisioning);
        set(properties, "instanceView", json!({ "events": [], "state": state }));
    })
}

/// Writes the same state for every container.
pub(super) fn all(azure: &Azure, id: &str, state: &str, note: &str) -> Result<(), Refusal> {
    change(azure, id, |properties, now| {
        each(
            properties,
            |_| true,
            |container| match state {
                "Running" => running(container, note, now),
                _ => terminated(container, 0, None, now),
            },
        );
    })
}

/// A container runs.
pub(super) fn started(azure: &Azure, id: &str, name: &str, note: &str) -> Result<(), Refusal> {
    change(azure, id, |properties, now| {
        each(properties, |c| text(c, "/name") == name, |container| running(container, note, now));
        state(properties);
    })
}

/// A container ended, and maybe waits to be started again.
pub(super) fn ended(
    azure: &Azure,
    id: &str,
    name: &str,
    code: i32,
    why: Option<&str>,
    again: bool,
) -> Result<(), Refusal> {
    change(azure, id, |properties, now| {
        each(
            properties,
            |c| text(c, "/name") == name,
            |container| {
                terminated(container, code, why, now);
                if again {
                    back_off(container, now);
                }
            },
        );
        state(properties);
    })
}

fn each(
    properties: &mut Value,
    is_it: impl Fn(&Value) -> bool,
    mut change: impl FnMut(&mut Value),
) {
    let containers = properties.get_mut("containers").and_then(Value::as_array_mut);
    containers.into_iter().flatten().filter(|container| is_it(container)).for_each(&mut change);
}

fn put(container: &mut Value, current: Value, events: &[Value]) {
    let old = at(container, "/properties/instanceView").clone();
    let mut shown = json!({
        "restartCount": at(&old, "/restartCount").as_u64().unwrap_or_default(),
        "currentState": current,
    });
    let previous = at(&old, "/currentState");
    if previous.is_object() && text(previous, "/state") != text(&shown, "/currentState/state") {
        set(&mut shown, "previousState", previous.clone());
    }
    let mut all = at(&old, "/events").as_array().cloned().unwrap_or_default();
    all.extend_from_slice(events);
    let from = all.len().saturating_sub(MOST_EVENTS);
    set(&mut shown, "events", all.split_off(from));
    object(container, "properties").insert("instanceView".to_owned(), shown);
}

fn running(container: &mut Value, note: &str, now: &str) {
    let image = text(container, "/properties/image").to_owned();
    let events = [
        event("Pulled", &format!("Successfully found image \"{image}\""), "Normal", now),
        event("Started", note, "Normal", now),
    ];
    put(container, json!({ "state": "Running", "startTime": now, "detailStatus": "" }), &events);
}

fn terminated(container: &mut Value, code: i32, why: Option<&str>, now: &str) {
    let started = at(container, "/properties/instanceView/currentState/startTime").clone();
    let current = json!({
        "state": "Terminated", "startTime": started, "exitCode": code, "finishTime": now,
        "detailStatus": if code == 0 { "Completed" } else { "Error" },
    });
    let failed = why.map(|why| event("Failed", why, "Warning", now));
    put(container, current, failed.as_slice());
}

fn back_off(container: &mut Value, now: &str) {
    let waiting = json!({ "state": "Waiting", "detailStatus": "CrashLoopBackOff: Back-off restarting failed" });
    let event = event("BackOff", "Back-off restarting failed container", "Warning", now);
    put(container, waiting, &[event]);
    if let Some(count) = container.pointer_mut("/properties/instanceView/restartCount") {
        *count = json!(count.as_u64().unwrap_or_default() + 1);
    }
}

/// The group's state follows from those of its containers.
fn state(properties: &mut Value) {
    let containers = at(properties, "/containers").as_array().cloned().unwrap_or_default();
    let states: Vec<(&str, i64)> = containers
        .iter()
        .map(|container| {
            let current = at(container, "/properties/instanceView/currentState");
            (text(current, "/state"), at(current, "/exitCode").as_i64().unwrap_or_default())
        })
        .collect();
    let ended = states.iter().all(|(state, _)| *state == "Terminated");
    let state = match ended {
        false => "Running",
        true if states.iter().all(|(_, code)| *code == 0) => "Succeeded",
        true => "Failed",
    };
    set(properties, "instanceView", json!({ "events": [], "state": state }));
}

fn event(name: &str, message: &str, kind: &str, now: &str) -> Value {
    json!({
        "count": 1, "firstTimestamp": now, "lastTimestamp": now, "name": name,
        "message": message, "type": kind,
    })
}

/// Lists show no instance views.
pub(super) fn without(group: &mut Value) {
    let properties = object(group, "properties");
    properties.remove("instanceView");
    let containers = properties.get_mut("containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        object(container, "properties").remove("instanceView");
    }
}
