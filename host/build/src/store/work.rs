//! A running build's part of a store.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use oci::Digest;
use rusqlite::{Connection, OptionalExtension as _};

use super::lock::{Lock, Mode};
use super::{Kind, Record, Store, StoreError, io_error};

/// How names of running builds begin, and their locks end.
const PREFIX: &str = "build-";
const LOCK: &str = "lock";

/// What a build works with. All that it gets stays until this is dropped; what it did not publish is
/// removed then, or by a later build if this process is killed.
pub struct Work {
    store: Store,
    name: String,
    path: PathBuf,
    numbers: AtomicU64,
    _lock: Lock,
}

/// A blob that is being written.
pub struct NewBlob {
    path: PathBuf,
}

impl NewBlob {
    /// A handle to write it with.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn sink(&self) -> Result<fs_err::File, StoreError> {
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        options.open(&self.path).map_err(io_error("make", &self.path))
    }

    /// Where it is meanwhile.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Work {
    pub(super) fn new(store: Store) -> Result<Self, StoreError> {
        let folder = store.root().join("work");
        sweep(&store, &folder)?;
        let failed = io_error("work in", &folder);
        loop {
            let suffix = format!(".{LOCK}");
            let builder =
                tempfile::Builder::new().prefix(PREFIX).suffix(&suffix).tempfile_in(&folder);
            let file = builder.map_err(&failed)?.into_temp_path();
            let Some(lock) = Lock::take(&file, Mode::Exclusive, false).map_err(&failed)? else {
                // Somebody swept it before it was locked.
                continue;
            };
            let file = file.keep().map_err(|error| failed(error.error))?;
            let path = file.with_extension("");
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            fs_err::create_dir(&path).map_err(&failed)?;
            return Ok(Self { store, name, path, numbers: AtomicU64::new(0), _lock: lock });
        }
    }

    /// A directory for what comes and goes, on the same file system as all the rest.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A fresh directory below it, whose name begins with `name`.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn directory(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.fresh(name);
        fs_err::create_dir(&path).map_err(io_error("make the directory", &path))?;
        Ok(path)
    }

    /// What came of the instruction with this key.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn record(&self, key: &Digest) -> Result<Option<Record>, StoreError> {
        let value = self.value(Kind::Record, &key.to_string())?;
        // What cannot be read was written by another version: a cache forgets.
        Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
    }

    /// Remembers what came of the instruction with this key.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn put_record(&self, key: &Digest, record: &Record) -> Result<(), StoreError> {
        // Strings and numbers always can be.
        let value = serde_json::to_vec(record).unwrap_or_default();
        let refers = record.layer.as_ref().map(|layer| layer.descriptor.digest.to_string());
        self.put_value(Kind::Record, &key.to_string(), &value, refers.as_deref())
    }

    /// A small note of another part of the builder.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn document(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.value(Kind::Document, name)
    }

    /// Remembers such a note.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn put_document(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put_value(Kind::Document, name, bytes, None)
    }

    /// The file of a blob, if it is there.
    ///
    /// # Errors
    /// If it cannot be looked up.
    pub fn blob(&self, digest: &Digest) -> Result<Option<PathBuf>, StoreError> {
        let key = digest.to_string();
        let path = self.store.path_of(Kind::Blob, &key);
        let Some((bytes, boot)) = self.get(Kind::Blob, &key)? else { return Ok(None) };
        let is_whole = fs_err::metadata(&path).is_ok_and(|facts| facts.len() == bytes);
        let is_settled = boot.is_empty() || boot == self.store.inner.boot;
        if is_whole && is_settled {
            return Ok(Some(path));
        }
        // Written shortly before the machine went down.
        if is_whole && hash(&path, digest).map_err(io_error("read", &path))? {
            self.store.with(|database| {
                let sql = "UPDATE item SET boot = '' WHERE kind = ?1 AND key = ?2";
                database.execute(sql, (Kind::Blob.number(), &key)).map(drop)
            })?;
            return Ok(Some(path));
        }
        self.forget(Kind::Blob, &key, &path)?;
        Ok(None)
    }

    /// A blob to be written.
    ///
    /// # Errors
    /// None yet; the first write may fail.
    pub fn new_blob(&self) -> Result<NewBlob, StoreError> {
        Ok(NewBlob { path: self.fresh("blob") })
    }

    /// Puts a written blob under its digest; where it is then. It may be there already.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn publish_blob(
        &self,
        blob: NewBlob,
        digest: &Digest,
        size: u64,
    ) -> Result<PathBuf, StoreError> {
        self.publish(Kind::Blob, blob.path, &digest.to_string(), size)
    }

    /// The directory of the unpacked layer with this chain id, if it is there.
    ///
    /// # Errors
    /// If it cannot be looked up.
    pub fn snapshot(&self, chain: &Digest) -> Result<Option<PathBuf>, StoreError> {
        let key = chain.to_string();
        let path = self.store.path_of(Kind::Snapshot, &key);
        if self.get(Kind::Snapshot, &key)?.is_none() {
            return Ok(None);
        }
        if path.is_dir() {
            return Ok(Some(path));
        }
        self.forget(Kind::Snapshot, &key, &path)?;
        Ok(None)
    }

    /// Puts a directory of [`Work::directory`] under a chain id; where it is then. If another build
    /// was faster, its directory is the answer, and this one goes.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn publish_snapshot(
        &self,
        directory: PathBuf,
        chain: &Digest,
        bytes: u64,
    ) -> Result<PathBuf, StoreError> {
        self.publish(Kind::Snapshot, directory, &chain.to_string(), bytes)
    }

    /// Moves what is at `path` where nobody finds it; it is removed with this work.
    pub(super) fn discard(&self, path: &Path) {
        // If it is not there, that is as good.
        _ = self.store.rename(path, &self.fresh("discarded"));
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    fn fresh(&self, name: &str) -> PathBuf {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.path.join(format!("{name}-{number}"))
    }

    /// Size and boot of a thing, which is leased from now on.
    fn get(&self, kind: Kind, key: &str) -> Result<Option<(u64, String)>, StoreError> {
        self.leased(kind, key, "bytes, boot", |row| Ok((super::number(row, 0)?, row.get(1)?)))
    }

    fn value(&self, kind: Kind, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.leased(kind, key, "value", |row| row.get(0))
    }

    fn leased<T>(
        &self,
        kind: Kind,
        key: &str,
        columns: &str,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let now = self.store.now();
        self.store.transaction(|database| {
            let sql = format!(
                "UPDATE item SET used = MAX(used, ?3) WHERE kind = ?1 AND key = ?2 RETURNING {columns}"
            );
            let mut statement = database.prepare_cached(&sql)?;
            let found = statement.query_row((kind.number(), key, now), read).optional()?;
            if found.is_some() {
                self.lease(database, kind, key)?;
            }
            Ok(found)
        })
    }

    fn lease(&self, database: &Connection, kind: Kind, key: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO lease (work, kind, key) VALUES (?1, ?2, ?3)";
        database.prepare_cached(sql)?.execute((&self.name, kind.number(), key)).map(drop)
    }

    fn put_value(
        &self,
        kind: Kind,
        key: &str,
        value: &[u8],
        refers: Option<&str>,
    ) -> Result<(), StoreError> {
        self.store.transaction(|database| {
            // The database itself is sound after a crash.
            self.insert(database, kind, key, value.len() as u64, "", refers, Some(value))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    fn insert(
        &self,
        database: &Connection,
        kind: Kind,
        key: &str,
        bytes: u64,
        boot: &str,
        refers: Option<&str>,
        value: Option<&[u8]>,
    ) -> rusqlite::Result<()> {
        let now = self.store.now();
        // No file has so many.
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let sql = "INSERT OR REPLACE INTO item (kind, key, bytes, made, used, boot, refers, value)
            VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)";
        let parameters = (kind.number(), key, bytes, now, boot, refers, value);
        database.prepare_cached(sql)?.execute(parameters)?;
        self.lease(database, kind, key)
    }

    /// Moves a file or directory to its place and writes it down, both or nothing.
    fn publish(
        &self,
        kind: Kind,
        from: PathBuf,
        key: &str,
        bytes: u64,
    ) -> Result<PathBuf, StoreError> {
        let to = self.store.path_of(kind, key);
        let moved = self.store.transaction(|database| {
            let sql = "SELECT EXISTS (SELECT 1 FROM item WHERE kind = ?1 AND key = ?2)";
            let is_known: bool =
                database.prepare_cached(sql)?.query_row((kind.number(), key), |row| row.get(0))?;
            if is_known && to.exists() {
                self.lease(database, kind, key)?;
                return Ok(Ok(()));
            }
            // What nobody wrote down is of a build that was killed.
            self.discard(&to);
            if let Err(error) = self.store.rename(&from, &to) {
                return Ok(Err(error));
            }
            self.insert(database, kind, key, bytes, &self.store.inner.boot, None, None)?;
            Ok(Ok(()))
        })?;
        moved.map_err(io_error("publish", &to))?;
        Ok(to)
    }

    fn forget(&self, kind: Kind, key: &str, path: &Path) -> Result<(), StoreError> {
        self.store.transaction(|database| {
            let sql = "DELETE FROM item WHERE kind = ?1 AND key = ?2";
            database.execute(sql, (kind.number(), key))?;
            self.discard(path);
            Ok(())
        })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What cannot be removed now is swept later: the lock's file stays for that.
        if self.store.remove(&self.path).is_ok() && end(&self.store, &self.name).is_ok() {
            _ = fs_err::remove_file(self.path.with_extension(LOCK));
        }
    }
}

/// Takes back what the build `name` has leased.
fn end(store: &Store, name: &str) -> Result<(), StoreError> {
    store.with(|database| database.execute("DELETE FROM lease WHERE work = ?1", [name]).map(drop))
}

/// Removes what builds left whose process is gone. What cannot be removed stays for another time.
fn sweep(store: &Store, folder: &Path) -> Result<(), StoreError> {
    let failed = io_error("sweep", folder);
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(folder).map_err(&failed)? {
        let path = entry.map_err(&failed)?.path();
        names.insert(path.with_extension(""));
    }
    for path in names {
        let file = path.with_extension(LOCK);
        // A directory comes after its lock, and goes before it.
        let lock = match file.exists() {
            true => Lock::take(&file, Mode::Exclusive, false).map_err(&failed)?,
            false => Lock::take(&file, Mode::Exclusive, true).map_err(&failed)?,
        };
        let Some(_lock) = lock else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        end(store, &name)?;
        if store.remove(&path).is_err() {
            continue;
        }
        match fs_err::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the file at `path` is what `digest` says.
fn hash(path: &Path, digest: &Digest) -> io::Result<bool> {
    let mut file = fs_err::File::open(path)?;
    let mut hasher = oci::Hasher::new(digest.algorithm());
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hasher.finish() == *digest);
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}
