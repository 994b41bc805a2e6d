//! Whole runs: pipelines as text, a runner that does what a step's inputs say, a paused clock, and
//! what happened as text.

mod again;
mod deadlines;
mod failures;
mod matrix;
mod order;
mod properties;
mod scale;
mod stream;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use pipeline::{Catalog, CatalogError, Given, Plan, PluginFacts};
use report::{Fault, Kind, Mask, Source, Style, render_diagnostic};
use serde_json::{Value, json};

use crate::{
    Engine, Event, EventKind, EventLog, FixedClock, Jitter, Options, RunRecord, RunResult, Status,
    StepCall, StepOutcome, StepReporter, StepRunner, Stop, Timestamp, execute,
};

/// One plugin, `fake`, whose inputs say what it does.
struct FakeCatalog;

impl Catalog for FakeCatalog {
    fn plugin(&self, _uses: &str) -> Result<PluginFacts, CatalogError> {
        Ok(PluginFacts {
            name: "fake".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "sha256:0".to_owned(),
            builtin: true,
            summary: "Does what its inputs say".to_owned(),
            inputs_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "takes-ms": { "type": "integer" },
                    "fails": { "type": "string" },
                    "times": { "type": "integer" },
                    "retry": { "type": "boolean" },
                    "panics": { "type": "boolean" },
                    "echo": {},
                },
            }),
            outputs_schema: json!({ "type": "object", "properties": { "echo": {} } }),
            requests: Vec::new(),
        })
    }
}

/// Does what the inputs say: takes time, fails (the first `times` attempts), panics, gives `echo`.
struct Fake;

impl StepRunner for Fake {
    fn run<'a>(
        &'a self,
        call: StepCall,
        _say: StepReporter,
    ) -> BoxFuture<'a, Result<StepOutcome, Fault>> {
        async move {
            let input = |name: &str| call.inputs.get(name).cloned().unwrap_or_default();
            if let Some(takes) = input("takes-ms").as_u64() {
                tokio::time::sleep(Duration::from_millis(takes)).await;
            }
            assert!(input("panics") != true, "the fake broke");
            let times = input("times").as_u64().unwrap_or(u64::MAX);
            match input("fails").as_str().and_then(Kind::parse) {
                Some(kind) if u64::from(call.attempt) <= times => {
                    let retry = input("retry").as_bool().unwrap_or_default();
                    Err(Fault::new(kind, "it was told to fail").retry(retry))
                }
                Some(_) | None => Ok(StepOutcome {
                    status: Status::Changed,
                    outputs: json!({ "echo": input("echo") }),
                    summary: None,
                }),
            }
        }
        .boxed()
    }
}

/// The plan of a pipeline with these steps.
fn plan(steps: &str) -> Plan {
    plan_with("", steps)
}

/// The plan of a pipeline with these steps and more under `[pipeline]`.
fn plan_with(head: &str, steps: &str) -> Plan {
    let steps = steps.replace("[[step]]", "[[step]]\nuses = \"fake\"");
    let text = format!("schema = 1\n[pipeline]\nname = \"test\"\n{head}\n{steps}");
    let shown = |problems: Vec<report::Diagnostic>| -> String {
        problems.iter().map(|problem| render_diagnostic(problem, Style::Plain)).collect()
    };
    let pipeline =
        pipeline::parse(&Source::new("test.toml", text)).unwrap_or_else(|p| panic!("{}", shown(p)));
    pipeline::plan(&pipeline, &Given::default(), &FakeCatalog)
        .unwrap_or_else(|p| panic!("{}", shown(p)))
}

/// Four at once, pauses as long as allowed.
fn options() -> Options {
    Options {
        jobs: NonZeroUsize::new(4).unwrap(),
        jitter: Jitter::Fixed(1.0),
        ..Options::new("run-1")
    }
}

/// What came of a run, and what it said.
struct Account {
    result: RunResult,
    events: Vec<Event>,
}

impl Account {
    /// The events as text: elapsed milliseconds, the step, what happened.
    fn text(&self) -> String {
        self.events
            .iter()
            .map(|event| format!("{:>6} {}\n", event.elapsed_ms, line(event)))
            .collect()
    }

    /// The outcome of every instance.
    fn outcomes(&self) -> Vec<String> {
        let instances = self.result.record.steps.iter().flat_map(|step| &step.instances);
        instances.map(|i| format!("{} {}", i.instance, i.outcome().unwrap())).collect()
    }
}

async fn run(plan: &Plan, options: &Options) -> Account {
    run_until(plan, options, Stop::new(), std::future::pending()).await
}

/// Runs with `meanwhile` at its side.
async fn run_until(
    plan: &Plan,
    options: &Options,
    stop: Stop,
    meanwhile: impl Future<Output = ()>,
) -> Account {
    run_with(Arc::new(Fake), plan, options, stop, meanwhile).await
}

async fn run_with(
    runner: Arc<dyn StepRunner>,
    plan: &Plan,
    options: &Options,
    stop: Stop,
    meanwhile: impl Future<Output = ()>,
) -> Account {
    let log = Arc::new(EventLog::default());
    let engine = Engine {
        runner,
        sink: log.clone(),
        clock: Arc::new(FixedClock(Timestamp::from_millis(1_769_847_300_250))),
        mask: Mask::new(),
    };
    let run = execute(plan, &engine, options, &stop);
    let result = tokio::select! {
        result = run => result,
        () = async { meanwhile.await; std::future::pending().await } => unreachable!(),
    };
    let events = log.events();
    assert_eq!(RunRecord::from_events(&events).as_ref(), Some(&result.record));
    Account { result, events }
}

fn line(event: &Event) -> String {
    let shown = |fault: &Fault| format!("{}: {fault}", fault.code);
    match &event.kind {
        EventKind::RunStarted { steps, .. } => {
            let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
            format!("run started: {}", ids.join(" "))
        }
        EventKind::StepStarted { step, .. } => format!("{step} started"),
        EventKind::AttemptStarted { step, attempt } => format!("{step} attempt {attempt}"),
        EventKind::AttemptFailed { step, attempt, attempts, fault, pause_ms } => {
            format!(
                "{step} attempt {attempt} of {attempts} failed, {}, pause {pause_ms}",
                shown(fault)
            )
        }
        EventKind::StepFinished(end) => {
            let tolerated = if end.tolerated { ", tolerated" } else { "" };
            let fault = end.fault.as_ref().map(|fault| format!(", {}", shown(fault)));
            let reason = end.reason.as_ref().map(|reason| format!(", {reason}"));
            let why = fault.or(reason).unwrap_or_default();
            format!("{} {}{tolerated}{why}", end.step, end.outcome)
        }
        EventKind::RunStopping { reason, cleanup_ms } => {
            format!("run stopping: {reason:?}, cleanup {cleanup_ms:?}")
        }
        EventKind::RunFinished { outcome, exit } => {
            format!("run {outcome}{}", exit.map(|kind| format!(", {kind}")).unwrap_or_default())
        }
        other @ (EventKind::Log { .. }
        | EventKind::ProgressStarted { .. }
        | EventKind::ProgressAdvanced { .. }
        | EventKind::ProgressTitled { .. }
        | EventKind::ProgressEnded { .. }
        | EventKind::GroupStarted { .. }
        | EventKind::GroupEnded { .. }
        | EventKind::Ledger { .. }
        | EventKind::Unknown) => serde_json::to_string(other).unwrap(),
    }
}

/// The outputs that `instance` gave.
fn outputs(account: &Account, instance: &str) -> Value {
    let mut instances = account.result.record.steps.iter().flat_map(|step| &step.instances);
    let found = instances.find(|i| i.instance.as_str() == instance).unwrap();
    found.end.as_ref().unwrap().outputs.clone()
}
