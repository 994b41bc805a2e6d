//! Events on their way into the store, and what a run does when they do not get there.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use report::{Fault, Kind, Mask};
use run::{
    Earlier as _, Event, EventKind, EventSink as _, ImageRole, ImageUse, Instance, LedgerLine,
    Level, Outcome, ProgressId, Status, StepFinished, StepOutline, Stop, Unit,
};
use serde_json::{Value, json};

use super::{at, new_run, open};
use crate::{
    Begun, Detail, EarlierRun, Identity, Recorder, RunStatus, Store, create, database,
    limits::MOST_EVENTS,
};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn event(second: u64, kind: EventKind) -> Event {
    Event { at: at(second), elapsed_ms: second * 1000, kind }
}

fn step(name: &str) -> Instance {
    Instance::new(name)
}

fn started(name: &str) -> EventKind {
    EventKind::StepStarted { step: step(name), inputs: json!({ "text": "***" }), dry_run: false }
}

fn log(message: &str) -> EventKind {
    let message = message.to_owned();
    EventKind::Log { step: step("a"), level: Level::Info, message, fields: Vec::new() }
}

fn succeeded(name: &str) -> StepFinished {
    StepFinished {
        step: step(name),
        outcome: Outcome::Succeeded,
        status: Some(Status::Changed),
        attempts: 2,
        took_ms: 1500,
        outputs: json!({ "digest": DIGEST }),
        summary: Some("done".to_owned()),
        fault: None,
        tolerated: false,
        reason: None,
        reused: None,
        withheld: false,
    }
}

fn begun(names: &[&str]) -> EventKind {
    let outline = |name: &&str| StepOutline {
        id: (*name).to_owned(),
        uses: "echo".to_owned(),
        version: "0.1.0".to_owned(),
        digest: "sha256:plugin".to_owned(),
    };
    EventKind::RunStarted {
        run: "x".to_owned(),
        pipeline: "many".to_owned(),
        dry_run: false,
        jobs: 1,
        steps: names.iter().map(outline).collect(),
    }
}

fn over(outcome: Outcome) -> EventKind {
    EventKind::RunFinished {
        outcome,
        exit: (outcome != Outcome::Succeeded).then_some(Kind::Failed),
    }
}

/// What the recorder said of its troubles.
type Said = Arc<Mutex<Vec<String>>>;

fn recorder(
    open: impl FnOnce() -> Result<Store, crate::RecordError> + Send + 'static,
) -> (Recorder, Said) {
    let said = Said::default();
    let notice = Arc::clone(&said);
    let recorder =
        Recorder::with(open, move |fault| notice.lock().unwrap().push(fault.to_string()));
    (recorder, said)
}

fn record(folder: &tempfile::TempDir, events: Vec<EventKind>) -> (Identity, Detail) {
    let path = folder.path().to_owned();
    let (recorder, said) = recorder(move || Store::open(&path));
    let identity = recorder.create(new_run("many"), at(0)).unwrap();
    for (second, kind) in (1..).zip(events) {
        recorder.emit(&event(second, kind));
    }
    // Nobody has ended the recorder: what it was told last is there all the same.
    let store = open(folder.path());
    let detail = store.detail(store.find(&identity.short).unwrap()).unwrap();
    assert_eq!(*said.lock().unwrap(), [""; 0]);
    (identity, detail)
}

#[test]
fn what_happened_is_there_when_run_finished_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let fault = Fault::new(Kind::Transient, "not yet");
    let image = |role, reference: &str| ImageUse {
        role,
        reference: reference.to_owned(),
        digest: DIGEST.to_owned(),
    };
    let ledger = LedgerLine {
        capability: "oci".to_owned(),
        action: "copy".to_owned(),
        target: "a/b:1 to c/d:1".to_owned(),
        result: format!("changed {DIGEST}"),
        failed: false,
        bytes: None,
        images: vec![image(ImageRole::Read, "a/b:1"), image(ImageRole::Written, "c/d:1")],
        elapsed: Duration::ZERO,
    };
    let denied = StepFinished {
        outcome: Outcome::Denied,
        fault: Some(Fault::new(Kind::Denied, "no").help("grant it")),
        status: None,
        outputs: Value::Null,
        summary: None,
        attempts: 1,
        ..succeeded("b[x=1]")
    };
    let skipped = StepFinished {
        outcome: Outcome::Skipped,
        status: None,
        attempts: 0,
        took_ms: 0,
        outputs: Value::Null,
        reason: Some("its `when` is false".to_owned()),
        summary: None,
        ..succeeded("c")
    };
    let attempt_failed = EventKind::AttemptFailed {
        step: step("a"),
        attempt: 1,
        attempts: 2,
        fault: fault.clone(),
        pause_ms: 1,
    };
    let (identity, detail) = record(
        &folder,
        vec![
            begun(&["a", "b", "c", "d"]),
            started("a"),
            attempt_failed,
            EventKind::AttemptStarted { step: step("a"), attempt: 2 },
            EventKind::Ledger { step: step("a"), line: ledger },
            EventKind::StepFinished(succeeded("a")),
            started("b[x=1]"),
            EventKind::StepFinished(denied),
            EventKind::StepFinished(skipped),
            over(Outcome::Denied),
        ],
    );
    assert!(identity.id.starts_with(&identity.short));
    let run = &detail.run;
    assert_eq!((run.status, run.outcome), (RunStatus::Failed, Some(Outcome::Denied)));
    assert_eq!((run.exit, run.finished_at, run.lost), (Some(Kind::Failed), Some(at(10)), 0));
    let steps: Vec<(&str, usize)> =
        detail.steps.iter().map(|step| (step.id.as_str(), step.instances.len())).collect();
    assert_eq!(steps, [("a", 1), ("b", 1), ("c", 1), ("d", 0)]);
    let a = &detail.steps[0].instances[0];
    assert_eq!(a.outputs, Some(json!({ "digest": DIGEST })));
    assert_eq!(
        (a.started_ms, a.took_ms, a.status),
        (Some(2000), Some(1500), Some(Status::Changed))
    );
    let attempts: Vec<_> =
        a.attempts.iter().map(|a| (a.attempt, a.started_ms, a.ended_ms, a.fault.clone())).collect();
    assert_eq!(
        attempts,
        [(1, Some(2000), Some(3000), Some(fault)), (2, Some(4000), Some(6000), None)]
    );
    let images: Vec<(ImageRole, &str)> =
        a.images.iter().map(|image| (image.role, image.reference.as_str())).collect();
    assert_eq!(images, [(ImageRole::Read, "a/b:1"), (ImageRole::Written, "c/d:1")]);
    let b = &detail.steps[1].instances[0];
    assert_eq!(b.fault.as_ref().unwrap().help.as_deref(), Some("grant it"));
    assert_eq!(b.attempts[0].fault.as_ref().unwrap().message, "no");
    assert_eq!(detail.steps[2].instances[0].reason.as_deref(), Some("its `when` is false"));
}

#[test]
fn a_run_that_waits_in_the_store_is_begun_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let id = store.transact(|tx| create(tx, &new_run("watched"), at(0))).unwrap();
    let begin = || {
        let path = folder.path().to_owned();
        let (recorder, _) = recorder(move || Store::open(&path));
        let begun = recorder.claim(&id, "sha256:01", true, at(1)).unwrap();
        (recorder, begun)
    };
    let (first, begun) = begin();
    assert!(matches!(&begun, Begun::Run(identity) if identity.id == id), "{begun:?}");
    let (_second, begun) = begin();
    assert_eq!(begun, Begun::Gone);
    first.emit(&event(2, over(Outcome::Succeeded)));
    let row = store.row(&id).unwrap().unwrap();
    assert_eq!((row.status, row.started_at), (RunStatus::Succeeded, Some(at(1))));
    assert_eq!(begin().1, Begun::Gone);
}

#[test]
fn progress_is_kept_as_what_it_came_to() {
    let folder = tempfile::tempdir().unwrap();
    let (step, progress) = (step("a"), ProgressId::from_number(1));
    let title = "copy".to_owned();
    let begins = EventKind::ProgressStarted {
        step: step.clone(),
        progress,
        title,
        total: None,
        unit: Unit::Bytes,
    };
    let advanced = |amount| EventKind::ProgressAdvanced { step: step.clone(), progress, amount };
    let ends = EventKind::ProgressEnded { step: step.clone(), progress };
    let (_, detail) = record(
        &folder,
        vec![
            begins.clone(),
            advanced(1),
            advanced(2),
            advanced(4),
            ends.clone(),
            over(Outcome::Succeeded),
        ],
    );
    let events = open(folder.path()).events(&detail.run, 0).unwrap();
    let kinds: Vec<EventKind> = events.into_iter().map(|(_, event)| event.kind).collect();
    assert_eq!(kinds, [begins, advanced(7), ends, over(Outcome::Succeeded)]);
}

#[test]
fn a_run_that_talks_without_end_is_kept_up_to_a_limit_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (recorder, said) = recorder(move || Store::open(&path));
    let identity = recorder.create(new_run("many"), at(0)).unwrap();
    let line = event(1, log("again"));
    let count = MOST_EVENTS + 1000;
    (0..count).for_each(|_| recorder.emit(&line));
    recorder.emit(&event(2, EventKind::StepFinished(succeeded("a"))));
    recorder.emit(&event(3, over(Outcome::Succeeded)));
    let store = open(folder.path());
    let row = store.row(&identity.id).unwrap().unwrap();
    assert_eq!(row.status, RunStatus::Succeeded);
    let kept = store.events(&row, 0).unwrap().len() as u64;
    assert_eq!(kept + row.lost, count + 2, "what is not kept is counted");
    assert!(row.lost >= 1000 && kept <= MOST_EVENTS + 2, "{kept} {}", row.lost);
    assert_eq!(*said.lock().unwrap(), [""; 0]);
}

#[test]
fn a_store_that_is_locked_for_a_while_is_said_once_and_nothing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (tell, told) = mpsc::channel();
    let recorder =
        Recorder::with(move || Store::open(&path), move |fault| tell.send(fault.kind).unwrap());
    let identity = recorder.create(new_run("many"), at(0)).unwrap();
    let other = database::open(&folder.path().join("runs.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    recorder.emit(&event(1, begun(&["a"])));
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(Kind::Transient));
    recorder.emit(&event(2, started("a")));
    recorder.emit(&event(3, log("one")));
    other.execute_batch("COMMIT").unwrap();
    recorder.emit(&event(4, log("two")));
    recorder.emit(&event(5, over(Outcome::Succeeded)));
    let store = open(folder.path());
    let row = store.row(&identity.id).unwrap().unwrap();
    assert_eq!(row.status, RunStatus::Succeeded);
    assert_eq!(store.events(&row, 0).unwrap().len(), 5);
    drop(recorder);
    assert_eq!(told.iter().count(), 0, "it is said once");
}

#[test]
fn a_disk_that_is_full_is_said_once_and_the_run_is_not_said_to_be_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (recorder, said) = recorder(move || {
        let store = Store::open(&path)?;
        // As full as SQLite can be told that a disk is.
        store.connection.pragma_update(None, "max_page_count", 40).unwrap();
        Ok(store)
    });
    let identity = recorder.create(new_run("many"), at(0)).unwrap();
    recorder.emit(&event(1, begun(&["a"])));
    let long = "long ".repeat(50_000);
    (0..3).for_each(|_| recorder.emit(&event(2, log(&long))));
    recorder.emit(&event(3, over(Outcome::Succeeded)));
    drop(recorder);
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("cannot be read or written: database or disk is full"), "{said:?}");
    let mut store = open(folder.path());
    store.settle().unwrap();
    let row = store.row(&identity.id).unwrap().unwrap();
    assert_eq!(row.status, RunStatus::Interrupted);
}

#[test]
fn a_store_that_cannot_be_opened_is_no_reason_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("runs.sqlite"), [7; 4096]).unwrap();
    let path = folder.path().to_owned();
    let (recorder, said) = recorder(move || Store::open(&path));
    let fault = recorder.create(new_run("many"), at(0)).unwrap_err();
    assert_eq!(fault.code, "failed.record");
    recorder.emit(&event(1, over(Outcome::Succeeded)));
    assert_eq!(*said.lock().unwrap(), [""; 0], "whoever creates it is told");
}

#[test]
fn a_wish_in_the_store_reaches_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (recorder, _said) = recorder(move || Store::open(&path));
    let identity = recorder.create(new_run("many"), at(0)).unwrap();
    let stop = Stop::new();
    recorder.watch(stop.clone());
    let mut store = open(folder.path());
    let wait = |what: &str, is: &dyn Fn() -> bool| {
        let start = std::time::Instant::now();
        while !is() {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}");
            // It says something all the time.
            recorder.emit(&event(1, log("busy")));
            std::thread::yield_now();
        }
    };
    assert!(!stop.is_requested());
    store.cancel(&identity.id, at(1)).unwrap();
    wait("asked", &|| stop.is_requested());
    assert!(!stop.is_forced());
    store.cancel(&identity.id, at(1)).unwrap();
    wait("asked twice", &|| stop.is_forced());
}

#[test]
fn only_whole_results_of_the_same_plugin_and_inputs_are_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let withheld = StepFinished { withheld: true, ..succeeded("secretive") };
    let dry = EventKind::StepStarted {
        step: step("dry"),
        inputs: json!({ "text": "***" }),
        dry_run: true,
    };
    let (identity, detail) = record(
        &folder,
        vec![
            begun(&["a", "secretive", "dry", "from", "broken"]),
            started("a"),
            EventKind::StepFinished(succeeded("a")),
            started("secretive"),
            EventKind::StepFinished(withheld),
            dry,
            EventKind::StepFinished(succeeded("dry")),
            started("from"),
            EventKind::StepFinished(succeeded("from")),
            started("broken"),
            over(Outcome::Cancelled),
        ],
    );
    let mask = Mask::new();
    mask.learn(&report::Secret::new("hunter2-hunter2"));
    let earlier = EarlierRun::new(detail, Some("from"), mask);
    assert_eq!(earlier.run(), identity.id);
    let ask = |name: &str, digest: &str, text: &str| {
        let plugin = pipeline::PluginRef {
            uses: "echo".to_owned(),
            name: "echo".to_owned(),
            version: "0.1.0".to_owned(),
            digest: digest.to_owned(),
            builtin: false,
        };
        earlier.outcome(&step(name), &plugin, &json!({ "text": text }))
    };
    let found = ask("a", "sha256:plugin", "hunter2-hunter2").unwrap();
    assert_eq!((found.status, found.outputs), (Status::Changed, json!({ "digest": DIGEST })));
    assert_eq!(ask("a", "sha256:other", "hunter2-hunter2"), None);
    assert_eq!(ask("a", "sha256:plugin", "something else"), None);
    for name in ["secretive", "dry", "from", "broken", "unknown"] {
        assert_eq!(ask(name, "sha256:plugin", "hunter2-hunter2"), None, "{name}");
    }
}
