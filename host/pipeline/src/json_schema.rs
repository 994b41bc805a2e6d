//! The JSON Schema of the pipeline file, for editors.
//!
//! Generated from the types of [`crate::schema`]; what those types read by hand, because a text may
//! stand for a table, is described here.

use report::Kind;
use schemars::{
    JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema as schema,
};
use serde_json::{Map, Value, json};

use crate::schema::{AssignedSpec, HttpEntry, Pipeline, SCHEMA, SecretRef, SecretsSpec};

/// What [`crate::unit::parse_duration`] reads.
const DURATION: &str = "^\\s*([0-9]+\\s*d)?\\s*([0-9]+\\s*h)?\\s*([0-9]+\\s*m)?\\s*([0-9]+\\s*s)?\\s*([0-9]+\\s*ms)?\\s*$";

/// The JSON Schema (2020-12) of the pipeline file.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12();
    settings.into_generator().into_root_schema_for::<Pipeline>().to_value()
}

/// `schema` with the inputs of plugins: where a step `uses` one of them, `with` must conform to its
/// inputs schema. Strings that are templates are allowed everywhere.
///
/// `plugins` are pairs of what `uses` says and the inputs schema.
pub fn merge_plugins(mut schema: Value, plugins: &[(&str, &Value)]) -> Value {
    let rules: Vec<Value> = plugins
        .iter()
        .enumerate()
        .map(|(index, (uses, inputs))| {
            let mut with = with_templates(inputs);
            let is_required =
                with.get("required").and_then(Value::as_array).is_some_and(|r| !r.is_empty());
            if let Some(fields) = with.as_object_mut() {
                // A document of its own: its references point into itself, not into ours.
                fields.insert("$id".to_owned(), json!(format!("urn:windlass:inputs:{index}")));
            }
            let then = if is_required {
                json!({ "properties": { "with": with }, "required": ["with"] })
            } else {
                json!({ "properties": { "with": with } })
            };
            json!({
                "if": { "properties": { "uses": { "const": uses } }, "required": ["uses"] },
                "then": then,
            })
        })
        .collect();
    let known: Vec<Value> = plugins.iter().map(|(uses, _)| json!(uses)).collect();
    if let Some(step) = schema.pointer_mut("/$defs/StepEntry").and_then(Value::as_object_mut) {
        step.insert("allOf".to_owned(), Value::Array(rules));
        if let Some(uses) = step.get_mut("properties").and_then(|fields| fields.get_mut("uses")) {
            let text = uses.take();
            *uses = json!({ "anyOf": [{ "enum": known }, text] });
        }
    }
    schema
}

/// An inputs schema whose every value may also be a template.
fn with_templates(schema: &Value) -> Value {
    /// Keywords whose value is a table of schemas.
    const TABLES: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
    /// Keywords whose value is a schema or a list of schemas.
    const NESTED: [&str; 5] = ["items", "prefixItems", "anyOf", "oneOf", "allOf"];
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut changed = Map::new();
    for (keyword, value) in fields {
        let value = match value {
            Value::Object(table) if TABLES.contains(&keyword.as_str()) => {
                table.iter().map(|(name, inner)| (name.clone(), or_template(inner))).collect()
            }
            Value::Object(_) if keyword == "items" || keyword == "additionalProperties" => {
                or_template(value)
            }
            Value::Array(items) if NESTED.contains(&keyword.as_str()) => {
                items.iter().map(with_templates).collect()
            }
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_)) => other.clone(),
        };
        changed.insert(keyword.clone(), value);
    }
    Value::Object(changed)
}

fn or_template(schema: &Value) -> Value {
    let changed = with_templates(schema);
    let is_text = schema.get("type").is_some_and(|kind| kind == "string")
        && ["enum", "pattern", "const", "format"].iter().all(|key| schema.get(key).is_none());
    if is_text {
        return changed;
    }
    let template = json!({ "type": "string", "pattern": "\\{[{%]" });
    let description = schema.get("description").cloned();
    let mut merged = json!({ "anyOf": [changed, template] });
    if let (Some(description), Some(fields)) = (description, merged.as_object_mut()) {
        fields.insert("description".to_owned(), description);
    }
    merged
}

pub(crate) fn version(_: &mut SchemaGenerator) -> Schema {
    schema!({ "const": SCHEMA })
}

pub(crate) fn optional_duration(_: &mut SchemaGenerator) -> Schema {
    schema!({ "type": "string", "pattern": DURATION, "minLength": 2 })
}

pub(crate) fn optional_text_or_secret(generator: &mut SchemaGenerator) -> Schema {
    text_or::<SecretRef>(generator)
}

pub(crate) fn optional_managed(generator: &mut SchemaGenerator) -> Schema {
    let assigned = generator.subschema_for::<AssignedSpec>();
    schema!({ "anyOf": [{ "const": true }, { "const": "system" }, assigned] })
}

pub(crate) fn any(_: &mut SchemaGenerator) -> Schema {
    schema!(true)
}

pub(crate) fn any_list(_: &mut SchemaGenerator) -> Schema {
    schema!({ "type": "array" })
}

pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    schema!({ "type": "object" })
}

pub(crate) fn optional_matrix(_: &mut SchemaGenerator) -> Schema {
    let combinations = json!({ "type": "array", "items": { "type": "object" } });
    schema!({
        "anyOf": [
            { "type": "string" },
            {
                "type": "object",
                "properties": { "include": combinations, "exclude": combinations },
                "additionalProperties": { "anyOf": [{ "type": "array" }, { "type": "string" }] },
            },
        ],
    })
}

pub(crate) fn kinds(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = Kind::ALL.into_iter().map(Kind::as_str).collect();
    schema!({ "type": "array", "items": { "enum": words } })
}

pub(crate) fn http_rules(generator: &mut SchemaGenerator) -> Schema {
    let rule = text_or::<HttpEntry>(generator);
    schema!({ "type": "array", "items": rule })
}

pub(crate) fn secrets_rule(generator: &mut SchemaGenerator) -> Schema {
    let rule = generator.subschema_for::<SecretsSpec>();
    schema!({ "anyOf": [{ "type": "array", "items": { "type": "string" } }, rule] })
}

fn text_or<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let other = generator.subschema_for::<T>();
    schema!({ "anyOf": [{ "type": "string" }, other] })
}

#[cfg(test)]
mod tests;
