//! What becomes of each step: from its place in the plan to instances, to an end that others build on.
//!
//! Decides, and does nothing: `execute` starts what [`Steps::next`] gives, says what it says, and
//! tells [`Steps::finish`] how it went. `when`, the matrix and the templates are looked at in the
//! moment in which a step could start, since only then all that they speak of is known.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use pipeline::{Plan, Resolved, RunFacts, Scope, Step, StepFacts, StepId};
use report::{Fault, Kind, Side};
use serde_json::{Map, Value};

use crate::{
    Instance, Options, Outcome, StepOutcome, Timestamp,
    event::StepFinished,
    instance,
    schedule::{Groups, Need, Obstacle, Schedule, Settled, Tie},
    stop::{Limits, Stopping},
};

/// One instance: places in the plan and in the step's combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Unit {
    pub(crate) step: usize,
    pub(crate) combination: usize,
}

/// What comes next.
pub(crate) enum Opened {
    /// This instance is to be started.
    Begins(Box<Begins>),
    /// This one is over without having begun.
    Ended(Box<StepFinished>),
}

/// An instance that is to be started.
pub(crate) struct Begins {
    pub(crate) unit: Unit,
    pub(crate) instance: Instance,
    pub(crate) resolved: Resolved,
}

pub(crate) struct Steps<'a> {
    plan: &'a Plan,
    /// The one step that runs, if not all do.
    only: Option<&'a StepId>,
    schedule: Schedule,
    /// Instances whose step is open, in order.
    turns: VecDeque<Turn>,
    groups: Groups<Unit>,
    /// What templates see; holds every step that is over.
    scope: Scope,
    states: Vec<State>,
    unsettled: usize,
}

struct Turn {
    unit: Unit,
    /// Whether the one before has left it its concurrency group.
    has_group: bool,
}

/// A step whose instances are known.
#[derive(Default)]
struct State {
    instances: Vec<Instance>,
    /// One per instance, empty for a step without a matrix.
    combinations: Vec<Map<String, Value>>,
    ends: Vec<Option<End>>,
    left: usize,
}

struct End {
    outcome: Outcome,
    settled: Settled,
    outputs: Value,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(plan: &'a Plan, options: &'a Options, now: Timestamp) -> Self {
        let only = options.only.as_ref();
        let places: HashMap<&StepId, usize> =
            plan.steps.iter().map(|step| &step.id).zip(0..).collect();
        let needs = |step: &Step| -> Vec<Need> {
            let needs = step.needs.iter().map(|id| (id, Tie::Needs));
            let follows = step.follows.iter().map(|id| (id, Tie::Follows));
            needs
                .chain(follows)
                .filter_map(|(id, tie)| Some(Need { step: *places.get(id)?, tie }))
                .collect()
        };
        let takes_part = |step: &Step| only.is_none_or(|only| step.id == *only);
        let needs: Vec<Option<Vec<Need>>> =
            plan.steps.iter().map(|step| takes_part(step).then(|| needs(step))).collect();
        let mut states = Vec::new();
        states.resize_with(plan.steps.len(), State::default);
        Self {
            plan,
            only,
            schedule: Schedule::new(&needs),
            turns: VecDeque::new(),
            groups: Groups::default(),
            scope: Scope {
                inputs: plan.inputs.clone(),
                run: facts(plan, options, now),
                steps: BTreeMap::new(),
                matrix: None,
            },
            states,
            unsettled: needs.iter().flatten().count(),
        }
    }

    /// Whether something could be started now.
    pub(crate) fn has_more(&self) -> bool {
        !self.turns.is_empty() || self.schedule.has_ready()
    }

    /// Whether every step is over.
    pub(crate) fn is_settled(&self) -> bool {
        self.unsettled == 0
    }

    /// The next instance that begins, or that never will.
    pub(crate) fn next(&mut self, stopping: &Stopping, limits: Limits) -> Option<Opened> {
        loop {
            if let Some(turn) = self.turns.pop_front() {
                match self.open_instance(&turn, stopping, limits) {
                    Some(opened) => return Some(opened),
                    None => continue,
                }
            }
            let (place, obstacle) = self.schedule.next()?;
            if let Some(end) = self.open_step(place, obstacle, stopping, limits) {
                return Some(Opened::Ended(Box::new(end)));
            }
        }
    }

    /// `unit` is over; gives what there is to say of it.
    pub(crate) fn finish(
        &mut self,
        unit: Unit,
        answer: Result<StepOutcome, Fault>,
        attempts: u32,
        took: Duration,
    ) -> StepFinished {
        let step = self.step(unit.step);
        let conforms = |outcome: &StepOutcome| step.check_outputs(&outcome.outputs);
        let answer = answer.and_then(|outcome| conforms(&outcome).map(|()| outcome));
        let mut end = match answer {
            Ok(StepOutcome { status, outputs, summary }) => StepFinished {
                status: Some(status),
                outputs,
                summary,
                ..StepFinished::new(self.instance(unit), Outcome::Succeeded)
            },
            Err(fault) => StepFinished::failed(self.instance(unit), fault, step.continue_on_error),
        };
        end.attempts = attempts;
        end.took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.leave_group(step);
        self.end_instance(unit, &end, settled(&end));
        end
    }

    /// Looks at `when` and the matrix; gives the end of a step that has no instances.
    fn open_step(
        &mut self,
        place: usize,
        obstacle: Option<Obstacle>,
        stopping: &Stopping,
        limits: Limits,
    ) -> Option<StepFinished> {
        let step = self.step(place);
        let name = || Instance::new(step.id.as_str());
        let obstacle = obstacle.filter(|_| !step.always);
        let kept = if stopping.is_interrupted() { None } else { obstacle };
        let (end, settled) = if let Some(obstacle) = kept {
            let reason = self.obstacle_reason(obstacle);
            (StepFinished::never(name(), Outcome::Skipped, reason), obstacle.settled)
        } else if let Some((outcome, reason)) = stopping.forbids(step.always, limits) {
            (StepFinished::never(name(), outcome, reason), Settled::Blocked)
        } else {
            match self.combinations(step) {
                Ok(Ok(combinations)) => {
                    self.add_turns(place, combinations);
                    return None;
                }
                Ok(Err(reason)) => {
                    (StepFinished::never(name(), Outcome::Skipped, reason), Settled::Skipped)
                }
                Err(fault) => {
                    let end = StepFinished::failed(name(), fault, step.continue_on_error);
                    let settled = settled(&end);
                    (end, settled)
                }
            }
        };
        let facts = StepFacts {
            outcome: end.outcome.as_str().to_owned(),
            outputs: Value::Object(Map::new()),
        };
        self.settle(place, facts, settled);
        Some(end)
    }

    /// The combinations to run for; in place of them, why there are none.
    fn combinations(&self, step: &Step) -> Result<Result<Vec<Map<String, Value>>, String>, Fault> {
        if let Some(fault) = self.lacks(step) {
            return Err(fault);
        }
        if !step.applies(&self.scope)? {
            return Ok(Err("its `when` is false".to_owned()));
        }
        if step.matrix.is_none() {
            return Ok(Ok(Vec::new()));
        }
        let combinations = step.combinations(&self.scope)?;
        if combinations.is_empty() {
            return Ok(Err("its matrix has no combinations".to_owned()));
        }
        Ok(Ok(combinations))
    }

    fn add_turns(&mut self, place: usize, combinations: Vec<Map<String, Value>>) {
        let id = self.step(place).id.as_str();
        let instances = if combinations.is_empty() {
            vec![Instance::new(id)]
        } else {
            instance::names(id, &combinations)
        };
        let count = instances.len();
        let units = (0..count).map(|combination| Unit { step: place, combination });
        self.turns.extend(units.map(|unit| Turn { unit, has_group: false }));
        if let Some(state) = self.states.get_mut(place) {
            let mut ends = Vec::new();
            ends.resize_with(count, || None);
            *state = State { instances, combinations, ends, left: count };
        }
    }

    /// `None` if the instance has to wait for its concurrency group.
    fn open_instance(
        &mut self,
        turn: &Turn,
        stopping: &Stopping,
        limits: Limits,
    ) -> Option<Opened> {
        let unit = turn.unit;
        let step = self.step(unit.step);
        let instance = self.instance(unit);
        if let Some((outcome, reason)) = stopping.forbids(step.always, limits) {
            if turn.has_group {
                self.leave_group(step);
            }
            let end = StepFinished::never(instance, outcome, reason);
            self.end_instance(unit, &end, Settled::Blocked);
            return Some(Opened::Ended(Box::new(end)));
        }
        if let (Some(group), false) = (&step.concurrency, turn.has_group) {
            self.groups.enter(group, unit)?;
        }
        let state = self.states.get(unit.step);
        self.scope.matrix =
            state.and_then(|state| state.combinations.get(unit.combination)).cloned();
        let resolved = step.resolve(&self.scope);
        self.scope.matrix = None;
        match resolved {
            Ok(resolved) => Some(Opened::Begins(Box::new(Begins { unit, instance, resolved }))),
            Err(fault) => {
                self.leave_group(step);
                let end = StepFinished::failed(instance, fault, step.continue_on_error);
                self.end_instance(unit, &end, settled(&end));
                Some(Opened::Ended(Box::new(end)))
            }
        }
    }

    fn leave_group(&mut self, step: &Step) {
        let next = step.concurrency.as_ref().and_then(|group| self.groups.leave(group));
        if let Some(unit) = next {
            self.turns.push_front(Turn { unit, has_group: true });
        }
    }

    /// Keeps the end of an instance, and settles the step if it was the last.
    fn end_instance(&mut self, unit: Unit, end: &StepFinished, settled: Settled) {
        let Some(state) = self.states.get_mut(unit.step) else { return };
        if let Some(slot) = state.ends.get_mut(unit.combination) {
            let outputs =
                if end.outputs.is_null() { Value::Object(Map::new()) } else { end.outputs.clone() };
            *slot = Some(End { outcome: end.outcome, settled, outputs });
        }
        state.left -= 1;
        if state.left > 0 {
            return;
        }
        let is_matrix = !state.combinations.is_empty();
        let ends: Vec<End> = std::mem::take(&mut state.ends).into_iter().flatten().collect();
        let outcome = Outcome::of_instances(ends.iter().map(|end| end.outcome));
        let gravest = ends.iter().map(|end| end.settled).max().unwrap_or(Settled::Through);
        let mut outputs: Vec<Value> = ends.into_iter().map(|end| end.outputs).collect();
        let facts = match (is_matrix, outputs.pop()) {
            (false, Some(outputs)) => StepFacts { outcome: outcome.as_str().to_owned(), outputs },
            (_, last) => {
                outputs.extend(last);
                StepFacts::of_matrix(outcome.as_str(), &outputs)
            }
        };
        self.settle(unit.step, facts, gravest);
    }

    fn settle(&mut self, place: usize, facts: StepFacts, settled: Settled) {
        self.scope.steps.insert(self.step(place).id.clone(), facts);
        self.schedule.settle(place, settled);
        self.unsettled -= 1;
    }

    fn obstacle_reason(&self, obstacle: Obstacle) -> String {
        let need = &self.step(obstacle.need.step).id;
        let tie = match obstacle.need.tie {
            Tie::Needs => "needs",
            Tie::Follows => "comes after",
        };
        let outcome = self.scope.steps.get(need).map_or("failed", |facts| facts.outcome.as_str());
        let fate = match (outcome, obstacle.settled) {
            ("skipped", Settled::Blocked) => "a failure kept from running".to_owned(),
            ("skipped" | "cancelled" | "denied", _) => format!("was {outcome}"),
            _ => outcome.replace('-', " "),
        };
        format!("it {tie} `{need}`, which {fate}")
    }

    /// Why `step` cannot run alone, if it cannot: templates would take what is left out for null.
    fn lacks(&self, step: &Step) -> Option<Fault> {
        self.only?;
        let needs = step.needs.iter().map(|need| (need.clone(), StepFacts::default()));
        let all = Scope { steps: needs.collect(), ..Scope::default() };
        let seen = step.view(&all, None).steps;
        if seen.is_empty() {
            return None;
        }
        let givers = report::and_list(seen.keys().map(StepId::as_str));
        let message = format!("`{}` uses outputs of {givers}, which `--only` leaves out", step.id);
        let fault = Fault::new(Kind::Invalid, message).code("invalid.only").side(Side::User);
        Some(
            fault.help(
                "leave out `--only`, or write the values into the file in place of the outputs",
            ),
        )
    }

    fn instance(&self, unit: Unit) -> Instance {
        let instances = self.states.get(unit.step).map(|state| &state.instances);
        let instance = instances.and_then(|all| all.get(unit.combination)).cloned();
        instance.unwrap_or_else(|| Instance::new(self.step(unit.step).id.as_str()))
    }

    fn step(&self, place: usize) -> &'a Step {
        self.plan.steps.get(place).expect("places come from the plan itself")
    }
}

/// What templates see of the run.
fn facts(plan: &Plan, options: &Options, now: Timestamp) -> RunFacts {
    // `2026-01-31T08:15:00.250Z`
    let text = now.to_string();
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    let time = rest.split('.').next().unwrap_or_default();
    let (os, arch) = options.platform.split_once('/').unwrap_or((&options.platform, ""));
    RunFacts {
        id: options.run.clone(),
        date: date.to_owned(),
        started: format!("{date}T{time}Z"),
        stamp: format!("{}-{}z", date.replace('-', ""), time.replace(':', "")),
        pipeline: plan.name.clone(),
        trigger: options.trigger.as_str().to_owned(),
        os: os.to_owned(),
        arch: arch.to_owned(),
    }
}

impl StepFinished {
    /// The end of an instance of which nothing else is known yet.
    fn new(step: Instance, outcome: Outcome) -> Self {
        Self {
            step,
            outcome,
            status: None,
            attempts: 0,
            took_ms: 0,
            outputs: Value::Null,
            summary: None,
            fault: None,
            tolerated: false,
            reason: None,
            reused: None,
            withheld: false,
        }
    }

    /// The end of an instance that never began.
    fn never(step: Instance, outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::new(step, outcome) }
    }

    /// The end of an instance that failed. What a person has stopped is never tolerated.
    fn failed(step: Instance, fault: Fault, continue_on_error: bool) -> Self {
        let outcome = Outcome::of_fault(&fault);
        let tolerated = continue_on_error && outcome != Outcome::Cancelled;
        Self { fault: Some(fault), tolerated, ..Self::new(step, outcome) }
    }
}

fn settled(end: &StepFinished) -> Settled {
    if end.outcome.is_failure() && !end.tolerated { Settled::Blocked } else { Settled::Through }
}
