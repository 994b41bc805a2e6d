//! The one template engine: strict, without includes, without IO, and bounded.
//!
//! Undefined names are errors, null has no text, lists and tables print as JSON. Fuel bounds time
//! and memory of a rendering, whatever the text; a template can reach nothing but its context.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value,
};
use serde_json::{Map, Number, Value as Json};

use crate::limits;

/// The same for every template of every pipeline: it holds functions and limits, no data.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_formatter(write_text);
    // A text ends as it was written.
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    engine.set_syntax(syntax.expect("the usual marks are distinct"));
    engine.set_fuel(Some(limits::TEMPLATE_FUEL));
    engine.set_recursion_limit(limits::TEMPLATE_DEPTH);
    // Would print the whole context.
    engine.remove_global("debug");
    engine
});

/// A compiled expression.
pub(crate) type Expression = minijinja::Expression<'static, 'static>;

/// Why a template did not compile or did not render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EngineError {
    /// One clause.
    pub(crate) reason: String,
    /// Where in the text that was given to the engine.
    pub(crate) range: Option<Range<usize>>,
}

/// Compiles `text` as an expression.
pub(crate) fn compile_expression(text: &str) -> Result<Expression, EngineError> {
    ENGINE.compile_expression_owned(text.to_owned()).map_err(|error| explain(&error))
}

/// Checks that `text` is a template.
pub(crate) fn check_template(text: &str) -> Result<(), EngineError> {
    let engine: &Environment<'_> = &ENGINE;
    engine.template_from_str(text).map(drop).map_err(|error| explain(&error))
}

/// The variables that the template `text` uses and does not declare itself.
pub(crate) fn undeclared(text: &str) -> BTreeSet<String> {
    let engine: &Environment<'_> = &ENGINE;
    engine
        .template_from_str(text)
        .map(|template| template.undeclared_variables(false).into_iter().collect())
        .unwrap_or_default()
}

/// Evaluates `expression`; the value keeps its type.
pub(crate) fn evaluate(expression: &Expression, context: &Value) -> Result<Json, EngineError> {
    let value = expression.eval(context.clone()).map_err(|error| explain(&error))?;
    let mut room = limits::RENDERED_BYTES;
    to_json(&value, &mut room).map_err(|reason| EngineError { reason, range: None })
}

/// Whether `expression` holds.
pub(crate) fn is_true(expression: &Expression, context: &Value) -> Result<bool, EngineError> {
    let value = expression.eval(context.clone()).map_err(|error| explain(&error))?;
    if value.is_undefined() {
        let reason = "the value is undefined".to_owned();
        return Err(EngineError { reason, range: None });
    }
    Ok(value.is_true())
}

/// Renders the template `text`.
pub(crate) fn render(text: &str, context: &Value) -> Result<String, EngineError> {
    let engine: &Environment<'_> = &ENGINE;
    let rendered = engine.render_str(text, context.clone()).map_err(|error| explain(&error))?;
    if rendered.len() > limits::RENDERED_BYTES {
        return Err(EngineError { reason: too_large(), range: None });
    }
    Ok(rendered)
}

/// Whether templates have a filter called `name`.
pub(crate) fn has_filter(name: &str) -> bool {
    !gives(&format!("1|{name}"), ErrorKind::UnknownFilter)
}

/// Whether templates have a test called `name`.
pub(crate) fn has_test(name: &str) -> bool {
    !gives(&format!("1 is {name}"), ErrorKind::UnknownTest)
}

/// Names that every template knows without being told: functions.
pub(crate) fn functions() -> Vec<String> {
    ENGINE.globals().map(|(name, _)| name.to_owned()).collect()
}

/// A JSON value as templates see it.
pub(crate) fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => null(),
        Json::Bool(value) => Value::from(*value),
        Json::Number(value) => {
            let integer =
                value.as_i64().map(Value::from).or_else(|| value.as_u64().map(Value::from));
            integer.unwrap_or_else(|| Value::from(value.as_f64().unwrap_or_default()))
        }
        Json::String(value) => Value::from(value.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect::<Vec<_>>().into(),
        Json::Object(fields) => {
            Value::from_pairs(fields.iter().map(|(name, value)| (name.as_str(), from_json(value))))
        }
    }
}

/// Null as templates see it.
pub(crate) fn null() -> Value {
    Value::from(())
}

/// A table whose names may be written with underscores for dashes.
pub(crate) fn names(entries: BTreeMap<String, Value>) -> Value {
    Value::from_object(Names(entries))
}

/// The fields of a JSON object as [`names`].
pub(crate) fn names_of(object: &Map<String, Json>) -> BTreeMap<String, Value> {
    object.iter().map(|(name, value)| (name.clone(), from_json(value))).collect()
}

#[derive(Debug)]
struct Names(BTreeMap<String, Value>);

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.get(key).or_else(|| self.0.get(&key.replace('_', "-"))).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Iter(Box::new(
            self.0.keys().map(|name| Value::from(name.as_str())).collect::<Vec<_>>().into_iter(),
        ))
    }
}

fn gives(expression: &str, kind: ErrorKind) -> bool {
    ENGINE
        .compile_expression_owned(expression.to_owned())
        .and_then(|compiled| compiled.eval(()))
        .is_err_and(|error| error.kind() == kind)
}

fn too_large() -> String {
    format!("the text is longer than {}", crate::unit::format_size(limits::RENDERED_BYTES as u64))
}

/// How `{{ … }}` inside other text is written.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine may add kinds, which print themselves"
)]
fn write_text(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let written = match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => {
            let reason = "null has no text; give one with `| default(\"…\", true)`";
            return Err(Error::new(ErrorKind::InvalidOperation, reason));
        }
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            let mut room = limits::RENDERED_BYTES;
            let json = to_json(value, &mut room)
                .map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))?;
            write!(out, "{json}")
        }
        _ => write!(out, "{value}"),
    };
    written.map_err(|_| Error::from(ErrorKind::WriteFailure))
}

/// `value` as JSON; `room` is how many bytes it may still have.
#[expect(clippy::wildcard_enum_match_arm, reason = "the engine may add kinds, which JSON lacks")]
fn to_json(value: &Value, room: &mut usize) -> Result<Json, String> {
    *room = room.checked_sub(1).ok_or_else(too_large)?;
    Ok(match value.kind() {
        ValueKind::Undefined => return Err("the value is undefined".to_owned()),
        ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => number(value)?,
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            *room = room.checked_sub(text.len()).ok_or_else(too_large)?;
            Json::String(text.to_owned())
        }
        ValueKind::Seq | ValueKind::Iterable => Json::Array(
            value
                .try_iter()
                .map_err(|error| explain(&error).reason)?
                .map(|item| to_json(&item, room))
                .collect::<Result<_, _>>()?,
        ),
        ValueKind::Map => {
            let mut object = Map::new();
            for key in value.try_iter().map_err(|error| explain(&error).reason)? {
                let item = value.get_item(&key).map_err(|error| explain(&error).reason)?;
                let name = key.to_string();
                *room = room.checked_sub(name.len()).ok_or_else(too_large)?;
                object.insert(name, to_json(&item, room)?);
            }
            Json::Object(object)
        }
        other => return Err(format!("the value is of a kind that JSON has no word for: {other}")),
    })
}

fn number(value: &Value) -> Result<Json, String> {
    if value.is_integer() {
        let integer = i64::try_from(value.clone()).map(Number::from);
        let integer = integer.or_else(|_| u64::try_from(value.clone()).map(Number::from));
        return integer
            .map(Json::Number)
            .map_err(|_| "the number has more than 64 bits".to_owned());
    }
    let float = f64::try_from(value.clone()).ok().and_then(Number::from_f64);
    float.map(Json::Number).ok_or_else(|| "the number is not finite".to_owned())
}

/// The engine's error in our words.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine may add kinds, which name themselves"
)]
fn explain(error: &Error) -> EngineError {
    let range = error.range();
    let detail = error.detail().map(str::to_owned);
    let reason = match error.kind() {
        ErrorKind::OutOfFuel => "it does too much work, or makes too much text".to_owned(),
        ErrorKind::UndefinedError => detail.unwrap_or_else(|| "the value is undefined".to_owned()),
        ErrorKind::SyntaxError => detail.unwrap_or_else(|| "it is cut short".to_owned()),
        kind => detail.unwrap_or_else(|| kind.to_string()),
    };
    EngineError { reason, range }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests;
