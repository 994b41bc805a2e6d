//! Decisions: what was seen and the run that it starts are one fact.

use std::path::Path;

use run::Trigger;
use serde_json::{Value, json};

use super::{at, new_run, open};
use crate::{Decided, Judged, Look, NewRun, RunStatus, Selection, Store};

fn look(version: i64, second: u64) -> Look {
    Look {
        name: "image-update".to_owned(),
        watches: "a:1".to_owned(),
        run: NewRun { trigger: Trigger::ImageUpdate, ..new_run("watched") },
        replaces: false,
        version,
        at: at(second),
        next_at: at(second + 300),
        error: None,
    }
}

/// Fires if `digest` is not what is remembered.
fn decide(store: &mut Store, look: &Look, digest: &str) -> Decided {
    let judge = |before: &Value| Judged {
        state: json!(digest),
        armed: true,
        cause: (*before != json!(digest)).then(|| json!({ "new": digest })),
    };
    store.decide(look, judge).unwrap()
}

#[test]
fn a_change_starts_one_run_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let Decided::Fired(id) = decide(&mut store, &look(0, 0), "1") else { panic!("it is new") };
    assert_eq!(decide(&mut store, &look(1, 1), "1"), Decided::Unchanged);
    let row = store.row(&id).unwrap().unwrap();
    assert_eq!((row.status, row.run.trigger), (RunStatus::Queued, Trigger::ImageUpdate));
    assert_eq!(row.run.cause, json!({ "new": "1" }));
    let known = store.trigger(Path::new("/work/p.toml"), "image-update").unwrap().unwrap();
    assert_eq!(known.fired, Some(id.clone()), "a look without a change leaves it");
    assert_eq!((known.checked_at, known.next_at), (at(1), at(301)));
    let times = |name| store.times(Path::new("/work/p.toml"), name).unwrap();
    assert_eq!((times("image-update"), times("schedule")), (Some((at(1), at(301))), None));
    assert_eq!(store.queued(Path::new("/work/p.toml")).unwrap(), [id]);
    assert_eq!(store.queued(Path::new("/work/q.toml")).unwrap(), [""; 0]);
}

#[test]
fn what_was_looked_at_before_somebody_else_decided_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (open(folder.path()), open(folder.path()));
    assert!(matches!(decide(&mut one, &look(0, 0), "1"), Decided::Fired(_)));
    // Both look; the first sees what is new already, the second what was there before.
    assert!(matches!(decide(&mut one, &look(1, 1), "2"), Decided::Fired(_)));
    assert_eq!(decide(&mut two, &look(1, 1), "1"), Decided::Outdated);
    assert_eq!(decide(&mut two, &look(2, 2), "2"), Decided::Unchanged);
    assert_eq!(one.list(&Selection::default()).unwrap().len(), 2);
}
