//! Creating, finding, listing, stopping and forgetting runs.

use report::{Fault, Kind};
use run::{Event, EventKind, Outcome, Trigger};
use serde_json::json;

use super::{at, bytes, new_run, open};
use crate::{
    Claim, Held, NewRun, Prune, RecordError, RunStatus, Selection, Store, create, database,
    fold::Fold,
    store::{BUSY, RUNNING},
    trigger::QUEUED,
};

/// Ends a run as its recorder would.
fn end(store: &mut Store, held: Held, outcome: Outcome, second: u64) {
    let kind = EventKind::RunFinished { outcome, exit: None };
    let event = Event { at: at(second), elapsed_ms: 0, kind };
    let mut fold = Fold::new(held.key);
    store.transact(|tx| fold.write(tx, &[event])).unwrap();
    held.release();
}

fn ids(store: &Store, selection: &Selection) -> Vec<String> {
    store.list(selection).unwrap().into_iter().map(|row| row.id).collect()
}

fn fault(error: RecordError) -> (Kind, String, Option<String>) {
    let fault = Fault::from(error);
    (fault.kind, fault.to_string(), fault.help)
}

#[test]
fn a_run_is_read_back_as_it_was_created() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let new = NewRun {
        trigger: Trigger::ImageUpdate,
        cause: json!({ "image": "a:1" }),
        rerun_of: Some("da8".to_owned()),
        ..new_run("many")
    };
    let held = store.start(&new, at(0)).unwrap();
    let row = store.row(held.id()).unwrap().unwrap();
    assert_eq!(row.run, new);
    assert_eq!(
        (row.status, row.created_at, row.started_at),
        (RunStatus::Running, at(0), Some(at(0)))
    );
    assert_eq!(row.pid, Some(std::process::id()));
    let id = held.id().to_owned();
    end(&mut store, held, Outcome::Denied, 38);
    let row = open(folder.path()).row(&id).unwrap().unwrap();
    assert_eq!((row.status, row.outcome), (RunStatus::Failed, Some(Outcome::Denied)));
    assert_eq!((row.finished_at, row.took_ms()), (Some(at(38)), Some(38_000)));
}

#[test]
fn a_run_whose_holder_is_gone_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let held = store.start(&new_run("many"), at(0)).unwrap();
    let id = held.id().to_owned();
    let mut other = open(folder.path());
    other.settle().unwrap();
    assert_eq!(other.row(&id).unwrap().unwrap().status, RunStatus::Running);
    // As the kernel does when the process ends.
    drop(held);
    other.settle().unwrap();
    assert_eq!(other.row(&id).unwrap().unwrap().status, RunStatus::Interrupted);
    assert_eq!(std::fs::read_dir(folder.path().join("runs")).unwrap().count(), 0);
}

#[test]
fn a_run_and_why_it_was_created_are_one_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.transact(|tx| tx.execute_batch("CREATE TABLE seen (digest TEXT UNIQUE)")).unwrap();
    let decide = |store: &mut Store| {
        store.transact(|tx| {
            let id = create(tx, &new_run("watched"), at(0))?;
            tx.execute("INSERT INTO seen VALUES ('sha256:1')", ())?;
            Ok(id)
        })
    };
    let id = decide(&mut store).unwrap();
    // The same digest again: neither is there.
    assert!(decide(&mut store).is_err());
    assert_eq!(ids(&store, &Selection::default()), std::slice::from_ref(&id));
    assert_eq!(store.row(&id).unwrap().unwrap().status, RunStatus::Queued);
    let claim = |store: &mut Store, id: &str| store.claim(id, "sha256:01", true, at(1)).unwrap();
    let Claim::Held(held) = claim(&mut store, &id) else { panic!("nobody else runs it") };
    assert_eq!(store.row(&id).unwrap().unwrap().run.source, "sha256:01");
    assert!(matches!(claim(&mut open(folder.path()), &id), Claim::Gone), "one process runs it");
    let second = store.transact(|tx| create(tx, &new_run("watched"), at(1))).unwrap();
    assert!(matches!(claim(&mut store, &second), Claim::Busy), "one run of a file at a time");
    end(&mut store, held, Outcome::Succeeded, 2);
    assert!(matches!(claim(&mut store, &id), Claim::Gone), "what is over does not begin");
    assert!(matches!(claim(&mut store, "nobody"), Claim::Gone));
    assert!(matches!(claim(&mut store, &second), Claim::Held(_)));
}

#[test]
fn a_run_is_found_by_what_its_id_begins_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let held: Vec<Held> =
        (0..3).map(|second| store.start(&new_run("many"), at(second)).unwrap()).collect();
    for (held, id) in held.iter().zip(["da8k2m3n", "da8h2m3n", "w2345678"]) {
        store
            .transact(|tx| tx.execute("UPDATE runs SET id = ?2 WHERE key = ?1", (held.key, id)))
            .unwrap();
    }
    assert_eq!(store.find("da8k").unwrap().id, "da8k2m3n");
    assert_eq!(store.find("DA8H2M3N").unwrap().id, "da8h2m3n");
    assert_eq!(store.find("w").unwrap().id, "w2345678");
    assert_eq!(store.short("w2345678").unwrap(), "w23");
    assert_eq!(store.short("da8h2m3n").unwrap(), "da8h");
    assert_eq!(
        fault(store.find("da8").unwrap_err()),
        (
            Kind::Invalid,
            "`da8` may be more than one run: da8h: many, 2026-01-31T08:15:01.000Z: \
             da8k: many, 2026-01-31T08:15:00.000Z"
                .to_owned(),
            Some("type more of it".to_owned())
        )
    );
    let unknown = |id: &str| fault(store.find(id).unwrap_err());
    assert_eq!(
        unknown("w32"),
        (
            Kind::NotFound,
            "there is no run `w32`".to_owned(),
            Some("did you mean `w23`?".to_owned())
        )
    );
    for none in ["", "%", "da8 OR 1", "xxxxxxxx"] {
        assert_eq!(unknown(none).0, Kind::NotFound, "{none}");
    }
}

#[test]
fn lists_are_newest_first_and_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let mut all = Vec::new();
    for (second, (pipeline, trigger)) in
        [("a", Trigger::Manual), ("b", Trigger::ImageUpdate), ("a", Trigger::Timer)]
            .into_iter()
            .enumerate()
    {
        let second = second as u64;
        let held = store.start(&NewRun { trigger, ..new_run(pipeline) }, at(second)).unwrap();
        all.push(held.id().to_owned());
        let outcome = if second == 1 { Outcome::Failed } else { Outcome::Succeeded };
        let key = held.key;
        let image = format!("localhost:5000/app:v{second}");
        store
            .transact(|tx| {
                tx.execute(
                    "INSERT INTO images VALUES (?1, 'x', 'written', ?2, 'sha256:' || ?3)",
                    (key, image, second.cast_signed()),
                )
            })
            .unwrap();
        end(&mut store, held, outcome, second);
    }
    let [first, second, third] = &all[..] else { panic!("three runs") };
    let check = |selection: Selection, expected: &[&String]| {
        assert_eq!(ids(&store, &selection).iter().collect::<Vec<_>>(), expected, "{selection:?}");
    };
    let none = Selection::default;
    check(none(), &[third, second, first]);
    check(Selection { last: Some(2), ..none() }, &[third, second]);
    check(Selection { pipeline: Some("a".to_owned()), ..none() }, &[third, first]);
    check(Selection { status: vec![RunStatus::Failed], ..none() }, &[second]);
    check(
        Selection { trigger: vec![Trigger::Timer, Trigger::ImageUpdate], ..none() },
        &[third, second],
    );
    check(Selection { since: Some(at(1)), before: Some(at(2)), ..none() }, &[second]);
    let image = |text: &str| Selection { image: Some(text.to_owned()), ..none() };
    check(image("localhost:5000/app:v1"), &[second]);
    check(image("localhost:5000/app"), &[third, second, first]);
    check(image("localhost:5000/ap"), &[]);
    check(image("sha256:2"), &[third]);
    check(
        Selection {
            pipeline: Some("a".to_owned()),
            status: vec![RunStatus::Succeeded],
            trigger: vec![Trigger::Manual],
            last: Some(9),
            ..image("localhost:5000/app")
        },
        &[first],
    );
    assert_eq!(store.pipelines().unwrap(), ["a", "b"]);
}

#[test]
fn what_is_queued_is_cancelled_and_what_runs_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let queued = store.transact(|tx| create(tx, &new_run("a"), at(0))).unwrap();
    assert_eq!(store.cancel(&queued, at(1)).unwrap(), 1);
    assert_eq!(store.row(&queued).unwrap().unwrap().status, RunStatus::Cancelled);
    let held = store.start(&new_run("a"), at(2)).unwrap();
    let id = held.id().to_owned();
    assert_eq!(store.cancel(&id, at(3)).unwrap(), 1);
    assert_eq!(store.cancel(&id, at(3)).unwrap(), 2);
    assert_eq!(store.cancels(held.key).unwrap(), 2);
    end(&mut store, held, Outcome::Cancelled, 4);
    let short = store.short(&id).unwrap();
    assert_eq!(
        fault(store.cancel(&id, at(5)).unwrap_err()),
        (Kind::Conflict, format!("run {short} is over: it was cancelled"), None)
    );
    let held = store.start(&new_run("a"), at(2)).unwrap();
    let id = held.id().to_owned();
    drop(held);
    let (kind, message, _) = fault(store.cancel(&id, at(5)).unwrap_err());
    assert_eq!(kind, Kind::Conflict);
    assert!(message.ends_with("is over: it was interrupted"), "{message}");
}

#[test]
fn what_is_forgotten_is_gone_and_what_runs_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let running = store.start(&new_run("running"), at(0)).unwrap();
    for second in 1..=4 {
        let mut new = new_run("over");
        new.inputs.insert("word".to_owned(), format!("rumpelstiltskin-{second}"));
        let held = store.start(&new, at(second)).unwrap();
        end(&mut store, held, Outcome::Succeeded, second);
    }
    let prune = |store: &mut Store, keep, before: Option<u64>| {
        store.prune(Prune { keep, before: before.map(at) }).unwrap()
    };
    assert_eq!(prune(&mut store, Some(4), None), 0);
    assert_eq!(prune(&mut store, Some(1), Some(3)), 2, "older, and not among those kept");
    assert_eq!(store.list(&Selection::default()).unwrap().len(), 3);
    assert_eq!(prune(&mut store, Some(3), Some(9)), 0);
    assert_eq!(prune(&mut store, Some(0), None), 2);
    let left = store.list(&Selection::default()).unwrap();
    assert_eq!(left.iter().map(|row| row.run.pipeline.as_str()).collect::<Vec<_>>(), ["running"]);
    let text = String::from_utf8_lossy(&bytes(folder.path())).into_owned();
    assert!(!text.contains("rumpelstiltskin"));
    end(&mut store, running, Outcome::Succeeded, 9);
}

#[test]
fn a_file_of_a_later_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.connection.pragma_update(None, "user_version", 4).unwrap();
    let (kind, message, help) = fault(Store::open(folder.path()).unwrap_err());
    assert_eq!(kind, Kind::Failed);
    assert!(message.ends_with("was written by a newer version (format 4)"), "{message}");
    assert_eq!(help.unwrap(), "use the newer version of windlass");
}

#[test]
fn a_file_that_is_none_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.sqlite");
    fs_err::write(&path, "no database, but long enough to be read as one".repeat(100)).unwrap();
    let (kind, _, help) = fault(Store::open(folder.path()).unwrap_err());
    assert_eq!(kind, Kind::Failed);
    assert!(help.unwrap().ends_with("away: a new one is begun in its place"));
    assert!(fs_err::read_to_string(&path).unwrap().starts_with("no database"));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("state"), "a file").unwrap();
    let (_, message, help) = fault(Store::open(&folder.path().join("state")).unwrap_err());
    assert!(message.contains("/state` cannot be opened"), "{message}");
    assert!(help.unwrap().contains("WINDLASS_STATE_DIR"));
    assert!(Store::open_existing(&folder.path().join("absent")).unwrap().is_none());
}

#[test]
fn a_store_that_somebody_has_locked_is_busy_and_no_run_is_half_created() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let other = database::open(&folder.path().join("runs.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.start(&new_run("a"), at(0)).unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert_eq!(fault(error).0, Kind::Transient);
    // Looking is possible meanwhile.
    assert_eq!(ids(&store, &Selection::default()), [""; 0]);
    other.execute_batch("COMMIT").unwrap();
    store.start(&new_run("a"), at(0)).unwrap();
}

#[test]
fn what_is_open_is_found_without_reading_what_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for query in [RUNNING, BUSY, QUEUED] {
        let plan = format!("EXPLAIN QUERY PLAN {query}");
        let mut plan = store.connection.prepare(&plan).unwrap();
        let file = (plan.parameter_count() > 0).then_some("/work/p.toml");
        let values = rusqlite::params_from_iter(file);
        let steps = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        assert_eq!(steps.len(), 1, "{query}: {steps:?}");
        assert!(steps[0].starts_with("SEARCH runs USING INDEX open_runs"), "{query}: {steps:?}");
    }
}

#[test]
fn two_that_make_the_file_at_once_both_have_it() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let started = std::thread::scope(|scope| {
            let start = || open(folder.path()).start(&new_run("a"), at(0)).unwrap();
            let both = [scope.spawn(start), scope.spawn(start)];
            both.map(|thread| thread.join().unwrap())
        });
        assert_ne!(started[0].id(), started[1].id());
        assert_eq!(open(folder.path()).list(&Selection::default()).unwrap().len(), 2);
    }
}

#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let _held = store.start(&new_run("a"), at(0)).unwrap();
    for name in ["runs.sqlite", "runs.sqlite-wal"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[test]
fn a_store_of_the_first_format_keeps_its_runs_and_can_watch() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let id = store.start(&new_run("old"), at(0)).unwrap().id().to_owned();
    let before = |tx: &rusqlite::Transaction<'_>| {
        tx.execute_batch("DROP TABLE triggers; DROP INDEX runs_of_file; PRAGMA user_version = 1")
    };
    store.transact(before).unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(ids(&store, &Selection::default()), [id]);
    assert_eq!(store.triggers().unwrap(), []);
}
