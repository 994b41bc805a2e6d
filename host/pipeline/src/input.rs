//! The values of `[inputs]`: from the command line, from the file, checked.

use std::collections::BTreeSet;

use report::{Diagnostic, Source, Span};
use serde_json::{Map, Value};

use crate::at::{At, Entries};
use crate::name::means;
use crate::plan::{Given, InputText};
use crate::problem;
use crate::schema::{InputSpec, InputType, Tree};

/// The inputs of a run.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// By name, in the order of the file. An input that failed is null here.
    pub(crate) values: Map<String, Value>,
    /// Inputs whose problem is reported: what is made of them is not judged.
    pub(crate) failed: BTreeSet<String>,
}

/// Gives each input its value and reports what does not fit.
pub(crate) fn resolve(
    source: &Source,
    specs: &Entries<InputSpec>,
    given: &Given,
    problems: &mut Vec<Diagnostic>,
) -> Inputs {
    let known: Vec<&str> = specs.names().collect();
    for (name, text) in &given.inputs {
        if !known.iter().any(|known| means(name, known)) {
            problems.push(problem::unknown_given_input(name, text, &known));
        }
    }
    let mut inputs = Inputs::default();
    for (name, spec) in specs.iter() {
        let given = given.inputs.iter().find(|(written, _)| means(written, &name.value));
        let before = problems.len();
        let input = Input { source, name, spec, pattern: check_spec(source, name, spec, problems) };
        let value = input.value(given.map(|(_, text)| text), problems);
        if problems.len() > before {
            inputs.failed.insert(name.value.clone());
        }
        inputs.values.insert(name.value.clone(), value.unwrap_or_default());
    }
    inputs
}

struct Input<'a> {
    source: &'a Source,
    name: &'a At<String>,
    spec: &'a InputSpec,
    pattern: Option<jsonschema::Validator>,
}

/// Checks what the file says of an input by itself; gives its pattern, compiled.
fn check_spec(
    source: &Source,
    name: &At<String>,
    spec: &InputSpec,
    problems: &mut Vec<Diagnostic>,
) -> Option<jsonschema::Validator> {
    let type_ = type_name(spec.type_);
    for choice in spec.choices.iter().flat_map(|choices| &choices.value) {
        if !has_type(&choice.value, spec.type_) {
            problems.push(problem::wrong_default(
                source,
                choice.span,
                &name.value,
                "choices",
                type_,
            ));
        }
    }
    let pattern = spec.pattern.as_ref()?;
    if spec.type_ != InputType::String {
        problems.push(problem::pattern_of_other(source, pattern.span, &name.value, type_));
        return None;
    }
    let schema = serde_json::json!({ "type": "string", "pattern": pattern.value });
    let validator = jsonschema::validator_for(&schema).ok();
    if validator.is_none() {
        problems.push(problem::bad_pattern(source, pattern.span, &pattern.value));
    }
    validator
}

impl Input<'_> {
    fn value(&self, given: Option<&InputText>, problems: &mut Vec<Diagnostic>) -> Option<Value> {
        if let Some(given) = given {
            let value = self.convert(given, problems)?;
            self.check(&value, self.name.span, &format!("`{}`", given.origin), problems);
            return Some(value);
        }
        if let Some(default) = &self.spec.default {
            if !has_type(&default.value, self.spec.type_) {
                let type_ = type_name(self.spec.type_);
                let name = &self.name.value;
                problems.push(problem::wrong_default(
                    self.source,
                    default.span,
                    name,
                    "default",
                    type_,
                ));
                return None;
            }
            let value = default.value.to_json();
            self.check(&value, default.span, "its `default`", problems);
            return Some(value);
        }
        if self.spec.required.as_ref().is_none_or(|required| required.value) {
            let word = type_word(self.spec.type_);
            problems.push(problem::missing_input(
                self.source,
                self.name.span,
                &self.name.value,
                word,
            ));
        }
        None
    }

    fn convert(&self, given: &InputText, problems: &mut Vec<Diagnostic>) -> Option<Value> {
        let value = from_text(&given.text, self.spec.type_);
        if value.is_none() {
            problems.push(problem::wrong_input_text(
                self.source,
                self.name.span,
                &self.name.value,
                given,
                type_name(self.spec.type_),
                example(self.spec.type_),
            ));
        }
        value
    }

    fn check(&self, value: &Value, span: Span, origin: &str, problems: &mut Vec<Diagnostic>) {
        let name = &self.name.value;
        let found = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(choices) = &self.spec.choices {
            let choices: Vec<Value> =
                choices.value.iter().map(|item| item.value.to_json()).collect();
            if !choices.contains(value) {
                let text = |choice: &Value| {
                    choice.as_str().map_or_else(|| choice.to_string(), str::to_owned)
                };
                let known: Vec<String> = choices.iter().map(text).collect();
                problems.push(problem::not_a_choice(
                    self.source,
                    span,
                    name,
                    &found,
                    &known,
                    origin,
                ));
            }
        }
        if let (Some(pattern), Some(validator)) = (&self.spec.pattern, &self.pattern)
            && !validator.is_valid(value)
        {
            let pattern = &pattern.value;
            problems.push(problem::pattern_mismatch(
                self.source,
                span,
                name,
                &found,
                pattern,
                origin,
            ));
        }
    }
}

/// Text from a command line as a value.
fn from_text(text: &str, type_: InputType) -> Option<Value> {
    let json = || serde_json::from_str::<Value>(text).ok();
    match type_ {
        InputType::String => Some(Value::String(text.to_owned())),
        InputType::Integer => text.trim().parse::<i64>().ok().map(Value::from),
        InputType::Number => {
            let integer = text.trim().parse::<i64>().ok().map(Value::from);
            let float = || text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
            integer.or_else(|| float().map(Value::from))
        }
        InputType::Boolean => match text.trim() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        InputType::List if text.trim_start().starts_with('[') => json().filter(Value::is_array),
        InputType::List if text.trim().is_empty() => Some(Value::Array(Vec::new())),
        InputType::List => Some(text.split(',').map(|item| Value::from(item.trim())).collect()),
        InputType::Object => json().filter(Value::is_object),
    }
}

fn has_type(tree: &Tree, type_: InputType) -> bool {
    match type_ {
        InputType::String => matches!(tree, Tree::Text(_)),
        InputType::Integer => matches!(tree, Tree::Integer(_)),
        InputType::Number => matches!(tree, Tree::Integer(_) | Tree::Float(_)),
        InputType::Boolean => matches!(tree, Tree::Boolean(_)),
        InputType::List => matches!(tree, Tree::List(_)),
        InputType::Object => matches!(tree, Tree::Table(_)),
    }
}

/// The type in a sentence: "expected …".
fn type_name(type_: InputType) -> &'static str {
    match type_ {
        InputType::String => "a string",
        InputType::Integer => "a whole number",
        InputType::Number => "a number",
        InputType::Boolean => "`true` or `false`",
        InputType::List => "a list",
        InputType::Object => "a table",
    }
}

fn type_word(type_: InputType) -> &'static str {
    match type_ {
        InputType::String => "string",
        InputType::Integer => "integer",
        InputType::Number => "number",
        InputType::Boolean => "boolean",
        InputType::List => "list",
        InputType::Object => "object",
    }
}

fn example(type_: InputType) -> &'static str {
    match type_ {
        InputType::String => "text",
        InputType::Integer => "3",
        InputType::Number => "0.5",
        InputType::Boolean => "true",
        InputType::List => "a,b",
        InputType::Object => "'{\"a\": 1}'",
    }
}

#[cfg(test)]
mod tests;
