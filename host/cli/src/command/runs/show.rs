//! `windlass runs show`: all that is known of one run.

use std::time::Duration;

use record::{AttemptRow, Detail, InstanceRow, RunStatus, StepRow};
use report::Fault;
use run::Outcome;
use serde_json::{Value, json};

use super::super::{Failure, print_data, print_json};
use super::{as_json, find};
use crate::args::Format;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::{to_the_second, took};

/// Longer values are cut off for people; `--format json` has all of them.
const LONGEST_VALUE: usize = 200;

pub(super) fn show(id: &str, format: Format, settings: &Settings) -> Result<Exit, Failure> {
    let (store, row) = find(id, settings)?;
    let short = store.short(&row.id).map_err(Fault::from)?;
    let detail = store.detail(row).map_err(Fault::from)?;
    match format {
        Format::Json => print_json(&whole(&detail))?,
        Format::Human => print_data(Page::of(&detail, &short).as_bytes()),
    }
    Ok(Exit::Ok)
}

fn whole(detail: &Detail) -> Value {
    let mut object = as_json(&detail.run);
    let run = &detail.run.run;
    let steps: Vec<Value> = detail.steps.iter().map(step).collect();
    if let Value::Object(fields) = &mut object {
        let more = [
            ("source", json!(run.source)),
            ("inputs", json!(run.inputs)),
            ("withheld-inputs", json!(run.withheld)),
            ("only", json!(run.choices.only)),
            ("keep-going", json!(run.choices.keep_going)),
            ("pid", json!(detail.run.pid)),
            ("lost-lines", json!(detail.run.lost)),
            ("steps", json!(steps)),
        ];
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    object
}

fn step(step: &StepRow) -> Value {
    let StepRow { id, uses, version, digest, instances } = step;
    let instances: Vec<Value> = instances.iter().map(instance).collect();
    json!({
        "id": id, "uses": uses, "version": version, "digest": digest, "instances": instances,
    })
}

fn instance(instance: &InstanceRow) -> Value {
    let attempt = |attempt: &AttemptRow| {
        let AttemptRow { attempt, started_ms, ended_ms, fault } = attempt;
        json!({
            "attempt": attempt, "started-ms": started_ms, "ended-ms": ended_ms, "fault": fault,
        })
    };
    json!({
        "instance": instance.instance,
        "outcome": instance.outcome,
        "status": instance.status,
        "started-ms": instance.started_ms,
        "took-ms": instance.took_ms,
        "dry-run": instance.dry_run,
        "reused": instance.reused,
        "reason": instance.reason,
        "tolerated": instance.tolerated,
        "inputs": instance.inputs,
        "outputs": instance.outputs,
        "outputs-withheld": instance.withheld,
        "summary": instance.summary,
        "fault": instance.fault,
        "attempts": instance.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "images": instance.images,
    })
}

/// Lines for people.
#[derive(Default)]
struct Page(String);

impl Page {
    fn of(detail: &Detail, short: &str) -> String {
        let mut page = Self::default();
        page.head(detail, short);
        let run = &detail.run.run;
        if !run.inputs.is_empty() || !run.withheld.is_empty() {
            page.line(0, "inputs");
            for (name, text) in &run.inputs {
                page.pair(2, name, &cut(text));
            }
            for name in &run.withheld {
                page.pair(2, name, "(a secret; not recorded)");
            }
        }
        for step in &detail.steps {
            for instance in &step.instances {
                page.instance(step, instance, detail.run.status);
            }
            if step.instances.is_empty() {
                page.line(0, &format!("step {}: not reached", step.id));
            }
        }
        page.0
    }

    fn head(&mut self, detail: &Detail, short: &str) {
        let row = &detail.run;
        let exit = row.exit.map(|kind| format!(", exit code {}", Exit::from(kind).code()));
        let status = row.status.to_string().to_lowercase();
        self.line(
            0,
            &format!("run {short} of {}: {status}{}", row.run.pipeline, exit.unwrap_or_default()),
        );
        self.pair(2, "id", &row.id);
        self.pair(2, "file", &row.run.file.display().to_string());
        self.pair(2, "trigger", &row.run.trigger.to_string());
        self.pair(2, "platform", &row.run.platform);
        if let Some(earlier) = &row.run.rerun_of {
            self.pair(2, "rerun of", earlier);
        }
        if let Some(only) = &row.run.choices.only {
            self.pair(2, "only", only);
        }
        if !row.run.cause.is_null() {
            self.pair(2, "cause", &cut(&row.run.cause.to_string()));
        }
        self.pair(2, "created", &to_the_second(row.created_at));
        if let Some(started) = row.started_at {
            self.pair(2, "started", &to_the_second(started));
        }
        match (row.finished_at, row.took_ms()) {
            (Some(finished), Some(ms)) => {
                let time = took(Duration::from_millis(ms));
                self.pair(2, "finished", &format!("{}, after {time}", to_the_second(finished)));
            }
            _ if row.status == RunStatus::Interrupted => {
                let heard = to_the_second(row.heard_at);
                self.pair(
                    2,
                    "interrupted",
                    &format!("its process ended; last heard of at {heard}"),
                );
            }
            _ => {}
        }
        if let (RunStatus::Running, Some(pid)) = (row.status, row.pid) {
            self.pair(2, "process", &pid.to_string());
        }
    }

    fn instance(&mut self, step: &StepRow, instance: &InstanceRow, run: RunStatus) {
        let time = || took(Duration::from_millis(instance.took_ms.unwrap_or_default()));
        let word = match (instance.outcome, &instance.reused, &instance.reason) {
            (_, Some(earlier), _) => format!("reused from run {earlier}"),
            (Some(outcome), _, Some(reason)) => format!("{outcome}: {reason}"),
            (Some(Outcome::Succeeded), ..) => {
                let status = instance.status.map_or("succeeded", |status| status.as_str());
                format!("{status} in {}", time())
            }
            (Some(outcome), ..) => {
                let tolerated = if instance.tolerated { " (continue-on-error)" } else { "" };
                format!("{outcome} after {}{tolerated}", time())
            }
            (None, ..) if run == RunStatus::Running => "running".to_owned(),
            (None, ..) => "interrupted".to_owned(),
        };
        self.line(0, &format!("step {}: {word}", instance.instance));
        self.pair(2, "plugin", &format!("{} {} ({})", step.uses, step.version, step.digest));
        if let Some(summary) = &instance.summary {
            self.pair(2, "summary", summary);
        }
        for attempt in &instance.attempts {
            let is_last = instance.attempts.len() == attempt.attempt as usize;
            if let (Some(fault), false) = (&attempt.fault, is_last) {
                self.pair(2, &format!("attempt {}", attempt.attempt), &format!("failed: {fault}"));
            }
        }
        self.fields("inputs", instance.inputs.as_ref());
        self.fields("outputs", instance.outputs.as_ref());
        if instance.withheld {
            self.pair(
                2,
                "outputs",
                "held a secret, which is not recorded: the step cannot be reused",
            );
        }
        for image in &instance.images {
            let text = format!("{}@{}", image.reference, image.digest);
            self.pair(2, image.role.as_str(), &text);
        }
        if let Some(fault) = &instance.fault {
            self.pair(2, "fault", &format!("{fault} [{}]", fault.code));
            if let Some(help) = &fault.help {
                self.pair(2, "help", help);
            }
        }
    }

    fn fields(&mut self, what: &str, value: Option<&Value>) {
        let Some(Value::Object(fields)) = value else { return };
        for (name, value) in fields.iter().filter(|(_, value)| !is_empty(value)) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.pair(2, what.trim_end_matches('s'), &format!("{name} = {}", cut(&text)));
        }
    }

    fn pair(&mut self, indent: usize, name: &str, text: &str) {
        self.line(indent, &format!("{name:<9} {text}"));
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.0 += &" ".repeat(indent);
        self.0 += text.trim_end();
        self.0.push('\n');
    }
}

/// What a person need not read.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `text` in one line, without its end if it is long.
fn cut(text: &str) -> String {
    let one: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match one.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", one.get(..end).unwrap_or_default()),
        None => one,
    }
}
