//! One instance of a step, attempt by attempt, until it succeeds or there is no more to try.
//!
//! The step's timeout covers all attempts and the pauses between them.
//! A pause is drawn from zero to a ceiling that doubles with every attempt ("full jitter"): steps that
//! failed together do not come back together.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use pipeline::{Retry, unit::format_duration};
use report::{Fault, Kind, Side};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{EventKind, StepCall, StepOutcome, StepReporter, StepRunner};

/// One minute: a registry that is down for longer is not waited for by a build.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The code of a step that did not end in its own time.
const STEP_TIMEOUT: &str = "timeout.step";

/// How long to pause within what is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Jitter {
    /// Any time up to the ceiling, drawn anew each time.
    #[default]
    Full,
    /// Always this share of the ceiling, from 0 to 1: runs that can be repeated exactly.
    Fixed(f64),
}

/// All that an instance needs to run.
pub(crate) struct Attempts {
    pub(crate) runner: Arc<dyn StepRunner>,
    pub(crate) say: StepReporter,
    pub(crate) call: StepCall,
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
    /// When the run's own deadline, or that of the cleanup, stops the step; only told to the runner.
    pub(crate) stops_at: Option<Instant>,
    pub(crate) stop: CancellationToken,
    pub(crate) jitter: Jitter,
}

/// How an instance ended.
pub(crate) enum Ended {
    /// By itself, or by its own timeout.
    Done(Result<StepOutcome, Fault>),
    /// By the token: the scheduler knows why.
    Stopped,
}

impl Attempts {
    /// Runs the instance to its end.
    pub(crate) async fn run(mut self) -> Ended {
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut attempt = 1;
        loop {
            self.call.attempt = attempt;
            self.call.deadline = earliest(deadline, self.stops_at)
                .map(|end| end.saturating_duration_since(Instant::now()));
            let fault = match self.once(deadline).await {
                Ended::Done(Err(fault)) if self.is_worth_another(&fault, attempt) => fault,
                ended @ (Ended::Done(_) | Ended::Stopped) => return ended,
            };
            self.say.end_progress();
            let pause = pause(self.retry.backoff, attempt, self.jitter.draw());
            if deadline.is_some_and(|end| Instant::now() + pause >= end) {
                return Ended::Done(Err(self.no_time_left(fault, attempt + 1)));
            }
            self.say.emit(EventKind::AttemptFailed {
                step: self.say.step().clone(),
                attempt,
                attempts: self.retry.attempts,
                fault,
                pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            });
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ended::Stopped,
                () = tokio::time::sleep(pause) => {}
            }
            attempt += 1;
            self.say.attempt_start(attempt);
        }
    }

    /// One attempt. A result that is there wins over a deadline that passes in the same moment.
    async fn once(&self, deadline: Option<Instant>) -> Ended {
        let work = async { self.runner.run(self.call.clone(), self.say.clone()).await };
        tokio::select! {
            biased;
            answer = AssertUnwindSafe(work).catch_unwind() => {
                Ended::Done(answer.unwrap_or_else(|panic| Err(panicked(&*panic))))
            }
            () = self.stop.cancelled() => Ended::Stopped,
            () = pass(deadline) => Ended::Done(Err(self.timed_out())),
        }
    }

    fn is_worth_another(&self, fault: &Fault, attempt: u32) -> bool {
        let is_wanted = fault.retry || self.retry.on.contains(&fault.kind);
        // Our own deadline passes but once; a deadline of the plugin's own may not pass the next time.
        let has_time = fault.code != STEP_TIMEOUT;
        attempt < self.retry.attempts && is_wanted && has_time && fault.kind != Kind::Cancelled
    }

    fn timed_out(&self) -> Fault {
        let timeout = format_duration(self.timeout.unwrap_or_default());
        Fault::new(Kind::Timeout, format!("the step did not end within its timeout of {timeout}"))
            .code(STEP_TIMEOUT)
            .help("raise `timeout` of the step, or find out with `-v` what it waits for")
    }

    fn no_time_left(&self, fault: Fault, attempt: u32) -> Fault {
        let timeout = format_duration(self.timeout.unwrap_or_default());
        fault.cause(format!("no time for attempt {attempt} within the step's timeout of {timeout}"))
    }
}

impl Jitter {
    fn draw(self) -> f64 {
        match self {
            Self::Full => rand::random(),
            Self::Fixed(share) => share,
        }
    }
}

/// How long to pause after `attempt` (from 1), for a `share` (0 to 1) of the ceiling.
fn pause(base: Duration, attempt: u32, share: f64) -> Duration {
    let doubled = 2_u32.checked_pow(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let ceiling = base.saturating_mul(doubled).min(LONGEST_PAUSE);
    ceiling.mul_f64(share.clamp(0.0, 1.0))
}

/// Ends when `deadline` has passed; never without one.
pub(crate) async fn pass(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// A runner that panics is a bug of ours, whatever the plugin did.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Fault::new(Kind::Internal, "the host broke while it ran the step")
        .code("internal.panic")
        .side(Side::Host)
        .cause(text.unwrap_or("a panic without a message"))
        .help("this is a bug in windlass: report it with this message and the pipeline file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_a_minute_and_the_share_is_taken_of_it() {
        let second = Duration::from_secs(1);
        let pauses =
            |share| [1, 2, 3, 7, 64].map(|attempt| pause(second, attempt, share).as_millis());
        assert_eq!(pauses(1.0), [1_000, 2_000, 4_000, 60_000, 60_000]);
        assert_eq!(pauses(0.5), [500, 1_000, 2_000, 30_000, 30_000]);
        assert_eq!(pauses(0.0), [0; 5]);
        assert_eq!(pause(Duration::MAX, u32::MAX, 7.0), LONGEST_PAUSE);
    }

    #[test]
    fn full_jitter_stays_within_the_ceiling() {
        assert!((0..100).all(|_| (0.0..1.0).contains(&Jitter::Full.draw())));
    }
}
