//! Events as lines and bars on standard error.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::MultiProgress;
use report::{Mask, Style, plural};
use run::{
    Event, EventKind, EventSink, Instance, LedgerLine, Level, Outcome, ProgressId, Status,
    StepFinished, StopReason,
};

use super::progress::Work;
use super::{bytes, took};
use crate::settings::Settings;

/// Longer names do not move the column of the messages.
const NAME_WIDTH: usize = 20;

/// Lines, and bars where standard error is a terminal.
pub(crate) struct Human {
    mask: Mask,
    style: Style,
    quiet: bool,
    verbose: u8,
    bars: Option<MultiProgress>,
    /// What the run is called, where its id can be said with fewer characters.
    short: Option<String>,
    to: To,
    state: Mutex<State>,
}

/// Where lines go.
#[derive(Clone, Copy)]
enum To {
    /// Beside the data that a command writes.
    Errors,
    /// They are the data.
    Output,
}

#[derive(Default)]
struct State {
    width: usize,
    works: BTreeMap<(Instance, ProgressId), Work>,
    depth: BTreeMap<Instance, usize>,
}

/// How a word is shown; colour only underlines what the word says.
#[derive(Clone, Copy)]
enum Tone {
    Good,
    Bad,
    Warning,
    Quiet,
    Name,
}

impl Human {
    /// Lines on standard error, masked.
    pub(crate) fn new(settings: &Settings, mask: Mask) -> Self {
        Self {
            mask,
            style: settings.style,
            quiet: settings.quiet,
            verbose: settings.verbose,
            bars: settings.bars.then(MultiProgress::new),
            short: None,
            to: To::Errors,
            state: Mutex::default(),
        }
    }

    /// Lines on standard output, of a run that was recorded: masked already.
    pub(crate) fn replay(settings: &Settings) -> Self {
        let style = match std::io::stdout().is_terminal() {
            true => settings.style,
            false => Style::Plain,
        };
        Self { bars: None, to: To::Output, style, ..Self::new(settings, Mask::new()) }
    }

    /// Calls the run `short` in place of its id.
    pub(crate) fn called(self, short: String) -> Self {
        Self { short: Some(short), ..self }
    }

    fn tone(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Warning => "33",
            Tone::Quiet => "2",
            Tone::Name => "1;36",
        };
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    fn line(&self, text: &str) {
        let text = format!("{}\n", self.mask.apply(text));
        // In one piece: standard error has no buffer, and lines of two processes may meet there. A
        // terminal that went away is no reason to end the run.
        let write = || {
            let _ = match self.to {
                To::Errors => std::io::stderr().write_all(text.as_bytes()),
                To::Output => std::io::stdout().write_all(text.as_bytes()),
            };
        };
        match &self.bars {
            // Above the bars.
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    fn step_line(&self, state: &State, step: &Instance, text: &str) {
        let width = state.width;
        let name = self.tone(&format!("{:width$}", step.as_str()), Tone::Name);
        let indent = "  ".repeat(state.depth.get(step).copied().unwrap_or_default());
        for line in text.lines() {
            self.line(&format!("{name}  {indent}{line}"));
        }
    }

    fn finished(&self, state: &mut State, finished: &StepFinished) {
        state.depth.remove(&finished.step);
        let is_bad = finished.outcome.is_failure();
        if self.quiet && !is_bad {
            return;
        }
        let time = took(Duration::from_millis(finished.took_ms));
        let text = match finished.outcome {
            Outcome::Succeeded if finished.reused.is_some() => {
                let run = finished.reused.as_deref().unwrap_or_default();
                let summary = finished
                    .summary
                    .as_ref()
                    .map_or_else(String::new, |summary| format!(": {summary}"));
                format!("{} from run {run}{summary}", self.tone("reused", Tone::Good))
            }
            Outcome::Succeeded => {
                let status = finished.status.map_or("succeeded", |status| match status {
                    Status::Changed => "changed",
                    Status::Unchanged => "unchanged",
                    Status::Skipped => "nothing to do",
                });
                let summary = finished
                    .summary
                    .as_ref()
                    .map_or_else(String::new, |summary| format!(": {summary}"));
                format!("{} in {time}{summary}", self.tone(status, Tone::Good))
            }
            Outcome::Skipped => {
                let reason = finished
                    .reason
                    .as_ref()
                    .map_or_else(String::new, |reason| format!(": {reason}"));
                format!("{}{reason}", self.tone("skipped", Tone::Quiet))
            }
            Outcome::Failed | Outcome::Denied | Outcome::Cancelled | Outcome::TimedOut => {
                let word = self.tone(finished.outcome.as_str(), Tone::Bad);
                let tolerated = if finished.tolerated { " (continue-on-error)" } else { "" };
                let why = finished
                    .fault
                    .as_ref()
                    .map_or_else(String::new, |fault| format!(": {}", fault.message));
                format!("{word} after {time}{tolerated}{why}")
            }
        };
        self.step_line(state, &finished.step, &text);
    }

    fn log(
        &self,
        state: &State,
        step: &Instance,
        level: Level,
        message: &str,
        fields: &[(String, String)],
    ) {
        let least = if self.quiet {
            Level::Error
        } else if self.verbose > 0 {
            Level::Trace
        } else {
            Level::Info
        };
        if level < least {
            return;
        }
        let fields: String = fields
            .iter()
            .map(|(name, value)| self.tone(&format!("  {name}={value}"), Tone::Quiet))
            .collect();
        let message = match level {
            Level::Warn => format!("{} {message}", self.tone("warning:", Tone::Warning)),
            Level::Error => format!("{} {message}", self.tone("error:", Tone::Bad)),
            Level::Trace | Level::Debug => self.tone(message, Tone::Quiet),
            Level::Info => message.to_owned(),
        };
        self.step_line(state, step, &format!("{message}{fields}"));
    }

    fn ledger(&self, state: &State, step: &Instance, line: &LedgerLine) {
        if self.verbose == 0 || self.quiet {
            return;
        }
        let LedgerLine { capability, action, target, result, bytes: moved, elapsed, .. } = line;
        let moved = moved.map_or_else(String::new, |count| format!(", {}", bytes(count)));
        let text = format!("{capability} {action} {target}: {result}{moved} ({})", took(*elapsed));
        self.step_line(state, step, &self.tone(&text, Tone::Quiet));
    }

    fn begun(&self, state: &mut State, key: (Instance, ProgressId), mut work: Work) {
        if let Some(bars) = &self.bars {
            let width = state.width;
            work.draw(bars, &self.tone(&format!("{:width$}", key.0.as_str()), Tone::Name));
        }
        state.works.insert(key, work);
    }

    /// A line about work that has no bar.
    fn told(&self, state: &State, step: &Instance, text: Option<String>) {
        if let Some(text) = text.filter(|_| !self.quiet) {
            self.step_line(state, step, &self.tone(&text, Tone::Quiet));
        }
    }
}

impl EventSink for Human {
    fn emit(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        match &event.kind {
            EventKind::RunStarted { run, pipeline, dry_run, jobs: _, steps } => {
                let longest = steps.iter().map(|step| step.id.len()).max().unwrap_or_default();
                state.width = longest.min(NAME_WIDTH);
                if !self.quiet {
                    let dry = if *dry_run { ", dry run" } else { "" };
                    let count = plural(steps.len(), "step");
                    let run = self.short.as_ref().unwrap_or(run);
                    self.line(&format!("run {run} of {pipeline}: {count}{dry}"));
                }
            }
            EventKind::StepStarted { step, .. } => {
                if self.verbose > 0 {
                    self.step_line(state, step, &self.tone("started", Tone::Quiet));
                }
            }
            EventKind::AttemptStarted { step, attempt } => {
                if self.verbose > 0 {
                    let text = format!("attempt {attempt}");
                    self.step_line(state, step, &self.tone(&text, Tone::Quiet));
                }
            }
            EventKind::AttemptFailed { step, attempt, attempts, fault, pause_ms } => {
                let pause = took(Duration::from_millis(*pause_ms));
                let word = self.tone("warning:", Tone::Warning);
                let text = format!(
                    "{word} attempt {attempt} of {attempts} failed ({}): {fault}; again in {pause}",
                    fault.kind
                );
                self.step_line(state, step, &text);
            }
            EventKind::StepFinished(finished) => self.finished(state, finished),
            EventKind::Log { step, level, message, fields } => {
                self.log(state, step, *level, message, fields);
            }
            EventKind::ProgressStarted { step, progress, title, total, unit } => {
                let title = self.mask.apply(title).into_owned();
                let work = Work::begin(title, *total, *unit, event.elapsed_ms);
                self.begun(state, (step.clone(), *progress), work);
            }
            EventKind::ProgressAdvanced { step, progress, amount } => {
                let work = state.works.get_mut(&(step.clone(), *progress));
                let text = work.and_then(|work| work.advance(*amount, event.elapsed_ms));
                self.told(state, step, text);
            }
            EventKind::ProgressTitled { step, progress, title } => {
                if let Some(work) = state.works.get_mut(&(step.clone(), *progress)) {
                    work.rename(self.mask.apply(title).into_owned());
                }
            }
            EventKind::ProgressEnded { step, progress } => {
                let work = state.works.remove(&(step.clone(), *progress));
                let text = work.and_then(|work| work.end(event.elapsed_ms));
                self.told(state, step, text);
            }
            EventKind::GroupStarted { step, title } => {
                if !self.quiet {
                    self.step_line(state, step, title);
                }
                *state.depth.entry(step.clone()).or_default() += 1;
            }
            EventKind::GroupEnded { step } => {
                if let Some(depth) = state.depth.get_mut(step) {
                    *depth = depth.saturating_sub(1);
                }
            }
            EventKind::Ledger { step, line } => self.ledger(state, step, line),
            EventKind::RunStopping { reason, cleanup_ms: _ } => {
                let why = match reason {
                    StopReason::Failure => return,
                    StopReason::Cancelled => {
                        "interrupted; steps with `always` still run, once more to end now"
                    }
                    StopReason::TimedOut => "the pipeline's timeout has passed",
                };
                self.line(&format!("{} {why}", self.tone("warning:", Tone::Warning)));
            }
            EventKind::RunFinished { outcome, exit: _ } => {
                if !self.quiet {
                    let tone = if outcome.is_failure() { Tone::Bad } else { Tone::Good };
                    let time = took(Duration::from_millis(event.elapsed_ms));
                    self.line(&format!("run {} in {time}", self.tone(outcome.as_str(), tone)));
                }
            }
            EventKind::Unknown => {}
        }
    }
}
