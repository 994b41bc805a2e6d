//! The database of a store: its tables, and how it is opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::StoreError;

/// Longer than any transaction here takes, renames included.
const PATIENCE: Duration = Duration::from_secs(30);

/// The version of the tables.
const VERSION: i64 = 1;

/// `boot` is the start of the machine in which something was written, empty when it is known to be
/// on the disk. `refers` is the blob that a record needs.
const TABLES: &str = "
    CREATE TABLE item (
        kind INTEGER NOT NULL,
        key TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        made INTEGER NOT NULL,
        used INTEGER NOT NULL,
        boot TEXT NOT NULL,
        refers TEXT,
        value BLOB,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE INDEX unsettled ON item (boot) WHERE boot <> '';
    CREATE INDEX refers ON item (refers) WHERE refers IS NOT NULL;
    CREATE TABLE lease (
        work TEXT NOT NULL,
        kind INTEGER NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (work, kind, key)
    ) WITHOUT ROWID;
    PRAGMA user_version = 1;
";

/// Opens the database at `path` and makes its tables if there are none.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::Database { path: path.to_owned(), source };
    let version = |database: &Connection| {
        database.query_row("PRAGMA user_version", (), |row| row.get::<_, i64>(0))
    };
    let mut database = Connection::open(path).map_err(failed)?;
    (|| {
        database.busy_timeout(PATIENCE)?;
        // Ending must not wait for the disk; the log is folded in when it has grown.
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        database.pragma_update(None, "synchronous", "NORMAL")
    })()
    .map_err(failed)?;
    let mut found = version(&database).map_err(failed)?;
    if found == 0 {
        (|| {
            // A new file that the power takes is empty then, and made again; so the first build on
            // a machine waits for no disk.
            database.pragma_update(None, "synchronous", "OFF")?;
            // Readers and one writer do not wait for each other. It stays so once it is said.
            database.pragma_update(None, "journal_mode", "WAL")?;
            let behavior = rusqlite::TransactionBehavior::Immediate;
            let transaction = database.transaction_with_behavior(behavior)?;
            // Another process may have been faster.
            if version(&transaction)? == 0 {
                transaction.execute_batch(TABLES)?;
            }
            transaction.commit()?;
            database.pragma_update(None, "synchronous", "NORMAL")
        })()
        .map_err(failed)?;
        found = version(&database).map_err(failed)?;
    }
    match found == VERSION {
        true => Ok(database),
        false => Err(StoreError::Version { path: path.to_owned(), found, known: VERSION }),
    }
}
