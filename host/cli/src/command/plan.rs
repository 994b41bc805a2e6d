//! `windlass plan`: what would run, and what each step would be granted.

use report::plural;
use serde_json::Value;

use super::{Failure, live, load, print_json, print_line};
use crate::args::{Format, Plan};
use crate::exit::Exit;
use crate::settings::Settings;

/// Characters of a digest that are shown to people: as many as other tools show.
const SHORT_DIGEST: usize = "sha256:".len() + 12;

pub(super) async fn plan(arguments: Plan, settings: &Settings) -> Result<Exit, Failure> {
    let loaded = load::load(&arguments.given.file, settings).await?;
    let plan = loaded.plan(&arguments.given, settings)?;
    if arguments.live {
        return live::live(&arguments, loaded, plan, settings).await;
    }
    match arguments.format {
        Format::Json => print_json(&plan)?,
        Format::Human => {
            // One account of a plan, two ways to read it: the lines are made from the JSON.
            let plan = serde_json::to_value(&plan).map_err(|error| {
                report::Fault::new(report::Kind::Internal, "the plan is no JSON").cause(error)
            })?;
            print_line(&text(&plan));
        }
    }
    Ok(Exit::Ok)
}

fn text(plan: &Value) -> String {
    let steps = list(plan, "steps");
    let name = plan.get("name").and_then(Value::as_str).unwrap_or_default();
    let mut lines = vec![format!("{name}: {}", plural(steps.len(), "step"))];
    for (input, value) in object(plan, "inputs") {
        lines.push(format!("  input {input} = {value}"));
    }
    for trigger in list(plan, "triggers") {
        let word = |key| trigger.get(key).and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("  on {}: {}", word("name"), word("watches")));
    }
    for step in steps {
        lines.push(String::new());
        lines.extend(step_lines(step));
    }
    lines.join("\n")
}

fn step_lines(step: &Value) -> Vec<String> {
    let word = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let plugin = step.get("plugin").unwrap_or(&Value::Null);
    let digest = word(plugin, "digest");
    let digest = digest.get(..SHORT_DIGEST).unwrap_or(&digest);
    let mut lines = vec![format!(
        "{}  {} {} ({digest})",
        word(step, "id"),
        word(plugin, "name"),
        word(plugin, "version")
    )];
    let follows = step.get("follows").and_then(Value::as_str);
    let needs = list(step, "needs").iter().filter_map(Value::as_str);
    let after: Vec<&str> = follows.into_iter().chain(needs).collect();
    if !after.is_empty() {
        lines.push(format!("  after {}", after.join(", ")));
    }
    for key in ["when", "matrix"] {
        match step.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => lines.push(format!("  {key} {text}")),
            Some(value) => lines.push(format!("  {key} {value}")),
        }
    }
    for (input, value) in object(step, "inputs") {
        lines.push(format!("  with {input} = {value}"));
    }
    lines.extend(grant_lines(step.get("grant").unwrap_or(&Value::Null)));
    lines
}

/// `  may oci.pull docker.io/library/node`, a line for each thing; what waits for other steps is
/// shown as it was written.
fn grant_lines(grant: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    collect(grant, "", &mut lines);
    if lines.is_empty() {
        lines.push("  may do nothing outside itself".to_owned());
    }
    lines
}

fn collect(grant: &Value, path: &str, lines: &mut Vec<String>) {
    match grant {
        Value::Object(fields) if fields.contains_key("url") => {
            let url = fields.get("url").and_then(Value::as_str).unwrap_or_default();
            let methods: Vec<&str> = fields
                .get("methods")
                .and_then(Value::as_array)
                .map(|methods| methods.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default();
            let methods = if methods.is_empty() {
                String::new()
            } else {
                format!(" ({})", methods.join(", "))
            };
            let private = match fields.get("private") {
                Some(Value::Bool(true)) => ", private addresses too",
                _ => "",
            };
            lines.push(format!("  may {path} {url}{methods}{private}"));
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, &path, lines);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, lines)),
        Value::Bool(true) => lines.push(format!("  may {path}")),
        Value::String(text) => lines.push(format!("  may {path} {text}")),
        Value::Null | Value::Bool(false) | Value::Number(_) => {}
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn object<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}
