//! How a run is shown: as lines and bars for people, or as NDJSON for programs.
//!
//! Both are folds over the one stream of events. Lines for people go to standard error, so that
//! standard output is left to data; both pass the mask once more before they are written.

mod human;
mod json;
mod progress;
mod text;

pub(crate) use human::Human;
pub(crate) use json::json;
pub(crate) use text::{aligned, bytes, to_the_second, took};

use report::{Diagnostic, Fault, Source, Span, Style};

/// Writes diagnostics to standard error, a blank line between them.
pub(crate) fn show_diagnostics(diagnostics: &[Diagnostic], style: Style) {
    for diagnostic in diagnostics {
        anstream::eprintln!("{}\n", report::render_diagnostic(diagnostic, style));
    }
}

/// Writes a fault to standard error.
pub(crate) fn show_fault(
    title: Option<&str>,
    fault: &Fault,
    place: Option<(&Source, Span)>,
    style: Style,
) {
    anstream::eprintln!("{}", report::render_fault(title, fault, place, style));
    if fault.kind == report::Kind::Internal {
        anstream::eprintln!(
            "\nThis is a bug in windlass {}. Please report it with the lines above and the pipeline file.",
            env!("CARGO_PKG_VERSION")
        );
    }
}
