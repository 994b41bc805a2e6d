//! What builds leave on this machine, for the next ones.
//!
//! One directory, used by any number of processes at once:
//!
//! ```text
//! blobs/sha256/…     compressed layers, by digest, as in an OCI image layout
//! snapshots/…        unpacked layers, by chain id
//! mounts/…           directories of `RUN --mount=type=cache`, each with a lock
//! work/…             what running builds are at, each with a lock that dies with its process
//! store.db           what there is, how large, when it was used, and by whom it is used now
//! ```
//!
//! Files come into being by a rename, within the transaction that writes them down. What was killed
//! half-way is in `work/`, and swept by the next build. A running build *leases* what it gets, and
//! [`Store::prune`] leaves that alone.
//!
//! Nothing is flushed to the disk on the way: a cache may be lost with the power, but it must not
//! lie. What was written shortly before the machine went down is therefore checked, or made again,
//! after it came up.

mod database;
mod lock;
mod mount;
mod prune;
mod work;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use report::{Fault, Side};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::exec::{Executor, Operation};
use crate::layer::Layer;
use crate::remove::remove;

pub use mount::{CacheMount, Sharing};
pub use prune::Prune;
pub use work::{NewBlob, Work};

/// Written back by then: Linux does so after half a minute.
const SETTLED_AFTER: i64 = 120;

/// The store of builds in one directory. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    database: Mutex<Connection>,
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
    /// Which start of the machine this is; empty where nobody says.
    boot: String,
    /// Who may do what we may not with files of commands.
    executor: Option<Arc<Executor>>,
}

/// The kinds of things in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What came of an instruction.
    Record,
    /// A compressed layer.
    Blob,
    /// An unpacked layer.
    Snapshot,
    /// A directory of `RUN --mount=type=cache`.
    Mount,
    /// A note of another part of the builder.
    Document,
}

/// How much there is of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Usage {
    /// The kind.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// Their size on disk, near enough.
    pub bytes: u64,
    /// When one of them was last used: seconds since 1970; none if there are none.
    pub last_used: Option<i64>,
}

/// What came of an instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The layer that it made; none if it changed no files.
    pub layer: Option<Layer>,
    /// Whatever else the builder wants to know again.
    pub extra: serde_json::Value,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {what} `{}`", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database refused.
    #[error("cannot use `{}`", .path.display())]
    Database {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Written by a later version.
    #[error("`{}` is of version {found}, and this program knows {known}", .path.display())]
    Version {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
}

impl Kind {
    /// All kinds, in the order in which they are listed.
    pub const ALL: [Self; 5] =
        [Self::Record, Self::Blob, Self::Snapshot, Self::Mount, Self::Document];

    /// The word for it: `record`, `blob`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Blob => "blob",
            Self::Snapshot => "snapshot",
            Self::Mount => "mount",
            Self::Document => "document",
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Record => 0,
            Self::Blob => 1,
            Self::Snapshot => 2,
            Self::Mount => 3,
            Self::Document => 4,
        }
    }

    fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl Store {
    /// Opens the store in `root`, which is made if it is missing. `clock` says what time it is, in
    /// seconds since 1970. `executor` moves and removes what this process may not: files that belong
    /// to users of its commands.
    ///
    /// # Errors
    /// If the directory cannot be made, or holds a store of a later version.
    pub fn open(
        root: &Path,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
        executor: Option<Arc<Executor>>,
    ) -> Result<Self, StoreError> {
        use std::os::unix::fs::DirBuilderExt as _;
        // Others would find programs with set-user-id bits in there.
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        for folder in ["blobs/sha256", "blobs/sha512", "snapshots", "mounts", "work"] {
            let path = root.join(folder);
            // The parents get the mode too.
            private.create(&path).map_err(io_error("make the directory", &path))?;
        }
        let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let database = database::open(&root.join("store.db"))?;
        let store = Self {
            inner: Arc::new(Inner {
                root: root.to_owned(),
                database: Mutex::new(database),
                clock: Box::new(clock),
                boot: boot.trim().to_owned(),
                executor,
            }),
        };
        store.settle_old()?;
        Ok(store)
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// A place to work, for as long as one build runs. What builds left that were killed is swept
    /// first.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn work(&self) -> Result<Work, StoreError> {
        Work::new(self.clone())
    }

    /// How much there is, of every kind.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn usage(&self) -> Result<Vec<Usage>, StoreError> {
        prune::usage(self)
    }

    /// Removes what `what` says, but nothing that a running build uses; what that was.
    ///
    /// # Errors
    /// If something cannot be removed; the rest may be gone then.
    pub fn prune(&self, what: &Prune) -> Result<Vec<Usage>, StoreError> {
        prune::prune(self, what)
    }

    /// Flushes all to the disk, so that it need not be checked again after the machine was down.
    ///
    /// May take as long as the disk needs: for the end of a build, where nobody waits.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn settle(&self) -> Result<(), StoreError> {
        let root = self.root();
        let directory = fs_err::File::open(root).map_err(io_error("open", root))?;
        rustix::fs::syncfs(directory.file())
            .map_err(|error| io_error("flush", root)(error.into()))?;
        let boot = &self.inner.boot;
        self.with(|database| {
            database.execute("UPDATE item SET boot = '' WHERE boot = ?1", [boot]).map(drop)
        })
    }

    /// What has been there for a while is on the disk by now; unpacked layers of before the machine
    /// went down, which nothing could check, are forgotten.
    fn settle_old(&self) -> Result<(), StoreError> {
        let boot = self.inner.boot.clone();
        let before = self.now().saturating_sub(SETTLED_AFTER);
        let is_needed = self.with(|database| {
            let sql = "SELECT EXISTS (SELECT 1 FROM item WHERE boot <> '' AND
                (boot <> ?1 AND kind = ?3 OR boot = ?1 AND made < ?2))";
            let parameters = (&boot, before, Kind::Snapshot.number());
            database.query_row(sql, parameters, |row| row.get::<_, bool>(0))
        })?;
        if !is_needed {
            return Ok(());
        }
        let work = self.work()?;
        self.transaction(|database| {
            let sql = "UPDATE item SET boot = '' WHERE boot = ?1 AND boot <> '' AND made < ?2";
            database.execute(sql, (&boot, before))?;
            let sql = "DELETE FROM item WHERE boot NOT IN ('', ?1) AND kind = ?2 RETURNING key";
            let mut statement = database.prepare_cached(sql)?;
            let keys = statement.query_map((&boot, Kind::Snapshot.number()), |row| row.get(0))?;
            let keys: Vec<String> = keys.collect::<Result<_, _>>()?;
            keys.iter().for_each(|key| work.discard(&self.path_of(Kind::Snapshot, key)));
            Ok(())
        })
    }

    /// Removes what is at `path`; it may be gone already.
    fn remove(&self, path: &Path) -> io::Result<()> {
        remove(path)
            .or_else(|error| self.operate(error, &Operation::Remove { path: path.to_owned() }))
    }

    /// Gives a file or directory another place in the store.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs_err::rename(from, to).or_else(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return Err(error);
            }
            let (from, to) = (from.to_owned(), to.to_owned());
            self.operate(error, &Operation::Move { from, to })
        })
    }

    /// Has done what `error` says that we cannot do.
    fn operate(&self, error: io::Error, operation: &Operation) -> io::Result<()> {
        let Some(executor) = &self.inner.executor else { return Err(error) };
        let done = executor.operate(operation).map(drop);
        done.map_err(|fault| io::Error::other(fault.to_string()))
    }

    fn now(&self) -> i64 {
        (self.inner.clock)()
    }

    /// Where the thing with this key is, if it is a file.
    fn path_of(&self, kind: Kind, key: &str) -> PathBuf {
        let (folder, name) = match (kind, key.split_once(':')) {
            (Kind::Blob, Some((algorithm, hex))) => (Path::new("blobs").join(algorithm), hex),
            (Kind::Blob, None) => (PathBuf::from("blobs"), key),
            // Nothing is ever in there twice: both are sha256.
            (Kind::Snapshot, split) => {
                (PathBuf::from("snapshots"), split.map_or(key, |(_, hex)| hex))
            }
            (Kind::Mount | Kind::Record | Kind::Document, _) => (PathBuf::from("mounts"), key),
        };
        self.inner.root.join(folder).join(name)
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.inner.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the database something.
    fn with<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        ask(&self.database()).map_err(|source| self.database_error(source))
    }

    /// Changes the database, and files along with it: nobody else does meanwhile.
    fn transaction<T>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut database = self.database();
        let behavior = rusqlite::TransactionBehavior::Immediate;
        let result = (|| {
            let transaction = database.transaction_with_behavior(behavior)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        result.map_err(|source| self.database_error(source))
    }

    fn database_error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.inner.root.join("store.db"), source }
    }
}

/// A column that counts.
fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.try_into().unwrap_or_default())
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path: path.clone(), source }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let fault = Self::new(report::Kind::Failed, "cannot use the store of builds")
            .code("build.store")
            .side(Side::Host)
            .caused_by(&error);
        match &error {
            StoreError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                fault.help("free some space, e.g. `windlass cache prune`")
            }
            StoreError::Version { path, .. } => {
                fault.help(format!("use the later version, or remove `{}`", path.display()))
            }
            StoreError::Io { .. } | StoreError::Database { .. } => fault,
        }
    }
}
