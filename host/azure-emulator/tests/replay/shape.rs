//! Shapes of documents: names and types of members.

use serde_json::Value;

/// What is different between what was recorded and what came, as `pointer: what`.
pub(crate) fn differences(recorded: &Value, came: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    compare("", recorded, came, &mut found);
    found
}

fn compare(at: &str, recorded: &Value, came: &Value, found: &mut Vec<(String, String)>) {
    match (recorded, came) {
        (Value::Object(recorded), Value::Object(came)) => {
            for (name, value) in recorded {
                match came.get(name) {
                    Some(ours) => compare(&format!("{at}/{name}"), value, ours, found),
                    None => found.push((format!("{at}/{name}"), "is missing".to_owned())),
                }
            }
            for name in came.keys().filter(|name| !recorded.contains_key(*name)) {
                found.push((format!("{at}/{name}"), "was not recorded".to_owned()));
            }
        }
        (Value::Array(recorded), Value::Array(came)) => {
            if recorded.is_empty() != came.is_empty() {
                let what = format!("has {} entries, {} recorded", came.len(), recorded.len());
                found.push((format!("{at}/*"), what));
                return;
            }
            // Each entry has to look like some entry that was recorded.
            for entry in came {
                let best = recorded.iter().map(|like| {
                    let mut wrong = Vec::new();
                    compare(&format!("{at}/*"), like, entry, &mut wrong);
                    wrong
                });
                found.extend(best.min_by_key(Vec::len).unwrap_or_default());
            }
        }
        (recorded, came) if kind(recorded) != kind(came) => {
            found.push((at.to_owned(), format!("is {}, {} recorded", kind(came), kind(recorded))));
        }
        (Value::String(recorded), Value::String(came)) if is_code(at) && recorded != came => {
            found.push((at.to_owned(), format!("is `{came}`, `{recorded}` recorded")));
        }
        _ => {}
    }
}

/// Members whose values clients branch on.
fn is_code(at: &str) -> bool {
    let name = at.rsplit('/').next().unwrap_or_default();
    ["code", "status", "type", "provisioningState", "state"].contains(&name)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
