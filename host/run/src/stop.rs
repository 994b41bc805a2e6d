//! Why a run ends before its steps are through, and what that says to people.
//!
//! | reason    | steps that run      | steps that have not begun | steps with `always`           |
//! |-----------|---------------------|---------------------------|-------------------------------|
//! | failure   | go on to their end  | skipped                   | run                           |
//! | cancelled | dropped, cancelled  | cancelled                 | run, within the cleanup time  |
//! | timed out | dropped, timed out  | skipped                   | run, within the cleanup time  |
//!
//! When the cleanup time is over, or a person insists, everything that is left is dropped.

use std::time::Duration;

use pipeline::unit::format_duration;
use report::{Fault, Kind, Side};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Outcome, StopReason};

/// One minute: enough to delete what a test has created, little enough for a CI system that kills
/// what it has asked to stop.
pub const CLEANUP_TIME: Duration = Duration::from_secs(60);

/// How a person stops a run: once for an orderly end, twice for an end at once.
///
/// Clones are one switch.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    cancel: CancellationToken,
    force: CancellationToken,
}

impl Stop {
    /// A switch that nobody has touched.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop: the first call cancels, any further call ends the run at once. For signals.
    pub fn request(&self) {
        if self.cancel.is_cancelled() {
            self.force.cancel();
        }
        self.cancel.cancel();
    }

    /// Whether somebody has asked.
    pub fn is_requested(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Whether somebody has asked twice.
    pub fn is_forced(&self) -> bool {
        self.force.is_cancelled()
    }

    /// Ends when somebody asks.
    pub(crate) async fn requested(&self) {
        self.cancel.cancelled().await;
    }

    /// Ends when somebody asks twice.
    pub(crate) async fn forced(&self) {
        self.force.cancelled().await;
    }
}

/// How far the run is on its way to an early end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping {
    pub(crate) reason: Option<StopReason>,
    /// The step whose failure was the reason.
    pub(crate) failed: Option<String>,
    /// When steps that always run are dropped too.
    pub(crate) cleanup_until: Option<Instant>,
    /// Nothing begins any more.
    pub(crate) is_over: bool,
    /// A person insisted.
    pub(crate) is_forced: bool,
}

/// The limits that a run's wordings name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) timeout: Option<Duration>,
    pub(crate) cleanup: Duration,
}

impl Stopping {
    /// Whether what runs has been told to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.cleanup_until.is_some()
    }

    /// Why a step may not begin, if it may not: how it ends, and the reason to show.
    pub(crate) fn forbids(&self, always: bool, limits: Limits) -> Option<(Outcome, String)> {
        let reason = self.reason?;
        if always && !self.is_over {
            return None;
        }
        Some(match reason {
            _ if always && !self.is_forced => {
                let cleanup = format_duration(limits.cleanup);
                (Outcome::Skipped, format!("the {cleanup} for cleanup were over before it began"))
            }
            StopReason::Failure => {
                let failed = self.failed.as_deref().unwrap_or_default();
                (Outcome::Skipped, format!("`{failed}` failed before it began"))
            }
            StopReason::Cancelled => {
                (Outcome::Cancelled, "the run was cancelled before it began".to_owned())
            }
            StopReason::TimedOut => {
                let timeout = format_duration(limits.timeout.unwrap_or_default());
                (Outcome::Skipped, format!("the run's timeout of {timeout} passed before it began"))
            }
        })
    }

    /// Why a step was dropped.
    pub(crate) fn fault_of_step(&self, always: bool, limits: Limits) -> Fault {
        if always && !self.is_forced {
            let cleanup = format_duration(limits.cleanup);
            return Fault::new(
                Kind::Timeout,
                format!("the step did not end within the {cleanup} that a run has for cleanup"),
            )
            .code("timeout.cleanup")
            .help("look on the other side for what it has left behind");
        }
        match self.reason {
            Some(StopReason::TimedOut) if !self.is_forced => Fault::new(
                Kind::Timeout,
                format!(
                    "the step had not ended when the run's timeout of {} passed",
                    format_duration(limits.timeout.unwrap_or_default())
                ),
            )
            .code("timeout.run")
            .help(
                "raise `timeout` under `[pipeline]`, or give the steps that hang one of their own",
            ),
            Some(StopReason::TimedOut | StopReason::Cancelled | StopReason::Failure) | None => {
                Fault::new(Kind::Cancelled, "the run was cancelled while the step ran")
            }
        }
    }

    /// Why the run ended early, other than by a failure.
    pub(crate) fn fault_of_run(&self, limits: Limits) -> Option<(Outcome, Fault)> {
        match self.reason? {
            StopReason::Failure => None,
            StopReason::Cancelled => Some((
                Outcome::Cancelled,
                Fault::new(Kind::Cancelled, "the run was cancelled").side(Side::User),
            )),
            StopReason::TimedOut => {
                let timeout = format_duration(limits.timeout.unwrap_or_default());
                let fault = Fault::new(
                    Kind::Timeout,
                    format!("the run did not end within its timeout of {timeout}"),
                )
                .code("timeout.run")
                .side(Side::User)
                .help("raise `timeout` under `[pipeline]`, or give the steps that hang one of their own");
                Some((Outcome::TimedOut, fault))
            }
        }
    }
}
