//! The store: runs are created, begun, asked to end, and forgotten here.

use std::{
    io,
    path::{Path, PathBuf},
};

use run::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::Value;

use crate::{
    Held, NewRun, RecordError, RunRow, RunStatus, database,
    fold::Fold,
    id, lock,
    row::{COLUMNS, millis},
};

/// The name of the file in the directory of the state.
const FILE: &str = "runs.sqlite";

/// New ids that are tried: with a billion runs in the store, a second one is needed in 3 of 100 cases.
const ID_ATTEMPTS: usize = 20;

/// What is said to be running. SQLite takes the index of open runs only where its condition stands in
/// the query word by word; without it, it would read all runs there ever were.
pub(crate) const RUNNING: &str = "SELECT key, id FROM runs
     WHERE status IN ('queued', 'running') AND status = 'running'";

/// Whether something of a file is running.
pub(crate) const BUSY: &str = "SELECT 1 FROM runs
     WHERE status IN ('queued', 'running') AND status = 'running' AND +file = ?1";

/// The runs of one state directory, by a connection of its own.
#[derive(Debug)]
pub struct Store {
    pub(crate) directory: PathBuf,
    pub(crate) connection: Connection,
}

/// What becomes of wanting to begin a queued run.
#[derive(Debug)]
pub enum Claim {
    /// This process runs it.
    Held(Held),
    /// Another run of the same file is under way.
    Busy,
    /// It is queued no more, or somebody else was faster.
    Gone,
}

/// Which runs to forget; of those that are over, whatever neither limit keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// So many of the newest are kept.
    pub keep: Option<u64>,
    /// Those that were created since are kept.
    pub before: Option<Timestamp>,
}

/// Creates a run within a transaction of the caller: queued, to be begun by [`Store::claim`].
///
/// The transaction may hold whatever else belongs to the decision, such as the digest that was seen.
/// It must be an immediate one, as those of [`Store::transact`] are.
///
/// # Errors
/// What SQLite says.
pub fn create(tx: &Transaction<'_>, new: &NewRun, at: Timestamp) -> rusqlite::Result<String> {
    let inputs = Value::Object(
        new.inputs.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect(),
    );
    let withheld = Value::from(new.withheld.clone());
    let cause = Some(&new.cause).filter(|cause| !cause.is_null()).map(Value::to_string);
    let id = unused_id(tx)?;
    tx.execute(
        "INSERT INTO runs (id, pipeline, file, source, inputs, withheld, trigger, cause, platform,
                           rerun_of, choices, status, created_at, heard_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'queued', ?12, ?12)",
        params![
            id,
            new.pipeline,
            new.file.to_string_lossy(),
            new.source,
            inputs.to_string(),
            withheld.to_string(),
            new.trigger.as_str(),
            cause,
            new.platform,
            new.rerun_of,
            new.choices.to_text(),
            millis(at),
        ],
    )?;
    Ok(id)
}

fn unused_id(tx: &Transaction<'_>) -> rusqlite::Result<String> {
    let mut taken = tx.prepare_cached("SELECT 1 FROM runs WHERE id = ?1")?;
    for _ in 1..ID_ATTEMPTS {
        let id = id::new_id();
        if !taken.exists([&id])? {
            return Ok(id);
        }
    }
    // The table itself refuses it, should it be taken too.
    Ok(id::new_id())
}

impl Store {
    /// Opens the store in `directory`, and makes it if need be.
    ///
    /// # Errors
    /// [`RecordError::Open`], [`RecordError::Newer`], [`RecordError::Sqlite`].
    pub fn open(directory: &Path) -> Result<Self, RecordError> {
        fs_err::create_dir_all(directory)
            .map_err(|source| RecordError::Open { path: directory.to_owned(), source })?;
        let connection = database::open(&directory.join(FILE))?;
        Ok(Self { directory: directory.to_owned(), connection })
    }

    /// Opens the store in `directory`; none if no run was ever recorded there.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_existing(directory: &Path) -> Result<Option<Self>, RecordError> {
        match directory.join(FILE).exists() {
            true => Self::open(directory).map(Some),
            false => Ok(None),
        }
    }

    /// Runs `work` in one transaction that is on the disk when this returns.
    ///
    /// # Errors
    /// Those of `work`, which undo everything, and [`RecordError::Sqlite`].
    pub fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RecordError> {
        let path = self.directory.join(FILE);
        let failed = |source| RecordError::Sqlite { path, source };
        // The default loses the last transactions in a power cut.
        (|| {
            self.connection.pragma_update(None, "synchronous", "FULL")?;
            let done = transact(&mut self.connection, work);
            self.connection.pragma_update(None, "synchronous", "NORMAL")?;
            done
        })()
        .map_err(failed)
    }

    /// The same without waiting for the disk: a killed process loses nothing, a power cut may.
    pub(crate) fn note<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RecordError> {
        transact(&mut self.connection, work).map_err(|source| self.failed(source))
    }

    /// Creates a run and begins it in this process.
    ///
    /// # Errors
    /// [`RecordError::Open`] for its lock, and [`RecordError::Sqlite`].
    pub fn start(&mut self, new: &NewRun, at: Timestamp) -> Result<Held, RecordError> {
        let directory = self.directory.clone();
        let open = |source| RecordError::Open { path: directory.clone(), source };
        self.note(|tx| {
            let id = create(tx, new, at)?;
            let key = tx.last_insert_rowid();
            Fold::begin(tx, key, at)?;
            // Before anybody can see that it runs. Without it nobody does: the row is undone.
            let held = Held::take(&directory, key, &id)
                .and_then(|held| held.ok_or_else(|| io::Error::other("somebody has locked it")));
            if held.is_err() {
                tx.execute("DELETE FROM runs WHERE key = ?1", [key])?;
            }
            Ok(held)
        })?
        .map_err(open)
    }

    /// Begins a queued run in this process, with the file whose digest is `source`; if `alone`, not
    /// while another run of the same file is under way.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn claim(
        &mut self,
        id: &str,
        source: &str,
        alone: bool,
        at: Timestamp,
    ) -> Result<Claim, RecordError> {
        self.settle()?;
        let Some(row) = self.row(id)? else { return Ok(Claim::Gone) };
        let open = |source| RecordError::Open { path: self.directory.clone(), source };
        let Some(held) = Held::take(&self.directory, row.key, id).map_err(open)? else {
            return Ok(Claim::Gone);
        };
        let file = row.run.file.to_string_lossy();
        self.transact(|tx| {
            let is_queued = tx
                .prepare_cached("SELECT 1 FROM runs WHERE key = ?1 AND status = 'queued'")?
                .exists([row.key])?;
            let is_busy = alone && tx.prepare_cached(BUSY)?.exists([&file])?;
            match (is_queued, is_busy) {
                (false, _) => {
                    held.release();
                    Ok(Claim::Gone)
                }
                (true, true) => Ok(Claim::Busy),
                (true, false) => {
                    tx.execute(
                        "UPDATE runs SET source = ?2 WHERE key = ?1",
                        params![row.key, source],
                    )?;
                    Fold::begin(tx, row.key, at)?;
                    Ok(Claim::Held(held))
                }
            }
        })
    }

    /// Asks the run `id` to end: what runs hears of it within a moment, what is queued never begins.
    /// Returns how often it was asked by now.
    ///
    /// # Errors
    /// [`RecordError::State`] if it is over, and [`RecordError::Sqlite`].
    pub fn cancel(&mut self, id: &str, at: Timestamp) -> Result<u32, RecordError> {
        self.settle()?;
        let asked = self.transact(|tx| {
            let never_begins = tx.execute(
                "UPDATE runs SET status = 'cancelled', outcome = 'cancelled', exit = 'cancelled',
                                 finished_at = ?2, heard_at = ?2
                 WHERE id = ?1 AND status = 'queued'",
                params![id, millis(at)],
            )?;
            if never_begins > 0 {
                return Ok(Some(1));
            }
            tx.prepare_cached(
                "UPDATE runs SET cancels = cancels + 1 WHERE id = ?1 AND status = 'running'
                 RETURNING cancels",
            )?
            .query_row([id], |row| row.get(0))
            .optional()
        })?;
        match (asked, self.row(id)?) {
            (Some(asked), _) => Ok(asked),
            (None, Some(row)) => {
                let state = format!("is over: it {}", as_verb(row.status));
                Err(RecordError::State { id: self.short(id)?, state })
            }
            (None, None) => Err(RecordError::Unknown { id: id.to_owned(), near: None }),
        }
    }

    /// How often somebody asked the run to end.
    pub(crate) fn cancels(&self, key: i64) -> rusqlite::Result<u32> {
        self.connection
            .prepare_cached("SELECT cancels FROM runs WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
    }

    /// Writes that runs whose process is gone were interrupted, and removes what they left.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`].
    pub fn settle(&mut self) -> Result<(), RecordError> {
        let gone = self.gone().map_err(|source| self.failed(source))?;
        let directory = self.directory.clone();
        let left = lock::ids(&directory);
        if gone.is_empty() && left.iter().all(|id| lock::is_held(&directory, id)) {
            return Ok(());
        }
        self.note(|tx| {
            for key in &gone {
                // It may have ended well meanwhile: then it is not running any more.
                tx.execute(
                    "UPDATE runs SET status = 'interrupted' WHERE key = ?1 AND status = 'running'",
                    [key],
                )?;
            }
            // Who was killed before the row was there leaves a file too. Nobody makes one for a run
            // that is not open while this transaction lasts.
            let mut open = tx.prepare_cached(
                "SELECT 1 FROM runs WHERE id = ?1 AND status IN ('queued', 'running')",
            )?;
            for id in left.iter().filter(|id| !lock::is_held(&directory, id)) {
                if !open.exists([id])? {
                    lock::forget(&directory, id);
                }
            }
            Ok(())
        })
    }

    /// Runs that are said to be running, and are not.
    fn gone(&self) -> rusqlite::Result<Vec<i64>> {
        let mut query = self.connection.prepare_cached(RUNNING)?;
        let running = query.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut gone = running.collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
        gone.retain(|(_, id)| !lock::is_held(&self.directory, id));
        Ok(gone.into_iter().map(|(key, _)| key).collect())
    }

    /// Forgets runs that are over, and says how many.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`].
    pub fn prune(&mut self, prune: Prune) -> Result<u64, RecordError> {
        self.settle()?;
        let keep = prune.keep.map_or(0, |keep| i64::try_from(keep).unwrap_or(i64::MAX));
        let before = prune.before.map_or(i64::MAX, millis);
        let removed = self.transact(|tx| {
            tx.execute(
                "DELETE FROM runs WHERE status NOT IN ('queued', 'running') AND created_at < ?2
                 AND key NOT IN (
                     SELECT key FROM runs WHERE status NOT IN ('queued', 'running')
                     ORDER BY key DESC LIMIT ?1)",
                params![keep, before],
            )
        })?;
        if removed > 0 {
            // What was forgotten is not to be found in the file either.
            let emptied = self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
            emptied.map_err(|source| self.failed(source))?;
        }
        Ok(removed as u64)
    }

    /// The run whose whole id is `id`.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`], [`RecordError::Strange`].
    pub fn row(&self, id: &str) -> Result<Option<RunRow>, RecordError> {
        let row = (|| {
            self.connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?1"))?
                .query_row([id], RunRow::read)
                .optional()
        })()
        .map_err(|source| self.failed(source))?;
        row.transpose()
    }

    pub(crate) fn failed(&self, source: rusqlite::Error) -> RecordError {
        RecordError::Sqlite { path: self.directory.join(FILE), source }
    }
}

fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn as_verb(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "is queued",
        RunStatus::Running => "runs",
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "was cancelled",
        RunStatus::Interrupted => "was interrupted",
    }
}
