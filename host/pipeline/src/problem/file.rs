//! Problems of the file as text and of its shape.

use report::{Diagnostic, Source, Span};

use crate::at::At;
use crate::name::NameError;
use crate::problem::{choose, suggest};
use crate::unit::{UnitError, format_size};
use crate::{limits, schema};

pub(crate) fn file_too_large(source: &Source) -> Diagnostic {
    let found = source.text().len();
    let limit = format_size(limits::FILE_BYTES as u64);
    Diagnostic::error(format!("the file has {found} bytes, more than {limit}"))
        .at(source, Span::default(), "")
        .help("split the pipeline, or move data into files that steps read")
}

pub(crate) fn syntax(source: &Source, span: Span, reason: &str) -> Diagnostic {
    let reason = reason.lines().collect::<Vec<_>>().join(", ");
    Diagnostic::error(format!("this is not TOML: {reason}")).at(source, span, "")
}

pub(crate) fn missing_schema(source: &Source) -> Diagnostic {
    Diagnostic::error("the file does not say its `schema`")
        .at(source, Span::default(), "")
        .help("begin the file with `schema = 1`")
}

pub(crate) fn newer_schema(source: &Source, span: Span, found: i64) -> Diagnostic {
    let ours = env!("CARGO_PKG_VERSION");
    let reads = schema::SCHEMA;
    Diagnostic::error(format!("`schema = {found}` needs a newer windlass than {ours}"))
        .at(source, span, format!("this version reads `schema = {reads}`"))
        .help("update windlass, or write the file for the schema that it reads")
}

pub(crate) fn missing_pipeline(source: &Source) -> Diagnostic {
    Diagnostic::error("the file has no `[pipeline]`")
        .at(source, Span::default(), "")
        .help("add `[pipeline]` with `name = \"…\"` after `schema = 1`")
}

pub(crate) fn unknown_key(
    source: &Source,
    span: Span,
    key: &str,
    table: &str,
    known: &[&str],
) -> Diagnostic {
    Diagnostic::error(format!("unknown key `{key}` in {table}"))
        .at(source, span, "not a key of this table")
        .maybe_help(suggest(key, known.iter().copied()))
}

pub(crate) fn missing_key(
    source: &Source,
    span: Span,
    key: &str,
    table: &str,
    example: &str,
) -> Diagnostic {
    Diagnostic::error(format!("missing key `{key}` in {table}"))
        .at(source, span, "")
        .help(format!("add `{example}`"))
}

pub(crate) fn wrong_type(
    source: &Source,
    span: Span,
    what: &str,
    found: &str,
    expected: &str,
) -> Diagnostic {
    Diagnostic::error(format!("{what} is {found}, expected {expected}")).at(source, span, "")
}

pub(crate) fn wrong_duration(
    source: &Source,
    text: &At<String>,
    key: &str,
    error: &UnitError,
) -> Diagnostic {
    let help = error.suggestion.as_ref().map_or_else(
        || format!("write it like `{key} = \"90s\"` or `\"1h30m\"`"),
        |suggestion| format!("write `{key} = \"{suggestion}\"`"),
    );
    Diagnostic::error(format!("`{key}` is not a duration: {error}"))
        .at(source, text.span, "")
        .help(help)
}

pub(crate) fn unknown_word(
    source: &Source,
    text: &At<String>,
    what: &str,
    known: &[&str],
) -> Diagnostic {
    let found = crate::template::shorten(&text.value);
    Diagnostic::error(format!("{what} cannot be `{found}`"))
        .at(source, text.span, "")
        .maybe_help(choose(&text.value, known))
}

pub(crate) fn string_too_long(source: &Source, span: Span, what: &str, found: usize) -> Diagnostic {
    let limit = format_size(limits::STRING_BYTES as u64);
    Diagnostic::error(format!("{what} has {found} bytes, more than {limit}"))
        .at(source, Span::new(span.start, span.start + 1), "")
        .help("move the text into a file that the step reads")
}

pub(crate) fn too_deep(source: &Source, span: Span, what: &str) -> Diagnostic {
    let limit = limits::DEPTH;
    Diagnostic::error(format!("{what} nests deeper than {limit} levels"))
        .at(source, span, "")
        .help("move the data into a file that the step reads")
}

pub(crate) fn too_many(
    source: &Source,
    span: Span,
    what: &str,
    found: usize,
    limit: usize,
) -> Diagnostic {
    Diagnostic::error(format!("`{what}` has {found} entries, more than {limit}"))
        .at(source, Span::new(span.start, span.start), "")
        .help("split the pipeline into several files")
}

pub(crate) fn bad_name(
    source: &Source,
    name: &At<String>,
    what: &str,
    error: &NameError,
) -> Diagnostic {
    let found = crate::template::shorten(&name.value);
    let help = error.suggestion.as_ref().map(|suggestion| format!("call it `{suggestion}`"));
    Diagnostic::error(format!("`{found}` cannot be {what}"))
        .at(source, name.span, error.reason)
        .maybe_help(help)
}
