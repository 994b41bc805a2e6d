//! How often something may happen.
//!
//! For each key one moment is kept: when all that has happened will be forgotten (the generic cell
//! rate algorithm). A key whose moment has passed is as good as unknown, so only those that do
//! something lately take up room, and of those no more than [`MOST_KEYS`].

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Keys at a time; those beyond are not counted.
const MOST_KEYS: usize = 4096;

/// So many at once, and another one each `every`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) every: Duration,
}

/// What has happened, by key.
#[derive(Debug)]
pub(crate) struct Counts<K> {
    rate: Rate,
    forgotten_at: Mutex<BTreeMap<K, Instant>>,
}

impl<K: Ord> Counts<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, forgotten_at: Mutex::default() }
    }

    /// It happens, unless it has happened too often: then it is said when it may again.
    pub(crate) fn count(&self, key: K) -> Result<(), Duration> {
        let mut all = self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(at) = all.get_mut(&key) {
            self.rate.wait(*at, now)?;
            *at = (*at).max(now) + self.rate.every;
            return Ok(());
        }
        if all.len() >= MOST_KEYS {
            all.retain(|_, at| *at > now);
        }
        if all.len() < MOST_KEYS {
            all.insert(key, now + self.rate.every);
        }
        Ok(())
    }

    /// Whether it may happen; else when it may.
    pub(crate) fn check(&self, key: &K) -> Result<(), Duration> {
        let all = self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).map_or(Ok(()), |&at| self.rate.wait(at, Instant::now()))
    }
}

impl Rate {
    fn wait(self, forgotten_at: Instant, now: Instant) -> Result<(), Duration> {
        let most = self.every * self.burst.saturating_sub(1);
        match forgotten_at.saturating_duration_since(now).checked_sub(most) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(wait),
        }
    }
}

/// Whoever may take addresses at will has at least 64 bits of them to choose from.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts<usize> {
        Counts::new(Rate { burst: 3, every: Duration::from_secs(2) })
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_one_at_a_time_and_each_key_for_itself() {
        let counts = counts();
        for _ in 0..3 {
            assert_eq!(counts.check(&1), Ok(()));
            assert_eq!(counts.count(1), Ok(()));
        }
        assert_eq!(counts.count(1), Err(Duration::from_secs(2)));
        assert_eq!(counts.check(&1), Err(Duration::from_secs(2)));
        assert_eq!(counts.count(2), Ok(()));
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(counts.count(1), Err(Duration::from_millis(500)));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(counts.count(1), Ok(()));
        assert_eq!(counts.count(1), Err(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_secs(60)).await;
        let again: Vec<bool> = (0..4).map(|_| counts.count(1).is_ok()).collect();
        assert_eq!(again, [true, true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_keys_take_no_more_room_than_there_is() {
        let counts = counts();
        for key in 0..MOST_KEYS + 100 {
            assert_eq!(counts.count(key), Ok(()));
        }
        assert_eq!(counts.forgotten_at.lock().unwrap().len(), MOST_KEYS);
        tokio::time::advance(Duration::from_secs(10)).await;
        counts.count(MOST_KEYS).unwrap();
        assert_eq!(counts.forgotten_at.lock().unwrap().len(), 1, "the others are forgotten");
    }

    #[test]
    fn neighbours_are_one() {
        let of = |text: &str| neighbourhood(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
