//! `windlass triggers`: what starts runs, and how it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::run::{Clock as _, SystemClock, Timestamp};
use pipeline::schema::Outline;
use record::{Store, TriggerRow};
use report::{Fault, Kind, plural};
use serde_json::{Value, json};

use super::{Failure, load, print_data, print_json};
use crate::args::{Format, watch::Triggers};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::{aligned, to_the_second};

/// After so many times as long as was meant to pass between two looks, nobody seems to watch.
const STALE_AFTER: u64 = 3;

/// Of a digest, as many characters as other tools show.
const SHORT_DIGEST: usize = "sha256:".len() + 12;

/// Of a commit, as many as git shows.
const SHORT_COMMIT: usize = 7;

/// Of what a trigger watches, as many characters as leave room for the rest of the line.
const LONGEST_WATCHES: usize = 60;

/// Of what went wrong, as many as say what kind of trouble it is; all of it is in the JSON.
const LONGEST_STATE: usize = 100;

/// Of what a look has seen, no more is listed: see `watched` of `watch-base-image`.
const MOST_LISTED: usize = 500;

/// A trigger, and what is known of it.
struct Line {
    file: PathBuf,
    name: String,
    kind: &'static str,
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
                [
                    "TRIGGER",
                    "PIPELINE",
                    "WATCHES",
                    "SEEN",
                    "ARMED",
                    "LAST CHECK",
                    "NEXT CHECK",
                    "STATE",
                ]
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
        for Outline { name, kind, watches } in pipeline.on.outline() {
            let known = known.remove(&(absolute.clone(), name.clone()));
            lines.push(Line {
                file: absolute.clone(),
                kind,
                watches: known.as_ref().map_or(watches, |known| known.watches.clone()),
                name,
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
            kind: match row.kind {
                ::run::Trigger::ImageUpdate => "image-update",
                ::run::Trigger::Timer => "schedule",
                ::run::Trigger::Commit => "git",
                ::run::Trigger::Webhook => "webhook",
                ::run::Trigger::Manual => "manual",
            },
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

    /// What was last seen, in a few characters.
    fn seen(&self) -> String {
        let Some(state) = self.known.as_ref().map(|known| &known.state) else {
            return String::new();
        };
        let short = |of: &Value, key, length| {
            let text = of.get(key).and_then(Value::as_str);
            text.and_then(|text| text.get(..length)).unwrap_or_default().to_owned()
        };
        match state.get("watched").and_then(Value::as_array).map(Vec::as_slice) {
            Some([one]) => short(one, "digest", SHORT_DIGEST),
            Some([]) => String::new(),
            Some(most) if most.len() >= MOST_LISTED => format!("{MOST_LISTED}+ images"),
            Some(more) => plural(more.len(), "image"),
            None => short(state, "commit", SHORT_COMMIT),
        }
    }

    fn cells(&self, now: Timestamp) -> [String; 8] {
        let file = self.file.file_name().map_or(Path::new(""), Path::new).display().to_string();
        let moment = |at: fn(&TriggerRow) -> Timestamp| {
            self.known.as_ref().map(|known| to_the_second(at(known))).unwrap_or_default()
        };
        let armed = self.known.as_ref().is_some_and(|known| known.armed);
        [
            self.name.clone(),
            file,
            shortened(&self.watches, LONGEST_WATCHES),
            self.seen(),
            if armed { "yes" } else { "no" }.to_owned(),
            moment(|known| known.checked_at),
            moment(|known| known.next_at),
            shortened(&self.state(now), LONGEST_STATE),
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
            "seen": known.map(|known| known.state.get("watched").unwrap_or(&known.state)),
        })
    }
}

/// Errors of registries may have several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str, longest: usize) -> String {
    match text.chars().count() > longest {
        true => text.chars().take(longest - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
