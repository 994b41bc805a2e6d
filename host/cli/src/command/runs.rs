//! `windlass runs`: what was run, and what to do with it.

mod acr;
mod list;
mod logs;
mod rerun;
mod row;
mod show;

use record::{Prune, RunRow, Store};
use report::{Fault, Kind, plural};
use run::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{Failure, print_json, print_line};
use crate::args::Format;
use crate::args::runs::{self, OfRuns, Runs, before_now};
use crate::exit::Exit;
use crate::settings::Settings;

/// Between two looks at what another process writes.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

pub(super) async fn runs(arguments: Runs, settings: &Settings) -> Result<Exit, Failure> {
    match arguments.command {
        None => list::list(&arguments.list, settings).await,
        Some(OfRuns::Show { id, format }) => show::show(&id, format, settings),
        Some(OfRuns::Logs { id, step, follow, format }) => {
            logs::logs(&logs::Asked { id, step, follow, format }, settings).await
        }
        Some(OfRuns::Cancel { id, wait }) => cancel(&id, wait, settings).await,
        Some(OfRuns::Rerun(arguments)) => rerun::rerun(arguments, settings).await,
        Some(OfRuns::Prune(arguments)) => prune(&arguments, settings),
    }
}

/// The store, with runs whose process is gone said to be interrupted; none if there never was a run.
fn open(settings: &Settings) -> Result<Option<Store>, Failure> {
    let Some(mut store) = Store::open_existing(&settings.state_dir).map_err(Fault::from)? else {
        return Ok(None);
    };
    // Whoever may not write can still look: what is read says what is so.
    let _ = store.settle();
    Ok(Some(store))
}

/// The run that `id` begins the id of.
fn find(id: &str, settings: &Settings) -> Result<(Store, RunRow), Failure> {
    let Some(store) = open(settings)? else {
        let fault = Fault::new(Kind::NotFound, format!("there is no run `{id}`"));
        return Err(Failure::Usage(fault.help("nothing was run yet: `windlass run PIPELINE`")));
    };
    let row = store.find(id).map_err(of_id)?;
    Ok((store, row))
}

/// What was asked for cannot be, or the store is at fault.
fn of_id(error: record::RecordError) -> Failure {
    use record::RecordError;
    match error {
        RecordError::Unknown { .. } | RecordError::Ambiguous { .. } | RecordError::State { .. } => {
            Failure::Usage(error.into())
        }
        RecordError::Open { .. }
        | RecordError::Newer { .. }
        | RecordError::Sqlite { .. }
        | RecordError::Strange { .. }
        | RecordError::Gone => Failure::Fault(error.into()),
    }
}

async fn cancel(id: &str, wait: bool, settings: &Settings) -> Result<Exit, Failure> {
    let (mut store, row) = find(id, settings)?;
    let short = store.short(&row.id).map_err(Fault::from)?;
    let asked = store.cancel(&row.id, SystemClock.now()).map_err(of_id)?;
    let say = |text: String| {
        if !settings.quiet {
            anstream::eprintln!("{text}");
        }
    };
    match asked {
        _ if !row.status.is_open() || row.status == record::RunStatus::Queued => {
            say(format!("run {short} is cancelled"));
        }
        1 => say(format!(
            "run {short} is asked to end; steps with `always` still run, once more to end it at once"
        )),
        _ => say(format!("run {short} is told to end at once")),
    }
    let is_over = |store: &mut Store| -> Result<bool, Fault> {
        store.settle()?;
        Ok(!store.row(&row.id)?.is_some_and(|now| now.status.is_open()))
    };
    if wait {
        while !is_over(&mut store)? {
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(Exit::Ok)
}

fn prune(arguments: &runs::Prune, settings: &Settings) -> Result<Exit, Failure> {
    let prune = Prune { keep: arguments.keep, before: arguments.older_than.map(before_now) };
    let removed = match open(settings)? {
        Some(mut store) => store.prune(prune).map_err(Fault::from)?,
        None => 0,
    };
    match arguments.format {
        Format::Json => print_json(&json!({ "removed": removed }))?,
        Format::Human => {
            let count = plural(usize::try_from(removed).unwrap_or(usize::MAX), "run");
            print_line(&format!("removed {count}"));
        }
    }
    Ok(Exit::Ok)
}

/// A run as a program reads it.
fn as_json(row: &RunRow) -> Value {
    let mut object = json!({
        "id": row.id,
        "pipeline": row.run.pipeline,
        "file": row.run.file,
        "platform": row.run.platform,
        "status": row.status.as_str(),
        "outcome": row.outcome,
        "exit": row.exit,
        "trigger": row.run.trigger,
        "created-at": row.created_at,
        "started-at": row.started_at,
        "finished-at": row.finished_at,
        "heard-at": row.heard_at,
        "duration-ms": row.took_ms(),
        "rerun-of": row.run.rerun_of,
    });
    if let (Value::Object(fields), false) = (&mut object, row.run.cause.is_null()) {
        fields.insert("cause".to_owned(), row.run.cause.clone());
    }
    object
}
