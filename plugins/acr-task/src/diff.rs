//! What is different between the task that is wanted and the one that is there.

use serde_json::{Value, json};

/// What Azure never shows again, and so cannot be compared.
const HIDDEN: [&str; 2] = ["contextAccessToken", "sourceControlAuthProperties"];

/// Whose members are told apart by name, in whatever order.
const NAMED: [&str; 4] = ["arguments", "values", "timerTriggers", "sourceTriggers"];

/// The places where `present` is not as `wanted`; what Azure has besides is its own.
#[must_use]
pub fn differences(wanted: &Value, present: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for key in ["identity", "properties"] {
        if let Some(wanted) = wanted.get(key) {
            compare(wanted, present.get(key).unwrap_or(&Value::Null), key, &mut found);
        }
    }
    found.extend(left_over(wanted, present));
    found.sort();
    found
}

fn compare(wanted: &Value, present: &Value, at: &str, found: &mut Vec<String>) {
    let key = at.rsplit('/').next().unwrap_or_default();
    if HIDDEN.contains(&key) {
        return;
    }
    match (wanted, present) {
        (Value::Object(wanted), _) if key == "identity" || !wanted.is_empty() => {
            let is_secret = wanted.get("isSecret") == Some(&Value::Bool(true));
            for (key, value) in wanted {
                // An empty list is what Azure may leave out.
                let there = present.get(key).unwrap_or(&Value::Null);
                if !(is_secret && key == "value") {
                    compare(value, there, &format!("{at}/{key}"), found);
                }
            }
        }
        (Value::Object(_), _) => {}
        (Value::Array(wanted), present) if NAMED.contains(&key) => {
            let there = present.as_array().map(Vec::as_slice).unwrap_or_default();
            for item in wanted {
                let name = name_of(item);
                let same = there.iter().find(|other| name_of(other) == name);
                compare(item, same.unwrap_or(&Value::Null), &format!("{at}/{name}"), found);
            }
            let is_list = key == "arguments" || key == "values";
            let names: Vec<&str> = wanted.iter().map(name_of).collect();
            let more = there.iter().map(name_of).filter(|name| is_list && !names.contains(name));
            found.extend(more.map(|name| format!("{at}/{name}")));
        }
        (Value::Array(wanted), Value::Null) if wanted.is_empty() => {}
        (Value::String(a), Value::String(b)) if a.eq_ignore_ascii_case(b) && is_word(key) => {}
        _ if wanted == present => {}
        _ => found.push(at.to_owned()),
    }
}

/// Words of Azure's own, whose case it changes.
fn is_word(key: &str) -> bool {
    matches!(key, "os" | "architecture" | "variant" | "status" | "type" | "baseImageTriggerType")
}

fn name_of(item: &Value) -> &str {
    item.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Triggers that are on, and that nobody wants any more.
fn left_over(wanted: &Value, present: &Value) -> Vec<String> {
    let unwanted = unwanted(wanted, present);
    let names =
        unwanted.iter().map(|(key, item)| format!("properties/trigger/{key}/{}", name_of(item)));
    names.collect()
}

/// The same, as (kind, trigger).
fn unwanted(wanted: &Value, present: &Value) -> Vec<(&'static str, Value)> {
    let of = |task: &Value, key: &str| -> Vec<Value> {
        match task.pointer(&format!("/properties/trigger/{key}")) {
            Some(Value::Array(items)) => items.clone(),
            Some(item @ Value::Object(_)) => vec![item.clone()],
            _ => Vec::new(),
        }
    };
    let mut found = Vec::new();
    for key in ["timerTriggers", "sourceTriggers", "baseImageTrigger"] {
        let names: Vec<Value> = of(wanted, key);
        for item in of(present, key) {
            let is_off = item.get("status").and_then(Value::as_str) == Some("Disabled");
            if !is_off && !names.iter().any(|other| name_of(other) == name_of(&item)) {
                found.push((key, item));
            }
        }
    }
    found
}

/// The body of a PATCH that makes `present` to what is `wanted`: all of it, and triggers that nobody
/// wants any more turned off, since Azure merges lists by name. Credentials of registries stay.
#[must_use]
pub fn patch(wanted: &Value, present: &Value) -> Value {
    let mut patch = wanted.clone();
    if let Value::Object(map) = &mut patch {
        map.remove("location");
    }
    for (key, item) in unwanted(wanted, present) {
        let mut off = json!({ "name": name_of(&item), "status": "Disabled" });
        // What Azure wants of every trigger of its kind.
        for needed in ["schedule", "sourceTriggerEvents", "baseImageTriggerType"] {
            if let (Value::Object(off), Some(value)) = (&mut off, item.get(needed)) {
                off.insert(needed.to_owned(), value.clone());
            }
        }
        let Some(Value::Object(trigger)) = patch.pointer_mut("/properties/trigger") else {
            continue;
        };
        match key {
            "baseImageTrigger" => {
                trigger.insert(key.to_owned(), off);
            }
            _ => {
                if let Value::Array(list) = trigger.entry(key).or_insert_with(|| json!([])) {
                    list.push(off);
                }
            }
        }
    }
    patch
}

/// Whether it is another kind of task, which cannot be changed, only replaced.
#[must_use]
pub fn is_other_kind(wanted: &Value, present: &Value) -> bool {
    let kind = |task: &Value| {
        task.pointer("/properties/step/type").and_then(Value::as_str).map(str::to_ascii_lowercase)
    };
    kind(wanted) != kind(present)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Value {
        json!({
            "location": "westeurope",
            "properties": {
                "status": "Enabled", "timeout": 3600, "credentials": {},
                "platform": { "os": "linux", "architecture": "amd64" },
                "step": {
                    "type": "Docker", "imageNames": ["a:1"], "contextAccessToken": "",
                    "arguments": [
                        { "type": "Argument", "name": "A", "value": "1", "isSecret": false },
                        { "type": "Argument", "name": "S", "value": "", "isSecret": true },
                    ],
                },
                "trigger": { "timerTriggers": [{ "name": "t1", "status": "Enabled", "schedule": "0 21 * * *" }] },
            },
        })
    }

    /// As Azure gives it back: more of it, other letters, and without secrets.
    fn there() -> Value {
        let mut there = task();
        there["properties"]["platform"]["os"] = json!("Linux");
        there["properties"]["provisioningState"] = json!("Succeeded");
        there["properties"]["credentials"] = json!({ "customRegistries": { "a.io": {} } });
        there["properties"]["step"]["arguments"].as_array_mut().unwrap().reverse();
        let step = there["properties"]["step"].as_object_mut().unwrap();
        step.remove("contextAccessToken");
        step.insert("baseImageDependencies".to_owned(), json!([{}]));
        there
    }

    #[test]
    fn what_azure_adds_is_no_difference() {
        assert_eq!(differences(&task(), &there()), [""; 0]);
    }

    #[test]
    fn each_difference_is_named() {
        let check = |change: fn(&mut Value), places: &[&str]| {
            let mut there = there();
            change(&mut there);
            assert_eq!(differences(&task(), &there), places);
        };
        check(|it| it["properties"]["timeout"] = json!(60), &["properties/timeout"]);
        check(
            |it| it["properties"]["step"]["imageNames"] = json!(["A:1"]),
            &["properties/step/imageNames"],
        );
        check(
            |it| it["properties"]["step"]["arguments"][1]["value"] = json!("2"),
            &["properties/step/arguments/A/value"],
        );
        check(
            |it| it["properties"]["step"]["arguments"][1]["name"] = json!("B"),
            &[
                "properties/step/arguments/A/isSecret",
                "properties/step/arguments/A/name",
                "properties/step/arguments/A/type",
                "properties/step/arguments/A/value",
                "properties/step/arguments/B",
            ],
        );
        check(
            |it| {
                it["properties"]["trigger"]["baseImageTrigger"] =
                    json!({ "name": "b", "status": "Enabled" });
            },
            &["properties/trigger/baseImageTrigger/b"],
        );
        check(
            |it| {
                it["properties"]["trigger"]["baseImageTrigger"] =
                    json!({ "name": "b", "status": "Disabled" });
            },
            &[],
        );
    }

    #[test]
    fn a_patch_turns_off_what_nobody_wants() {
        let mut there = there();
        let old = json!({ "name": "old", "status": "Enabled", "schedule": "0 1 * * *" });
        there["properties"]["trigger"]["timerTriggers"].as_array_mut().unwrap().push(old);
        let body = patch(&task(), &there);
        assert_eq!(body.get("location"), None);
        assert_eq!(body["properties"]["credentials"], json!({}), "those of registries stay");
        let off = json!({ "name": "old", "status": "Disabled", "schedule": "0 1 * * *" });
        assert_eq!(body["properties"]["trigger"]["timerTriggers"][1], off);
        assert!(!is_other_kind(&task(), &there));
        there["properties"]["step"]["type"] = json!("FileTask");
        assert!(is_other_kind(&task(), &there));
        assert!(!differences(&task(), &json!({})).is_empty());
    }
}
