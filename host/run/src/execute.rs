//! Runs a plan: starts what is ready, hears what ends, says what happened.
//!
//! One loop, no task of its own. A step that is alone runs within the loop's own task; steps
//! that run side by side are children in a `JoinSet`, which die with the run.
//! What may begin is decided in `schedule`, what a step comes to in `steps`, what an early end means
//! in `stop`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use pipeline::{Plan, Step, StepId};
use report::{Fault, Kind, Mask, Side, closest};
use tokio::{
    task::{Id, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Clock, EventKind, EventSink, Jitter, Outcome, Reuse, RunRecord, RunResult, StepOutline,
    StepReporter, StepRunner, Stop, StopReason, Trigger,
    attempt::{Attempts, Ended, panicked, pass},
    emitter::Emitter,
    facts::platform,
    steps::{Begins, Opened, Steps, Unit},
    stop::{CLEANUP_TIME, Limits, Stopping},
};

/// What a run is made with.
#[derive(Clone)]
pub struct Engine {
    /// Runs the steps.
    pub runner: Arc<dyn StepRunner>,
    /// Hears what happens.
    pub sink: Arc<dyn EventSink>,
    /// Tells the time of day.
    pub clock: Arc<dyn Clock>,
    /// Takes known secrets out of whatever is said.
    pub mask: Mask,
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The run's id.
    pub run: String,
    /// How many steps run at once, at most.
    pub jobs: NonZeroUsize,
    /// What a failure means for the other steps.
    pub on_failure: OnFailure,
    /// Only this step; what it needs is taken as done, without outputs.
    pub only: Option<StepId>,
    /// Whether nothing is to be changed.
    pub dry_run: bool,
    /// How pauses between attempts are drawn.
    pub jitter: Jitter,
    /// How long steps that always run may take after a cancellation or the run's timeout.
    pub cleanup: Duration,
    /// What started the run.
    pub trigger: Trigger,
    /// The machine's operating system and processor, `linux/amd64`.
    pub platform: String,
    /// Results that need not be worked for again.
    pub earlier: Option<Reuse>,
}

/// What a failure means for steps that do not need what failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// What the pipeline says.
    #[default]
    AsPlanned,
    /// None of them begins any more; those that run go on to their end.
    FailFast,
    /// They run.
    KeepGoing,
}

impl Options {
    /// One step at a time, failures as the pipeline says; to be changed where it does not fit.
    pub fn new(run: impl Into<String>) -> Self {
        Self {
            run: run.into(),
            jobs: NonZeroUsize::MIN,
            on_failure: OnFailure::default(),
            only: None,
            dry_run: false,
            jitter: Jitter::default(),
            cleanup: CLEANUP_TIME,
            trigger: Trigger::Manual,
            platform: platform(),
            earlier: None,
        }
    }
}

/// Runs `plan` to its end, whatever that is; everything that happens is said to the engine's sink.
///
/// Must be called within a tokio runtime that has timers. Dropping the future drops every step.
pub async fn execute(plan: &Plan, engine: &Engine, options: &Options, stop: &Stop) -> RunResult {
    let emitter =
        Emitter::new(Arc::clone(&engine.sink), Arc::clone(&engine.clock), engine.mask.clone());
    let now = engine.clock.now();
    let only = options.only.as_ref();
    let steps = Steps::new(plan, options, now);
    let started = Instant::now();
    let mut run = Run {
        plan,
        engine,
        options,
        stop,
        emitter: Arc::new(emitter),
        steps,
        stopping: Stopping::default(),
        limits: Limits { timeout: plan.timeout, cleanup: options.cleanup },
        deadline: plan.timeout.and_then(|timeout| started.checked_add(timeout)),
        working: BTreeMap::new(),
        alone: None,
        tasks: JoinSet::new(),
        units: HashMap::new(),
        work: CancellationToken::new(),
        run_id: options.run.as_str().into(),
        anew: HashSet::new(),
    };
    run.begin();
    match only.filter(|only| plan.steps.iter().all(|step| step.id != **only)) {
        Some(unknown) => run.end(Some(unknown_step(unknown, plan))),
        None => {
            run.work().await;
            run.end(None)
        }
    }
}

struct Run<'a> {
    plan: &'a Plan,
    engine: &'a Engine,
    options: &'a Options,
    stop: &'a Stop,
    emitter: Arc<Emitter>,
    steps: Steps<'a>,
    stopping: Stopping,
    limits: Limits,
    /// When the run's timeout passes.
    deadline: Option<Instant>,
    /// What runs now.
    working: BTreeMap<Unit, Working>,
    /// The one that runs within this task, if it is the only one.
    alone: Option<BoxFuture<'static, Finished>>,
    tasks: JoinSet<Finished>,
    /// Whose the tasks are.
    units: HashMap<Id, Unit>,
    /// Stops steps that do not always run.
    work: CancellationToken,
    run_id: Arc<str>,
    /// Steps that began in this run, and those that come after one.
    anew: HashSet<&'a StepId>,
}

/// An instance that runs.
struct Working {
    say: StepReporter,
    since: Instant,
}

/// An instance that ran.
struct Finished {
    unit: Unit,
    ended: Ended,
}

/// What the loop waits for.
enum Happening {
    Finished(Finished),
    Cancelled,
    Forced,
    TimedOut,
    CleanupOver,
}

impl<'a> Run<'a> {
    fn begin(&self) {
        let steps = self
            .plan
            .steps
            .iter()
            .filter(|step| self.options.only.as_ref().is_none_or(|only| step.id == *only));
        self.emitter.emit(EventKind::RunStarted {
            run: self.options.run.clone(),
            pipeline: self.plan.name.clone(),
            dry_run: self.options.dry_run,
            jobs: self.options.jobs.get(),
            steps: steps
                .map(|step| StepOutline {
                    id: step.id.to_string(),
                    uses: step.plugin.uses.clone(),
                    version: step.plugin.version.clone(),
                    digest: step.plugin.digest.clone(),
                })
                .collect(),
        });
    }

    async fn work(&mut self) {
        loop {
            // Somebody may have asked before anything could begin.
            if self.stop.is_requested() && !self.stopping.is_interrupted() {
                self.wind_down(StopReason::Cancelled);
            }
            self.fill();
            if self.working.is_empty() {
                return;
            }
            match self.next().await {
                Happening::Finished(Finished { unit, ended }) => self.finish(unit, ended),
                Happening::Cancelled => self.wind_down(StopReason::Cancelled),
                Happening::TimedOut => self.wind_down(StopReason::TimedOut),
                Happening::CleanupOver => self.abandon(),
                Happening::Forced => {
                    if !self.stopping.is_interrupted() {
                        self.wind_down(StopReason::Cancelled);
                    }
                    self.stopping.is_forced = true;
                    self.abandon();
                }
            }
            // Steps that end at once must not keep whoever hears signals from running.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Starts what may start, and settles what may not.
    fn fill(&mut self) {
        while self.working.len() < self.options.jobs.get() {
            let Some(opened) = self.steps.next(&self.stopping, self.limits) else { return };
            match opened {
                Opened::Begins(begins) => {
                    if !self.take_over(&begins) {
                        self.start(*begins);
                    }
                }
                Opened::Ended(end) => {
                    if let Some(step) = self.plan.step(end.step.step()) {
                        self.note(step, false);
                    }
                    let (outcome, tolerated, step) = (end.outcome, end.tolerated, end.step.clone());
                    self.emitter.emit(EventKind::StepFinished(*end));
                    self.fail_fast(outcome, tolerated, step.step());
                }
            }
        }
    }

    /// Ends an instance with the result of an earlier run, if that still holds.
    fn take_over(&mut self, begins: &Begins) -> bool {
        let Begins { unit, instance, resolved } = begins;
        let plan = self.plan;
        let (Some(Reuse(earlier)), Some(step)) = (&self.options.earlier, plan.steps.get(unit.step))
        else {
            return false;
        };
        // Cleaning up is about what this run has done, and a look is no result.
        let is_of_its_run = step.always || step.dry_run || self.options.dry_run;
        if is_of_its_run || self.comes_after_new(step) {
            return false;
        }
        let found = earlier.outcome(instance, &step.plugin, &resolved.inputs);
        let Some(outcome) = found.filter(|found| step.check_outputs(&found.outputs).is_ok()) else {
            return false;
        };
        let mut end = self.steps.finish(*unit, Ok(outcome), 0, Duration::ZERO);
        end.reused = Some(earlier.run().to_owned());
        self.emitter.emit(EventKind::StepFinished(end));
        true
    }

    fn comes_after_new(&self, step: &Step) -> bool {
        step.needs.iter().chain(&step.follows).any(|id| self.anew.contains(id))
    }

    /// Remembers that `step` is new in this run: it begins, or comes after one that did.
    fn note(&mut self, step: &'a Step, begins: bool) {
        if self.options.earlier.is_some() && (begins || self.comes_after_new(step)) {
            self.anew.insert(&step.id);
        }
    }

    fn start(&mut self, begins: Begins) {
        let Begins { unit, instance, resolved } = begins;
        let plan = self.plan;
        let Some(step) = plan.steps.get(unit.step) else { return };
        self.note(step, true);
        let say = StepReporter::new(Arc::clone(&self.emitter), instance.clone());
        let dry_run = self.options.dry_run || step.dry_run;
        self.emitter.emit(EventKind::StepStarted {
            step: instance.clone(),
            inputs: resolved.inputs.clone(),
            dry_run,
        });
        let call = crate::StepCall {
            run: Arc::clone(&self.run_id),
            step: step.id.clone(),
            instance,
            plugin: step.plugin.clone(),
            inputs: Arc::new(resolved.inputs),
            grant: Arc::new(resolved.grant),
            attempt: 1,
            dry_run,
            deadline: None,
        };
        let attempts = Attempts {
            runner: Arc::clone(&self.engine.runner),
            say: say.clone(),
            call,
            retry: step.retry.clone(),
            timeout: step.timeout,
            stops_at: if step.always { self.stopping.cleanup_until } else { self.deadline },
            // A step that always runs is never asked to stop: it is dropped when its time is over.
            stop: if step.always { CancellationToken::new() } else { self.work.clone() },
            jitter: self.options.jitter,
        };
        let work = async move { Finished { unit, ended: attempts.run().await } };
        let is_last = self.options.jobs == NonZeroUsize::MIN || !self.steps.has_more();
        let is_alone = self.working.is_empty() && is_last;
        self.working.insert(unit, Working { say, since: Instant::now() });
        if is_alone {
            self.alone = Some(work.boxed());
        } else {
            self.units.insert(self.tasks.spawn(work).id(), unit);
        }
    }

    async fn next(&mut self) -> Happening {
        let is_winding_down = self.stopping.is_interrupted();
        let deadline = self.deadline.filter(|_| !is_winding_down);
        tokio::select! {
            biased;
            () = self.stop.forced() => Happening::Forced,
            () = self.stop.requested(), if !is_winding_down => Happening::Cancelled,
            finished = finished(&mut self.alone, &mut self.tasks, &mut self.units) => {
                Happening::Finished(finished)
            }
            () = pass(deadline) => Happening::TimedOut,
            () = pass(self.stopping.cleanup_until) => Happening::CleanupOver,
        }
    }

    fn finish(&mut self, unit: Unit, ended: Ended) {
        let Some(Working { say, since }) = self.working.remove(&unit) else { return };
        let always = self.plan.steps.get(unit.step).is_some_and(|step| step.always);
        let answer = match ended {
            Ended::Done(answer) => answer,
            Ended::Stopped => Err(self.stopping.fault_of_step(always, self.limits)),
        };
        let end = self.steps.finish(unit, answer, say.attempt(), since.elapsed());
        let (outcome, tolerated, step) = (end.outcome, end.tolerated, end.step.clone());
        say.finish(end);
        self.fail_fast(outcome, tolerated, step.step());
    }

    fn fail_fast(&mut self, outcome: Outcome, tolerated: bool, step: &str) {
        let is_first = self.stopping.reason.is_none();
        let ends_run = match self.options.on_failure {
            OnFailure::AsPlanned => self.plan.fail_fast,
            OnFailure::FailFast => true,
            OnFailure::KeepGoing => false,
        };
        if outcome.is_failure() && !tolerated && is_first && ends_run {
            self.stopping.reason = Some(StopReason::Failure);
            self.stopping.failed = Some(step.to_owned());
            // Nothing to announce when nothing is left to begin.
            if !self.steps.is_settled() {
                let reason = StopReason::Failure;
                self.emitter.emit(EventKind::RunStopping { reason, cleanup_ms: None });
            }
        }
    }

    /// Stops what runs, and lets what always runs have its time.
    fn wind_down(&mut self, reason: StopReason) {
        self.stopping.reason = Some(reason);
        self.stopping.cleanup_until = Some(Instant::now() + self.options.cleanup);
        let cleanup_ms = u64::try_from(self.options.cleanup.as_millis()).ok();
        self.emitter.emit(EventKind::RunStopping { reason, cleanup_ms });
        self.work.cancel();
    }

    /// Drops everything that is left.
    fn abandon(&mut self) {
        self.stopping.is_over = true;
        self.alone = None;
        self.tasks.abort_all();
        self.units.clear();
        let left: Vec<Unit> = self.working.keys().copied().collect();
        for unit in left {
            self.finish(unit, Ended::Stopped);
        }
    }

    fn end(self, fault: Option<Fault>) -> RunResult {
        let early = self.stopping.fault_of_run(self.limits);
        let failed = self.emitter.look(first_failure).flatten();
        let (outcome, fault) = match (fault, early, failed) {
            (Some(fault), ..) => (Outcome::Failed, Some(fault)),
            (None, Some((outcome, fault)), _) => (outcome, Some(fault)),
            (None, None, Some((outcome, fault))) => (outcome, Some(fault)),
            (None, None, None) => (Outcome::Succeeded, None),
        };
        let exit = fault.as_ref().map(|fault| fault.kind);
        self.emitter.emit(EventKind::RunFinished { outcome, exit });
        let record =
            self.emitter.look(RunRecord::clone).expect("run-started was said at the beginning");
        RunResult { outcome, exit, record, fault }
    }
}

/// The next instance to end. Cancel safe: a result is handed out or still there.
async fn finished(
    alone: &mut Option<BoxFuture<'static, Finished>>,
    tasks: &mut JoinSet<Finished>,
    units: &mut HashMap<Id, Unit>,
) -> Finished {
    if let Some(work) = alone {
        let finished = work.await;
        *alone = None;
        return finished;
    }
    loop {
        match tasks.join_next_with_id().await {
            Some(Ok((id, finished))) => {
                units.remove(&id);
                return finished;
            }
            Some(Err(error)) => {
                // Nobody waits any more for a task that was dropped.
                let Some(unit) = units.remove(&error.id()) else { continue };
                let fault = match error.try_into_panic() {
                    Ok(panic) => panicked(&*panic),
                    Err(error) => {
                        Fault::new(Kind::Internal, "the runtime ended before the step").cause(error)
                    }
                };
                return Finished { unit, ended: Ended::Done(Err(fault)) };
            }
            None => std::future::pending().await,
        }
    }
}

/// The first step in plan order that failed and was not to be tolerated.
fn first_failure(record: &RunRecord) -> Option<(Outcome, Fault)> {
    let instances = record.steps.iter().flat_map(|step| &step.instances);
    let mut ends = instances.filter_map(|instance| instance.end.as_ref());
    let failed = ends.find(|end| end.outcome.is_failure() && !end.tolerated)?;
    Some((failed.outcome, failed.fault.clone()?))
}

fn unknown_step(unknown: &StepId, plan: &Plan) -> Fault {
    let names = || plan.steps.iter().map(|step| step.id.as_str());
    let fault = Fault::new(Kind::Invalid, format!("there is no step `{unknown}` in the pipeline"))
        .code("invalid.step")
        .side(Side::User);
    match closest(unknown.as_str(), names()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("the steps are {}", report::and_list(names()))),
    }
}
