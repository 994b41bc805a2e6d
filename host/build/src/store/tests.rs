use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use oci::{Descriptor, Digest, MediaType};

use super::*;

struct Place {
    directory: tempfile::TempDir,
    now: Arc<AtomicI64>,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), now: Arc::new(AtomicI64::new(1000)) }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// As another process would.
    fn open(&self) -> Store {
        let now = Arc::clone(&self.now);
        Store::open(&self.root(), move || now.load(Ordering::Relaxed), None).unwrap()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs_err::read_dir(self.root().join(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn put_blob(work: &Work, content: &[u8]) -> (Digest, PathBuf) {
    let blob = work.new_blob().unwrap();
    blob.sink().unwrap().write_all(content).unwrap();
    let digest = Digest::of(content);
    let path = work.publish_blob(blob, &digest, content.len() as u64).unwrap();
    (digest, path)
}

fn put_snapshot(work: &Work, content: &str) -> (Digest, PathBuf) {
    let directory = work.directory("snapshot").unwrap();
    fs_err::write(directory.join("f"), content).unwrap();
    let chain = Digest::of(content.as_bytes());
    let path = work.publish_snapshot(directory, &chain, content.len() as u64).unwrap();
    (chain, path)
}

fn record(blob: &Digest) -> Record {
    let descriptor = Descriptor::new(MediaType::OCI_LAYER_GZIP, *blob, 4);
    let layer = Layer { descriptor, diff_id: Digest::of(b"plain"), size: 9 };
    Record { layer: Some(layer), extra: serde_json::json!({ "command": "true" }) }
}

/// How many of each kind, in their order, and how many bytes in all.
fn counts(usage: &[Usage]) -> ([u64; 5], u64) {
    let counts: Vec<u64> = usage.iter().map(|usage| usage.count).collect();
    (counts.try_into().unwrap(), usage.iter().map(|usage| usage.bytes).sum())
}

const ALL: Prune = Prune { older_than: None, keep_bytes: None, all: true };

#[test]
fn what_one_build_published_the_next_finds() {
    let place = Place::new();
    let key = Digest::of(b"key");
    let (blob, chain);
    {
        let work = place.open().work().unwrap();
        blob = put_blob(&work, b"blob").0;
        chain = put_snapshot(&work, "tree").0;
        work.put_record(&key, &record(&blob)).unwrap();
        work.put_document("context", b"facts").unwrap();
    }
    assert_eq!(place.names("work"), Vec::<String>::new());
    let work = place.open().work().unwrap();
    assert_eq!(work.record(&key).unwrap(), Some(record(&blob)));
    assert_eq!(fs_err::read(work.blob(&blob).unwrap().unwrap()).unwrap(), b"blob");
    let snapshot = work.snapshot(&chain).unwrap().unwrap();
    assert_eq!(fs_err::read_to_string(snapshot.join("f")).unwrap(), "tree");
    assert_eq!(work.document("context").unwrap(), Some(b"facts".to_vec()));
    let other = Digest::of(b"other");
    assert_eq!(work.record(&other).unwrap(), None);
    assert_eq!(work.blob(&other).unwrap(), None);
    assert_eq!(work.snapshot(&other).unwrap(), None);
    assert_eq!(work.document("other").unwrap(), None);
}

#[test]
fn the_slower_of_two_gets_what_the_faster_published() {
    let place = Place::new();
    let (one, two) = (place.open().work().unwrap(), place.open().work().unwrap());
    assert_eq!(put_blob(&one, b"same"), put_blob(&two, b"same"));
    assert_eq!(put_snapshot(&one, "same"), put_snapshot(&two, "same"));
    assert_eq!(counts(&place.open().usage().unwrap()), ([0, 1, 1, 0, 0], 8));
}

#[test]
fn what_a_killed_build_left_is_swept() {
    let place = Place::new();
    let store = place.open();
    let running = store.work().unwrap();
    let kept = running.directory("upper").unwrap();
    // Forgotten, it keeps its lock; as if killed, it has none.
    let dead = store.work().unwrap();
    let name = dead.path().file_name().unwrap().to_owned();
    fs_err::create_dir_all(dead.path().join("upper/deep")).unwrap();
    let (digest, _) = put_blob(&dead, b"leased");
    let aside = place.directory.path().join("aside");
    fs_err::rename(dead.path(), &aside).unwrap();
    let lock = dead.path().with_extension("lock");
    let path = dead.path().to_owned();
    drop(dead);
    fs_err::write(&lock, "").unwrap();
    fs_err::rename(&aside, &path).unwrap();
    let lease = "INSERT INTO lease (work, kind, key) VALUES (?1, 1, ?2)";
    let values = (name.to_string_lossy(), digest.to_string());
    store.with(|database| database.execute(lease, values)).unwrap();

    let work = place.open().work().unwrap();
    assert!(!path.exists() && !lock.exists() && kept.exists());
    drop(work);
    let leases: i64 = store
        .with(|database| database.query_row("SELECT COUNT(*) FROM lease", (), |row| row.get(0)))
        .unwrap();
    assert_eq!(leases, 0);
}

#[test]
fn a_file_that_nobody_wrote_down_does_no_harm() {
    let place = Place::new();
    let store = place.open();
    let digest = Digest::of(b"blob");
    // Killed between the rename and the end of the transaction.
    let path = store.path_of(Kind::Blob, &digest.to_string());
    fs_err::write(&path, "half").unwrap();
    let work = store.work().unwrap();
    assert_eq!(work.blob(&digest).unwrap(), None);
    put_blob(&work, b"blob");
    assert_eq!(fs_err::read(&path).unwrap(), b"blob");
    let stray = store.path_of(Kind::Snapshot, &digest.to_string());
    fs_err::create_dir(&stray).unwrap();
    store.prune(&Prune::default()).unwrap();
    assert!(path.exists() && !stray.exists());
}

#[test]
fn what_is_damaged_is_forgotten() {
    let place = Place::new();
    let work = place.open().work().unwrap();
    let (digest, path) = put_blob(&work, b"blob");
    fs_err::write(&path, "blo").unwrap();
    assert_eq!(work.blob(&digest).unwrap(), None);
    let (chain, path) = put_snapshot(&work, "tree");
    remove(&path).unwrap();
    assert_eq!(work.snapshot(&chain).unwrap(), None);
    assert_eq!(counts(&place.open().usage().unwrap()), ([0; 5], 0));
}

#[test]
fn after_the_machine_was_down_nothing_is_believed_unseen() {
    let place = Place::new();
    let store = place.open();
    let work = store.work().unwrap();
    let (good, _) = put_blob(&work, b"good");
    let (bad, path) = put_blob(&work, b"bad");
    let (chain, snapshot) = put_snapshot(&work, "tree");
    let old = store.transaction(|database| {
        database.execute("UPDATE item SET boot = 'before' WHERE boot <> ''", ())
    });
    if old.unwrap() == 0 {
        // This system does not say when it was started.
        return;
    }
    fs_err::write(&path, "\0\0\0").unwrap();
    let work = place.open().work().unwrap();
    assert!(work.blob(&good).unwrap().is_some());
    assert_eq!(work.blob(&bad).unwrap(), None);
    assert_eq!(work.snapshot(&chain).unwrap(), None);
    assert!(!snapshot.exists());
    let boot = |key: &Digest| {
        let sql = "SELECT boot FROM item WHERE key = ?1";
        store.with(|d| d.query_row(sql, [key.to_string()], |row| row.get::<_, String>(0))).unwrap()
    };
    assert_eq!(boot(&good), "");
    // What was written long ago is on the disk.
    let (late, _) = put_blob(&work, b"late");
    assert_ne!(boot(&late), "");
    place.now.store(2000, Ordering::Relaxed);
    place.open();
    assert_eq!(boot(&late), "");
    let (last, _) = put_blob(&work, b"last");
    store.settle().unwrap();
    assert_eq!(boot(&last), "");
}

#[test]
fn pruning_takes_the_longest_unused_and_nothing_that_is_used() {
    let place = Place::new();
    let store = place.open();
    let mut blobs = Vec::new();
    for time in [1000, 2000, 3000] {
        place.now.store(time, Ordering::Relaxed);
        let work = store.work().unwrap();
        let (digest, path) = put_blob(&work, format!("blob {time}").as_bytes());
        work.put_record(&digest, &record(&digest)).unwrap();
        blobs.push((digest, path));
    }
    let there = || blobs.iter().map(|(_, path)| path.exists()).collect::<Vec<_>>();
    place.now.store(3500, Ordering::Relaxed);
    assert_eq!(counts(&store.prune(&Prune::default()).unwrap()), ([0; 5], 0));
    let old = Prune { older_than: Some(2000), ..Prune::default() };
    let gone = store.prune(&old).unwrap();
    assert_eq!((gone[0].count, gone[1].count, gone[1].bytes), (1, 1, 9));
    assert_eq!(there(), [false, true, true]);

    // The older of the two is in use now, and so the younger one goes.
    let work = store.work().unwrap();
    work.blob(&blobs[1].0).unwrap().unwrap();
    let small = Prune { keep_bytes: Some(9), ..Prune::default() };
    store.prune(&small).unwrap();
    assert_eq!(there(), [false, true, false]);
    store.prune(&ALL).unwrap();
    assert_eq!(there(), [false, true, false]);
    drop(work);
    store.prune(&ALL).unwrap();
    assert_eq!(there(), [false; 3]);
    assert_eq!(counts(&store.usage().unwrap()), ([0; 5], 0));
    assert_eq!(place.names("work"), Vec::<String>::new());
}

#[test]
fn cache_mounts_are_shared_as_asked() {
    let place = Place::new();
    let (one, two) = (place.open().work().unwrap(), place.open().work().unwrap());
    let mount = |work: &Work, sharing| work.cache_mount("/root/.cache", sharing).unwrap();
    let first = mount(&one, Sharing::Shared).unwrap();
    assert!(first.is_new);
    fs_err::create_dir(&first.path).unwrap();
    fs_err::write(first.path.join("f"), "12345").unwrap();
    let second = mount(&two, Sharing::Shared).unwrap();
    assert_eq!((&second.path, second.is_new), (&first.path, false));
    assert!(mount(&one, Sharing::Locked).is_none());
    let private = mount(&one, Sharing::Private).unwrap();
    assert_ne!(private.path, first.path);
    assert_ne!(mount(&two, Sharing::Private).unwrap().path, private.path);
    let other = one.cache_mount("other", Sharing::Locked).unwrap().unwrap();
    assert_ne!(other.path, first.path);

    let store = place.open();
    assert_eq!(counts(&store.usage().unwrap()), ([0, 0, 0, 4, 0], 5));
    store.prune(&ALL).unwrap();
    assert!(first.path.join("f").exists());
    let path = first.path.clone();
    drop((first, second, private, other));
    let locked = mount(&one, Sharing::Locked).unwrap();
    assert_eq!((&locked.path, locked.is_new), (&path, false));
    assert!(mount(&two, Sharing::Shared).is_none());
    drop(locked);
    store.prune(&ALL).unwrap();
    assert!(!path.exists());
    assert_eq!(place.names("mounts"), Vec::<String>::new());
    assert!(mount(&one, Sharing::Locked).unwrap().is_new);
}

#[test]
fn builds_and_prunes_at_once_lose_nothing_that_is_used() {
    let place = Place::new();
    place.open();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pruner = scope.spawn(|| {
            let store = place.open();
            while !done.load(Ordering::Relaxed) {
                store.prune(&ALL).unwrap();
            }
        });
        let builders: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let store = place.open();
                    for round in 0..15 {
                        let work = store.work().unwrap();
                        let content = format!("{}", round % 4);
                        let digest = Digest::of(content.as_bytes());
                        let path = match work.blob(&digest).unwrap() {
                            Some(path) => path,
                            None => put_blob(&work, content.as_bytes()).1,
                        };
                        let tree = match work.snapshot(&digest).unwrap() {
                            Some(path) => path,
                            None => put_snapshot(&work, &content).1,
                        };
                        for _ in 0..3 {
                            assert_eq!(fs_err::read_to_string(&path).unwrap(), content);
                            assert_eq!(fs_err::read_to_string(tree.join("f")).unwrap(), content);
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        builders.into_iter().for_each(|builder| builder.join().unwrap());
        done.store(true, Ordering::Relaxed);
        pruner.join().unwrap();
    });
    place.open().prune(&ALL).unwrap();
    assert_eq!(place.names("blobs/sha256"), Vec::<String>::new());
    assert_eq!(place.names("snapshots"), Vec::<String>::new());
    assert_eq!(place.names("work"), Vec::<String>::new());
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let place = Place::new();
    place.open().with(|database| database.pragma_update(None, "user_version", 9)).unwrap();
    let error = Store::open(&place.root(), || 0, None).err().unwrap().to_string();
    let path = place.root().join("store.db");
    assert_eq!(error, format!("`{}` is of version 9, and this program knows 1", path.display()));
}
