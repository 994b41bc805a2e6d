//! `windlass plugin inspect`: what a plugin takes, gives and asks for.

use std::path::Path;

use report::{Fault, Mask};
use serde_json::Value;
use wasm::{Engine, Plugin};

use super::{Failure, print_json, print_line};
use crate::args::{Format, Plugin as Command};
use crate::exit::Exit;
use crate::plugins::{self, Use};
use crate::settings::Settings;
use crate::wiring;

pub(super) async fn plugin(command: Command, settings: &Settings) -> Result<Exit, Failure> {
    let Command::Inspect { uses, sha256, format } = command;
    let engine = Engine::new(wiring::compile_cache(settings))?;
    let backends = wiring::backends(None, Path::new("."), settings, Mask::new())?;
    let wanted = match &uses {
        Some(uses) => vec![uses.clone()],
        None => wasm::builtins().map(str::to_owned).collect(),
    };
    let mut found = Vec::new();
    for name in wanted {
        let place = Use { uses: name.clone(), sha256: sha256.clone() };
        let loaded = plugins::load(&engine, &place, Path::new("."), &backends).await;
        let loaded = loaded.map_err(|fault| known(fault, &name))?;
        found.push(loaded.plugin);
    }
    match (format, uses) {
        (Format::Json, Some(_)) => {
            for plugin in &found {
                print_json(&json(plugin))?;
            }
        }
        (Format::Json, None) => {
            let all: Vec<Value> = found.iter().map(|plugin| json(plugin)).collect();
            print_json(&all)?;
        }
        (Format::Human, Some(_)) => found.iter().for_each(|plugin| print_line(&text(plugin))),
        (Format::Human, None) => {
            let width =
                found.iter().map(|plugin| plugin.description().name.len()).max().unwrap_or(0);
            for plugin in &found {
                let said = plugin.description();
                print_line(&format!("{:width$}  {}  {}", said.name, said.version, said.summary));
            }
        }
    }
    Ok(Exit::Ok)
}

/// Adds the names that there are.
fn known(fault: Fault, name: &str) -> Fault {
    if fault.help.is_some() || name.contains([':', '/']) {
        return fault;
    }
    match report::closest(name, wasm::builtins()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("builtin plugins are {}", report::and_list(wasm::builtins()))),
    }
}

fn json(plugin: &Plugin) -> Value {
    let said = plugin.description();
    let requests: Vec<Value> = said
        .requests
        .iter()
        .map(|request| {
            serde_json::json!({
                "capability": request.capability, "value": request.value, "reason": request.reason,
            })
        })
        .collect();
    serde_json::json!({
        "name": said.name,
        "version": said.version,
        "summary": said.summary,
        "digest": plugin.digest(),
        "inputs-schema": said.inputs_schema,
        "outputs-schema": said.outputs_schema,
        "requests": requests,
        "imports": said.imports,
    })
}

fn text(plugin: &Plugin) -> String {
    let said = plugin.description();
    let mut lines = vec![
        format!("{} {}: {}", said.name, said.version, said.summary),
        plugin.digest().to_owned(),
        String::new(),
        "inputs".to_owned(),
    ];
    lines.extend(properties(&said.inputs_schema));
    lines.extend([String::new(), "outputs".to_owned()]);
    lines.extend(properties(&said.outputs_schema));
    lines.extend([String::new(), "asks for".to_owned()]);
    if said.requests.is_empty() {
        lines.push("  nothing".to_owned());
    }
    lines.extend(said.requests.iter().map(|request| {
        format!("  {} = {:?}: {}", request.capability, request.value, request.reason)
    }));
    lines.join("\n")
}

/// One line for each property of an object's schema.
fn properties(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let Some(properties) = properties.filter(|properties| !properties.is_empty()) else {
        return vec!["  none".to_owned()];
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let width = properties.keys().map(String::len).max().unwrap_or(0);
    let line = |(name, property): (&String, &Value)| {
        let kind = type_of(property);
        let must = if required.contains(&name.as_str()) { ", required" } else { "" };
        let default = match property.get("default") {
            Some(Value::Null) | None => String::new(),
            Some(value) => format!(", default {value}"),
        };
        let about = property.get("description").and_then(Value::as_str).unwrap_or_default();
        let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("  {name:width$}  {kind}{must}{default}: {about}")
    };
    properties.iter().map(line).collect()
}

/// `string`, `list of string`, …
fn type_of(property: &Value) -> String {
    let names: Vec<&str> = match property.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => Vec::new(),
    };
    match names.as_slice() {
        ["array"] => {
            let items = property.get("items").map_or_else(|| "anything".to_owned(), type_of);
            format!("list of {items}")
        }
        [] => "anything".to_owned(),
        names => names.join(" or "),
    }
}
