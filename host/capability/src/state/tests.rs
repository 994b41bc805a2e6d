use futures::future::join_all;

use super::*;
use crate::{Backends, GrantText, Granted, recorder::TestRun};

fn granted() -> GrantText {
    GrantText { state: true, ..GrantText::default() }
}

fn step(run: &TestRun, scope: &str) -> Granted {
    let facts = run.facts(&granted());
    run.backends.give(crate::CallFacts { state_scope: scope.to_owned(), ..facts })
}

#[tokio::test]
async fn what_was_put_is_there_with_growing_versions() {
    let run = TestRun::new();
    let state = run.call(&granted()).state;
    assert_eq!(state.get("k").await.unwrap(), None);
    assert_eq!(state.put("k", b"a".to_vec(), Expected::Anything).await.unwrap(), 1);
    assert_eq!(state.put("k", b"b".to_vec(), Expected::Version(1)).await.unwrap(), 2);
    let entry = Entry { value: b"b".to_vec(), version: 2 };
    assert_eq!(state.get("k").await.unwrap(), Some(entry));
    assert!(state.delete("k", Expected::Version(2)).await.unwrap());
    assert!(!state.delete("k", Expected::Anything).await.unwrap());
    assert_eq!(state.get("k").await.unwrap(), None);
    let ledger = [
        "state get k: absent",
        "state put k: version 1 (1)",
        "state put k: version 2 (1)",
        "state get k: version 2 (1)",
        "state delete k: deleted",
        "state delete k: absent",
        "state get k: absent",
    ];
    assert_eq!(run.recorder.ledger(), ledger);
}

#[tokio::test]
async fn a_deleted_key_never_gets_an_old_version_again() {
    let run = TestRun::new();
    let state = run.call(&granted()).state;
    let old = state.put("k", b"a".to_vec(), Expected::Absent).await.unwrap();
    state.delete("k", Expected::Anything).await.unwrap();
    let new = state.put("k", b"b".to_vec(), Expected::Absent).await.unwrap();
    assert!(new > old);
    let fault = state.put("k", b"c".to_vec(), Expected::Version(old)).await.unwrap_err();
    assert_eq!(fault.code, "conflict.state");
}

#[tokio::test]
async fn an_unexpected_state_is_a_conflict_and_changes_nothing() {
    let run = TestRun::new();
    let state = run.call(&granted()).state;
    let fault = state.put("k", vec![], Expected::Version(1)).await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Conflict, "conflict.state"));
    assert_eq!(fault.causes, ["there is no such key now"]);
    state.put("k", b"a".to_vec(), Expected::Absent).await.unwrap();
    let fault = state.put("k", b"b".to_vec(), Expected::Absent).await.unwrap_err();
    assert_eq!(fault.causes, ["it has version 1 now"]);
    assert!(state.delete("k", Expected::Version(7)).await.is_err());
    assert_eq!(state.get("k").await.unwrap().unwrap().value, b"a");
}

#[tokio::test]
async fn keys_are_listed_by_prefix_and_in_order() {
    let run = TestRun::new();
    let state = run.call(&granted()).state;
    for key in ["b", "a%", "a_1", "a", "é1"] {
        state.put(key, vec![], Expected::Anything).await.unwrap();
    }
    state.delete("a", Expected::Anything).await.unwrap();
    assert_eq!(state.keys("").await.unwrap(), ["a%", "a_1", "b", "é1"]);
    assert_eq!(state.keys("a").await.unwrap(), ["a%", "a_1"]);
    assert_eq!(state.keys("a%").await.unwrap(), ["a%"]);
    assert_eq!(state.keys("é").await.unwrap(), ["é1"]);
    assert!(state.keys("x").await.unwrap().is_empty());
}

#[tokio::test]
async fn steps_do_not_see_each_other() {
    let run = TestRun::new();
    step(&run, "p/a").state.put("k", b"a".to_vec(), Expected::Absent).await.unwrap();
    assert_eq!(step(&run, "p/b").state.get("k").await.unwrap(), None);
    assert!(step(&run, "p/a").state.get("k").await.unwrap().is_some());
}

#[tokio::test]
async fn it_is_on_disk_when_the_call_returns() {
    let run = TestRun::new();
    run.call(&granted()).state.put("k", b"a".to_vec(), Expected::Absent).await.unwrap();
    let again = Backends {
        state: StateFile::new(run.folder.path().join("state/state.db")),
        ..run.backends.clone()
    };
    let state = again.give(run.facts(&granted())).state;
    assert_eq!(state.get("k").await.unwrap().unwrap().value, b"a");
}

#[tokio::test]
async fn limits_are_faults_of_the_plugin() {
    let run = TestRun::new();
    let state = run.call(&granted()).state;
    let put = |key: String, size: usize| {
        let state = state.clone();
        async move { state.put(&key, vec![0; size], Expected::Anything).await }
    };
    assert!(put("k".repeat(LONGEST_KEY), LARGEST_VALUE).await.is_ok());
    for fault in [
        put("k".repeat(LONGEST_KEY + 1), 0).await.unwrap_err(),
        put("k".to_owned(), LARGEST_VALUE + 1).await.unwrap_err(),
        put(String::new(), 0).await.unwrap_err(),
        state.get("").await.unwrap_err(),
    ] {
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Invalid, "invalid.state"));
    }
}

#[test]
fn there_are_at_most_a_thousand_keys_and_deleting_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let file = StateFile::new(folder.path().join("state.db"));
    let work = |tx: &Transaction<'_>| {
        for index in 0..MOST_KEYS {
            put(tx, "s", &index.to_string(), b"", Expected::Anything)?;
        }
        assert!(matches!(
            put(tx, "s", "more", b"", Expected::Anything),
            Err(StateError::Full { .. })
        ));
        put(tx, "s", "7", b"again", Expected::Anything)?;
        put(tx, "other", "more", b"", Expected::Anything)?;
        for index in 0..MOST_KEYS {
            delete(tx, "s", &index.to_string(), Expected::Anything)?;
        }
        for index in 0..10 {
            put(tx, "s", &format!("new {index}"), b"", Expected::Anything)?;
            delete(tx, "s", &format!("new {index}"), Expected::Anything)?;
        }
        assert_eq!(count(tx, "s", "value IS NULL")?, MOST_DELETED);
        Ok(())
    };
    file.0.transact(TransactionBehavior::Immediate, work).unwrap();
}

#[tokio::test]
async fn of_many_who_write_at_once_one_wins_each_round() {
    let run = TestRun::new();
    // Two files: two processes, each with a connection of its own.
    let path = run.folder.path().join("state/state.db");
    let other = Backends { state: StateFile::new(path), ..run.backends.clone() };
    let calls = [run.call(&granted()).state, other.give(run.facts(&granted())).state];
    for round in 0..5_u64 {
        let expected = if round == 0 { Expected::Absent } else { Expected::Version(round) };
        let writes = (0..16_usize).map(|writer| {
            let state = calls[writer % 2].clone();
            async move { state.put("k", vec![], expected).await }
        });
        let results = join_all(writes).await;
        let won: Vec<u64> =
            results.iter().filter_map(|result| result.as_ref().ok()).copied().collect();
        assert_eq!(won, [round + 1]);
        let lost = results.iter().filter_map(|result| result.as_ref().err());
        assert!(lost.into_iter().all(|fault| fault.code == "conflict.state"));
    }
}

#[test]
fn of_many_who_open_a_new_file_at_once_nobody_fails() {
    // Each round is a new file: the race is in making it.
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (file, start) = (StateFile::new(&path), &start);
                scope.spawn(move || {
                    start.wait();
                    let key = writer.to_string();
                    let work =
                        move |tx: &Transaction<'_>| put(tx, "s", &key, b"", Expected::Absent);
                    file.0.transact(TransactionBehavior::Immediate, work).unwrap();
                });
            }
        });
    }
}

#[tokio::test]
async fn without_the_grant_nothing_is_opened() {
    let run = TestRun::new();
    let state = run.call(&GrantText::default()).state;
    let fault = state.put("k", vec![], Expected::Anything).await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.state"));
    assert_eq!(fault.help.unwrap(), "add to `[step.grant]` of the step: state = true");
    assert!(state.get("k").await.is_err() && state.keys("").await.is_err());
    assert!(!run.folder.path().join("state").exists());
}

#[tokio::test]
async fn a_dry_run_may_look_and_not_change() {
    let run = TestRun::new();
    let state = run.dry_call(&granted()).state;
    assert_eq!(state.get("k").await.unwrap(), None);
    let fault = state.put("k", vec![], Expected::Anything).await.unwrap_err();
    assert_eq!(fault.code, "denied.dry-run");
    assert!(fault.message.contains("dry run"));
    assert!(state.delete("k", Expected::Anything).await.is_err());
}

#[tokio::test]
async fn a_file_that_is_none_of_ours_is_an_error_and_not_overwritten() {
    let run = TestRun::new();
    let path = run.folder.path().join("state/state.db");
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, "hello, I am text ".repeat(100)).unwrap();
    let fault = run.call(&granted()).state.get("k").await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Failed, "failed.state"));
    assert!(fs_err::read_to_string(&path).unwrap().starts_with("hello"));
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let run = TestRun::new();
    let path = run.folder.path().join("state/state.db");
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
    drop(connection);
    let fault = run.call(&granted()).state.get("k").await.unwrap_err();
    assert!(fault.message.contains("newer"), "{fault}");
}
