//! `multiply DIRECTORY COUNT`: writes COUNT further runs like the newest one into the store, spread
//! over a year and over ten pipelines. For `cargo xtask bench watch`, and for whoever wants to see
//! what a full store feels like.

use std::{error::Error, ops::Range, path::Path};

use record::{Selection, Store};
use rusqlite::Transaction;

/// A year has so many milliseconds.
const YEAR: i64 = 365 * 24 * 3600 * 1000;

/// Runs in one transaction: so few that SQLite folds its log in as often as it does in life.
const TOGETHER: i64 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: multiply DIRECTORY COUNT";
    let (directory, count) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let count: i64 = count.parse()?;
    let mut store = Store::open(Path::new(&directory))?;
    let newest = Selection { last: Some(1), ..Selection::default() };
    let template = store.list(&newest)?.pop().ok_or("there is no run to multiply")?;
    let mut first = 0;
    while first < count {
        let next = count.min(first + TOGETHER);
        store.transact(|tx| multiply(tx, &template.id, first..next, count))?;
        first = next;
    }
    Ok(())
}

/// Writes the runs `numbers` of `count`.
fn multiply(
    tx: &Transaction<'_>,
    template: &str,
    numbers: Range<i64>,
    count: i64,
) -> rusqlite::Result<()> {
    let key: i64 =
        tx.query_row("SELECT key FROM runs WHERE id = ?1", [template], |row| row.get(0))?;
    let mut run = tx.prepare_cached(
        "INSERT INTO runs (id, pipeline, file, source, inputs, withheld, trigger, cause, platform,
                           rerun_of, choices, status, outcome, exit, created_at, started_at,
                           finished_at, heard_at, pid)
         SELECT ?2, 'pipeline-' || ?3, file, source, inputs, withheld, ?4, cause, platform,
                rerun_of, choices, ?5, outcome, exit, created_at - ?6, started_at - ?6,
                finished_at - ?6, heard_at - ?6, pid
         FROM runs WHERE key = ?1",
    )?;
    let mut beside = [
        "INSERT INTO steps SELECT ?2, place, step, uses, version, digest
         FROM steps WHERE run = ?1",
        "INSERT INTO instances
         SELECT ?2, instance, step, started_ms, dry_run, inputs, outcome, status, attempts,
                took_ms, outputs, withheld, summary, fault, tolerated, reason, reused
         FROM instances WHERE run = ?1",
        "INSERT INTO attempts SELECT ?2, instance, attempt, started_ms, ended_ms, fault
         FROM attempts WHERE run = ?1",
        "INSERT INTO events SELECT ?2, number, step, event FROM events WHERE run = ?1",
    ]
    .map(|text| tx.prepare_cached(text))
    .into_iter()
    .collect::<Result<Vec<_>, _>>()?;
    let mut image = tx.prepare_cached(
        "INSERT INTO images
         SELECT ?1, instance, 'written', 'localhost:5000/app-' || ?2 || ':v' || ?3, 'sha256:' || ?3
         FROM instances WHERE run = ?1 LIMIT 1",
    )?;
    let triggers = ["manual", "commit", "image-update", "timer", "webhook"];
    for number in numbers {
        let (id, ago) = (record::new_id(), YEAR - YEAR / count * number);
        let trigger = triggers.get(usize::try_from(number % 5).unwrap_or(0)).unwrap_or(&"manual");
        let status = if number % 50 == 0 { "failed" } else { "succeeded" };
        run.execute((key, &id, number % 10, trigger, status, ago))?;
        let new = tx.last_insert_rowid();
        for statement in &mut beside {
            statement.execute((key, new))?;
        }
        image.execute((new, number % 10, number))?;
    }
    Ok(())
}
