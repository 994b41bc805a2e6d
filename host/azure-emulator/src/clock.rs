//! What time it is in the emulated cloud.

use std::fmt;
use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};

/// Tells the time; tests tell it what to say.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's own.
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// Whatever `now` says.
    pub fn of(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// Seconds since 1970, as tokens and Key Vault count.
    pub(crate) fn seconds(&self) -> i64 {
        self.now().as_second()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// `2026-01-01T00:00:00.0000000+00:00`, as ARM writes times.
pub(crate) fn arm(time: Timestamp) -> String {
    format(time, "%Y-%m-%dT%H:%M:%S%.7f+00:00")
}

/// `2026-01-01T00:00:00Z`, as Graph and the registry write them.
pub(crate) fn zulu(time: Timestamp) -> String {
    format(time, "%Y-%m-%dT%H:%M:%SZ")
}

/// `2026-01-01 00:00:00Z`, as errors of the login service do.
pub(crate) fn spaced(time: Timestamp) -> String {
    format(time, "%Y-%m-%d %H:%M:%SZ")
}

/// By a `strftime` pattern, in UTC.
pub(crate) fn format(time: Timestamp, pattern: &str) -> String {
    time.to_zoned(TimeZone::UTC).strftime(pattern).to_string()
}
