//! How fast one host may be asked: a budget that everything which talks to it shares.
//!
//! [`Budget`] knows no clock and no network: it is told what was answered and says when the next
//! request may leave. It stops all requests to a host that said "too many" to one of them, slows
//! down when the host announces that little is left, and paces the one call that a cloud limits
//! without announcing it. [`Traffic`] is a budget with the room for requests at one time.
//!
//! Never: a request counted against another host, a wait that nobody could explain.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::retry::seconds_until;

/// As many as connections are kept to one host (`client::IDLE_CONNECTIONS_PER_HOST`): more would
/// make each slower and annoy a registry. Questions, downloads and uploads have this many each, so
/// that a copy within one registry cannot wait for itself: an upload may wait for a download, and
/// both for a question, never the other way.
const AT_ONCE: usize = 16;

/// The first gap between requests after a refusal; it doubles with each further one.
const FIRST_GAP: Duration = Duration::from_millis(20);

/// No gap is longer. Hours that some hosts count in (Docker Hub: 6) cannot be waited out anyway.
const LONGEST_GAP: Duration = Duration::from_secs(5);

/// Requests slow down when less than this part of what a host allows is left: a quarter.
const RESERVE_PART: u64 = 4;

/// The reserve of a host that says what is left and not of how much.
const RESERVE: u64 = 20;

/// The window of a host that names none.
const USUAL_WINDOW: Duration = Duration::from_secs(60);

/// Azure's registries answer 1,000 calls for referrers in 60 seconds and announce nothing. Half of
/// them may leave at once and the other half is spread, so no 60 seconds ever see more.
const REFERRERS_AT_ONCE: u32 = 500;
/// See [`REFERRERS_AT_ONCE`].
const REFERRERS_GAP: Duration = Duration::from_millis(120);

/// Where those registries are, by cloud.
const AZURE: [&str; 3] = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];

/// What goes to one host.
pub(super) struct Traffic {
    budget: Mutex<Budget>,
    pub(super) questions: Arc<Semaphore>,
    pub(super) downloads: Arc<Semaphore>,
    pub(super) uploads: Arc<Semaphore>,
}

/// The budgets of all registries, by host. Clones are the same budgets.
#[derive(Clone, Default)]
pub struct Budgets(Arc<Mutex<BTreeMap<String, Arc<Traffic>>>>);

/// When the next request to a host may leave.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Nothing leaves before: the host said so.
    until: Option<Instant>,
    /// When the last refusal came.
    refused_at: Option<Instant>,
    /// When the gap behind the last request is over.
    next: Option<Instant>,
    /// The gap that refusals have led to; answers shorten it.
    gap: Duration,
    /// The gap that the host's own numbers ask for.
    announced: Duration,
    /// Whether questions for referrers are paced.
    paces_referrers: bool,
    /// When all questions for referrers so far would have been asked, evenly spread.
    referrers: Option<Instant>,
}

/// What a host says that it still allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    remaining: u64,
    limit: Option<u64>,
    window: Duration,
    reset: Option<Duration>,
}

impl Budgets {
    /// That of `host`.
    pub(super) fn of(&self, host: &str) -> Arc<Traffic> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let traffic = || Arc::new(Traffic::new(host));
        Arc::clone(all.entry(host.to_owned()).or_insert_with(traffic))
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").finish_non_exhaustive()
    }
}

impl Traffic {
    pub(super) fn new(host: &str) -> Self {
        let name = host.split(':').next().unwrap_or(host);
        let paces_referrers = AZURE.iter().any(|azure| name.ends_with(azure));
        let room = || Arc::new(Semaphore::new(AT_ONCE));
        Self {
            budget: Mutex::new(Budget { paces_referrers, ..Budget::default() }),
            questions: room(),
            downloads: room(),
            uploads: room(),
        }
    }

    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may leave.
    ///
    /// # Errors
    /// The time that the host wants to be left alone, if that is longer than `patience`.
    pub(super) async fn turn(
        &self,
        asks_referrers: bool,
        patience: Duration,
    ) -> Result<(), Duration> {
        loop {
            let at = self.budget().book(Instant::now(), asks_referrers, patience)?;
            if at <= Instant::now() {
                return Ok(());
            }
            tokio::time::sleep_until(at).await;
            // Another request may have been refused in the meantime.
            if !self.budget().is_paused(Instant::now()) {
                return Ok(());
            }
        }
    }
}

impl Budget {
    /// When the next request may leave; the one after it waits for the gap.
    pub(super) fn book(
        &mut self,
        now: Instant,
        asks_referrers: bool,
        patience: Duration,
    ) -> Result<Instant, Duration> {
        let pause = self.until.map_or(Duration::ZERO, |until| until.duration_since(now));
        if pause > patience {
            return Err(pause);
        }
        let mut at = now + pause;
        at = at.max(self.next.unwrap_or(at));
        if asks_referrers && self.paces_referrers {
            let even = self.referrers.unwrap_or(at).max(at);
            let ahead = REFERRERS_GAP.saturating_mul(REFERRERS_AT_ONCE);
            at = at.max(even.checked_sub(ahead).unwrap_or(at));
            self.referrers = Some(even + REFERRERS_GAP);
        }
        self.next = Some(at + self.gap.max(self.announced));
        Ok(at)
    }

    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// A request that left at `sent` was refused as one too many: nothing leaves for `pause`.
    pub(super) fn refused(&mut self, sent: Instant, now: Instant, pause: Duration) {
        // What was on its way when the refusal came says nothing new.
        if self.refused_at.is_none_or(|before| sent >= before) {
            self.gap = self.gap.saturating_mul(2).clamp(FIRST_GAP, LONGEST_GAP);
            self.refused_at = Some(now);
        }
        self.until = self.until.max(now.checked_add(pause));
    }

    /// A request was answered.
    pub(super) fn answered(&mut self, now: Instant, allowance: Option<Allowance>) {
        self.gap = match self.gap.saturating_sub(self.gap / 8) {
            short if short < Duration::from_millis(1) => Duration::ZERO,
            gap => gap,
        };
        let Some(allowance) = allowance else { return };
        self.announced = allowance.gap();
        if let Some(reset) = allowance.reset.filter(|_| allowance.remaining == 0) {
            self.until = self.until.max(now.checked_add(reset));
        }
    }
}

impl Allowance {
    /// What the headers of an answer say.
    ///
    /// `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600` (Docker Hub; the IETF's
    /// draft), the same with `x-` in front, and Azure's
    /// `x-ms-ratelimit-remaining-calls-per-second: 166.6`.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let either = |name: &str| text(name).or_else(|| text(&format!("x-{name}")));
        if let Some(text) = text("x-ms-ratelimit-remaining-calls-per-second") {
            let remaining = number(text)?.0;
            let window = Duration::from_secs(1);
            return Some(Self { remaining, limit: None, window, reset: None });
        }
        let (remaining, window) = number(either("ratelimit-remaining")?)?;
        let (limit, other) = either("ratelimit-limit").and_then(number).unzip();
        let reset = either("ratelimit-reset").and_then(|text| seconds_until(text, headers));
        let window = window.or(other.flatten()).or(reset).unwrap_or(USUAL_WINDOW);
        Some(Self { remaining, limit, window, reset })
    }

    fn gap(&self) -> Duration {
        let (is_little, share) = match self.limit {
            Some(limit) => (self.remaining.saturating_mul(RESERVE_PART) < limit, limit),
            None => (self.remaining < RESERVE, self.remaining),
        };
        if !is_little {
            return Duration::ZERO;
        }
        let share = u32::try_from(share.max(1)).unwrap_or(u32::MAX);
        (self.window / share).min(LONGEST_GAP)
    }
}

/// `76;w=21600`: a count, and the window where one is named.
fn number(text: &str) -> Option<(u64, Option<Duration>)> {
    let mut parts = text.split([';', ',']).map(str::trim);
    let count = parts.next()?;
    let whole = count.split_once('.').map_or(count, |(whole, _)| whole);
    let window = parts.find_map(|part| part.strip_prefix("w=")?.trim().parse().ok());
    Some((whole.parse().ok()?, window.map(Duration::from_secs)))
}

#[cfg(test)]
mod tests;
