//! `windlass plan --live`: what a run would change, by a run in which the host refuses every change.
//!
//! The steps run as they would, each is told that this is a dry run, and what they say stands below
//! their verdict. A plugin that knows nothing of dry runs is refused at its first change: then nobody
//! can tell. So it is with what misses something that an earlier step would have brought.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use pipeline::Plan;
use report::{Fault, Kind, Mask, plural};
use run::{
    Engine, Event, EventKind, EventSink, Instance, Level, OnFailure, Options, Outcome, Status,
    StepFinished, SystemClock,
};
use serde_json::{Value, json};

use super::{Failure, load, print_json, print_line};
use crate::args::{self, Format};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::wiring::Runner;

/// The code with which the host refuses a change in a dry run.
const REFUSED: &str = "denied.dry-run";

/// As many steps at once as a run has at least: they wait for a network.
const JOBS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

pub(super) async fn live(
    arguments: &args::Plan,
    loaded: load::Loaded,
    plan: Plan,
    settings: &Settings,
) -> Result<Exit, Failure> {
    let load::Loaded { plugins, backends, mask, pipeline: _ } = loaded;
    let source_date_epoch = settings.source_date_epoch;
    let pipeline = plan.name.clone();
    let runner = Runner { pipeline, plugins, backends, source_date_epoch };
    let is_human = arguments.format == Format::Human;
    if is_human && !settings.quiet {
        print_line(&format!(
            "{}: {}, nothing is changed",
            plan.name,
            plural(plan.steps.len(), "step")
        ));
    }
    let sink = Arc::new(Live::new(&plan, mask.clone(), is_human));
    let mut options = Options::new(record::new_id());
    options.dry_run = true;
    options.on_failure = OnFailure::KeepGoing;
    options.jobs = JOBS;
    let engine = Engine {
        runner: Arc::new(runner),
        sink: Arc::clone(&sink) as Arc<dyn EventSink>,
        clock: Arc::new(SystemClock),
        mask,
    };
    let ran = Signals::watch(async |signals| {
        let result = run::execute(&plan, &engine, &options, &signals.run).await;
        (result, signals.exit())
    })
    .await;
    let (result, interrupted) =
        ran.map_err(|error| Fault::new(Kind::Internal, "signals cannot be heard").cause(error))?;
    let state = sink.state.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_human {
        print_json(&json!({
            "pipeline": plan.name,
            "changes": state.changes(),
            "steps": state.told,
        }))?;
    }
    Ok(match state.failed {
        _ if result.exit == Some(Kind::Cancelled) => interrupted,
        Some(kind) => kind.into(),
        None if arguments.detailed_exitcode && state.changes() => Exit::Changes,
        None => Exit::Ok,
    })
}

/// What the look at a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    WouldChange,
    UpToDate,
    Skipped,
    CannotTell,
    Failed,
}

impl Verdict {
    /// As a program reads it.
    fn as_str(self) -> &'static str {
        match self {
            Self::WouldChange => "would-change",
            Self::UpToDate => "up-to-date",
            Self::Skipped => "skipped",
            Self::CannotTell => "cannot-tell",
            Self::Failed => "failed",
        }
    }
}

/// Gathers what steps say, and tells of each when it is over.
struct Live {
    mask: Mask,
    is_human: bool,
    /// The steps that come before a step, however far.
    before: BTreeMap<String, BTreeSet<String>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What each instance has said so far.
    said: BTreeMap<Instance, Vec<String>>,
    verdicts: BTreeMap<String, Verdict>,
    told: Vec<Value>,
    /// Why the first step failed.
    failed: Option<Kind>,
}

impl State {
    fn changes(&self) -> bool {
        let counts = |verdict| matches!(verdict, &Verdict::WouldChange | &Verdict::CannotTell);
        self.verdicts.values().any(counts)
    }
}

impl Live {
    fn new(plan: &Plan, mask: Mask, is_human: bool) -> Self {
        let mut before: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        // In plan order every step stands behind what it waits for.
        for step in &plan.steps {
            let mut all = BTreeSet::new();
            for earlier in step.needs.iter().chain(&step.follows) {
                all.insert(earlier.to_string());
                all.extend(before.get(earlier.as_str()).into_iter().flatten().cloned());
            }
            before.insert(step.id.to_string(), all);
        }
        Self { mask, is_human, before, state: Mutex::default() }
    }

    /// The verdict, and what there is to say of it.
    fn judge(&self, state: &State, end: &StepFinished) -> (Verdict, String) {
        let summary = end.summary.clone().unwrap_or_default();
        if end.outcome == Outcome::Skipped {
            return (Verdict::Skipped, end.reason.clone().unwrap_or_default());
        }
        let Some(fault) = &end.fault else {
            return match end.status {
                Some(Status::Changed) => (Verdict::WouldChange, summary),
                Some(Status::Unchanged | Status::Skipped) | None => (Verdict::UpToDate, summary),
            };
        };
        if fault.code == REFUSED {
            let why = "the plugin does not look before it changes something";
            return (Verdict::CannotTell, format!("{why} ({})", fault.message));
        }
        if let Some(earlier) = self.would_bring(state, end, fault) {
            let why = format!("`{earlier}` comes first, and may bring what is missing");
            return (Verdict::CannotTell, format!("{why} ({})", fault.message));
        }
        let word = match fault.kind {
            Kind::Unauthorized => "no credentials: ",
            Kind::Denied
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Invalid
            | Kind::Timeout
            | Kind::Cancelled
            | Kind::Transient
            | Kind::Mismatch
            | Kind::Trap
            | Kind::Failed
            | Kind::Internal => "",
        };
        let help = fault.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        (Verdict::Failed, format!("{word}{}{help}", fault.message))
    }

    /// The step before that would have changed something, where something is missing now.
    fn would_bring(&self, state: &State, end: &StepFinished, fault: &Fault) -> Option<String> {
        if fault.kind != Kind::NotFound {
            return None;
        }
        let waits = |verdict| matches!(verdict, Some(Verdict::WouldChange | Verdict::CannotTell));
        let mut before = self.before.get(end.step.step()).into_iter().flatten();
        before.find(|step| waits(state.verdicts.get(*step).copied())).cloned()
    }

    fn tell(&self, state: &mut State, end: &StepFinished) {
        let (verdict, text) = self.judge(state, end);
        let messages = state.said.remove(&end.step).unwrap_or_default();
        if verdict == Verdict::Failed && !end.tolerated {
            state.failed = state.failed.or(end.fault.as_ref().map(|fault| fault.kind));
        }
        let known = state.verdicts.get(end.step.step());
        // Of the instances of a matrix one that would change something counts for all.
        if known != Some(&Verdict::WouldChange) {
            state.verdicts.insert(end.step.step().to_owned(), verdict);
        }
        if self.is_human {
            let word = verdict.as_str().replace('-', " ");
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            let says_more = !first.is_empty() && first != word;
            let first = if says_more { format!(": {first}") } else { String::new() };
            let mut lines = vec![String::new(), format!("{}  {word}{first}", end.step)];
            let rest = rest.lines().filter(|line| !line.is_empty()).map(str::to_owned);
            lines.extend(rest.chain(messages).map(|line| format!("  {line}")));
            print_line(&self.mask.apply(&lines.join("\n")));
        } else {
            let said = json!({
                "step": end.step.as_str(),
                "verdict": verdict.as_str(),
                "text": text,
                "messages": messages,
                "outputs": end.outputs,
                "error": end.fault,
            });
            state.told.push(said);
        }
    }
}

impl EventSink for Live {
    fn emit(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.kind {
            EventKind::Log { step, level, message, .. } if *level >= Level::Info => {
                let message = match level {
                    Level::Warn => format!("warning: {message}"),
                    Level::Error => format!("error: {message}"),
                    Level::Trace | Level::Debug | Level::Info => message.clone(),
                };
                state.said.entry(step.clone()).or_default().push(message);
            }
            EventKind::StepFinished(end) => self.tell(&mut state, end),
            EventKind::Log { .. }
            | EventKind::RunStarted { .. }
            | EventKind::StepStarted { .. }
            | EventKind::AttemptStarted { .. }
            | EventKind::AttemptFailed { .. }
            | EventKind::ProgressStarted { .. }
            | EventKind::ProgressAdvanced { .. }
            | EventKind::ProgressTitled { .. }
            | EventKind::ProgressEnded { .. }
            | EventKind::GroupStarted { .. }
            | EventKind::GroupEnded { .. }
            | EventKind::Ledger { .. }
            | EventKind::RunStopping { .. }
            | EventKind::RunFinished { .. }
            | EventKind::Unknown => {}
        }
    }
}
