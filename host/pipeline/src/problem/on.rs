//! Problems of `[on]`.

use std::time::Duration;

use report::{Diagnostic, Source, Span};

use crate::at::At;
use crate::limits;
use crate::template::shorten;
use crate::unit::format_duration;

pub(crate) fn single_trigger(source: &Source, span: Span, key: &str) -> Diagnostic {
    Diagnostic::error(format!("`{key}` is a table, expected a list of tables"))
        .at(source, span, "")
        .help(format!("write `[[on.{key}]]` with two brackets"))
}

pub(crate) fn no_images(source: &Source, span: Span) -> Diagnostic {
    Diagnostic::error("`[[on.image-update]]` names nothing to look at").at(source, span, "").help(
        "add `images = [\"docker.io/library/node:22\"]`, or `context = \"app\"` with a Dockerfile",
    )
}

pub(crate) fn not_for_git(source: &Source, text: &At<String>) -> Diagnostic {
    let found = shorten(&text.value);
    Diagnostic::error(format!("`{found}` names no repository and no branch"))
        .at(source, text.span, "")
        .help("write `repository = \"https://git.example/team/app.git\"` and `branch = \"main\"`")
}

pub(crate) fn password_in_url(source: &Source, span: Span) -> Diagnostic {
    Diagnostic::error("the URL of a repository holds a password")
        .at(source, span, "")
        .help("leave it out: git asks its credential helper (`git help credentials`)")
}

pub(crate) fn hook_twice(source: &Source, name: &At<String>) -> Diagnostic {
    let found = shorten(&name.value);
    Diagnostic::error(format!("there are two webhooks named `{found}`"))
        .at(source, name.span, "")
        .help("the name is the last part of the address: give each its own")
}

pub(crate) fn interval_too_short(source: &Source, every: &At<Duration>) -> Diagnostic {
    let shortest = format_duration(limits::SHORTEST_INTERVAL);
    let found = format_duration(every.value);
    Diagnostic::error(format!("`every` is {found}, less than {shortest}"))
        .at(source, every.span, "")
        .help("registries count requests: `every = \"5m\"` is often enough for most")
}

pub(crate) fn bad_cron(source: &Source, text: &At<String>, error: &str) -> Diagnostic {
    let found = shorten(&text.value);
    let error = error.trim_end_matches('.');
    Diagnostic::error(format!("`{found}` is not a cron expression: {error}"))
        .at(source, text.span, "")
        .help(
            "it is minute, hour, day of the month, month and day of the week: `cron = \"0 3 * * *\"` \
             is each day at three",
        )
}

pub(crate) fn unknown_zone(source: &Source, text: &At<String>) -> Diagnostic {
    let found = shorten(&text.value);
    Diagnostic::error(format!("`{found}` is not a time zone"))
        .at(source, text.span, "")
        .help("write its name in the database of time zones: `zone = \"Europe/Berlin\"`")
}
