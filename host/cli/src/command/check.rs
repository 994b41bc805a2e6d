//! `windlass check`: everything that can be found out without running anything.

use report::plural;

use super::watch;
use super::{Failure, load, print_json};
use crate::args::{Check, Format};
use crate::exit::Exit;
use crate::settings::Settings;

pub(super) async fn check(arguments: Check, settings: &Settings) -> Result<Exit, Failure> {
    let loaded = load::load(&arguments.given.file, settings).await;
    let plan = match loaded {
        Ok(loaded) => loaded.plan(&arguments.given, settings).and_then(|plan| {
            watch::check(&plan).map_err(Failure::File)?;
            Ok(plan)
        }),
        Err(failure) => Err(failure),
    };
    match (arguments.format, plan) {
        (Format::Human, Ok(plan)) => {
            if !settings.quiet {
                let steps = plural(plan.steps.len(), "step");
                anstream::eprintln!("{}: ok, {steps}", arguments.given.file.display());
            }
            Ok(Exit::Ok)
        }
        (Format::Json, Ok(plan)) => {
            print_json(&problems(&plan.warnings))?;
            Ok(Exit::Ok)
        }
        (Format::Json, Err(Failure::File(diagnostics))) => {
            print_json(&problems(&diagnostics))?;
            Ok(Exit::Usage)
        }
        (_, Err(failure)) => Err(failure),
    }
}

/// Problems as data, for editors and annotations.
fn problems(diagnostics: &[report::Diagnostic]) -> Vec<serde_json::Value> {
    diagnostics
        .iter()
        .map(|problem| {
            let place =
                problem.source.as_ref().zip(problem.labels.first()).map(|(source, label)| {
                    let start = source.position(label.span.start);
                    let end = source.position(label.span.end);
                    serde_json::json!({
                        "file": source.label(),
                        "line": start.line,
                        "column": start.column,
                        "end-line": end.line,
                        "end-column": end.column,
                    })
                });
            let severity = match problem.severity {
                report::Severity::Error => "error",
                report::Severity::Warning => "warning",
            };
            serde_json::json!({
                "severity": severity,
                "message": problem.message,
                "place": place,
                "help": problem.help,
                "notes": problem.notes,
            })
        })
        .collect()
}
