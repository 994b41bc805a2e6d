//! How much is kept of one run, and how long somebody waits for somebody else.

use std::time::Duration;

/// Events of one run: a step that copies 10,000 images says some 60,000.
pub(crate) const MOST_EVENTS: u64 = 200_000;

/// 64 MiB of one run's events as text: a week of such runs fills no disk.
pub(crate) const MOST_TEXT: u64 = 64 << 20;

/// Messages that wait to be written. Beyond it, what is no fact of a step is dropped and counted: a
/// disk that is slow must not become memory that is full.
pub(crate) const MOST_WAITING: u64 = 20_000;

/// How long a write waits for another process's; far longer than any takes.
pub(crate) const BUSY_TIMEOUT: Duration =
    Duration::from_millis(if cfg!(test) { 100 } else { 10_000 });

/// How long a run waits for its record: for its creation, which holds up a person, and for its end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks whether somebody wants the run to end.
pub(crate) const LOOK: Duration = Duration::from_millis(200);

/// Between two attempts to write what could not be written.
pub(crate) const AGAIN: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 1000 });
