//! `windlass triggers`: what starts runs, and how it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::run::{Clock as _, SystemClock, Timestamp};
use record::{Store, TriggerRow};
use report::{Fault, Kind};
use serde_json::{Value, json};

use super::watch::triggers_of;
use super::{Failure, load, print_data, print_json};
use crate::args::{Format, watch::Triggers};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::{aligned, to_the_second};

/// After so many times as long as was meant to pass between two looks, nobody seems to watch.
const STALE_AFTER: u64 = 3;

/// A trigger, and what is known of it.
struct Line {
    file: PathBuf,
    name: String,
    kind: ::run::Trigger,
    watches: String,
    known: Option<TriggerRow>,
}

pub(super) fn triggers(arguments: &Triggers, settings: &Settings) -> Result<Exit, Failure> {
    let store = Store::open_existing(&settings.state_dir).map_err(Fault::from)?;
    let rows = match &store {
        Some(store) => store.triggers().map_err(Fault::from)?,
        None => Vec::new(),
    };
    let lines = match arguments.files.as_slice() {
        [] => rows.into_iter().map(Line::of).collect(),
        files => of_files(files, rows)?,
    };
    let now = SystemClock.now();
    match arguments.format {
        Format::Json => print_json(&lines.iter().map(|line| line.json(now)).collect::<Vec<_>>())?,
        Format::Human if lines.is_empty() => {
            if !settings.quiet {
                anstream::eprintln!("nothing was watched yet: `windlass watch PIPELINE`");
            }
        }
        Format::Human => {
            let mut table = vec![
                ["TRIGGER", "PIPELINE", "WATCHES", "ARMED", "LAST CHECK", "NEXT CHECK", "STATE"]
                    .map(str::to_owned),
            ];
            table.extend(lines.iter().map(|line| line.cells(now)));
            print_data(aligned(&table).as_bytes());
        }
    }
    Ok(Exit::Ok)
}

/// What the files name now; what they do not name any more is left out.
fn of_files(files: &[PathBuf], rows: Vec<TriggerRow>) -> Result<Vec<Line>, Failure> {
    let mut known: BTreeMap<(PathBuf, String), TriggerRow> =
        rows.into_iter().map(|row| ((row.file.clone(), row.name.clone()), row)).collect();
    let mut lines = Vec::new();
    for file in files {
        let source = load::read(file)?;
        let pipeline = pipeline::parse(&source).map_err(Failure::File)?;
        let absolute = std::path::absolute(file).map_err(|error| {
            Fault::new(Kind::Failed, "the present directory has no path").cause(error)
        })?;
        for trigger in triggers_of(&pipeline.on, &source).map_err(Failure::File)? {
            let known = known.remove(&(absolute.clone(), trigger.name.clone()));
            lines.push(Line {
                file: absolute.clone(),
                kind: trigger.kind(),
                name: trigger.name,
                watches: trigger.watches,
                known,
            });
        }
    }
    Ok(lines)
}

impl Line {
    fn of(row: TriggerRow) -> Self {
        Self {
            file: row.file.clone(),
            name: row.name.clone(),
            kind: row.kind,
            watches: row.watches.clone(),
            known: Some(row),
        }
    }

    fn is_stale(&self, now: Timestamp) -> bool {
        self.known.as_ref().is_some_and(|known| {
            let pause = known.next_at.as_millis().saturating_sub(known.checked_at.as_millis());
            let since = now.as_millis().saturating_sub(known.checked_at.as_millis());
            since > pause.saturating_mul(STALE_AFTER)
        })
    }

    fn state(&self, now: Timestamp) -> String {
        match &self.known {
            None => "never looked at".to_owned(),
            Some(_) if self.is_stale(now) => "stale: nobody watches".to_owned(),
            Some(TriggerRow { error: Some(error), .. }) => one_line(error),
            Some(_) => "ok".to_owned(),
        }
    }

    fn cells(&self, now: Timestamp) -> [String; 7] {
        let file = self.file.file_name().map_or(Path::new(""), Path::new).display().to_string();
        let moment = |at: fn(&TriggerRow) -> Timestamp| {
            self.known.as_ref().map(|known| to_the_second(at(known))).unwrap_or_default()
        };
        let armed = self.known.as_ref().is_some_and(|known| known.armed);
        [
            self.name.clone(),
            file,
            self.watches.clone(),
            if armed { "yes" } else { "no" }.to_owned(),
            moment(|known| known.checked_at),
            moment(|known| known.next_at),
            self.state(now),
        ]
    }

    fn json(&self, now: Timestamp) -> Value {
        let known = self.known.as_ref();
        json!({
            "trigger": self.name,
            "kind": self.kind,
            "file": self.file,
            "watches": self.watches,
            "armed": known.is_some_and(|known| known.armed),
            "checked-at": known.map(|known| known.checked_at),
            "next-at": known.map(|known| known.next_at),
            "stale": self.is_stale(now),
            "error": known.and_then(|known| known.error.clone()),
            "fired": known.and_then(|known| known.fired.clone()),
            "seen": known.map(|known| &known.state),
        })
    }
}

/// Errors of registries may have several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
