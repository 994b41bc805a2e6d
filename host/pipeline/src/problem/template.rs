//! Problems of templates and conditions.

use report::{Diagnostic, Source, Span};

use crate::plan::RunFacts;
use crate::problem::{choose, suggest};
use crate::template::shorten;

pub(crate) fn bad_template(source: &Source, span: Span, what: &str, reason: &str) -> Diagnostic {
    let help = if what == "a condition" {
        Some("write an expression, such as `steps.build.outputs.changed`, without `{{ }}`")
    } else if reason.contains("unknown statement") {
        Some("templates have `if`, `for`, `set`, `with` and `filter`; there is nothing to include")
    } else {
        None
    };
    Diagnostic::error(format!("this is not {what}: {reason}")).at(source, span, "").maybe_help(help)
}

pub(crate) fn unknown_name(source: &Source, span: Span, name: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error(format!("templates know nothing called `{}`", shorten(name)))
        .at(source, span, "undefined")
        .maybe_help(suggest(name, known.iter().copied()))
}

/// `what` is `filter` or `test`.
pub(crate) fn unknown_filter(source: &Source, span: Span, what: &str, name: &str) -> Diagnostic {
    let examples = if what == "filter" {
        "`default`, `join` and `replace`"
    } else {
        "`defined`, `none` and `startingwith`"
    };
    Diagnostic::error(format!("templates have no {what} `{}`", shorten(name)))
        .at(source, span, "")
        .help(format!("{what}s are those of minijinja, such as {examples}"))
}

pub(crate) fn unknown_step(source: &Source, span: Span, name: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error(format!("there is no step `{}`", shorten(name)))
        .at(source, span, "undefined")
        .maybe_help(suggest(name, known.iter().copied()))
}

pub(crate) fn dash_in_path(source: &Source, span: Span, root: &str, name: &str) -> Diagnostic {
    let alias = name.replace('-', "_");
    Diagnostic::error(format!("the dash in `{root}.{name}` is read as a minus"))
        .at(source, span, "")
        .help(format!("write `{root}.{alias}` or `{root}[\"{name}\"]`"))
}

pub(crate) fn own_output(source: &Source, span: Span, step: &str) -> Diagnostic {
    Diagnostic::error(format!("the step `{step}` refers to itself"))
        .at(source, span, "not known before the step has run")
        .help("refer to an earlier step")
}

pub(crate) fn computed_step(source: &Source, span: Span) -> Diagnostic {
    Diagnostic::error("`steps` is used without the name of a step")
        .at(source, span, "")
        .help("name the step, `steps.build.outputs.digest`: the order of steps depends on it")
}

pub(crate) fn unknown_step_field(
    source: &Source,
    span: Span,
    step: &str,
    field: &str,
) -> Diagnostic {
    Diagnostic::error(format!("a step has no `{}`", shorten(field)))
        .at(source, span, "undefined")
        .help(format!("write `steps[\"{step}\"].outputs.{field}` for an output, or `.outcome`"))
}

pub(crate) fn unknown_output(
    source: &Source,
    span: Span,
    plugin: &str,
    output: &str,
    known: &[&str],
) -> Diagnostic {
    Diagnostic::error(format!("plugin `{plugin}` has no output `{}`", shorten(output)))
        .at(source, span, "undefined")
        .maybe_help(suggest(output, known.iter().copied()))
}

pub(crate) fn unknown_input(source: &Source, span: Span, name: &str, known: &[&str]) -> Diagnostic {
    let help = suggest(name, known.iter().copied())
        .unwrap_or_else(|| format!("declare it: `[inputs] {name} = {{ type = \"string\" }}`"));
    Diagnostic::error(format!("the pipeline has no input called `{}`", shorten(name)))
        .at(source, span, "undefined")
        .help(help)
}

pub(crate) fn secret_in_template(source: &Source, span: Span, name: Option<&str>) -> Diagnostic {
    let name = name.unwrap_or("name");
    Diagnostic::error("a secret is never the value of a template")
        .at(source, span, "")
        .help(format!(
            "give the plugin the secret's name, `\"{name}\"`, where it asks for one, and grant it: \
             `[step.grant] secrets = [\"{name}\"]`"
        ))
        .help(format!(
            "for a registry, write `password = {{ secret = \"{name}\" }}` in `[registries.\"…\"]`"
        ))
}

pub(crate) fn unknown_run_field(source: &Source, span: Span, field: &str) -> Diagnostic {
    Diagnostic::error(format!("a run has no `{}`", shorten(field)))
        .at(source, span, "undefined")
        .maybe_help(choose(field, &RunFacts::NAMES))
}

pub(crate) fn unknown_variable(
    source: &Source,
    span: Span,
    name: &str,
    known: &[&str],
) -> Diagnostic {
    Diagnostic::error(format!("the matrix has no variable `{}`", shorten(name)))
        .at(source, span, "undefined")
        .maybe_help(suggest(name, known.iter().copied()))
}

pub(crate) fn no_matrix(source: &Source, span: Span, step: &str) -> Diagnostic {
    Diagnostic::error(format!("the step `{step}` has no `matrix`"))
        .at(source, span, "undefined")
        .help("add `matrix = { … }` to the step")
}

/// `allowed` is what the place may speak of.
pub(crate) fn not_known_yet(source: &Source, span: Span, name: &str, allowed: &str) -> Diagnostic {
    Diagnostic::error(format!("`{name}` is not known here"))
        .at(source, span, "")
        .help(format!("this is decided before anything runs; use {allowed}"))
}

pub(crate) fn cannot_render(source: &Source, span: Span, reason: &str) -> Diagnostic {
    Diagnostic::error(format!("the template cannot be rendered: {reason}")).at(source, span, "")
}

pub(crate) fn not_text(source: &Source, span: Span, found: &str) -> Diagnostic {
    Diagnostic::error(format!("the template gives {found}, expected text")).at(source, span, "")
}
