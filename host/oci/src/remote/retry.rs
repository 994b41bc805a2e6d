//! When to ask again: full jitter, and what `Retry-After` says (RFC 9110 §10.2.3).

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use rand::Rng as _;

use super::Retry;

/// What is longer is not believed: microseconds, and seconds since 1970, have been seen.
const LONGEST_BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// Numbers from here on are meant as seconds since 1970 (September 2001).
const FIRST_EPOCH: f64 = 1e9;

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(300),
            cap: Duration::from_secs(10),
            patience: Duration::from_secs(60),
        }
    }
}

impl Retry {
    /// Full jitter: a random part of a pause that doubles.
    pub(super) fn pause(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let longest = self.base.saturating_mul(doubled).min(self.cap);
        longest.mul_f64(rand::rng().random_range(0.0..=1.0))
    }
}

/// How long an answer wants to be left alone; `None` if it does not say, or says nothing sensible.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    // Not all of them are ASCII: `44.853µs`.
    let text = std::str::from_utf8(headers.get(RETRY_AFTER)?.as_bytes()).ok()?;
    seconds_until(text, headers)
}

/// A number of seconds, with a unit behind it or not, a moment in seconds since 1970, or a date.
///
/// A moment counts from the answer's own `Date`: the server's clock is measured by itself.
pub(super) fn seconds_until(text: &str, headers: &HeaderMap) -> Option<Duration> {
    let text = text.trim();
    let date = || headers.get(DATE)?.to_str().ok().and_then(epoch);
    let pause = match amount(text) {
        Some(moment) if moment >= FIRST_EPOCH => moment - date()?,
        Some(seconds) => seconds,
        // The past means at once.
        None => (epoch(text)? - date()?).max(0.0),
    };
    Duration::try_from_secs_f64(pause).ok().filter(|pause| *pause <= LONGEST_BELIEVED)
}

fn epoch(text: &str) -> Option<f64> {
    let moment = httpdate::parse_http_date(text).ok()?;
    Some(moment.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs_f64())
}

/// `30`, `1.5`, `571.926µs`, `2m`: in seconds.
fn amount(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "μs" => 1e-6,
        "ns" => 1e-9,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Some(count.parse::<f64>().ok()? * seconds)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(text.as_bytes()).unwrap());
        headers.insert(DATE, HeaderValue::from_static("Sun, 22 Nov 2026 20:00:00 GMT"));
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_read_in_every_form_that_was_seen() {
        let check = |text: &str, expect: u64| {
            assert_eq!(read(text), Some(Duration::from_millis(expect)), "{text}");
        };
        check("30", 30_000);
        check(" 0 ", 0);
        check("1.5", 1_500);
        check("250ms", 250);
        check("2m", 120_000);
        check("86400", 86_400_000);
        check("Sun, 22 Nov 2026 20:01:30 GMT", 90_000);
        check("Sunday, 22-Nov-26 20:00:05 GMT", 5_000);
        check("Sun, 22 Nov 2020 20:00:00 GMT", 0);
        check("1795377630", 30_000);
        assert_eq!(read("44.853µs"), Some(Duration::from_nanos(44_853)));
    }

    #[test]
    fn a_retry_after_that_makes_no_sense_is_none() {
        for absurd in
            ["", "-1", "-0.5", "soon", "86401", "99999999999999999999", "1e3", "NaN", "inf", "."]
        {
            assert_eq!(read(absurd), None, "{absurd}");
        }
        for absurd in ["Sun, 22 Nov 2099 20:00:00 GMT", "1000000000", "1.2.3", "10 years", "1m30s"]
        {
            assert_eq!(read(absurd), None, "{absurd}");
        }
        let mut undated = HeaderMap::new();
        undated.insert(RETRY_AFTER, HeaderValue::from_static("Sun, 22 Nov 2026 20:01:30 GMT"));
        assert_eq!(retry_after(&undated), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_pause_is_a_random_part_of_one_that_doubles() {
        let retry = Retry { base: Duration::from_secs(1), ..Retry::default() };
        for (attempt, longest) in [(0, 1), (1, 1), (2, 2), (4, 8), (5, 10), (u32::MAX, 10)] {
            assert!(retry.pause(attempt) <= Duration::from_secs(longest));
        }
    }
}
