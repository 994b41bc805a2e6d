//! A look at what a trigger names, and what it comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use ::run::{Clock as _, SystemClock, Timestamp};
use pipeline::plan::{Concurrency, FirstSeen, Missed, Pace, Rule, Trigger};
use pipeline::{Step, StepFacts, StepId};
use record::trigger::{self, Commit, Report, ScheduleRules};
use record::{Judged, Look, TriggerRow};
use report::{Fault, Kind};
use serde_json::{Map, Value, json};

use super::git;
use super::watched::Watched;
use crate::settings::Settings;

/// A look that takes longer is broken off.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How often it is noted that somebody still listens for webhooks.
const LISTENS: Duration = Duration::from_secs(60);

/// What was seen.
pub(super) struct Looked {
    seen: Seen,
    /// Why not all was.
    pub(super) error: Option<String>,
    pub(super) trouble: Option<Kind>,
}

enum Seen {
    Images(Report),
    Commit(Commit),
    /// That time passes: there is nothing to look at.
    Time,
    /// Nothing could be.
    Nothing,
}

impl Looked {
    fn all(seen: Seen) -> Self {
        Self { seen, error: None, trouble: None }
    }

    fn failed(fault: &Fault) -> Self {
        Self { seen: Seen::Nothing, error: Some(fault.to_string()), trouble: Some(fault.kind) }
    }
}

/// Looks at what `trigger` names; `before` is what is known of it, `results` what the steps gave that
/// it speaks of.
pub(super) async fn at(
    trigger: &Trigger,
    watched: &Watched,
    before: Option<&TriggerRow>,
    results: BTreeMap<StepId, StepFacts>,
    settings: &Settings,
) -> Looked {
    match &trigger.rule {
        Rule::Images { look, .. } => {
            let state = before.map_or(&Value::Null, |row| &row.state);
            at_images(look, watched, state, results).await
        }
        Rule::Git { repository, branch, .. } => {
            let found =
                git::commit(repository, branch.as_deref(), watched.folder(), settings).await;
            found.map_or_else(|fault| Looked::failed(&fault), |it| Looked::all(Seen::Commit(it)))
        }
        Rule::Schedule { .. } | Rule::Webhook { .. } => Looked::all(Seen::Time),
    }
}

async fn at_images(
    look: &Step,
    watched: &Watched,
    state: &Value,
    results: BTreeMap<StepId, StepFacts>,
) -> Looked {
    if let Some(missing) = look.sees().find(|step| !results.contains_key(*step)) {
        let message = format!("what `{missing}` gave is not known: it has not run yet");
        return Looked::failed(&Fault::new(Kind::NotFound, message));
    }
    let memory = trigger::memory(state).into_iter();
    let memory = memory.map(|(key, value)| (key, value.to_string().into_bytes())).collect();
    let (result, memory) = match watched.run_look(look, results, memory).await {
        Ok(looked) => looked,
        Err(fault) => return Looked::failed(&fault),
    };
    let value = |(key, bytes): (String, Vec<u8>)| Some((key, serde_json::from_slice(&bytes).ok()?));
    let memory: Map<String, Value> = memory.into_iter().filter_map(value).collect();
    let instances = result.record.steps.into_iter().flat_map(|step| step.instances);
    let Some(end) = instances.filter_map(|instance| instance.end).next() else {
        return Looked::failed(&Fault::new(Kind::Internal, "the look has not ended"));
    };
    let list = |key| end.outputs.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    match end.fault {
        None => {
            let failed = list("failed");
            let (changed, watched) = (list("images"), list("watched"));
            let is_complete = failed.is_empty();
            let trouble =
                failed.first().and_then(|one| one.get("code")?.as_str()).map(Kind::of_code);
            let report = Report { memory, changed, watched, is_complete };
            Looked { seen: Seen::Images(report), error: told(&failed), trouble }
        }
        // What was seen is remembered all the same.
        Some(fault) => {
            let watched = trigger::watched(state).into_iter();
            let watched = watched.map(|image| json!({ "image": image })).collect();
            let report = Report { memory, watched, ..Report::default() };
            Looked { seen: Seen::Images(report), ..Looked::failed(&fault) }
        }
    }
}

/// What could not be seen, in one line.
fn told(failed: &[Value]) -> Option<String> {
    let one = failed.first()?;
    let text = |key| one.get(key).and_then(Value::as_str).unwrap_or_default();
    let first = format!("{}: {}", text("image"), text("message"));
    Some(match failed.len() {
        1 => first,
        more => format!("{first} (and {} more)", more - 1),
    })
}

impl Looked {
    /// The look as it is written down.
    pub(super) fn written(&self, trigger: &Trigger, watched: &Watched, version: i64) -> Look {
        let at = SystemClock.now();
        Look {
            name: trigger.name.clone(),
            watches: trigger.watches.clone(),
            run: watched.run_of(trigger),
            replaces: watched.plan.concurrency == Concurrency::CancelPrevious,
            version,
            at,
            next_at: next(trigger, at),
            error: self.error.clone(),
        }
    }

    /// What it comes to, by what is remembered.
    pub(super) fn judge(self, trigger: &Trigger, before: &Value, at: Timestamp) -> Judged {
        match (&trigger.rule, self.seen) {
            (Rule::Images { .. }, Seen::Images(report)) => trigger::images(before, report),
            (Rule::Git { first_seen, .. }, Seen::Commit(commit)) => {
                trigger::commit(before, &commit, *first_seen == FirstSeen::Fire)
            }
            (Rule::Schedule { cron, zone, missed }, _) => {
                trigger::schedule(before, &schedule(cron, zone, *missed), at)
            }
            (Rule::Webhook { .. }, _) => Judged { state: before.clone(), armed: true, cause: None },
            (Rule::Images { .. } | Rule::Git { .. }, _) => {
                Judged { state: before.clone(), armed: !before.is_null(), cause: None }
            }
        }
    }
}

/// When to look again.
pub(super) fn next(trigger: &Trigger, at: Timestamp) -> Timestamp {
    let behind = |pause: Duration| {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(at.as_millis().saturating_add(pause))
    };
    match &trigger.rule {
        Rule::Images { pace: Pace { every, jitter }, .. }
        | Rule::Git { pace: Pace { every, jitter }, .. } => {
            behind(*every + jitter.mul_f64(rand::random::<f64>()))
        }
        Rule::Schedule { cron, zone, missed } => {
            schedule(cron, zone, *missed).next(at).unwrap_or(at)
        }
        Rule::Webhook { .. } => behind(LISTENS),
    }
}

fn schedule(cron: &pipeline::Cron, zone: &pipeline::Zone, missed: Missed) -> ScheduleRules {
    ScheduleRules { cron: cron.clone(), zone: zone.clone(), missed }
}
