//! Problems of steps: names, order, plugins and their inputs.

use report::{Diagnostic, Source, Span, closest};

use crate::at::At;
use crate::catalog::CatalogError;
use crate::limits;
use crate::problem::suggest;
use crate::template::shorten;

pub(crate) fn no_steps(source: &Source) -> Diagnostic {
    Diagnostic::error("the pipeline has no steps")
        .at(source, Span::default(), "")
        .help("add `[[step]]` with `id = \"…\"` and `uses = \"…\"`")
}

pub(crate) fn duplicate_step(source: &Source, id: &At<String>, first: Span) -> Diagnostic {
    Diagnostic::error(format!("two steps have the id `{}`", id.value))
        .at(source, id.span, "given again here")
        .at(source, first, "first given here")
        .help("give each step an id of its own")
}

pub(crate) fn unknown_need(source: &Source, need: &At<String>, known: &[&str]) -> Diagnostic {
    Diagnostic::error(format!(
        "`needs` names the step `{}`, which does not exist",
        shorten(&need.value)
    ))
    .at(source, need.span, "no such step")
    .maybe_help(suggest(&need.value, known.iter().copied()))
}

pub(crate) fn needs_itself(source: &Source, span: Span, step: &str) -> Diagnostic {
    Diagnostic::error(format!("the step `{step}` needs itself"))
        .at(source, span, "")
        .help("name an earlier step, or remove this")
}

/// `path` begins and ends with the same step; each has the place that makes it need the next.
pub(crate) fn cycle(source: &Source, path: &[(String, Span, &'static str)]) -> Diagnostic {
    let names: Vec<String> = path.iter().map(|(name, ..)| format!("`{name}`")).collect();
    let closing = names.first().cloned().unwrap_or_default();
    let chain = format!("{} → {closing}", names.join(" → "));
    let mut problem = Diagnostic::error(format!("steps wait for each other: {chain}"));
    for (index, (name, span, how)) in path.iter().enumerate() {
        let next = path.get((index + 1) % path.len()).map_or("", |(next, ..)| next);
        problem = problem.at(source, *span, format!("`{name}` {how} `{next}`"));
    }
    problem.help("remove one of these, so that one of the steps can be first")
}

pub(crate) fn unknown_plugin(
    source: &Source,
    uses: &At<String>,
    error: &CatalogError,
) -> Diagnostic {
    let near = closest(&uses.value, error.known.iter().map(String::as_str));
    let help = match (near, &error.help) {
        (Some(near), _) => Some(format!("did you mean `{near}`?")),
        (None, Some(help)) => Some(help.clone()),
        (None, None) => suggest(&uses.value, error.known.iter().map(String::as_str)),
    };
    Diagnostic::error(format!("`{}` cannot be used: {}", shorten(&uses.value), error.message))
        .at(source, uses.span, "")
        .maybe_help(help)
}

pub(crate) fn plugin_over_http(source: &Source, uses: &At<String>) -> Diagnostic {
    Diagnostic::error("a plugin is never fetched over plain `http`").at(source, uses.span, "").help(
        format!(
            "write `uses = \"{}\"` and its `sha256`",
            uses.value.replacen("http:", "https:", 1)
        ),
    )
}

pub(crate) fn missing_sha256(source: &Source, uses: &At<String>) -> Diagnostic {
    Diagnostic::error("a plugin from `https` needs its `sha256`")
        .at(source, uses.span, "")
        .help("add `sha256 = \"…\"`: what `sha256sum` prints for the file that you have checked")
}

pub(crate) fn wrong_sha256(source: &Source, sha256: &At<String>) -> Diagnostic {
    let found = sha256.value.chars().count();
    Diagnostic::error("`sha256` is not 64 hexadecimal digits")
        .at(source, sha256.span, format!("{found} characters"))
        .help("write what `sha256sum` prints for the file")
}

pub(crate) fn sha256_mismatch(source: &Source, sha256: &At<String>, found: &str) -> Diagnostic {
    Diagnostic::error("the plugin is not the one that `sha256` names")
        .at(source, sha256.span, format!("the component is `{found}`"))
        .help("find out why it changed; only then write the new digest")
}

pub(crate) fn unknown_plugin_input(
    source: &Source,
    input: &At<String>,
    plugin: &str,
    known: &[&str],
) -> Diagnostic {
    Diagnostic::error(format!("unknown input `{}` for plugin `{plugin}`", shorten(&input.value)))
        .at(source, input.span, format!("not an input of `{plugin}`"))
        .maybe_help(suggest(&input.value, known.iter().copied()))
}

pub(crate) fn missing_plugin_input(
    source: &Source,
    span: Span,
    plugin: &str,
    input: &str,
    description: Option<&str>,
) -> Diagnostic {
    let problem = Diagnostic::error(format!("plugin `{plugin}` needs the input `{input}`"))
        .at(source, span, format!("`{input}` is not given"))
        .help(format!("add `{input} = …` to the step's `with`"));
    match description {
        Some(text) => problem.note(format!("`{input}`: {text}")),
        None => problem,
    }
}

pub(crate) fn invalid_plugin_input(
    source: &Source,
    span: Span,
    plugin: &str,
    reason: &str,
    help: Option<String>,
    rendered: Option<String>,
) -> Diagnostic {
    let problem = Diagnostic::error(format!("plugin `{plugin}` refuses an input: {reason}"))
        .at(source, span, "")
        .maybe_help(help);
    match rendered {
        Some(value) => problem.note(format!("the template gives `{value}`")),
        None => problem,
    }
}

pub(crate) fn broken_plugin(source: &Source, uses: &At<String>, reason: &str) -> Diagnostic {
    Diagnostic::error(format!("the plugin `{}` describes itself wrongly", shorten(&uses.value)))
        .at(source, uses.span, "")
        .note(reason)
        .help("tell the plugin's author, or use another version")
}

pub(crate) fn matrix_too_large(source: &Source, span: Span, found: usize) -> Diagnostic {
    let limit = limits::COMBINATIONS;
    Diagnostic::error(format!("the matrix has {found} combinations, more than {limit}"))
        .at(source, span, "")
        .help("make the lists shorter, add `exclude`, or split the step")
}

pub(crate) fn matrix_empty(source: &Source, span: Span) -> Diagnostic {
    Diagnostic::error("the matrix has no combinations")
        .at(source, span, "")
        .help("give each variable at least one value, or skip the step with `when`")
}

pub(crate) fn matrix_not_a_list(source: &Source, span: Span, found: &str) -> Diagnostic {
    Diagnostic::error(format!("the matrix is made of {found}, expected a list"))
        .at(source, span, "")
        .help("write a single expression that gives a list, such as `\"{{ inputs.platforms }}\"`")
}

pub(crate) fn unknown_excluded(source: &Source, name: &At<String>, known: &[&str]) -> Diagnostic {
    Diagnostic::error(format!(
        "`exclude` names the variable `{}`, which the matrix does not have",
        name.value
    ))
    .at(source, name.span, "")
    .maybe_help(suggest(&name.value, known.iter().copied()))
}
