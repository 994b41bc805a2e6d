//! Times of day: cron expressions and time zones.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

/// A cron expression: when something is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Cron(Box<croner::Cron>);

/// A time zone by its name in the database of time zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl FromStr for Cron {
    type Err = String;

    /// Reads an expression of five fields; the error says what is wrong with it.
    fn from_str(text: &str) -> Result<Self, String> {
        let parser = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Disallowed)
            .year(croner::parser::Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|error| error.to_string())?;
        let cron = Self(Box::new(cron));
        // The 30th of February: an expression that is well formed and never comes true.
        match cron.after(Timestamp::UNIX_EPOCH, &Zone::default()) {
            Some(_) => Ok(cron),
            None => Err("there is no such time".to_owned()),
        }
    }
}

impl Cron {
    /// The first moment after `since` (both since 1970) at which it is due in `zone`.
    pub fn next(&self, since: Duration, zone: &Zone) -> Option<Duration> {
        let since = Timestamp::from_millisecond(i64::try_from(since.as_millis()).ok()?).ok()?;
        let next = self.after(since, zone)?.as_millisecond();
        u64::try_from(next).ok().map(Duration::from_millis)
    }

    fn after(&self, since: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let since = since.to_zoned(zone.0.clone());
        self.0.find_next_occurrence(&since, false).ok().map(|next| next.timestamp())
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Default for Cron {
    /// Every minute.
    fn default() -> Self {
        "* * * * *".parse().expect("every minute is a time")
    }
}

impl Zone {
    /// The zone that `text` names.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        TimeZone::get(text).ok().map(Self)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments after `since` in UTC.
    fn moments(cron: &str, zone: &str, since: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (cron.parse::<Cron>().unwrap(), Zone::parse(zone).unwrap());
        let since: Timestamp = since.parse().unwrap();
        let mut at = Duration::from_millis(since.as_millisecond().unsigned_abs());
        let mut step = || {
            at = cron.next(at, &zone).unwrap();
            Timestamp::from_second(at.as_secs().cast_signed()).unwrap().to_string()
        };
        (0..count).map(|_| step()).collect()
    }

    #[test]
    fn days_of_a_zone_follow_its_summer_time() {
        let found = moments("30 8 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 2);
        assert_eq!(found, ["2026-03-28T07:30:00Z", "2026-03-29T06:30:00Z"]);
    }

    #[test]
    fn an_hour_that_comes_twice_counts_once_and_one_that_is_left_out_counts_still() {
        let twice = moments("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(twice.len(), 2);
        assert!(twice[0].starts_with("2026-10-25T") && twice[1].starts_with("2026-10-26T"));
        let left_out = moments("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
        assert!(left_out[0].starts_with("2026-03-29T") && left_out[1].starts_with("2026-03-30T"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in ["", "every day", "60 * * * *", "* * * *", "0 0 3 * * *", "0 0 30 2 *"] {
            assert!(wrong.parse::<Cron>().is_err(), "{wrong}");
        }
        assert!(Zone::parse("Europe/Atlantis").is_none());
    }
}
