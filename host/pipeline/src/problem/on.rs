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
    Diagnostic::error("`[[on.image-update]]` names no `images`")
        .at(source, span, "")
        .help("add `images = [\"docker.io/library/node:22\"]`")
}

pub(crate) fn image_template(source: &Source, image: &At<String>) -> Diagnostic {
    let found = shorten(&image.value);
    Diagnostic::error(format!("`{found}` is a template, expected the image itself"))
        .at(source, image.span, "")
        .help("what is watched is the same for every run: write it out")
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
