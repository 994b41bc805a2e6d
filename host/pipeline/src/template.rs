//! Strings of a pipeline file that are templates, and trees of JSON with such strings in them.
//!
//! A string that is exactly one `{{ expression }}` gives the expression's value with its type; any
//! other template gives text. Everything is compiled when the plan is made, and whatever depends on
//! inputs alone is rendered there and then: what is left waits for outputs of other steps.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use report::{Fault, Kind, Source, Span};
use serde_json::{Map, Value};

use crate::engine::{self, EngineError, Expression};
use crate::limits;
use crate::reference::{self, References};

/// A place in a pipeline file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) source: Source,
    pub(crate) span: Span,
}

/// What a template can see, as the engine wants it.
#[derive(Clone, Debug)]
pub(crate) struct Context(pub(crate) minijinja::Value);

/// One string, compiled.
pub(crate) struct Text {
    pub(crate) text: Arc<str>,
    pub(crate) place: Place,
    program: Program,
}

enum Program {
    /// No template at all.
    Literal,
    /// `{{ expression }}`, which starts at this byte of the text.
    Expression(Expression, usize),
    Template,
}

/// A tree of JSON whose strings may be templates.
#[derive(Clone, Debug)]
pub struct Template(pub(crate) Node);

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Value(Value),
    Text(Arc<Text>),
    List(Vec<Self>),
    Table(Vec<(String, Self)>),
}

/// A condition: an expression that is true or false.
#[derive(Clone, Debug)]
pub struct Condition(pub(crate) Arc<Text>);

impl Text {
    /// `text` as it is.
    pub(crate) fn literal(text: &str, place: Place) -> Self {
        Self { text: text.into(), place, program: Program::Literal }
    }

    /// Compiles `text`, which stands at `place`.
    pub(crate) fn compile(text: &str, place: Place) -> Result<Self, EngineError> {
        bounded(&reference::scan_template(text))?;
        let program = if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
            Program::Literal
        } else if let Some((expression, start)) = single_expression(text) {
            Program::Expression(expression, start)
        } else {
            engine::check_template(text)?;
            Program::Template
        };
        Ok(Self { text: text.into(), place, program })
    }

    /// Compiles `text` as an expression without marks; with marks, it must be a single expression.
    pub(crate) fn compile_condition(text: &str, place: Place) -> Result<Self, EngineError> {
        bounded(&reference::scan_template(text))?;
        bounded(&reference::scan_expression(text))?;
        let (expression, start) = match single_expression(text) {
            Some(marked) => marked,
            None => (engine::compile_expression(text)?, 0),
        };
        let program = Program::Expression(expression, start);
        Ok(Self { text: text.into(), place, program })
    }

    /// What the text speaks of, with ranges in the text.
    pub(crate) fn references(&self) -> References {
        match &self.program {
            Program::Literal => References::default(),
            Program::Expression(_, 0) => reference::scan_expression(&self.text),
            Program::Expression(..) | Program::Template => reference::scan_template(&self.text),
        }
    }

    /// The value, in `context`. The range of an error is one of the text.
    pub(crate) fn evaluate(&self, context: &Context) -> Result<Value, EngineError> {
        match &self.program {
            Program::Literal => Ok(Value::String(self.text.to_string())),
            Program::Expression(expression, start) => {
                engine::evaluate(expression, &context.0).map_err(|error| error.shifted(*start))
            }
            Program::Template => engine::render(&self.text, &context.0).map(Value::String),
        }
    }

    /// Whether the condition holds in `context`.
    pub(crate) fn holds(&self, context: &Context) -> Result<bool, EngineError> {
        match &self.program {
            Program::Expression(expression, start) => {
                engine::is_true(expression, &context.0).map_err(|error| error.shifted(*start))
            }
            Program::Literal | Program::Template => Ok(true),
        }
    }

    /// The place of `range` of the text in the file: the whole string if escapes hide it.
    pub(crate) fn span_of(&self, range: Option<Range<usize>>) -> Span {
        self.place.within(&self.text, range)
    }

    /// An error of rendering while the step runs.
    pub(crate) fn fault(&self, error: &EngineError) -> Fault {
        let span = self.span_of(error.range.clone());
        Fault::new(Kind::Invalid, format!("`{}` cannot be rendered", shorten(&self.text)))
            .code("invalid.template")
            .cause(format!("{}: {}", self.place.source.locate(span), error.reason))
    }
}

impl Place {
    /// The place of `range` of the string `value` that stands here.
    pub(crate) fn within(&self, value: &str, range: Option<Range<usize>>) -> Span {
        let raw = self.source.text().get(self.span.start..self.span.end).unwrap_or_default();
        let start = raw.find(value).filter(|&start| {
            // Quotes, and the newline that a multi-line string may begin with, but no more.
            raw.len() == start * 2 + value.len()
                || raw.starts_with("\"\"\"")
                || raw.starts_with("'''")
        });
        match (start, range) {
            (Some(start), Some(range)) if !value.is_empty() => {
                let at = |offset: usize| self.span.start + start + offset.min(value.len());
                Span::new(at(range.start), at(range.end))
            }
            _ => self.span,
        }
    }
}

impl EngineError {
    fn shifted(mut self, by: usize) -> Self {
        self.range = self.range.map(|range| range.start + by..range.end + by);
        self
    }
}

impl Template {
    /// The tree with every template rendered.
    pub(crate) fn render(&self, context: &Context) -> Result<Value, Fault> {
        self.0.render(context)
    }

    /// The tree with templates that are not rendered yet as the text that was written.
    pub fn preview(&self) -> Value {
        self.0.preview()
    }
}

impl Node {
    /// Folds what is known: a list or table of values is a value.
    pub(crate) fn folded(self) -> Self {
        match self {
            Self::List(items) if items.iter().all(Self::is_known) => {
                Self::Value(Value::Array(items.iter().map(Self::preview).collect()))
            }
            Self::Table(entries) if entries.iter().all(|(_, node)| node.is_known()) => {
                Self::Value(Value::Object(
                    entries.iter().map(|(key, node)| (key.clone(), node.preview())).collect(),
                ))
            }
            other @ (Self::Value(_) | Self::Text(_) | Self::List(_) | Self::Table(_)) => other,
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        matches!(self, Self::Value(_))
    }

    pub(crate) fn render(&self, context: &Context) -> Result<Value, Fault> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Text(text) => text.evaluate(context).map_err(|error| text.fault(&error)),
            Self::List(items) => items
                .iter()
                .map(|item| item.render(context))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Self::Table(entries) => entries
                .iter()
                .map(|(key, node)| Ok((key.clone(), node.render(context)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }

    pub(crate) fn preview(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Text(text) => Value::String(text.text.to_string()),
            Self::List(items) => Value::Array(items.iter().map(Self::preview).collect()),
            Self::Table(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.clone(), node.preview())).collect(),
            ),
        }
    }

    /// Calls `visit` for each template that is left, with the JSON pointer of its place.
    pub(crate) fn each_text(&self, pointer: &str, visit: &mut impl FnMut(&str, &Arc<Text>)) {
        match self {
            Self::Value(_) => {}
            Self::Text(text) => visit(pointer, text),
            Self::List(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, node)| node.each_text(&format!("{pointer}/{index}"), visit)),
            Self::Table(entries) => entries
                .iter()
                .for_each(|(key, node)| node.each_text(&pointer_to(pointer, key), visit)),
        }
    }
}

impl Condition {
    /// The condition as written.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Text").field(&self.text).finish()
    }
}

/// `pointer` and one key more, as JSON Pointer (RFC 6901) escapes it.
pub(crate) fn pointer_to(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// At most 60 characters of `text`, for a message.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let shown: String = line.chars().take(SHOWN - 1).collect();
    format!("{shown}…")
}

/// Refuses what would take the engine too deep.
fn bounded(found: &References) -> Result<(), EngineError> {
    if found.links <= limits::TEMPLATE_LINKS {
        return Ok(());
    }
    let (links, limit) = (found.links, limits::TEMPLATE_LINKS);
    let reason = format!("it has {links} operators and lookups, more than {limit}");
    Err(EngineError { reason, range: None })
}

/// The expression of a text that is exactly `{{ expression }}`, and where it starts.
fn single_expression(text: &str) -> Option<(Expression, usize)> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let stripped = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let start = text.len() - "}}".len() - stripped.len();
    let inner = stripped.strip_suffix(['-', '+']).unwrap_or(stripped);
    // `{{ a }}-{{ b }}` has no expression between its first and its last mark.
    let expression = engine::compile_expression(inner).ok()?;
    Some((expression, start))
}

#[cfg(test)]
mod tests;
