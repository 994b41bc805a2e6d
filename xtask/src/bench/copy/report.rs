//! From runs to tables.

use anyhow::{Context, Result};
use std::time::Duration;

use super::Row;
use super::case::Case;
use super::client::{Client, Programs};
use crate::bench::measure::Cost;
use crate::bench::place::{Requests, Work};
use crate::bench::table::{self, Summary, mebibytes, milliseconds};

/// Both tables, with a line about where and how before and what is missing behind.
pub(super) fn report(rows: &[Row], programs: &Programs, rounds: usize) -> Result<String> {
    let sums: Vec<Sum<'_>> = rows.iter().map(Sum::of).collect();
    let head = [
        "case",
        "client",
        "wall ms",
        "least ms",
        "× windlass",
        "CPU ms",
        "peak MiB",
        "registries' CPU ms",
        "source",
        "target",
    ];
    let cells: Vec<Vec<String>> = sums.iter().map(|sum| sum.cells(&sums)).collect();
    let versions = programs.versions()?.join(", ");
    let control = std::fs::read_to_string(CONGESTION_CONTROL).unwrap_or_default();
    let mut text =
        format!("{} {versions}; TCP with {}.\n\n", table::machine(rounds), control.trim());
    text += &table::markdown(&head, &cells);
    text += "\n";
    let targets = targets(&sums).context("a case has no runs")?;
    text += &table::markdown(&["target", "wanted", "measured", "held"], &targets);
    for line in programs.absent() {
        text.extend(["\n", &line, "\n"]);
    }
    Ok(text)
}

/// A row's medians.
struct Sum<'a> {
    case: &'a Case,
    client: Client,
    own: Summary,
    /// CPU time of both registries.
    served: Duration,
    source: Requests,
    target: Requests,
}

impl<'a> Sum<'a> {
    fn of(row: &'a Row) -> Self {
        let costs: Vec<Cost> = row.runs.iter().map(|run| run.cost).collect();
        let served = row.runs.iter().map(|run| run.source.cpu + run.target.cpu).collect();
        Self {
            case: row.case,
            client: row.client,
            own: Summary::of(&costs),
            served: table::median(served),
            source: middle(row.runs.iter().map(|run| &run.source)),
            target: middle(row.runs.iter().map(|run| &run.target)),
        }
    }

    fn cells(&self, all: &[Self]) -> Vec<String> {
        let ours = find(all, self.case.name, Client::Windlass);
        let ratio = ours.map(|ours| self.own.wall.as_secs_f64() / ours.own.wall.as_secs_f64());
        vec![
            self.case.title.to_owned(),
            self.client.label().to_owned(),
            milliseconds(self.own.wall),
            milliseconds(self.own.least),
            ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
            milliseconds(self.own.cpu),
            mebibytes(self.own.memory_kib),
            format!("{:.0}", self.served.as_secs_f64() * 1e3),
            self.source.to_string(),
            self.target.to_string(),
        ]
    }
}

/// The requests of the run that has the middle number of them.
fn middle<'a>(works: impl Iterator<Item = &'a Work>) -> Requests {
    let mut all: Vec<&Requests> = works.map(|work| &work.requests).collect();
    all.sort_by_key(|requests| requests.total());
    all.get(all.len().saturating_sub(1) / 2).copied().cloned().unwrap_or_default()
}

fn find<'s, 'a>(sums: &'s [Sum<'a>], case: &str, client: Client) -> Option<&'s Sum<'a>> {
    sums.iter().find(|sum| sum.case.name == case && sum.client == client)
}

/// The quickest of the other copiers.
fn fastest<'s, 'a>(sums: &'s [Sum<'a>], case: &str) -> Option<&'s Sum<'a>> {
    let others = sums.iter().filter(|sum| sum.case.name == case && sum.client.is_peer());
    others.min_by_key(|sum| sum.own.wall)
}

/// What we set out to reach, and whether we did.
fn targets(sums: &[Sum<'_>]) -> Option<Vec<Vec<String>>> {
    let ours: Vec<&Sum<'_>> = sums.iter().filter(|sum| sum.client == Client::Windlass).collect();
    let mut rows = Vec::new();
    for sum in &ours {
        let peer = fastest(sums, sum.case.name)?;
        let what = format!("{}: ahead of the fastest peer", sum.case.title);
        let name = format!("{} ({})", ms(peer.own.wall), peer.client.label());
        rows.push(row(&what, &format!("< {name}"), ms(sum.own.wall), sum.own.wall < peer.own.wall));
    }
    let pair = |case: &str, client: Client| {
        Some((find(sums, case, Client::Windlass)?, find(sums, case, client)?))
    };
    if let Some((us, crane)) = pair("five", Client::Crane) {
        let limit = crane.own.wall.mul_f64(PART_OF_CRANE);
        let what = format!("5 × 40 MB: at most {PART_OF_CRANE} × crane");
        rows.push(row(&what, &format!("≤ {}", ms(limit)), ms(us.own.wall), us.own.wall <= limit));
    }
    if let Some((us, oras)) = pair("five", Client::Oras) {
        let what = "5 × 40 MB: no more CPU than oras";
        let wanted = format!("≤ {}", ms(oras.own.cpu));
        rows.push(row(what, &wanted, ms(us.own.cpu), us.own.cpu <= oras.own.cpu));
    }
    for (case, source, target) in MINIMUM {
        let Some(us) = find(sums, case, Client::Windlass) else { continue };
        let what = format!("{}: requests", us.case.title);
        let (found_source, found_target) = (us.source.total(), us.target.total());
        let measured = format!("{found_source} + {found_target}");
        let held = found_source <= *source && found_target <= *target;
        rows.push(row(&what, &format!("{source} + {target}"), measured, held));
    }
    if let Some((us, skopeo)) = pair("tags", Client::Skopeo) {
        let times = skopeo.own.wall.as_secs_f64() / us.own.wall.as_secs_f64();
        let what = "50 tags: faster than skopeo in a loop";
        let wanted = format!("≥ {TIMES_SKOPEO} ×");
        rows.push(row(what, &wanted, format!("{times:.1} ×"), times >= TIMES_SKOPEO));
    }
    if let Some(us) = find(sums, "own", Client::Windlass) {
        let what = "200 MB into our own registry";
        let wanted = format!("≤ {}", ms(INTO_OWN));
        rows.push(row(what, &wanted, ms(us.own.wall), us.own.wall <= INTO_OWN));
    }
    let peak = ours.iter().map(|sum| sum.own.memory_kib).max()?;
    let wanted = format!("≤ {} MiB", MEMORY_KIB / 1024);
    let measured = format!("{} MiB", mebibytes(peak));
    rows.push(row("peak memory, whatever the size", &wanted, measured, peak <= MEMORY_KIB));
    Some(rows)
}

/// Requests that no client can do without: (case, to the source, to the target).
///
/// Unchanged: what the tags point at. Else the manifests and blobs from the source, and in the
/// target the tag, one request for a blob that can be linked and two for one that must be sent, and
/// the manifests.
const MINIMUM: &[(&str, u64, u64)] = &[
    ("five", 7, 14),
    ("one", 3, 6),
    ("small", 32, 64),
    ("platforms", 17, 31),
    ("five-unchanged", 1, 1),
    ("small-unchanged", 1, 1),
    ("five-mount", 1, 8),
    ("small-mount", 1, 33),
];
/// Which one counts on loopback too: one that paces (bbr) costs every client CPU and time.
const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
const PART_OF_CRANE: f64 = 0.75;
const TIMES_SKOPEO: f64 = 5.0;
const INTO_OWN: Duration = Duration::from_millis(350);
const MEMORY_KIB: u64 = 40 * 1024;

fn row(what: &str, wanted: &str, measured: String, held: bool) -> Vec<String> {
    let held = if held { "yes" } else { "no" };
    vec![what.to_owned(), wanted.to_owned(), measured, held.to_owned()]
}

fn ms(time: Duration) -> String {
    format!("{} ms", milliseconds(time))
}
