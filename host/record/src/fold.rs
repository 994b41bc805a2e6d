//! From events to rows: each event of a run, as it is written.
//!
//! Every statement can be made again: what could not be written in one transaction is written in the
//! next, and what came before it is not known to have been.

use run::{Event, EventKind, Instance, StepFinished, Timestamp};
use rusqlite::{Transaction, params};
use serde_json::Value;

use crate::{
    limits::{MOST_EVENTS, MOST_TEXT},
    row::{RunStatus, millis},
};

/// What is written of one run: which, and how much it was.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) key: i64,
    events: u64,
    text: u64,
    pub(crate) lost: u64,
}

impl Fold {
    pub(crate) fn new(key: i64) -> Self {
        Self { key, events: 0, text: 0, lost: 0 }
    }

    /// Writes `events` in their order.
    pub(crate) fn write(&mut self, tx: &Transaction<'_>, events: &[Event]) -> rusqlite::Result<()> {
        for event in events {
            self.keep(tx, event)?;
            self.apply(tx, event)?;
        }
        if let Some(last) = events.last() {
            let mut heard =
                tx.prepare_cached("UPDATE runs SET heard_at = ?2, lost = ?3 WHERE key = ?1")?;
            heard.execute(params![self.key, millis(last.at), self.lost.cast_signed()])?;
        }
        Ok(())
    }

    /// Keeps the event itself, for `runs logs`.
    fn keep(&mut self, tx: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
        let is_full = self.events >= MOST_EVENTS || self.text >= MOST_TEXT;
        if is_full && is_talk(&event.kind) {
            self.lost += 1;
            return Ok(());
        }
        // An event has nothing that JSON cannot say.
        let Ok(text) = serde_json::to_string(event) else { return Ok(()) };
        self.events += 1;
        self.text = self.text.saturating_add(text.len() as u64);
        let step = event.kind.step().map(Instance::as_str);
        let mut keep = tx.prepare_cached(
            "INSERT INTO events (run, number, step, event) VALUES (?1, ?2, ?3, ?4)",
        )?;
        keep.execute(params![self.key, self.events.cast_signed(), step, text])?;
        Ok(())
    }

    fn apply(&self, tx: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
        let key = self.key;
        let elapsed = event.elapsed_ms.cast_signed();
        match &event.kind {
            EventKind::RunStarted { steps, .. } => {
                for (step, place) in steps.iter().zip(0_i64..) {
                    let mut add = tx.prepare_cached(
                        "INSERT OR REPLACE INTO steps (run, place, step, uses, version, digest)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?;
                    let (uses, version) = (&step.uses, &step.version);
                    add.execute(params![key, place, step.id, uses, version, step.digest])?;
                }
            }
            EventKind::StepStarted { step, inputs, dry_run } => {
                let mut add = tx.prepare_cached(
                    "INSERT OR REPLACE INTO instances (run, instance, step, started_ms, dry_run, inputs)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?;
                let (name, inputs) = (step.as_str(), inputs.to_string());
                add.execute(params![key, name, step.step(), elapsed, dry_run, inputs])?;
                self.begin_attempt(tx, step, 1, elapsed)?;
            }
            EventKind::AttemptStarted { step, attempt } => {
                self.begin_attempt(tx, step, *attempt, elapsed)?;
            }
            EventKind::AttemptFailed { step, attempt, fault, .. } => {
                let fault = serde_json::to_string(fault).ok();
                self.end_attempt(tx, step, *attempt, elapsed, fault)?;
            }
            EventKind::StepFinished(end) => self.finish(tx, end, elapsed)?,
            EventKind::Ledger { step, line } => {
                for image in &line.images {
                    let mut add = tx.prepare_cached(
                        "INSERT OR IGNORE INTO images (run, instance, role, reference, digest)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?;
                    let role = image.role.as_str();
                    add.execute(params![key, step.as_str(), role, image.reference, image.digest])?;
                }
            }
            EventKind::RunFinished { outcome, exit } => {
                let status = RunStatus::of_outcome(*outcome).as_str();
                let (outcome, exit) = (outcome.as_str(), exit.map(|kind| kind.as_str()));
                tx.execute(
                    "UPDATE runs SET status = ?2, outcome = ?3, exit = ?4, finished_at = ?5
                     WHERE key = ?1",
                    params![key, status, outcome, exit, millis(event.at)],
                )?;
            }
            EventKind::Log { .. }
            | EventKind::ProgressStarted { .. }
            | EventKind::ProgressAdvanced { .. }
            | EventKind::ProgressTitled { .. }
            | EventKind::ProgressEnded { .. }
            | EventKind::GroupStarted { .. }
            | EventKind::GroupEnded { .. }
            | EventKind::RunStopping { .. }
            | EventKind::Unknown => {}
        }
        Ok(())
    }

    fn begin_attempt(
        &self,
        tx: &Transaction<'_>,
        step: &Instance,
        attempt: u32,
        elapsed: i64,
    ) -> rusqlite::Result<()> {
        let mut add = tx.prepare_cached(
            "INSERT OR REPLACE INTO attempts (run, instance, attempt, started_ms)
             VALUES (?1, ?2, ?3, ?4)",
        )?;
        add.execute(params![self.key, step.as_str(), attempt, elapsed]).map(drop)
    }

    fn end_attempt(
        &self,
        tx: &Transaction<'_>,
        step: &Instance,
        attempt: u32,
        elapsed: i64,
        fault: Option<String>,
    ) -> rusqlite::Result<()> {
        let mut end = tx.prepare_cached(
            "UPDATE attempts SET ended_ms = ?4, fault = ?5
             WHERE run = ?1 AND instance = ?2 AND attempt = ?3",
        )?;
        end.execute(params![self.key, step.as_str(), attempt, elapsed, fault]).map(drop)
    }

    fn finish(
        &self,
        tx: &Transaction<'_>,
        end: &StepFinished,
        elapsed: i64,
    ) -> rusqlite::Result<()> {
        let fault = end.fault.as_ref().and_then(|fault| serde_json::to_string(fault).ok());
        let outputs = Some(&end.outputs).filter(|outputs| !outputs.is_null()).map(Value::to_string);
        let name = end.step.as_str();
        let mut add = tx.prepare_cached(
            "INSERT INTO instances (run, instance, step, outcome, status, attempts, took_ms, outputs,
                                    withheld, summary, fault, tolerated, reason, reused)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
             ON CONFLICT (run, instance) DO UPDATE SET
                 outcome = ?4, status = ?5, attempts = ?6, took_ms = ?7, outputs = ?8,
                 withheld = ?9, summary = ?10, fault = ?11, tolerated = ?12, reason = ?13,
                 reused = ?14",
        )?;
        add.execute(params![
            self.key,
            name,
            end.step.step(),
            end.outcome.as_str(),
            end.status.map(run::Status::as_str),
            end.attempts,
            end.took_ms.cast_signed(),
            outputs,
            end.withheld,
            end.summary,
            fault,
            end.tolerated,
            end.reason,
            end.reused,
        ])?;
        if let Some(earlier) = &end.reused {
            // What it was given there is what it was given here.
            let mut copy = tx.prepare_cached(
                "UPDATE instances SET inputs = (
                     SELECT inputs FROM instances
                     WHERE run = (SELECT key FROM runs WHERE id = ?3) AND instance = ?2)
                 WHERE run = ?1 AND instance = ?2",
            )?;
            copy.execute(params![self.key, name, earlier])?;
        } else if end.attempts > 0 {
            self.end_attempt(tx, &end.step, end.attempts, elapsed, fault)?;
        }
        Ok(())
    }

    /// Says that the run begins now, in this process.
    pub(crate) fn begin(tx: &Transaction<'_>, key: i64, at: Timestamp) -> rusqlite::Result<()> {
        tx.execute(
            "UPDATE runs SET status = 'running', started_at = ?2, heard_at = ?2, pid = ?3
             WHERE key = ?1",
            params![key, millis(at), std::process::id()],
        )
        .map(drop)
    }
}

/// What a run can be understood without.
pub(crate) fn is_talk(kind: &EventKind) -> bool {
    match kind {
        EventKind::Log { .. }
        | EventKind::ProgressStarted { .. }
        | EventKind::ProgressAdvanced { .. }
        | EventKind::ProgressTitled { .. }
        | EventKind::ProgressEnded { .. }
        | EventKind::GroupStarted { .. }
        | EventKind::GroupEnded { .. }
        | EventKind::Ledger { .. }
        | EventKind::Unknown => true,
        EventKind::RunStarted { .. }
        | EventKind::StepStarted { .. }
        | EventKind::AttemptStarted { .. }
        | EventKind::AttemptFailed { .. }
        | EventKind::StepFinished(_)
        | EventKind::RunStopping { .. }
        | EventKind::RunFinished { .. } => false,
    }
}
