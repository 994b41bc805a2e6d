//! What a store holds, and what of it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::lock::{Lock, Mode};
use super::{Kind, Store, StoreError, Usage, Work, io_error};

/// What shall go. Each part adds to what goes; none removes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// What was not used for so many seconds.
    pub older_than: Option<u64>,
    /// What was used longest ago, until the rest has no more bytes than this.
    pub keep_bytes: Option<u64>,
    /// Everything.
    pub all: bool,
}

struct Item {
    kind: Kind,
    key: String,
    bytes: u64,
    used: i64,
}

pub(super) fn usage(store: &Store) -> Result<Vec<Usage>, StoreError> {
    let items = items(store)?;
    Ok(sum(items.iter()))
}

pub(super) fn prune(store: &Store, what: &Prune) -> Result<Vec<Usage>, StoreError> {
    // Its directory takes what goes, and it is swept like any other if this process is killed.
    let work = store.work()?;
    let items = items(store)?;
    let (mounts, files): (Vec<Item>, Vec<Item>) =
        victims(items, what, store.now()).into_iter().partition(|item| item.kind == Kind::Mount);
    let mut gone = store.transaction(|database| {
        let mut gone = Vec::new();
        for item in files {
            if remove_item(&work, database, &item)? {
                gone.push(item);
            }
        }
        remove_unknown(&work, database)?;
        Ok(gone)
    })?;
    for item in mounts {
        if remove_mount(&work, &item)? {
            gone.push(item);
        }
    }
    Ok(sum(gone.iter()))
}

/// Which of `items` shall go, the one longest unused first.
fn victims(mut items: Vec<Item>, what: &Prune, now: i64) -> Vec<Item> {
    items.sort_by(|a, b| (a.used, a.kind, &a.key).cmp(&(b.used, b.kind, &b.key)));
    let mut rest: u64 = items.iter().map(|item| item.bytes).sum();
    let oldest = what.older_than.map(|age| now.saturating_sub_unsigned(age));
    items
        .into_iter()
        .filter(|item| {
            let is_old = oldest.is_some_and(|oldest| item.used < oldest);
            let is_much = what.keep_bytes.is_some_and(|keep| rest > keep);
            let goes = what.all || is_old || is_much;
            if goes {
                rest = rest.saturating_sub(item.bytes);
            }
            goes
        })
        .collect()
}

/// Removes a thing unless somebody uses it, or has used it since it was listed.
fn remove_item(work: &Work, database: &Connection, item: &Item) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM item WHERE kind = ?1 AND key = ?2 AND used <= ?3
        AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.kind = ?1 AND lease.key = ?2)";
    let parameters = (item.kind.number(), &item.key, item.used);
    if database.prepare_cached(sql)?.execute(parameters)? == 0 {
        return Ok(false);
    }
    match item.kind {
        Kind::Blob => {
            // A record without its blob is of no use.
            let sql = "DELETE FROM item WHERE refers = ?1";
            database.prepare_cached(sql)?.execute([&item.key])?;
            work.discard(&work.store().path_of(item.kind, &item.key));
        }
        Kind::Snapshot => work.discard(&work.store().path_of(item.kind, &item.key)),
        Kind::Record | Kind::Document | Kind::Mount => {}
    }
    Ok(true)
}

/// Removes files that nobody wrote down: whoever moved them there was killed before the end of the
/// transaction.
fn remove_unknown(work: &Work, database: &Connection) -> rusqlite::Result<()> {
    let root = work.store().root();
    let folders = [
        (Kind::Blob, "sha256:", root.join("blobs/sha256")),
        (Kind::Blob, "sha512:", root.join("blobs/sha512")),
        (Kind::Snapshot, "sha256:", root.join("snapshots")),
    ];
    for (kind, prefix, folder) in folders {
        let sql = "SELECT key FROM item WHERE kind = ?1";
        let mut statement = database.prepare_cached(sql)?;
        let known = statement.query_map([kind.number()], |row| row.get::<_, String>(0))?;
        let known: BTreeSet<String> = known.collect::<Result<_, _>>()?;
        // What cannot be listed is left for another time.
        for entry in fs_err::read_dir(&folder).into_iter().flatten().flatten() {
            let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if !known.contains(&key) {
                work.discard(&entry.path());
            }
        }
    }
    Ok(())
}

/// Removes the directory of a mount unless a build has it.
fn remove_mount(work: &Work, item: &Item) -> Result<bool, StoreError> {
    let path = work.store().path_of(Kind::Mount, &item.key);
    let file = path.with_extension("lock");
    let lock = Lock::take(&file, Mode::Exclusive, true).map_err(io_error("lock", &file))?;
    let Some(_lock) = lock else { return Ok(false) };
    work.discard(&path);
    work.store().with(|database| {
        let sql = "DELETE FROM item WHERE kind = ?1 AND key = ?2";
        database.execute(sql, (Kind::Mount.number(), &item.key)).map(drop)
    })?;
    fs_err::remove_file(&file).map_err(io_error("remove", &file))?;
    Ok(true)
}

/// All that there is, directories of mounts measured.
fn items(store: &Store) -> Result<Vec<Item>, StoreError> {
    let mut items = store.with(|database| {
        let mut statement = database.prepare_cached("SELECT kind, key, bytes, used FROM item")?;
        let rows = statement.query_map((), |row| {
            let kind = Kind::of_number(row.get(0)?);
            Ok((kind, row.get(1)?, super::number(row, 2)?, row.get(3)?))
        })?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?.into_iter();
        let known = rows
            .filter_map(|(kind, key, bytes, used)| Some(Item { kind: kind?, key, bytes, used }));
        Ok(known.collect::<Vec<_>>())
    })?;
    for item in items.iter_mut().filter(|item| item.kind == Kind::Mount) {
        item.bytes = measure(&store.path_of(Kind::Mount, &item.key));
    }
    Ok(items)
}

/// Bytes of the files below `path`; what cannot be read, or goes away meanwhile, counts nothing.
fn measure(path: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries: io::Result<_> = fs_err::read_dir(folder);
        for entry in entries.into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

fn sum<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<Usage> {
    let empty = |kind| Usage { kind, count: 0, bytes: 0, last_used: None };
    let mut sums: BTreeMap<Kind, Usage> = Kind::ALL.map(|kind| (kind, empty(kind))).into();
    for item in items {
        let sum = sums.entry(item.kind).or_insert_with(|| empty(item.kind));
        sum.count += 1;
        sum.bytes += item.bytes;
        sum.last_used = sum.last_used.max(Some(item.used));
    }
    sums.into_values().collect()
}
