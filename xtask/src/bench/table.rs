//! From many measurements to a Markdown table, and into a document between two marks.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::measure::Cost;
use crate::{files, shell};

/// What the runs of one contender came to.
pub(crate) struct Summary {
    /// The middle of the wall times.
    pub(crate) wall: Duration,
    /// The shortest wall time.
    pub(crate) least: Duration,
    /// The middle of the CPU times.
    pub(crate) cpu: Duration,
    /// The largest resident set that was seen, in KiB.
    pub(crate) memory_kib: u64,
    /// The middle of the times to the awaited line.
    pub(crate) line: Option<Duration>,
}

impl Summary {
    /// Sums up `costs`.
    pub(crate) fn of(costs: &[Cost]) -> Self {
        let median_of = |pick: fn(&Cost) -> Duration| median(costs.iter().map(pick).collect());
        let lines: Vec<Duration> = costs.iter().filter_map(|cost| cost.line).collect();
        Self {
            wall: median_of(|cost| cost.wall),
            least: costs.iter().map(|cost| cost.wall).min().unwrap_or_default(),
            cpu: median_of(|cost| cost.cpu),
            memory_kib: costs.iter().map(|cost| cost.memory_kib).max().unwrap_or_default(),
            line: (!lines.is_empty()).then(|| median(lines)),
        }
    }
}

/// The value in the middle; of an even number, the lower of the two.
pub(crate) fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or_default()
}

/// Milliseconds with as many digits as say something.
pub(crate) fn milliseconds(time: Duration) -> String {
    let value = time.as_secs_f64() * 1000.0;
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// Mebibytes of `kib`.
pub(crate) fn mebibytes(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}

/// Where, when and how often: one line.
pub(crate) fn machine(rounds: usize) -> String {
    let text = |program: &str, arguments: &[&str]| {
        let said = shell::capture(Command::new(program).args(arguments)).unwrap_or_default();
        said.trim().to_owned()
    };
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{}: {} × {}, Linux {}, {}; load {} at the end; medians of {rounds} interleaved rounds.",
        text("date", &["-u", "+%F"]),
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        model.unwrap_or("unknown CPU"),
        text("uname", &["-r"]),
        text("rustc", &["--version"]).split(" (").next().unwrap_or_default(),
        load.split(' ').next().unwrap_or_default(),
    )
}

/// A Markdown table whose first column is text and whose others are numbers.
pub(crate) fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>());
    let rules: Vec<String> =
        (0..head.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned()).collect();
    text += &line(&rules);
    for row in rows {
        text += &line(row);
    }
    text
}

/// Puts `text` between `<!-- NAME -->` and `<!-- /NAME -->` in the document at `path`.
///
/// # Errors
/// The document cannot be read or written, or has no such marks.
pub(crate) fn insert(path: &Path, name: &str, text: &str) -> Result<()> {
    let document = files::read_text(path)?;
    let changed = between(&document, name, text).with_context(|| {
        format!("{} has no marks <!-- {name} --> … <!-- /{name} -->", path.display())
    })?;
    files::write(path, changed.as_bytes())
}

fn between(document: &str, name: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(&format!("<!-- {name} -->\n"))?;
    let (_, after) = rest.split_once(&format!("<!-- /{name} -->"))?;
    Some(format!("{before}<!-- {name} -->\n{text}<!-- /{name} -->{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        let times = |list: &[u64]| list.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(median(times(&[9, 1, 5])), Duration::from_millis(5));
        assert_eq!(median(times(&[4, 1, 2, 3])), Duration::from_millis(2));
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }

    #[test]
    fn what_is_between_the_marks_is_replaced() {
        let old = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        let new = "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n";
        assert_eq!(between(old, "x", "new\n").as_deref(), Some(new));
        assert_eq!(between(old, "y", "new\n"), None);
    }

    #[test]
    fn a_table_has_a_rule_for_each_column() {
        let table = markdown(&["what", "ms"], &[vec!["make".to_owned(), "1.0".to_owned()]]);
        assert_eq!(table, "| what | ms |\n| --- | ---: |\n| make | 1.0 |\n");
    }
}
