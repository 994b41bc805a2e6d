//! Work that takes a while: a bar on a terminal, a line at its end elsewhere, and one now and then
//! before that, so that nobody takes a job for dead.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use run::Unit;

use super::{bytes, took};

/// How often a bar is drawn again though nothing was moved.
const TICK: Duration = Duration::from_millis(100);

/// So long a job says nothing before it says how far it is.
const SILENCE_MS: u64 = 15_000;

/// A piece of work that has begun.
pub(super) struct Work {
    title: String,
    total: Option<u64>,
    unit: Unit,
    done: u64,
    /// When it began, and when it was last spoken of, in milliseconds of the run.
    began: u64,
    said: u64,
    bar: Option<ProgressBar>,
}

impl Work {
    pub(super) fn begin(title: String, total: Option<u64>, unit: Unit, now: u64) -> Self {
        Self { title, total, unit, done: 0, began: now, said: now, bar: None }
    }

    /// Shows it as a bar behind `name`.
    ///
    /// The title comes last: it is cut off where the line ends, and 80 columns hold some 40 of it.
    pub(super) fn draw(&mut self, bars: &MultiProgress, name: &str) {
        let (bar, template) = match (self.total, self.unit) {
            (Some(total), Unit::Bytes) => (
                ProgressBar::new(total),
                "{percent:>3}% [{bar:12}] {binary_total_bytes:>10} {eta:>3}  {wide_msg}",
            ),
            (Some(total), Unit::Items) => (
                ProgressBar::new(total),
                "{percent:>3}% [{bar:12}] {pos:>5} of {len:<5}  {wide_msg}",
            ),
            (None, Unit::Bytes) => {
                (ProgressBar::new_spinner(), "{spinner} {binary_bytes:>10}  {wide_msg}")
            }
            (None, Unit::Items) => (ProgressBar::new_spinner(), "{spinner} {pos:>10}  {wide_msg}"),
        };
        let style = ProgressStyle::with_template(&format!("{name}  {template}"))
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        let bar = bar.with_style(style).with_message(self.title.clone());
        let bar = bars.add(bar);
        bar.enable_steady_tick(TICK);
        self.bar = Some(bar);
    }

    pub(super) fn rename(&mut self, title: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(title.clone());
        }
        self.title = title;
    }

    /// So much more is done; what there is to say of it where there is no bar.
    pub(super) fn advance(&mut self, amount: u64, now: u64) -> Option<String> {
        self.done = self.done.saturating_add(amount);
        // What was sent twice was done once.
        self.done = self.total.map_or(self.done, |total| self.done.min(total));
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return None;
        }
        let is_due = now.saturating_sub(self.said) >= SILENCE_MS;
        is_due.then(|| {
            self.said = now;
            let time = took(Duration::from_millis(now.saturating_sub(self.began)));
            format!("{}: {} after {time}", self.title, self.amount())
        })
    }

    /// It is over; what there is to say of it where there was no bar.
    pub(super) fn end(self, now: u64) -> Option<String> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
            return None;
        }
        let time = took(Duration::from_millis(now.saturating_sub(self.began)));
        Some(format!("{}: {} in {time}", self.title, self.amount()))
    }

    fn amount(&self) -> String {
        let number = |count| match self.unit {
            Unit::Bytes => bytes(count),
            Unit::Items => count.to_string(),
        };
        match self.total {
            Some(total) if total != self.done => {
                format!("{} of {}", number(self.done), number(total))
            }
            Some(_) | None => number(self.done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn without_a_bar_there_is_a_line_at_the_end() {
        let mut work = Work::begin("copy a to b".to_owned(), Some(4 * MIB), Unit::Bytes, 1000);
        assert_eq!(work.advance(3 * MIB, 2000), None);
        assert_eq!(work.advance(2 * MIB, 2500), None);
        assert_eq!(work.end(3000).unwrap(), "copy a to b: 4.0 MiB in 2.0 s");
    }

    #[test]
    fn what_takes_long_is_told_now_and_then() {
        let mut work = Work::begin("copy a to b".to_owned(), Some(4 * MIB), Unit::Bytes, 0);
        assert_eq!(
            work.advance(MIB, 15_000).unwrap(),
            "copy a to b: 1.0 MiB of 4.0 MiB after 15.0 s"
        );
        assert_eq!(work.advance(MIB, 16_000), None);
        assert_eq!(
            work.advance(MIB, 31_000).unwrap(),
            "copy a to b: 3.0 MiB of 4.0 MiB after 31.0 s"
        );
        // It broke off.
        assert_eq!(work.end(32_000).unwrap(), "copy a to b: 3.0 MiB of 4.0 MiB in 32.0 s");
    }

    #[test]
    fn things_are_counted_and_ends_may_be_unknown() {
        let mut work = Work::begin("images".to_owned(), Some(3), Unit::Items, 0);
        work.advance(3, 10);
        assert_eq!(work.end(20).unwrap(), "images: 3 in 20 ms");
        let mut work = Work::begin("read".to_owned(), None, Unit::Bytes, 0);
        work.advance(512, 10);
        work.rename("read it".to_owned());
        assert_eq!(work.end(20).unwrap(), "read it: 512 B in 20 ms");
    }
}
