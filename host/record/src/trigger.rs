//! What starts runs by itself: what was last seen, and the decision.
//!
//! Each kind of trigger has its judge: [`images`], [`commit`], [`delivery`], [`schedule`].
//!
//! Who watches reads a trigger, looks at the world, and hands both to [`Store::decide`]. That writes
//! what was seen and the run that it starts as one fact; nothing lies between them that a crash could
//! fall into. Two who look at once do not both decide: what was looked at before somebody else has
//! decided is not judged, since it may be older than what that other saw.

mod delivery;
mod git;
mod images;
mod schedule;

use std::path::{Path, PathBuf};

use run::{Timestamp, Trigger};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use serde_json::Value;

pub use delivery::{Delivery, News, delivery};
pub use git::{Commit, commit};
pub use images::{Report, images, memory, watched};
pub use schedule::{ScheduleRules, schedule};

use crate::{
    NewRun, RecordError, Store, create,
    row::{millis, moment, parse},
};

/// What is known of one trigger of one pipeline file.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerRow {
    /// The pipeline file; absolute.
    pub file: PathBuf,
    /// Its name in the file: kind and place.
    pub name: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// What it is.
    pub kind: Trigger,
    /// What it looks at, for people.
    pub watches: String,
    /// What was seen, as the judge of its kind wrote it.
    pub state: Value,
    /// Whether the next change starts a run.
    pub armed: bool,
    /// When somebody last looked.
    pub checked_at: Timestamp,
    /// When somebody looks again.
    pub next_at: Timestamp,
    /// Why the last look saw nothing, or not all.
    pub error: Option<String>,
    /// The run that it started last.
    pub fired: Option<String>,
    /// Grows with each decision.
    version: i64,
}

/// A look at what a trigger watches.
#[derive(Clone, Debug)]
pub struct Look {
    /// The trigger's name in the file.
    pub name: String,
    /// What it looks at, for people.
    pub watches: String,
    /// The run that it starts, without its cause.
    pub run: NewRun,
    /// Whether that run replaces those of the same file that a trigger has started before: what
    /// waits is cancelled, what runs is asked to end.
    pub replaces: bool,
    /// [`TriggerRow::version`] of before the look.
    pub version: i64,
    /// Now.
    pub at: Timestamp,
    /// When to look again.
    pub next_at: Timestamp,
    /// Why not all was seen.
    pub error: Option<String>,
}

/// What a look comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What is remembered.
    pub state: Value,
    /// Whether the next change starts a run.
    pub armed: bool,
    /// Why a run starts, if one does.
    pub cause: Option<Value>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// No run starts.
    Unchanged,
    /// This one does; it is queued.
    Fired(String),
    /// Somebody else has decided since: look again.
    Outdated,
}

/// A run that breaks off is begun again so often.
const MOST_RESUMED: usize = 2;

/// What waits of a file, by the index of open runs, as `store::RUNNING`.
pub(crate) const QUEUED: &str = "SELECT id FROM runs
     WHERE status IN ('queued', 'running') AND status = 'queued' AND +file = ?1 ORDER BY key";

const COLUMNS: &str =
    "file, name, pipeline, kind, watches, state, armed, checked_at, next_at, error, fired, version";

impl TriggerRow {
    /// What [`Look::version`] has to be.
    pub fn version(&self) -> i64 {
        self.version
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, RecordError>> {
        let (file, kind, state): (String, String, String) = (row.get(0)?, row.get(3)?, row.get(5)?);
        let words = || {
            let kind = parse("a trigger", &kind, Trigger::parse)?;
            let state =
                parse("what a trigger saw", &state, |text| serde_json::from_str(text).ok())?;
            Ok((kind, state))
        };
        let (kind, state) = match words() {
            Ok(words) => words,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(Self {
            file: file.into(),
            name: row.get(1)?,
            pipeline: row.get(2)?,
            kind,
            watches: row.get(4)?,
            state,
            armed: row.get(6)?,
            checked_at: moment(row.get(7)?),
            next_at: moment(row.get(8)?),
            error: row.get(9)?,
            fired: row.get(10)?,
            version: row.get(11)?,
        }))
    }
}

impl Store {
    /// When somebody last looked at the trigger `name` of `file`, and when somebody is to look again;
    /// none if nobody looked yet. Of what was seen nothing is read, which may be of ten thousand
    /// images.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`].
    pub fn times(
        &self,
        file: &Path,
        name: &str,
    ) -> Result<Option<(Timestamp, Timestamp)>, RecordError> {
        (|| {
            self.connection
                .prepare_cached(
                    "SELECT checked_at, next_at FROM triggers WHERE file = ?1 AND name = ?2",
                )?
                .query_row(params![file.to_string_lossy(), name], |row| {
                    Ok((moment(row.get(0)?), moment(row.get(1)?)))
                })
                .optional()
        })()
        .map_err(|source| self.failed(source))
    }

    /// What is known of the trigger `name` of `file`; none if nobody looked yet.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`], [`RecordError::Strange`].
    pub fn trigger(&self, file: &Path, name: &str) -> Result<Option<TriggerRow>, RecordError> {
        let found = find(&self.connection, file, name).map_err(|source| self.failed(source))?;
        found.transpose()
    }

    /// All triggers that somebody looked at, by file and name.
    ///
    /// # Errors
    /// As [`Self::trigger`].
    pub fn triggers(&self) -> Result<Vec<TriggerRow>, RecordError> {
        let rows = (|| {
            let query = format!("SELECT {COLUMNS} FROM triggers ORDER BY file, name");
            let mut query = self.connection.prepare(&query)?;
            query.query_map((), TriggerRow::read)?.collect::<rusqlite::Result<Vec<_>>>()
        })()
        .map_err(|source| self.failed(source))?;
        rows.into_iter().collect()
    }

    /// Decides about a look: `judge` is given what was remembered, null at first.
    ///
    /// What is remembered from now on and the run, if one starts, are on the disk when this returns,
    /// both or neither.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`], [`RecordError::Strange`].
    pub fn decide(
        &mut self,
        look: &Look,
        judge: impl FnOnce(&Value) -> Judged,
    ) -> Result<Decided, RecordError> {
        self.transact(|tx| {
            let before = match find(tx, &look.run.file, &look.name)?.transpose() {
                Ok(before) => before,
                Err(strange) => return Ok(Err(strange)),
            };
            if before.as_ref().map_or(0, TriggerRow::version) != look.version {
                return Ok(Ok(Decided::Outdated));
            }
            let Judged { state, armed, cause } =
                judge(before.as_ref().map_or(&Value::Null, |row| &row.state));
            let fired = match cause {
                Some(cause) => {
                    if look.replaces {
                        replace(tx, &look.run.file, look.at)?;
                    }
                    Some(create(tx, &NewRun { cause, ..look.run.clone() }, look.at)?)
                }
                None => None,
            };
            write(tx, look, &state, armed, fired.as_deref())?;
            Ok(Ok(fired.map_or(Decided::Unchanged, Decided::Fired)))
        })?
    }

    /// Has the trigger `name` of `file` looked at soon.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`].
    pub fn wake(&mut self, file: &Path, name: &str, at: Timestamp) -> Result<(), RecordError> {
        self.transact(|tx| {
            tx.prepare_cached("UPDATE triggers SET next_at = ?3 WHERE file = ?1 AND name = ?2")?
                .execute(params![file.to_string_lossy(), name, millis(at)])?;
            Ok(())
        })
    }

    /// What the step `step` of `file` gave when it last succeeded; none if it never did, or if what
    /// it gave is not kept.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`], [`RecordError::Strange`].
    pub fn last_outputs(&self, file: &Path, step: &str) -> Result<Option<Value>, RecordError> {
        let found: Option<String> = (|| {
            self.connection
                .prepare_cached(
                    "SELECT outputs FROM instances JOIN runs ON key = run
                     WHERE file = ?1 AND instance = ?2 AND instances.outcome = 'succeeded'
                       AND outputs IS NOT NULL AND NOT instances.withheld AND NOT dry_run
                     ORDER BY key DESC LIMIT 1",
                )?
                .query_row(params![file.to_string_lossy(), step], |row| row.get(0))
                .optional()
        })()
        .map_err(|source| self.failed(source))?;
        let read =
            |text: String| parse("what a step gave", &text, |text| serde_json::from_str(text).ok());
        found.map(read).transpose()
    }

    /// The runs of `file` that wait to begin, the oldest first.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`].
    pub fn queued(&self, file: &Path) -> Result<Vec<String>, RecordError> {
        (|| {
            self.connection
                .prepare_cached(QUEUED)?
                .query_map([file.to_string_lossy()], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()
        })()
        .map_err(|source| self.failed(source))
    }

    /// Has the last run of `file` begun again if a trigger has started it and its process is gone: a
    /// new run is queued, which goes on where that one was broken off.
    ///
    /// A run that breaks off again and again is left as it is after the third time. Those before the
    /// last are not begun again: it has done, or will do, what they were to do.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`], [`RecordError::Strange`].
    pub fn resume(&mut self, file: &Path, at: Timestamp) -> Result<Option<String>, RecordError> {
        self.settle()?;
        let Some(broken) = self.broken_off(file).map_err(|source| self.failed(source))? else {
            return Ok(None);
        };
        let Some(row) = self.row(&broken)? else { return Ok(None) };
        self.transact(|tx| {
            // Somebody else may have been faster.
            let last: Option<String> = last_of(tx, file)?;
            if last.as_ref() != Some(&row.id) {
                return Ok(None);
            }
            create(tx, &NewRun { rerun_of: Some(row.id.clone()), ..row.run.clone() }, at).map(Some)
        })
    }

    /// The last run of `file`, if it was interrupted, a trigger has started it, and it was not begun
    /// again too often.
    fn broken_off(&self, file: &Path) -> rusqlite::Result<Option<String>> {
        let Some(last) = last_of(&self.connection, file)? else { return Ok(None) };
        let mut query = self.connection.prepare_cached(
            "SELECT status = 'interrupted' AND trigger <> 'manual', rerun_of FROM runs WHERE id = ?1",
        )?;
        let mut next = Some(last.clone());
        for _ in 0..=MOST_RESUMED {
            let Some(id) = next else { return Ok(Some(last)) };
            let found = query.query_row([&id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            next = match found {
                Some((true, before)) => before,
                // What it goes on with was no such run, or is forgotten.
                Some((false, _)) if id == last => return Ok(None),
                Some((false, _)) | None => None,
            };
        }
        Ok(None)
    }
}

/// The newest run of `file`.
fn last_of(connection: &rusqlite::Connection, file: &Path) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT id FROM runs WHERE file = ?1 ORDER BY key DESC LIMIT 1")?
        .query_row([file.to_string_lossy()], |row| row.get(0))
        .optional()
}

/// Ends what triggers have started of `file`.
fn replace(tx: &Transaction<'_>, file: &Path, at: Timestamp) -> rusqlite::Result<()> {
    let file = file.to_string_lossy();
    tx.prepare_cached(
        "UPDATE runs SET status = 'cancelled', outcome = 'cancelled', exit = 'cancelled',
                         finished_at = ?2, heard_at = ?2
         WHERE +file = ?1 AND trigger <> 'manual'
           AND status IN ('queued', 'running') AND status = 'queued'",
    )?
    .execute(params![file, millis(at)])?;
    tx.prepare_cached(
        "UPDATE runs SET cancels = 1
         WHERE +file = ?1 AND trigger <> 'manual' AND cancels = 0
           AND status IN ('queued', 'running') AND status = 'running'",
    )?
    .execute([file])?;
    Ok(())
}

fn find(
    connection: &rusqlite::Connection,
    file: &Path,
    name: &str,
) -> rusqlite::Result<Option<Result<TriggerRow, RecordError>>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM triggers WHERE file = ?1 AND name = ?2"))?
        .query_row(params![file.to_string_lossy(), name], TriggerRow::read)
        .optional()
}

fn write(
    tx: &Transaction<'_>,
    look: &Look,
    state: &Value,
    armed: bool,
    fired: Option<&str>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO triggers (file, name, pipeline, kind, watches, state, armed, checked_at,
                               next_at, error, fired, version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1)
         ON CONFLICT (file, name) DO UPDATE SET
             pipeline = ?3, kind = ?4, watches = ?5, state = ?6, armed = ?7, checked_at = ?8,
             next_at = ?9, error = ?10, fired = coalesce(?11, fired), version = version + 1",
    )?
    .execute(params![
        look.run.file.to_string_lossy(),
        look.name,
        look.run.pipeline,
        look.run.trigger.as_str(),
        look.watches,
        state.to_string(),
        armed,
        millis(look.at),
        millis(look.next_at),
        look.error,
        fired,
    ])?;
    Ok(())
}
