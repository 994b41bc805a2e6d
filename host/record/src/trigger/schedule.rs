//! Times of day: whether one has come since the last look.

use std::time::Duration;

use pipeline::{
    cron::{Cron, Zone},
    schema::Missed,
};
use run::Timestamp;
use serde_json::{Value, json};

use super::Judged;

/// A time is missed when nobody looked for so long: a look each half a minute is in time.
const LATE: Duration = Duration::from_secs(60);

/// A clock that was so far ahead was wrong, and what it has said is forgotten.
const AHEAD: Duration = Duration::from_secs(3600);

/// When runs are due.
#[derive(Clone, Debug)]
pub struct ScheduleRules {
    /// The times.
    pub cron: Cron,
    /// Where they are such.
    pub zone: Zone,
    /// What becomes of those at which nobody looked.
    pub missed: Missed,
}

impl ScheduleRules {
    /// The first time after `since`.
    pub fn next(&self, since: Timestamp) -> Option<Timestamp> {
        let next = self.cron.next(Duration::from_millis(since.as_millis()), &self.zone)?;
        Some(Timestamp::from_millis(u64::try_from(next.as_millis()).ok()?))
    }
}

/// Judges by what is remembered whether a time has come by `now`; the first look arms.
pub fn schedule(before: &Value, rules: &ScheduleRules, now: Timestamp) -> Judged {
    let until = before.get("until").and_then(Value::as_u64).map(Timestamp::from_millis);
    let armed = |until: Timestamp, cause| Judged {
        state: json!({ "until": until.as_millis() }),
        armed: true,
        cause,
    };
    let Some(until) = until else { return armed(now, None) };
    if now < until {
        let ahead = until.as_millis() - now.as_millis();
        let is_wrong = u128::from(ahead) > AHEAD.as_millis();
        // What has come before the clock was set back does not come again.
        return armed(if is_wrong { now } else { until }, None);
    }
    let Some(first) = rules.next(until).filter(|first| *first <= now) else {
        return armed(until, None);
    };
    let late = Timestamp::from_millis(now.as_millis().saturating_sub(LATE.as_millis() as u64));
    let due = match rules.missed {
        Missed::Once => Some(first),
        // The first that is not too late.
        Missed::Skip if first >= late => Some(first),
        Missed::Skip => rules.next(late).filter(|next| *next <= now),
    };
    armed(now, due.map(|due| json!({ "due": due })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        format!("2026-01-31T{text}Z").parse().unwrap()
    }

    /// Looks at these times of one day; which of them fire, and for which time.
    fn due(missed: Missed, looks: &[&str]) -> Vec<String> {
        let rules = ScheduleRules { cron: Cron::default(), zone: Zone::default(), missed };
        let hourly = "0 * * * *".parse().unwrap();
        let rules = ScheduleRules { cron: hourly, ..rules };
        let mut state = Value::Null;
        let look = |look: &&str| {
            let judged = schedule(&state, &rules, moment(look));
            state = judged.state;
            let due = judged.cause?["due"].as_str().unwrap().to_owned();
            Some(format!("{look} for {due}"))
        };
        looks.iter().filter_map(look).collect()
    }

    #[test]
    fn each_time_fires_once() {
        let looks = ["07:10:00", "07:59:50", "08:00:10", "08:00:40", "09:00:00", "09:00:10"];
        let expected =
            ["08:00:10 for 2026-01-31T08:00:00.000Z", "09:00:00 for 2026-01-31T09:00:00.000Z"];
        assert_eq!(due(Missed::Once, &looks), expected);
        assert_eq!(due(Missed::Skip, &looks), expected);
    }

    #[test]
    fn times_that_were_missed_start_one_run_or_none() {
        let looks = ["07:10:00", "10:30:00", "10:31:00"];
        assert_eq!(due(Missed::Once, &looks), ["10:30:00 for 2026-01-31T08:00:00.000Z"]);
        assert_eq!(due(Missed::Skip, &looks), [""; 0]);
        let in_time = ["07:10:00", "10:00:30"];
        assert_eq!(due(Missed::Skip, &in_time), ["10:00:30 for 2026-01-31T10:00:00.000Z"]);
    }

    #[test]
    fn a_clock_that_is_set_back_fires_nothing_twice() {
        let looks = ["07:50:00", "08:00:05", "07:59:00", "08:00:03", "08:00:30", "09:00:01"];
        let fired = due(Missed::Once, &looks);
        assert_eq!(fired.len(), 2, "{fired:?}");
        let far_ahead = ["07:10:00", "20:00:00", "07:20:00", "08:00:01"];
        assert_eq!(
            due(Missed::Skip, &far_ahead).last().unwrap(),
            "08:00:01 for 2026-01-31T08:00:00.000Z"
        );
    }
}
