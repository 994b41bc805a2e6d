//! A plugin's schemas, compiled once, and inputs held against them.
//!
//! Types, words and patterns are judged by `jsonschema`; unknown and missing inputs by hand, because
//! there "did you mean" is worth more than a standard message. An input that is null is the same as
//! one that is not given.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Registry, ValidationError, Validator};
use serde_json::{Map, Value};

use crate::catalog::PluginFacts;
use crate::grant::Request;
use crate::template::shorten;

/// How deep defaults are filled in, and references between schemas followed.
const SCHEMA_DEPTH: usize = 16;

/// One plugin, ready to check inputs.
pub(crate) struct Plugin {
    pub(crate) facts: PluginFacts,
    validator: Validator,
    of_outputs: Validator,
    /// Compiled requests, for a builtin plugin.
    pub(crate) requests: Arc<[Request]>,
    has_defaults: bool,
}

/// An input that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// JSON pointer of the value.
    pub(crate) pointer: String,
    pub(crate) reason: String,
    pub(crate) help: Option<String>,
}

/// Compiles the schema of a builtin plugin, which a test holds against the meta-schema.
///
/// The library does that for the root of every schema, and to compile the meta-schema of 2020-12
/// takes a third of the time in which a small pipeline starts. That of draft 4 takes next to none:
/// so the root is of that draft, and does nothing but refer to the schema.
fn compile_own(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    const OWN: &str = "windlass:/schema";
    let registry = Registry::new().add(OWN, schema)?.prepare()?;
    let root = serde_json::json!({
        "$schema": "http://json-schema.org/draft-04/schema#", "allOf": [{ "$ref": OWN }],
    });
    jsonschema::options().with_registry(&registry).build(&root)
}

impl Plugin {
    /// Compiles what `facts` say; the error is a clause about the plugin.
    pub(crate) fn new(facts: PluginFacts) -> Result<Self, String> {
        let compile = if facts.builtin { compile_own } else { jsonschema::validator_for };
        let validator = compile(&facts.inputs_schema)
            .map_err(|error| format!("its inputs schema is not a JSON Schema: {error}"))?;
        let of_outputs = compile(&facts.outputs_schema)
            .map_err(|error| format!("its outputs schema is not a JSON Schema: {error}"))?;
        let requests = if facts.builtin {
            facts.requests.iter().map(|request| Request::compile(&facts.name, request)).collect()
        } else {
            Ok(Vec::new())
        };
        let has_defaults = mentions_default(&facts.inputs_schema, 0);
        Ok(Self { validator, of_outputs, requests: requests?.into(), has_defaults, facts })
    }

    /// The names of the inputs; `None` if any name is allowed.
    pub(crate) fn inputs(&self) -> Vec<&str> {
        names(&self.facts.inputs_schema)
    }

    pub(crate) fn allows_any_input(&self) -> bool {
        is_open(&self.facts.inputs_schema)
    }

    /// The names of the outputs that the plugin declares.
    pub(crate) fn outputs(&self) -> Vec<&str> {
        names(&self.facts.outputs_schema)
    }

    /// Whether there may be outputs that are not declared.
    pub(crate) fn allows_any_output(&self) -> bool {
        is_open(&self.facts.outputs_schema) || self.outputs().is_empty()
    }

    pub(crate) fn input_description(&self, input: &str) -> Option<&str> {
        self.facts.inputs_schema.get("properties")?.get(input)?.get("description")?.as_str()
    }

    /// Required inputs that are not in `inputs`.
    pub(crate) fn missing<'a>(
        &'a self,
        inputs: &'a Map<String, Value>,
    ) -> impl Iterator<Item = &'a str> {
        let required = self.facts.inputs_schema.get("required").and_then(Value::as_array);
        required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|name| !inputs.contains_key(*name))
    }

    /// Takes out nulls and fills in defaults.
    pub(crate) fn complete(&self, inputs: &mut Map<String, Value>) {
        inputs.retain(|_, value| !value.is_null());
        if self.has_defaults {
            fill(&self.facts.inputs_schema, &self.facts.inputs_schema, inputs, 0);
        }
    }

    /// Holds `inputs` against the schema. What stands at one of `unknown` (JSON pointers), or has
    /// one of them in it, is not judged.
    pub(crate) fn misfits(&self, inputs: &Value, unknown: &BTreeSet<String>) -> Vec<Misfit> {
        if unknown.is_empty() && self.validator.is_valid(inputs) {
            return Vec::new();
        }
        self.validator
            .iter_errors(inputs)
            .filter(|error| !is_judged_by_hand(error))
            .filter(|error| !touches(error.instance_path().as_str(), unknown))
            .map(|error| describe(&error))
            .collect()
    }
}

impl Plugin {
    /// What is wrong with `outputs`, by the schema that the plugin itself gave; nothing if they fit.
    pub(crate) fn wrong_outputs(&self, outputs: &Value) -> Vec<String> {
        if self.of_outputs.is_valid(outputs) {
            return Vec::new();
        }
        let errors = self.of_outputs.iter_errors(outputs);
        let told = |error: ValidationError<'_>| match error.instance_path().as_str() {
            "" => error.to_string(),
            pointer => format!("{pointer}: {error}"),
        };
        errors.map(told).collect()
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plugin").field(&self.facts.name).field(&self.facts.digest).finish()
    }
}

fn names(schema: &Value) -> Vec<&str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect()
}

/// Whether names that are not declared are allowed. JSON Schema allows them unless told; a plugin
/// that means it says `additionalProperties`, and for any other a wrong name is a mistake.
fn is_open(schema: &Value) -> bool {
    let additional = schema.get("additionalProperties");
    additional.is_some_and(|value| *value != Value::Bool(false))
        || schema.get("patternProperties").is_some()
}

/// Unknown and missing inputs of the outermost object are reported by the plan.
fn is_judged_by_hand(error: &ValidationError<'_>) -> bool {
    let is_kind = matches!(
        error.kind(),
        ValidationErrorKind::AdditionalProperties { .. } | ValidationErrorKind::Required { .. }
    );
    is_kind && error.instance_path().as_str().is_empty()
}

/// Whether `pointer` is inside something unknown, or has something unknown inside.
fn touches(pointer: &str, unknown: &BTreeSet<String>) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    unknown.iter().any(|place| inside(pointer, place) || inside(place, pointer))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "dozens of kinds, most of which say it well")]
fn describe(error: &ValidationError<'_>) -> Misfit {
    let pointer = error.instance_path().as_str().to_owned();
    let what = place_name(&pointer);
    let found = shorten(&error.instance().to_string());
    let is = |expected: &str| format!("{what} is `{found}`, expected {expected}");
    let mut help = None;
    let reason = match error.kind() {
        ValidationErrorKind::Type { kind } => is(&types(kind)),
        ValidationErrorKind::Enum { options } => {
            let words: Vec<&str> =
                options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let near =
                error.instance().as_str().and_then(|text| report::closest(text, words.clone()));
            help = near.map(|near| format!("did you mean `{near}`?"));
            if words.is_empty() { is(&options.to_string()) } else { is(&report::or_list(&words)) }
        }
        ValidationErrorKind::Constant { expected_value } => is(&format!("`{expected_value}`")),
        ValidationErrorKind::Pattern { pattern } => is(&format!("text that matches `{pattern}`")),
        ValidationErrorKind::Required { property } => {
            format!("{what} has no `{}`", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("{what} cannot have {}", report::or_list(unexpected))
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            return of_alternatives(context, &pointer).unwrap_or_else(|| Misfit {
                pointer,
                reason: is("another form"),
                help: None,
            });
        }
        _ => format!("{what}: {error}"),
    };
    Misfit { pointer, reason, help }
}

/// What is wrong with a value that fits none of several forms: the types they want, or what is
/// wrong inside the form that came nearest.
#[expect(clippy::wildcard_enum_match_arm, reason = "dozens of kinds, most of which say it well")]
fn of_alternatives(context: &[Vec<ValidationError<'_>>], pointer: &str) -> Option<Misfit> {
    let is_inside = |error: &ValidationError<'_>| error.instance_path().as_str() != pointer;
    let nearest = context.iter().find(|branch| branch.iter().all(is_inside));
    if let Some(error) = nearest.and_then(|branch| branch.first()) {
        return Some(describe(error));
    }
    let mut wanted: Vec<String> = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    let mut instance = None;
    for error in context.iter().flatten() {
        instance = Some(error.instance());
        match error.kind() {
            ValidationErrorKind::Type { kind } => wanted.push(types(kind)),
            ValidationErrorKind::Enum { options } => {
                words.extend(options.as_array().into_iter().flatten().filter_map(Value::as_str));
            }
            ValidationErrorKind::Constant { expected_value } => {
                words.extend(expected_value.as_str());
            }
            _ => return Some(describe(error)),
        }
    }
    wanted.extend((!words.is_empty()).then(|| report::or_list(&words)));
    wanted.dedup();
    let found = shorten(&instance?.to_string());
    let what = place_name(pointer);
    let reason = format!("{what} is `{found}`, expected {}", wanted.join(" or "));
    Some(Misfit { pointer: pointer.to_owned(), reason, help: None })
}

fn types(kind: &TypeKind) -> String {
    let word = |name: String| match name.as_str() {
        "string" => "a string".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "a table".to_owned(),
        other => other.to_owned(),
    };
    match kind {
        TypeKind::Single(single) => word(single.to_string()),
        TypeKind::Multiple(several) => {
            several.iter().map(|each| word(each.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

/// `` `tags[1]` `` for `/tags/1`.
fn place_name(pointer: &str) -> String {
    let mut text = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            text = format!("{text}[{part}]");
        } else {
            text = if text.is_empty() { part } else { format!("{text}.{part}") };
        }
    }
    if text.is_empty() { "`with`".to_owned() } else { format!("`{text}`") }
}

fn mentions_default(schema: &Value, depth: usize) -> bool {
    depth <= SCHEMA_DEPTH
        && match schema {
            Value::Object(fields) => {
                fields.contains_key("default")
                    || fields.values().any(|value| mentions_default(value, depth + 1))
            }
            Value::Array(items) => items.iter().any(|item| mentions_default(item, depth + 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}

/// Fills in the defaults of `schema`, an object's, which may refer into `root`.
fn fill(root: &Value, schema: &Value, object: &mut Map<String, Value>, depth: usize) {
    if depth > SCHEMA_DEPTH {
        return;
    }
    let schema = follow(root, schema);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        match object.get_mut(name) {
            Some(Value::Object(inner)) => fill(root, property, inner, depth + 1),
            Some(_) => {}
            None => {
                let default =
                    property.get("default").or_else(|| follow(root, property).get("default"));
                if let Some(default) = default.filter(|value| !value.is_null()) {
                    object.insert(name.clone(), default.clone());
                }
            }
        }
    }
}

/// The schema that `$ref` names, if it is in the same document.
fn follow<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..SCHEMA_DEPTH {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => schema = next,
            None => return schema,
        }
    }
    schema
}

#[cfg(test)]
mod tests;
