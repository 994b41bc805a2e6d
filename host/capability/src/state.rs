//! `state`: a little memory from run to run, in one SQLite file.
//!
//! One table for all steps; the caller names the scope (pipeline and step), a plugin never sees it. A
//! deleted key stays behind as a row without a value, so that its version goes on: whoever holds an
//! old version cannot mistake the new value for the old one.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use report::{Fault, Kind, Side, plural};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::{
    call::{Call, Effect},
    grant::Want,
    voice::Use,
};

/// Longest key in bytes.
const LONGEST_KEY: usize = 256;

/// 1 MiB: a list of a thousand digests has 70 KiB.
const LARGEST_VALUE: usize = 1024 * 1024;

/// Keys of one step.
const MOST_KEYS: u64 = 1_000;

/// Deleted keys of one step whose versions are remembered; older ones are forgotten.
const MOST_DELETED: u64 = 1_000;

/// How long a call waits for another process that writes; far longer than any write takes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two attempts to open; making the file takes about as long.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// The format of the file, in SQLite's `user_version`.
const FORMAT: i64 = 1;

/// The state of all steps. Clones share one connection, opened on first use.
#[derive(Clone)]
pub struct StateFile(Arc<Inner>);

struct Inner {
    place: Place,
    connection: Mutex<Option<Connection>>,
}

/// Where a state is.
enum Place {
    File(PathBuf),
    /// In memory, with what one scope begins with.
    Memory {
        scope: String,
        values: Vec<(String, Vec<u8>)>,
    },
}

/// A value and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes.
    pub value: Vec<u8>,
    /// Grows with every write of this key, from 1.
    pub version: u64,
}

/// What `put` and `delete` demand of the present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: the last write wins.
    Anything,
    /// That there is no such key.
    Absent,
    /// That it has this version.
    Version(u64),
}

/// The state of one step, seen through its grant.
#[derive(Clone)]
pub struct GrantedState {
    call: Call,
    file: StateFile,
    scope: String,
}

#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error("`{key}` is not in the state that was expected")]
    Conflict { key: String, now: Option<u64> },
    #[error("a step can remember 1,000 keys, and `{key}` would be one more")]
    Full { key: String },
    #[error("the state was written by a newer version (format {0})")]
    Newer(i64),
    #[error("the state `{path}` cannot be opened")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("the state cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
}

impl StateFile {
    /// The state in the file at `path`; it is made on first use.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::File(path.into()))
    }

    /// A state in memory, which lasts as long as its clones: what `scope` remembers is `values`, and
    /// the caller keeps what becomes of it, see [`Self::values`].
    pub fn in_memory(scope: impl Into<String>, values: Vec<(String, Vec<u8>)>) -> Self {
        Self::at(Place::Memory { scope: scope.into(), values })
    }

    fn at(place: Place) -> Self {
        Self(Arc::new(Inner { place, connection: Mutex::new(None) }))
    }

    /// All that `scope` remembers, by key.
    ///
    /// # Errors
    /// `failed.state` if the disk refuses.
    pub async fn values(&self, scope: &str) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let scope = scope.to_owned();
        let read = move |tx: &Transaction<'_>| {
            let mut query = tx.prepare_cached(
                "SELECT key, value FROM state WHERE scope = ?1 AND value IS NOT NULL ORDER BY key",
            )?;
            let rows = query.query_map([&scope], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.map(|row| row.map_err(StateError::from)).collect()
        };
        self.transact(TransactionBehavior::Deferred, read).await
    }

    /// Runs `work` in one transaction, on a thread.
    async fn transact<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, Fault> {
        let inner = Arc::clone(&self.0);
        crate::blocking(move || inner.transact(behavior, work).map_err(Fault::from)).await
    }
}

impl Inner {
    fn transact<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        // A panic elsewhere has rolled its transaction back.
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(self.open()?),
        };
        let transaction = connection.transaction_with_behavior(behavior)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Two connections that turn a new file to WAL at the same moment stand in each other's way, and
    /// SQLite lets one of them fail at once rather than wait: it starts over.
    fn open(&self) -> Result<Connection, StateError> {
        let until = Instant::now() + BUSY_TIMEOUT;
        loop {
            match self.try_open() {
                Err(StateError::Sqlite(error)) if is_busy(&error) && Instant::now() < until => {
                    std::thread::sleep(BUSY_PAUSE);
                }
                opened => return opened,
            }
        }
    }

    fn try_open(&self) -> Result<Connection, StateError> {
        let mut connection = match &self.place {
            Place::File(path) => {
                if let Some(parent) = path.parent() {
                    fs_err::create_dir_all(parent)
                        .map_err(|source| StateError::Open { path: path.clone(), source })?;
                }
                Connection::open(path)?
            }
            Place::Memory { .. } => Connection::open_in_memory()?,
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // With WAL the default would lose the last transactions in a power cut; the contract says that
        // a write is on disk before the call returns.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let setup = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let format: i64 = setup.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match format {
            0 => {
                setup.execute_batch(
                    "CREATE TABLE state (
                         scope TEXT NOT NULL, key TEXT NOT NULL, value BLOB, version INTEGER NOT NULL,
                         UNIQUE (scope, key)
                     )",
                )?;
                setup.pragma_update(None, "user_version", FORMAT)?;
                if let Place::Memory { scope, values } = &self.place {
                    for (key, value) in values {
                        put(&setup, scope, key, value, Expected::Absent)?;
                    }
                }
            }
            FORMAT => {}
            newer => return Err(StateError::Newer(newer)),
        }
        setup.commit()?;
        Ok(connection)
    }
}

impl GrantedState {
    pub(crate) fn new(call: Call, file: StateFile, scope: String) -> Self {
        Self { call, file, scope }
    }

    /// The entry at `key`, if there is one.
    ///
    /// # Errors
    /// `denied.state`, `invalid.state` for the key, `failed.state` if the disk refuses.
    pub async fn get(&self, key: &str) -> Result<Option<Entry>, Fault> {
        let used = Use::begin("state", "get", key);
        let (scope, owned) = (self.scope.clone(), key.to_owned());
        let entry = match self.check(key, Effect::Look) {
            Ok(()) => {
                let read = move |tx: &Transaction<'_>| Ok(find(tx, &scope, &owned)?.entry());
                self.file.transact(TransactionBehavior::Deferred, read).await
            }
            Err(fault) => Err(fault),
        };
        self.call.voice.end(used, entry, |entry| match entry {
            Some(entry) => (format!("version {}", entry.version), Some(entry.value.len() as u64)),
            None => ("absent".to_owned(), None),
        })
    }

    /// Writes `value` and returns its new version.
    ///
    /// # Errors
    /// `denied.state`; `conflict.state` if the present state is not the expected one; `invalid.state`
    /// for a limit; `failed.state` if the disk refuses.
    pub async fn put(&self, key: &str, value: Vec<u8>, expected: Expected) -> Result<u64, Fault> {
        let used = Use::begin("state", "put", key);
        let size = value.len() as u64;
        let written = match self.check(key, Effect::Change).and_then(|()| check_value(&value)) {
            Ok(()) => {
                let (scope, key) = (self.scope.clone(), key.to_owned());
                let write = move |tx: &Transaction<'_>| put(tx, &scope, &key, &value, expected);
                self.file.transact(TransactionBehavior::Immediate, write).await
            }
            Err(fault) => Err(fault),
        };
        self.call.voice.end(used, written, |version| (format!("version {version}"), Some(size)))
    }

    /// Removes `key`; false where there was none.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn delete(&self, key: &str, expected: Expected) -> Result<bool, Fault> {
        let used = Use::begin("state", "delete", key);
        let deleted = match self.check(key, Effect::Change) {
            Ok(()) => {
                let (scope, key) = (self.scope.clone(), key.to_owned());
                let write = move |tx: &Transaction<'_>| delete(tx, &scope, &key, expected);
                self.file.transact(TransactionBehavior::Immediate, write).await
            }
            Err(fault) => Err(fault),
        };
        let say = |was: &bool| (if *was { "deleted" } else { "absent" }.to_owned(), None);
        self.call.voice.end(used, deleted, say)
    }

    /// The keys that begin with `prefix`, in order.
    ///
    /// # Errors
    /// `denied.state`, `failed.state`.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let used = Use::begin("state", "keys", prefix);
        let (scope, prefix) = (self.scope.clone(), prefix.to_owned());
        let keys = match self.call.check(&Want::State, Effect::Look) {
            Ok(()) => {
                let read = move |tx: &Transaction<'_>| keys(tx, &scope, &prefix);
                self.file.transact(TransactionBehavior::Deferred, read).await
            }
            Err(fault) => Err(fault),
        };
        self.call.voice.end(used, keys, |keys| (plural(keys.len(), "key"), None))
    }

    fn check(&self, key: &str, effect: Effect) -> Result<(), Fault> {
        self.call.check(&Want::State, effect)?;
        match key.len() {
            0 => Err(invalid("a key of the state cannot be empty")),
            length if length > LONGEST_KEY => {
                Err(invalid("a key of the state has at most 256 bytes"))
            }
            _ => Ok(()),
        }
    }
}

/// SQLite's integers are signed; ours are counts.
fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}

/// A row: never there, deleted, or with a value.
struct Row {
    version: u64,
    value: Option<Vec<u8>>,
}

impl Row {
    fn entry(self) -> Option<Entry> {
        self.value.map(|value| Entry { value, version: self.version })
    }
}

fn find(tx: &Transaction<'_>, scope: &str, key: &str) -> Result<Row, StateError> {
    let mut query =
        tx.prepare_cached("SELECT version, value FROM state WHERE scope = ?1 AND key = ?2")?;
    let row = query
        .query_row((scope, key), |row| Ok(Row { version: unsigned(row, 0)?, value: row.get(1)? }))
        .optional()?;
    Ok(row.unwrap_or(Row { version: 0, value: None }))
}

fn put(
    tx: &Transaction<'_>,
    scope: &str,
    key: &str,
    value: &[u8],
    expected: Expected,
) -> Result<u64, StateError> {
    let row = find(tx, scope, key)?;
    check_expected(key, &row, expected)?;
    if row.value.is_none() && count(tx, scope, "value IS NOT NULL")? >= MOST_KEYS {
        return Err(StateError::Full { key: key.to_owned() });
    }
    let version = row.version + 1;
    tx.execute(
        "INSERT INTO state (scope, key, value, version) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (scope, key) DO UPDATE SET value = ?3, version = ?4",
        (scope, key, value, version.cast_signed()),
    )?;
    Ok(version)
}

fn delete(
    tx: &Transaction<'_>,
    scope: &str,
    key: &str,
    expected: Expected,
) -> Result<bool, StateError> {
    let row = find(tx, scope, key)?;
    check_expected(key, &row, expected)?;
    if row.value.is_none() {
        return Ok(false);
    }
    // Written anew, so that the order of row numbers is the order of deletion.
    tx.execute("DELETE FROM state WHERE scope = ?1 AND key = ?2", (scope, key))?;
    tx.execute(
        "INSERT INTO state (scope, key, value, version) VALUES (?1, ?2, NULL, ?3)",
        (scope, key, row.version.cast_signed()),
    )?;
    if count(tx, scope, "value IS NULL")? > MOST_DELETED {
        tx.execute(
            "DELETE FROM state WHERE rowid = (
                 SELECT min(rowid) FROM state WHERE scope = ?1 AND value IS NULL)",
            [scope],
        )?;
    }
    Ok(true)
}

fn keys(tx: &Transaction<'_>, scope: &str, prefix: &str) -> Result<Vec<String>, StateError> {
    // Bytes, not characters: `substr` of text would count characters, and `LIKE` has wildcards.
    let mut query = tx.prepare_cached(
        "SELECT key FROM state WHERE scope = ?1 AND value IS NOT NULL
         AND substr(CAST(key AS BLOB), 1, length(?2)) = ?2 ORDER BY key",
    )?;
    let rows = query.query_map((scope, prefix.as_bytes()), |row| row.get(0))?;
    rows.map(|key| key.map_err(StateError::from)).collect()
}

fn count(tx: &Transaction<'_>, scope: &str, which: &str) -> Result<u64, StateError> {
    let query = format!("SELECT count(*) FROM state WHERE scope = ?1 AND {which}");
    Ok(tx.prepare_cached(&query)?.query_row([scope], |row| unsigned(row, 0))?)
}

fn check_expected(key: &str, row: &Row, expected: Expected) -> Result<(), StateError> {
    let now = row.value.is_some().then_some(row.version);
    let is_met = match expected {
        Expected::Anything => true,
        Expected::Absent => now.is_none(),
        Expected::Version(version) => now == Some(version),
    };
    match is_met {
        true => Ok(()),
        false => Err(StateError::Conflict { key: key.to_owned(), now }),
    }
}

fn check_value(value: &[u8]) -> Result<(), Fault> {
    match value.len() > LARGEST_VALUE {
        true => Err(invalid("a value of the state has at most 1 MiB")),
        false => Ok(()),
    }
}

fn invalid(message: &str) -> Fault {
    Fault::new(Kind::Invalid, message).code("invalid.state").side(Side::Plugin)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        let message = error.to_string();
        match error {
            StateError::Conflict { now, .. } => {
                Self::new(Kind::Conflict, message).code("conflict.state").cause(match now {
                    Some(version) => format!("it has version {version} now"),
                    None => "there is no such key now".to_owned(),
                })
            }
            StateError::Full { .. } => invalid(&message).help("delete keys that are not needed"),
            StateError::Newer(_) => Self::new(Kind::Failed, message)
                .code("failed.state")
                .side(Side::Host)
                .help("run it with the newer version of windlass"),
            StateError::Open { ref source, .. } => Self::new(Kind::Failed, message)
                .code("failed.state")
                .side(Side::Host)
                .caused_by(source),
            StateError::Sqlite(ref source) => {
                let kind = if is_busy(source) { Kind::Transient } else { Kind::Failed };
                Self::new(kind, message)
                    .code(format!("{kind}.state"))
                    .side(Side::Host)
                    .caused_by(source)
            }
        }
    }
}

#[cfg(test)]
mod tests;
