//! From looks to tables.

use std::time::Duration;

use anyhow::Result;

use super::few::{self, Peer, Programs};
use super::images::{COUNT, MOVED, REGISTRIES};
use super::looks::{Case, Row};
use crate::bench::measure::Cost;
use crate::bench::place::Requests;
use crate::bench::table::{self, Summary, mebibytes, milliseconds};

/// How many times less than a loop of skopeo a look at the few is meant to need, wall and CPU.
const TIMES_SKOPEO: f64 = 20.0;
/// What a process that watches all of them may need.
const MEMORY_KIB: u64 = 150 * 1024;

/// A row's medians.
struct Sum {
    registry: &'static str,
    case: Case,
    own: Summary,
    /// CPU time of all registries.
    served: Duration,
    /// Of the look that made the most.
    requests: Requests,
}

impl Sum {
    fn of(row: &Row) -> Self {
        let costs: Vec<Cost> = row.looks.iter().map(|look| look.cost).collect();
        let most = row.looks.iter().map(|look| &look.work.requests).max_by_key(|it| it.total());
        Self {
            registry: row.registry,
            case: row.case,
            own: Summary::of(&costs),
            served: table::median(row.looks.iter().map(|look| look.work.cpu).collect()),
            requests: most.cloned().unwrap_or_default(),
        }
    }

    fn cells(&self, all: &[Self]) -> Vec<String> {
        let few = find(all, self.registry, Case::Few);
        let is_of_few = matches!(self.case, Case::Few | Case::Peer(_));
        let ratio = few.filter(|_| is_of_few).map(|few| times(self, few));
        let (images, what) = title(self.case);
        vec![
            self.registry.to_owned(),
            images.to_string(),
            what,
            milliseconds(self.own.wall),
            milliseconds(self.own.least),
            ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
            milliseconds(self.own.cpu),
            mebibytes(self.own.memory_kib),
            format!("{:.0}", self.served.as_secs_f64() * 1e3),
            self.requests.to_string(),
        ]
    }
}

/// How many images are looked at, by whom.
fn title(case: Case) -> (usize, String) {
    let ours = |what: &str| format!("**windlass watch --once**{what}");
    match case {
        Case::First => (COUNT, ours(", first look")),
        Case::Unchanged => (COUNT, ours("")),
        Case::Moved => (COUNT, ours(&format!(", {MOVED} have moved, {REGISTRIES} runs"))),
        Case::Few => (few::COUNT, ours("")),
        Case::Peer(peer) => (few::COUNT, peer.label().to_owned()),
    }
}

fn find<'s>(sums: &'s [Sum], registry: &str, case: Case) -> Option<&'s Sum> {
    sums.iter().find(|sum| sum.registry == registry && sum.case == case)
}

fn times(one: &Sum, other: &Sum) -> f64 {
    one.own.wall.as_secs_f64() / other.own.wall.as_secs_f64()
}

/// Both tables, with a line about where and how before and what is missing behind.
pub(super) fn report(rows: &[Row], programs: &Programs, rounds: usize) -> Result<String> {
    let sums: Vec<Sum> = rows.iter().map(Sum::of).collect();
    let (versions, absent) = programs.versions()?;
    let mut text = format!("{} {}.\n\n", table::machine(rounds), versions.join(", "));
    let registries = format!("{REGISTRIES} ×");
    let head = [
        registries.as_str(),
        "images",
        "look",
        "wall ms",
        "least ms",
        "× windlass",
        "CPU ms",
        "peak MiB",
        "registries' CPU ms",
        "requests",
    ];
    let cells: Vec<Vec<String>> = sums.iter().map(|sum| sum.cells(&sums)).collect();
    text += &table::markdown(&head, &cells);
    text += "\n";
    text += &table::markdown(&["target", "wanted", "measured", "held"], &targets(&sums));
    for line in absent {
        text.extend(["\n", &line, "\n"]);
    }
    Ok(text)
}

/// What we set out to reach, and whether we did.
fn targets(sums: &[Sum]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for sum in sums.iter().filter(|sum| sum.case == Case::Unchanged) {
        let asked = sum.requests.total() as f64 / COUNT as f64;
        let what = format!("{}: requests for an image that has not moved", sum.registry);
        rows.push(row(&what, "≤ 1".to_owned(), format!("{asked:.4}"), asked <= 1.0));
    }
    let own = sums.iter().filter(|sum| !matches!(sum.case, Case::Peer(_)));
    let peak = own.map(|sum| sum.own.memory_kib).max().unwrap_or_default();
    let wanted = format!("≤ {} MiB", MEMORY_KIB / 1024);
    let what = format!("peak memory, {COUNT} images");
    rows.push(row(&what, wanted, format!("{} MiB", mebibytes(peak)), peak <= MEMORY_KIB));
    for peer in [Peer::Skopeo, Peer::SkopeoNoTags, Peer::SkopeoRaw] {
        for other in sums.iter().filter(|sum| sum.case == Case::Peer(peer)) {
            let Some(few) = find(sums, other.registry, Case::Few) else { continue };
            let cpu = other.own.cpu.as_secs_f64() / few.own.cpu.as_secs_f64();
            for (unit, times) in [("less wall", times(other, few)), ("less CPU", cpu)] {
                let what = format!("{}: {unit} than {}", other.registry, peer.label());
                let (wanted, is) = (format!("≥ {TIMES_SKOPEO} ×"), format!("{times:.1} ×"));
                rows.push(row(&what, wanted, is, times >= TIMES_SKOPEO));
            }
        }
    }
    rows
}

fn row(what: &str, wanted: String, measured: String, held: bool) -> Vec<String> {
    vec![what.to_owned(), wanted, measured, if held { "yes" } else { "no" }.to_owned()]
}
