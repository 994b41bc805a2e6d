//! What is said, how it is written, and how it is read back.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use report::{Fault, Kind, Mask, Secret, Side};
use serde_json::json;
use snapbox::{assert_data_eq, str};

use super::{Fake, options, plan, run, run_with};
use crate::{
    Engine, Event, EventKind, EventLog, EventSink, FixedClock, LedgerLine, Level, RunRecord,
    Status, StepCall, StepOutcome, StepReporter, StepRunner, Stop, Timestamp, Unit, execute,
    ndjson,
};

/// Says one of everything.
struct Talker;

impl StepRunner for Talker {
    fn run<'a>(
        &'a self,
        call: StepCall,
        say: StepReporter,
    ) -> BoxFuture<'a, Result<StepOutcome, Fault>> {
        async move {
            say.group_start("fetch");
            say.log(Level::Info, "hello s3cret", [("who".to_owned(), "s3cret".to_owned())]);
            say.log(Level::Warn, "careful", []);
            let copy = say.progress_start("layer", Some(300), Unit::Bytes);
            for _ in 0..3 {
                say.progress_advance(copy, 100);
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            say.progress_title(copy, "layer, nearly done");
            say.progress_advance(copy, 7);
            say.progress_end(copy);
            say.progress_advance(copy, 1);
            say.group_end();
            for (result, failed, bytes) in
                [("sha256:0123", false, Some(300)), ("denied.http", true, None)]
            {
                say.ledger(LedgerLine {
                    capability: "http".to_owned(),
                    action: "GET".to_owned(),
                    target: "https://example.com/s3cret".to_owned(),
                    result: result.to_owned(),
                    failed,
                    bytes,
                    images: Vec::new(),
                    elapsed: Duration::from_micros(1_500),
                });
            }
            say.progress_start("left open", None, Unit::Items);
            let outputs = json!({ "token": ["s3cret"], "deadline": call.deadline.is_some() });
            Ok(StepOutcome { status: Status::Changed, outputs, summary: Some("s3cret".to_owned()) })
        }
        .boxed()
    }
}

async fn talk() -> (String, RunRecord) {
    let sink = Arc::new(ndjson::NdjsonSink::new(SharedText::default()).unwrap());
    let mask = Mask::new();
    mask.learn(&Secret::new("s3cret"));
    let clock = Arc::new(FixedClock(Timestamp::from_millis(1_769_847_300_250)));
    let engine = Engine { runner: Arc::new(Talker), sink: sink.clone(), clock, mask };
    let plan = plan("[[step]]\nid = \"a\"\ntimeout = \"1m\"\n");
    let result = execute(&plan, &engine, &options(), &Stop::new()).await;
    drop(engine);
    let text = Arc::into_inner(sink).unwrap().finish().unwrap();
    (String::from_utf8(text.0.lock().unwrap().clone()).unwrap(), result.record)
}

/// A place to write to that can be looked at.
#[derive(Clone, Default)]
struct SharedText(Arc<Mutex<Vec<u8>>>);

impl io::Write for SharedText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_step_says_is_masked_gathered_and_ends_with_the_step() {
    let (text, _) = talk().await;
    assert_data_eq!(
        text,
        str![[r#"
{"format":"windlass-events","version":1,"writer":"0.1.0"}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":0,"event":"run-started","run":"run-1","pipeline":"test","dry-run":false,"jobs":4,"steps":[{"id":"a","uses":"fake","version":"1.0.0","digest":"sha256:0"}]}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":0,"event":"step-started","step":"a","inputs":{}}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":0,"event":"group-started","step":"a","title":"fetch"}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":0,"event":"log","step":"a","level":"info","message":"hello ***","fields":[["who","***"]]}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":0,"event":"log","step":"a","level":"warn","message":"careful"}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":0,"event":"progress-started","step":"a","progress":1,"title":"layer","total":300,"unit":"bytes"}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":120,"event":"progress-advanced","step":"a","progress":1,"amount":300}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"progress-titled","step":"a","progress":1,"title":"layer, nearly done"}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"progress-advanced","step":"a","progress":1,"amount":7}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"progress-ended","step":"a","progress":1}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"group-ended","step":"a"}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"ledger","step":"a","line":{"capability":"http","action":"GET","target":"https://example.com/***","result":"sha256:0123","bytes":300,"elapsed-us":1500}}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"ledger","step":"a","line":{"capability":"http","action":"GET","target":"https://example.com/***","result":"denied.http","failed":true,"elapsed-us":1500}}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"progress-started","step":"a","progress":2,"title":"left open","total":null,"unit":"items"}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"progress-ended","step":"a","progress":2}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"step-finished","step":"a","outcome":"succeeded","status":"changed","attempts":1,"took-ms":180,"outputs":{"token":["***"],"deadline":true},"summary":"***","withheld":true}
{"at":"2026-01-31T08:15:00.250Z","elapsed-ms":180,"event":"run-finished","outcome":"succeeded"}

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn the_record_counts_what_was_said() {
    let (text, record) = talk().await;
    let events: Vec<Event> = ndjson::read(text.as_bytes()).unwrap().map(Result::unwrap).collect();
    assert_eq!(RunRecord::from_events(&events).as_ref(), Some(&record));
    assert_data_eq!(
        serde_json::to_string_pretty(&record).unwrap(),
        str![[r#"
{
  "record-version": 1,
  "run": "run-1",
  "pipeline": "test",
  "dry-run": false,
  "started-at": "2026-01-31T08:15:00.250Z",
  "finished-at": "2026-01-31T08:15:00.250Z",
  "elapsed-ms": 180,
  "stopped": null,
  "outcome": "succeeded",
  "steps": [
    {
      "outline": {
        "id": "a",
        "uses": "fake",
        "version": "1.0.0",
        "digest": "sha256:0"
      },
      "instances": [
        {
          "instance": "a",
          "started-ms": 0,
          "end": {
            "step": "a",
            "outcome": "succeeded",
            "status": "changed",
            "attempts": 1,
            "took-ms": 180,
            "outputs": {
              "token": [
                "***"
              ],
              "deadline": true
            },
            "summary": "***",
            "withheld": true
          },
          "warnings": 1,
          "errors": 0,
          "ledger": {
            "http": {
              "calls": 2,
              "failed": 1,
              "bytes": 300
            }
          }
        }
      ]
    }
  ]
}
"#]]
    );
}

/// Keeps the voice of a step.
#[derive(Default)]
struct Keeper(Mutex<Option<StepReporter>>);

impl StepRunner for Keeper {
    fn run<'a>(
        &'a self,
        _call: StepCall,
        say: StepReporter,
    ) -> BoxFuture<'a, Result<StepOutcome, Fault>> {
        *self.0.lock().unwrap() = Some(say);
        async { Err(Fault::new(Kind::Failed, "no")) }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_has_finished_is_not_heard_any_more() {
    let keeper = Arc::new(Keeper::default());
    let log = Arc::new(EventLog::default());
    let engine = Engine {
        runner: keeper.clone(),
        sink: log.clone(),
        clock: Arc::new(FixedClock(Timestamp::from_millis(0))),
        mask: Mask::new(),
    };
    execute(&plan("[[step]]\nid = \"a\"\n"), &engine, &options(), &Stop::new()).await;
    let before = log.events();
    let say = keeper.0.lock().unwrap().take().unwrap();
    say.log(Level::Info, "too late", []);
    let progress = say.progress_start("too late", None, Unit::Items);
    say.progress_end(progress);
    assert_eq!(log.events(), before);
}

fn read_error(text: &str) -> String {
    let all = ndjson::read(text.as_bytes())
        .and_then(|events| events.collect::<Result<Vec<_>, _>>())
        .map_err(Fault::from);
    let fault = all.unwrap_err();
    format!("{fault}; {}", fault.help.as_deref().unwrap_or("-"))
}

#[test]
fn a_stream_of_a_later_version_is_refused_with_what_can_read_it() {
    assert_data_eq!(
        read_error(r#"{"format":"windlass-events","version":2,"writer":"3.1.0","new":[]}"#),
        str![
            "the event stream has version 2, this is windlass 0.1.0 which reads versions up to 1; read it with windlass 3.1.0 or later, which wrote it"
        ]
    );
}

#[test]
fn what_is_no_stream_is_refused() {
    let no_stream = "line 1 does not begin an event stream, expected `{\"format\":\"windlass-events\",…}`; \
                     write one with `windlass run --format json PIPELINE`";
    assert_eq!(read_error("{\"version\":1}\n"), no_stream);
    assert_eq!(read_error("[pipeline]\n"), no_stream);
    assert!(read_error("").starts_with("the event stream is empty"));
    let header = r#"{"format":"windlass-events","version":1,"writer":"0.1.0"}"#;
    let cut = format!("{header}\n{{\"at\":\"2026-01-31T08:15:00Z\",\"elaps");
    assert!(read_error(&cut).starts_with("line 2 is not an event: EOF"), "{}", read_error(&cut));
    let endless = format!("{header}\n{}", " ".repeat((16 << 20) + 1));
    assert_eq!(read_error(&endless), "line 2 is longer than 16 MiB; -");
}

#[test]
fn what_a_later_minor_version_adds_is_passed_over() {
    let text = concat!(
        r#"{"format":"windlass-events","version":1,"writer":"0.9.0","new":1}"#,
        "\n",
        r#"{"at":"2026-01-31T08:15:00Z","elapsed-ms":1,"event":"moon-rose","phase":"full"}"#,
        "\n",
        r#"{"at":"2026-01-31T08:15:00Z","elapsed-ms":2,"event":"step-started","step":"a","new":1}"#,
        "\n",
    );
    let events: Vec<Event> = ndjson::read(text.as_bytes()).unwrap().map(Result::unwrap).collect();
    assert_eq!(events[0].kind, EventKind::Unknown);
    let started = EventKind::StepStarted {
        step: crate::Instance::new("a"),
        inputs: serde_json::Value::Null,
        dry_run: false,
    };
    assert_eq!(events[1].kind, started);
    assert_eq!(RunRecord::from_events(&events), None);
}

#[test]
fn every_fault_is_read_as_it_was_written() {
    for kind in Kind::ALL {
        for side in [Side::Plugin, Side::Host, Side::Remote, Side::User] {
            let written = Fault::new(kind, "no").side(side).cause("a").cause("b").help("try");
            let text = serde_json::to_string(&written).unwrap();
            assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), written);
        }
    }
}

#[test]
fn a_fault_of_a_kind_that_a_later_minor_version_adds_is_a_failure() {
    let text = concat!(
        r#"{"format":"windlass-events","version":1,"writer":"0.9.0"}"#,
        "\n",
        r#"{"at":"2026-01-31T08:15:00Z","elapsed-ms":1,"event":"attempt-failed","step":"a","attempt":1,"attempts":2,"#,
        r#""fault":{"kind":"eclipse","side":"moon","code":"moon.full","message":"dark","new":1},"pause-ms":0}"#,
        "\n",
        r#"{"at":"2026-01-31T08:15:00Z","elapsed-ms":2,"event":"run-finished","outcome":"failed","exit":"eclipse"}"#,
        "\n",
    );
    let events: Vec<Event> = ndjson::read(text.as_bytes()).unwrap().map(Result::unwrap).collect();
    let EventKind::AttemptFailed { fault, .. } = &events[0].kind else { panic!("{events:?}") };
    let read = Fault::new(Kind::Failed, "dark").side(Side::Host).code("moon.full");
    assert_eq!(*fault, read);
    let outcome = crate::Outcome::Failed;
    assert_eq!(events[1].kind, EventKind::RunFinished { outcome, exit: Some(Kind::Failed) });
}

#[tokio::test(start_paused = true)]
async fn an_account_that_breaks_off_is_a_record_of_what_is_known() {
    let account = run(&plan("[[step]]\nid = \"a\"\n[[step]]\nid = \"b\"\n"), &options()).await;
    let record = RunRecord::from_events(&account.events[..2]).unwrap();
    assert_eq!(record.outcome, None);
    assert_eq!(record.steps[0].outcome(), None);
    assert_eq!(record.steps[1].instances, []);
}

/// A disk that is full after some bytes.
struct FullDisk(usize);

impl io::Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_stops_the_writing_and_not_the_run() {
    let account = run(&plan("[[step]]\nid = \"a\"\n"), &options()).await;
    let sink = ndjson::NdjsonSink::new(FullDisk(300)).unwrap();
    account.events.iter().for_each(|event| sink.emit(event));
    assert_eq!(sink.check().unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(sink.finish().is_err());
}

/// Runs with a real pool of threads: steps side by side are tasks there.
#[test]
fn steps_run_on_many_threads_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let steps: String = (0..50)
        .map(|i| format!("[[step]]\nid = \"s{i}\"\nneeds = []\nwith = {{ echo = {i} }}\n"))
        .collect();
    let plan = plan(&steps);
    let account = runtime.block_on(run_with(
        Arc::new(Fake),
        &plan,
        &options(),
        Stop::new(),
        std::future::pending(),
    ));
    assert_eq!(account.result.record.count(crate::Outcome::Succeeded), 50);
    assert!(account.events.is_sorted_by_key(|event| event.elapsed_ms));
}
