//! All that is known of one run: its steps, attempts and images, and what was said.

use report::Fault;
use run::{Event, ImageRole, ImageUse, Outcome, Status};
use rusqlite::Row;
use serde_json::Value;

use crate::{
    RecordError, RunRow, Store,
    row::{outcome, parse},
};

/// What is known of a run besides its row.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// The run.
    pub run: RunRow,
    /// Its steps, in plan order; none if it was interrupted before it began.
    pub steps: Vec<StepRow>,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRow {
    /// Its id.
    pub id: String,
    /// The plugin as the pipeline names it.
    pub uses: String,
    /// The plugin's version.
    pub version: String,
    /// The component's digest.
    pub digest: String,
    /// Its executions, those that began first, in their order; more than one out of a matrix.
    pub instances: Vec<InstanceRow>,
}

/// One execution of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceRow {
    /// Its name.
    pub instance: String,
    /// Milliseconds from the run's beginning to its own.
    pub started_ms: Option<u64>,
    /// Whether it was to change nothing.
    pub dry_run: bool,
    /// What it was given.
    pub inputs: Option<Value>,
    /// How it ended; `None` while it runs, or if it was interrupted.
    pub outcome: Option<Outcome>,
    /// What it found.
    pub status: Option<Status>,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// What it gave.
    pub outputs: Option<Value>,
    /// Whether that held a secret: then it is not what stands here.
    pub withheld: bool,
    /// One line for a person.
    pub summary: Option<String>,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// Whether the run went on as if it had not.
    pub tolerated: bool,
    /// Why it never began.
    pub reason: Option<String>,
    /// The run whose result was taken.
    pub reused: Option<String>,
    /// How often it was tried.
    pub attempts: Vec<AttemptRow>,
    /// The images that it read and wrote.
    pub images: Vec<ImageUse>,
}

/// One attempt at one execution of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// From 1.
    pub attempt: u32,
    /// Milliseconds from the run's beginning to its own.
    pub started_ms: Option<u64>,
    /// Milliseconds from the run's beginning to its end.
    pub ended_ms: Option<u64>,
    /// Why it failed.
    pub fault: Option<Fault>,
}

/// An instance with the step that it belongs to.
type Owned = (String, InstanceRow);

impl Store {
    /// All about `run`, which [`Self::find`] has found.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`], [`RecordError::Strange`].
    pub fn detail(&self, run: RunRow) -> Result<Detail, RecordError> {
        let rows = (|| Ok((self.steps(run.key)?, self.instances(run.key)?)))();
        let (mut steps, instances) = rows.map_err(|source| self.failed(source))?;
        for owned in instances {
            let (step, mut instance) = owned?;
            let name = instance.instance.clone();
            let beside = (|| Ok((self.attempts(run.key, &name)?, self.images(run.key, &name)?)))();
            (instance.attempts, instance.images) =
                beside.map_err(|source: rusqlite::Error| self.failed(source))?;
            if let Some(owner) = steps.iter_mut().find(|known| known.id == step) {
                owner.instances.push(instance);
            }
        }
        Ok(Detail { run, steps })
    }

    /// What was said in the run, from the event behind number `after` on, with the number of each;
    /// of one step, or of all.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`].
    pub fn events(&self, run: &RunRow, after: u64) -> Result<Vec<(u64, Event)>, RecordError> {
        let texts = (|| {
            let mut query = self.connection.prepare_cached(
                "SELECT number, event FROM events WHERE run = ?1 AND number > ?2 ORDER BY number",
            )?;
            let read = |row: &Row<'_>| Ok((count(row, 0)?.unwrap_or_default(), row.get(1)?));
            let rows = query.query_map((run.key, after.cast_signed()), read)?;
            rows.collect::<rusqlite::Result<Vec<(u64, String)>>>()
        })()
        .map_err(|source| self.failed(source))?;
        let event = |(number, text): (u64, String)| {
            parse("an event", &text, |text| serde_json::from_str(text).ok())
                .map(|event| (number, event))
        };
        texts.into_iter().map(event).collect()
    }

    fn steps(&self, run: i64) -> rusqlite::Result<Vec<StepRow>> {
        let mut query = self.connection.prepare_cached(
            "SELECT step, uses, version, digest FROM steps WHERE run = ?1 ORDER BY place",
        )?;
        let read = |row: &Row<'_>| {
            let (id, uses) = (row.get(0)?, row.get(1)?);
            let (version, digest) = (row.get(2)?, row.get(3)?);
            Ok(StepRow { id, uses, version, digest, instances: Vec::new() })
        };
        query.query_map([run], read)?.collect()
    }

    fn instances(&self, run: i64) -> rusqlite::Result<Vec<Result<Owned, RecordError>>> {
        let mut query = self.connection.prepare_cached(
            "SELECT step, instance, started_ms, dry_run, inputs, outcome, status, took_ms, outputs,
                    withheld, summary, fault, tolerated, reason, reused
             FROM instances WHERE run = ?1 ORDER BY started_ms IS NULL, started_ms, instance",
        )?;
        let read = |row: &Row<'_>| {
            let text = |column: usize| row.get::<_, Option<String>>(column);
            let instance = InstanceRow {
                instance: row.get(1)?,
                started_ms: count(row, 2)?,
                dry_run: row.get(3)?,
                inputs: None,
                outcome: text(5)?.as_deref().and_then(outcome),
                status: text(6)?.and_then(|word| serde_json::from_value(word.into()).ok()),
                took_ms: count(row, 7)?,
                outputs: None,
                withheld: row.get(9)?,
                summary: row.get(10)?,
                fault: None,
                tolerated: row.get(12)?,
                reason: row.get(13)?,
                reused: row.get(14)?,
                attempts: Vec::new(),
                images: Vec::new(),
            };
            let (step, inputs, outputs, fault) = (row.get(0)?, text(4)?, text(8)?, text(11)?);
            Ok(json("inputs", inputs).and_then(|inputs| {
                let outputs = json("outputs", outputs)?;
                let fault = json("a fault", fault)?;
                Ok((step, InstanceRow { inputs, outputs, fault, ..instance }))
            }))
        };
        query.query_map([run], read)?.collect()
    }

    fn attempts(&self, run: i64, instance: &str) -> rusqlite::Result<Vec<AttemptRow>> {
        let mut query = self.connection.prepare_cached(
            "SELECT attempt, started_ms, ended_ms, fault FROM attempts
             WHERE run = ?1 AND instance = ?2 ORDER BY attempt",
        )?;
        let read = |row: &Row<'_>| {
            Ok(AttemptRow {
                attempt: row.get(0)?,
                started_ms: count(row, 1)?,
                ended_ms: count(row, 2)?,
                fault: row
                    .get::<_, Option<String>>(3)?
                    .and_then(|text| serde_json::from_str(&text).ok()),
            })
        };
        query.query_map((run, instance), read)?.collect()
    }

    fn images(&self, run: i64, instance: &str) -> rusqlite::Result<Vec<ImageUse>> {
        let mut query = self.connection.prepare_cached(
            "SELECT role, reference, digest FROM images WHERE run = ?1 AND instance = ?2
             ORDER BY role, reference, digest",
        )?;
        let read = |row: &Row<'_>| {
            let word = row.get::<_, String>(0)?;
            let role = ImageRole::ALL.into_iter().find(|role| role.as_str() == word);
            let role = role.unwrap_or(ImageRole::Read);
            Ok(ImageUse { role, reference: row.get(1)?, digest: row.get(2)? })
        };
        query.query_map((run, instance), read)?.collect()
    }
}

fn json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: Option<String>,
) -> Result<Option<T>, RecordError> {
    text.map(|text| parse(what, &text, |text| serde_json::from_str(text).ok())).transpose()
}

/// SQLite's integers are signed; ours are counts.
fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(i64::unsigned_abs))
}
