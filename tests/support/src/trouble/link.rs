//! A line that is long and thin.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::lock;

/// How the line to the registry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// What every request waits for before it arrives; none: no time.
    pub round_trip: Duration,
    /// Bytes of bodies that pass in a second, in each direction, over all connections; none: as many
    /// as come.
    pub bytes_per_second: Option<u64>,
}

/// One direction of a link. Bytes queue up behind those before them, on whatever connection.
#[derive(Debug, Default)]
pub(super) struct Lane(Mutex<Option<Instant>>);

impl Lane {
    /// Waits until so many bytes have passed.
    pub(super) async fn pass(&self, link: Link, bytes: usize) {
        let Some(rate) = link.bytes_per_second else { return };
        let takes = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        let until = {
            let mut busy = lock(&self.0);
            let until = busy.unwrap_or_else(Instant::now).max(Instant::now()) + takes;
            *busy = Some(until);
            until
        };
        tokio::time::sleep_until(until).await;
    }
}
