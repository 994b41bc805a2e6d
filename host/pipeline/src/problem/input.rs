//! Problems of `[inputs]` and of the values given for them.

use report::{Diagnostic, Source, Span, closest, plural};

use crate::plan::InputText;
use crate::problem::choose;
use crate::template::shorten;

pub(crate) fn unknown_given_input(name: &str, given: &InputText, known: &[&str]) -> Diagnostic {
    let help = match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => {
            format!("declare it: `[inputs] {name} = {{ type = \"string\" }}`")
        }
        None => format!("the pipeline has {}", report::and_list(known)),
    };
    Diagnostic::error(format!("the pipeline has no input `{name}`"))
        .help(help)
        .note(format!("given by `{}`", given.origin))
}

pub(crate) fn missing_input(source: &Source, span: Span, name: &str, type_: &str) -> Diagnostic {
    Diagnostic::error(format!("the input `{name}` is required"))
        .at(source, span, "declared here, without a `default`")
        .help(format!("give it: `--input {name}=<{type_}>`"))
}

pub(crate) fn wrong_input_text(
    source: &Source,
    span: Span,
    name: &str,
    given: &InputText,
    type_: &str,
    example: &str,
) -> Diagnostic {
    let found = shorten(&given.text);
    Diagnostic::error(format!("the input `{name}` is `{found}`, expected {type_}"))
        .at(source, span, "declared here")
        .help(format!("write it like `--input {name}={example}`"))
        .note(format!("given by `{}`", given.origin))
}

pub(crate) fn wrong_default(
    source: &Source,
    span: Span,
    name: &str,
    key: &str,
    type_: &str,
) -> Diagnostic {
    Diagnostic::error(format!("`{key}` of the input `{name}` is not {type_}"))
        .at(source, span, "")
        .help("change the value, or the input's `type`")
}

pub(crate) fn not_a_choice(
    source: &Source,
    span: Span,
    name: &str,
    found: &str,
    choices: &[String],
    origin: &str,
) -> Diagnostic {
    let known: Vec<&str> = choices.iter().map(String::as_str).collect();
    Diagnostic::error(format!("the input `{name}` cannot be `{}`", shorten(found)))
        .at(source, span, format!("{} allowed", plural(known.len(), "value")))
        .maybe_help(choose(found, &known))
        .note(format!("given by {origin}"))
}

pub(crate) fn pattern_mismatch(
    source: &Source,
    span: Span,
    name: &str,
    found: &str,
    pattern: &str,
    origin: &str,
) -> Diagnostic {
    Diagnostic::error(format!(
        "the input `{name}` is `{}`, which its `pattern` refuses",
        shorten(found)
    ))
    .at(source, span, "")
    .help(format!("give a value that matches `{pattern}`"))
    .note(format!("given by {origin}"))
}

pub(crate) fn bad_pattern(source: &Source, span: Span, pattern: &str) -> Diagnostic {
    Diagnostic::error(format!("`{}` is not a regular expression", shorten(pattern)))
        .at(source, span, "")
        .help("escape what is meant literally: `\\\\.` for a dot, `\\\\[` for a bracket")
}

pub(crate) fn pattern_of_other(source: &Source, span: Span, name: &str, type_: &str) -> Diagnostic {
    Diagnostic::error(format!("the input `{name}` is {type_} and cannot have a `pattern`"))
        .at(source, span, "")
        .help("remove `pattern`, or write `type = \"string\"`")
}
