//! `windlass runs rerun`: a run like any other, of the same file with the same inputs.

use record::{RunRow, RunStatus};
use report::{Diagnostic, Fault, Kind};

use super::super::run::{Again, Wanted, start};
use super::super::{Failure, load};
use super::find;
use crate::args::{Given, runs::Rerun};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui;

pub(super) async fn rerun(arguments: Rerun, settings: &Settings) -> Result<Exit, Failure> {
    let Rerun { id, from, failed, inputs: changed, how } = arguments;
    let (store, row) = find(&id, settings)?;
    let short = store.short(&row.id).map_err(Fault::from)?;
    may_rerun(&row, &short, failed)?;
    if !row.run.file.exists() {
        let message = format!("the pipeline file of run {short} is gone");
        let fault = Fault::new(Kind::NotFound, message).cause(row.run.file.display());
        return Err(Failure::Usage(fault.help("put it back, or `windlass run` another one")));
    }
    if load::digest(&row.run.file)? != row.run.source && !settings.quiet {
        let message = format!("the pipeline file is not the one that run {short} has run");
        let note = "it runs as it is now; only steps that are unchanged are taken from the record";
        let warning = Diagnostic::warning(message).note(note);
        ui::show_diagnostics(&[warning], settings.style);
    }
    let is_given = |name: &String| changed.iter().any(|(given, _)| given == name);
    if let Some(name) = row.run.withheld.iter().find(|name| !is_given(name)) {
        let message = format!("the input `{name}` held a secret, which is not recorded");
        let fault = Fault::new(Kind::Invalid, message);
        return Err(Failure::Usage(fault.help(format!("give it again: `--input {name}=…`"))));
    }
    let kept = row.run.inputs.clone().into_iter().filter(|(name, _)| !is_given(name));
    let inputs = kept.chain(changed.iter().cloned()).collect();
    let given = Given { file: row.run.file.clone(), inputs };
    let choices = row.run.choices.clone();
    let id = row.id.clone();
    let results = match failed || from.is_some() {
        true => Some(store.detail(row).map_err(Fault::from)?),
        false => None,
    };
    drop(store);
    let again = Some(Again { id, results, from });
    start(Wanted { given, choices, how, again }, settings).await
}

fn may_rerun(row: &RunRow, short: &str, failed: bool) -> Result<(), Failure> {
    let (message, help) = match row.status {
        RunStatus::Queued | RunStatus::Running => (
            format!("run {short} is not over"),
            format!("wait for it, or `windlass runs cancel {short}`"),
        ),
        RunStatus::Succeeded if failed => (
            format!("nothing in run {short} failed"),
            "leave out `--failed` to run all of it anew".to_owned(),
        ),
        RunStatus::Succeeded
        | RunStatus::Failed
        | RunStatus::Cancelled
        | RunStatus::Interrupted => return Ok(()),
    };
    Err(Failure::Usage(Fault::new(Kind::Conflict, message).help(help)))
}
