//! The file: its tables, and how it is opened.

use std::{
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior, config::DbConfig};

use crate::{RecordError, limits::BUSY_TIMEOUT};

/// Between two attempts to open; making the file takes about as long.
const PAUSE: Duration = Duration::from_millis(5);

/// The format of the file, in SQLite's `user_version`.
const FORMAT: i64 = 3;

/// `key` is the order of creation. Times are milliseconds since 1970; `…_ms` are milliseconds since
/// the run began. What a run has beside its row goes with it.
const TABLES: &str = "
    CREATE TABLE runs (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        pipeline TEXT NOT NULL,
        file TEXT NOT NULL,
        source TEXT NOT NULL,
        inputs TEXT NOT NULL,
        withheld TEXT NOT NULL,
        trigger TEXT NOT NULL,
        cause TEXT,
        platform TEXT NOT NULL,
        rerun_of TEXT,
        choices TEXT NOT NULL,
        status TEXT NOT NULL,
        outcome TEXT,
        exit TEXT,
        created_at INTEGER NOT NULL,
        started_at INTEGER,
        finished_at INTEGER,
        heard_at INTEGER NOT NULL,
        pid INTEGER,
        cancels INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX runs_of_pipeline ON runs (pipeline);
    CREATE INDEX runs_by_time ON runs (created_at);
    CREATE INDEX open_runs ON runs (status) WHERE status IN ('queued', 'running');
    CREATE TABLE steps (
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        step TEXT NOT NULL,
        uses TEXT NOT NULL,
        version TEXT NOT NULL,
        digest TEXT NOT NULL,
        PRIMARY KEY (run, place)
    ) WITHOUT ROWID;
    CREATE TABLE instances (
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        instance TEXT NOT NULL,
        step TEXT NOT NULL,
        started_ms INTEGER,
        dry_run INTEGER NOT NULL DEFAULT 0,
        inputs TEXT,
        outcome TEXT,
        status TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        took_ms INTEGER,
        outputs TEXT,
        withheld INTEGER NOT NULL DEFAULT 0,
        summary TEXT,
        fault TEXT,
        tolerated INTEGER NOT NULL DEFAULT 0,
        reason TEXT,
        reused TEXT,
        PRIMARY KEY (run, instance)
    ) WITHOUT ROWID;
    CREATE TABLE attempts (
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        instance TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        started_ms INTEGER,
        ended_ms INTEGER,
        fault TEXT,
        PRIMARY KEY (run, instance, attempt)
    ) WITHOUT ROWID;
    CREATE TABLE images (
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        instance TEXT NOT NULL,
        role TEXT NOT NULL,
        reference TEXT NOT NULL,
        digest TEXT NOT NULL,
        PRIMARY KEY (run, instance, role, reference, digest)
    ) WITHOUT ROWID;
    CREATE INDEX images_by_reference ON images (reference, run);
    CREATE INDEX images_by_digest ON images (digest, run);
    CREATE TABLE events (
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        step TEXT,
        event TEXT NOT NULL,
        PRIMARY KEY (run, number)
    ) WITHOUT ROWID;
";

/// What format 2 has more: what starts runs by itself. `version` grows with each decision.
const TRIGGERS: &str = "
    CREATE TABLE triggers (
        file TEXT NOT NULL,
        name TEXT NOT NULL,
        pipeline TEXT NOT NULL,
        kind TEXT NOT NULL,
        watches TEXT NOT NULL,
        state TEXT NOT NULL,
        armed INTEGER NOT NULL,
        checked_at INTEGER NOT NULL,
        next_at INTEGER NOT NULL,
        error TEXT,
        fired TEXT,
        version INTEGER NOT NULL,
        PRIMARY KEY (file, name)
    ) WITHOUT ROWID;
";

/// What format 3 has more: the last run of a file is found at once.
const BY_FILE: &str = "
    CREATE INDEX runs_of_file ON runs (file);
    PRAGMA user_version = 3;
";

/// Opens the file at `path`, and makes it if need be.
///
/// Two connections that turn a new file to WAL at the same moment stand in each other's way, and
/// SQLite lets one of them fail at once rather than wait: it starts over.
pub(crate) fn open(path: &Path) -> Result<Connection, RecordError> {
    make_private(path).map_err(|source| RecordError::Open { path: path.to_owned(), source })?;
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match try_open(path) {
            Err(error) if error.is_busy() && Instant::now() < until => {
                std::thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
}

/// What was said in a run is for nobody else; SQLite gives the files beside it the same rights.
fn make_private(path: &Path) -> io::Result<()> {
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn try_open(path: &Path) -> Result<Connection, RecordError> {
    let failed = |source| RecordError::Sqlite { path: path.to_owned(), source };
    let format = |database: &Connection| {
        database.query_row("PRAGMA user_version", (), |row| row.get::<_, i64>(0))
    };
    let mut database = Connection::open(path).map_err(failed)?;
    let found = (|| {
        database.busy_timeout(BUSY_TIMEOUT)?;
        // Ending must not wait for the disk; the log is folded in when it has grown.
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        database.pragma_update(None, "foreign_keys", true)?;
        let found = format(&database)?;
        if !(0..FORMAT).contains(&found) {
            return Ok(found);
        }
        if found == 0 {
            // A new file that the power takes is empty then, and made again.
            database.pragma_update(None, "synchronous", "OFF")?;
        }
        // Readers and one writer do not wait for each other. It stays so once it is said.
        database.pragma_update(None, "journal_mode", "WAL")?;
        let setup = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        let found = format(&setup)?;
        if found == 0 {
            setup.execute_batch(TABLES)?;
        }
        if found < 2 {
            setup.execute_batch(TRIGGERS)?;
        }
        if found < FORMAT {
            setup.execute_batch(BY_FILE)?;
        }
        setup.commit()?;
        format(&database)
    })()
    .map_err(failed)?;
    if found != FORMAT {
        return Err(RecordError::Newer { path: path.to_owned(), format: found });
    }
    database.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    Ok(database)
}
