//! Wall time, which the events carry and tests fix.
//!
//! Durations and deadlines do not come from here but from `tokio::time`, which tests pause.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// A moment in UTC, to the millisecond; written as RFC 3339: `2026-01-31T08:15:00.250Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Since 1970-01-01T00:00:00Z.
    since_epoch_ms: u64,
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    fn now(&self) -> Timestamp {
        Timestamp::from(SystemTime::now())
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

impl Timestamp {
    /// The last millisecond of the year 9999: RFC 3339 has four digits for the year.
    const LAST_MS: u64 = 253_402_300_799_999;

    /// So many milliseconds after 1970-01-01T00:00:00Z; at most the end of the year 9999.
    pub fn from_millis(since_epoch_ms: u64) -> Self {
        Self { since_epoch_ms: since_epoch_ms.min(Self::LAST_MS) }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn as_millis(self) -> u64 {
        self.since_epoch_ms
    }
}

impl From<SystemTime> for Timestamp {
    /// A time before 1970, which only a broken clock shows, becomes 1970.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(time.since_epoch_ms)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_rfc3339_millis((*self).into()))
    }
}

impl FromStr for Timestamp {
    type Err = humantime::TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_rfc3339(text).map(Self::from)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| {
            de::Error::custom(format!(
                "`{text}` is not a time such as `2026-01-31T08:15:00Z`: {error}"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_as_rfc_3339_and_read_back() {
        let time = Timestamp::from_millis(1_769_847_300_250);
        assert_eq!(time.to_string(), "2026-01-31T08:15:00.250Z");
        assert_eq!(time.to_string().parse(), Ok(time));
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(json, r#""2026-01-31T08:15:00.250Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
    }

    #[test]
    fn a_time_that_is_none_is_refused_with_an_example() {
        let error = serde_json::from_str::<Timestamp>(r#""tomorrow""#).unwrap_err().to_string();
        assert!(
            error.starts_with("`tomorrow` is not a time such as `2026-01-31T08:15:00Z`"),
            "{error}"
        );
    }

    #[test]
    fn a_clock_out_of_range_still_gives_a_time() {
        assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
