//! `windlass runs logs`: what was said, as it was said.
//!
//! The record keeps the events of a run; here they are shown by the very code that shows a run that
//! is under way, so that -v and -q mean the same afterwards.

use std::collections::BTreeSet;

use record::{Detail, RunRow, RunStatus, Store};
use report::{Fault, Kind, Mask, and_list, closest};
use run::{Event, EventSink};

use super::super::Failure;
use super::{LOOK, find};
use crate::args::Format;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui;

pub(super) struct Asked {
    pub(super) id: String,
    pub(super) step: Option<String>,
    pub(super) follow: bool,
    pub(super) format: Format,
}

pub(super) async fn logs(asked: &Asked, settings: &Settings) -> Result<Exit, Failure> {
    let (mut store, mut row) = find(&asked.id, settings)?;
    let short = store.short(&row.id).map_err(Fault::from)?;
    if let Some(step) = &asked.step {
        is_known(step, &store, &row)?;
    }
    let sink: Box<dyn EventSink> = match asked.format {
        Format::Human => Box::new(ui::Human::replay(settings).called(short.clone())),
        Format::Json => Box::new(ui::json(Mask::new()).map_err(|error| {
            Fault::new(Kind::Failed, "standard output cannot be written").cause(error)
        })?),
    };
    let mut seen = 0;
    loop {
        // What was written before it was over is all there is.
        let is_open = row.status.is_open();
        for (number, event) in store.events(&row, seen).map_err(Fault::from)? {
            seen = number;
            if asked.wants(&event) {
                sink.emit(&event);
            }
        }
        if !is_open || !asked.follow {
            break;
        }
        tokio::time::sleep(LOOK).await;
        store.settle().map_err(Fault::from)?;
        match store.row(&row.id).map_err(Fault::from)? {
            Some(now) => row = now,
            None => break,
        }
    }
    if !settings.quiet {
        if row.lost > 0 {
            let lost = row.lost;
            anstream::eprintln!("{lost} further lines were too many to keep");
        }
        if row.status == RunStatus::Interrupted {
            anstream::eprintln!("run {short} was interrupted: its process ended without it");
        }
    }
    Ok(Exit::Ok)
}

impl Asked {
    fn wants(&self, event: &Event) -> bool {
        let Some(wanted) = &self.step else { return true };
        match event.kind.step() {
            Some(step) => step.as_str() == wanted || step.step() == wanted,
            None => false,
        }
    }
}

/// A step that a person has named must be one of the run.
fn is_known(step: &str, store: &Store, row: &RunRow) -> Result<(), Failure> {
    let Detail { steps, .. } = store.detail(row.clone()).map_err(Fault::from)?;
    let instances = steps.iter().flat_map(|step| &step.instances);
    let known: BTreeSet<&str> = steps
        .iter()
        .map(|step| step.id.as_str())
        .chain(instances.map(|instance| instance.instance.as_str()))
        .collect();
    if known.contains(step) {
        return Ok(());
    }
    let fault = Fault::new(Kind::Invalid, format!("run {} has no step `{step}`", row.id));
    let names = || steps.iter().map(|step| step.id.as_str());
    Err(Failure::Usage(match closest(step, names()) {
        Some(near) => fault.help(format!("did you mean `--step {near}`?")),
        None => fault.help(format!("its steps are {}", and_list(names()))),
    }))
}
