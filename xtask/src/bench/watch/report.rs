//! From looks to tables.

use anyhow::{Context, Result};
use std::time::Duration;

use super::few::{self, Peer, Programs};
use super::images::{COUNT, MOVED, REGISTRIES};
use super::looks::{Case, Row};
use crate::bench::measure::Cost;
use crate::bench::place::Requests;
use crate::bench::table::{self, Summary, mebibytes, milliseconds};

/// How much faster than a loop of skopeo a look at the few is meant to be.
const TIMES_SKOPEO: f64 = 20.0;
/// What a process that watches all of them may need.
const MEMORY_KIB: u64 = 150 * 1024;

/// A row's medians.
struct Sum {
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
            case: row.case,
            own: Summary::of(&costs),
            served: table::median(row.looks.iter().map(|look| look.work.cpu).collect()),
            requests: most.cloned().unwrap_or_default(),
        }
    }

    fn cells(&self, few: &Summary) -> Vec<String> {
        let ratio = self.own.wall.as_secs_f64() / few.wall.as_secs_f64();
        let ratio = match self.case {
            Case::Few | Case::Peer(_) => format!("{ratio:.2}"),
            Case::First | Case::Unchanged | Case::Moved => "–".to_owned(),
        };
        vec![
            title(self.case),
            milliseconds(self.own.wall),
            milliseconds(self.own.least),
            ratio,
            milliseconds(self.own.cpu),
            mebibytes(self.own.memory_kib),
            format!("{:.0}", self.served.as_secs_f64() * 1e3),
            self.requests.to_string(),
        ]
    }
}

fn title(case: Case) -> String {
    let many = |what| format!("**windlass watch --once**, {COUNT} images, {what}");
    match case {
        Case::First => many("first look"),
        Case::Unchanged => many("none has moved"),
        Case::Moved => many(&format!("{MOVED} have moved, {REGISTRIES} runs")),
        Case::Few => format!("**windlass watch --once**, {} images", few::COUNT),
        Case::Peer(peer) => format!("{}, {} images", peer.label(), few::COUNT),
    }
}

/// Both tables, with a line about where and how before and what is missing behind.
pub(super) fn report(
    rows: &[Row],
    programs: &Programs,
    registry: &str,
    rounds: usize,
) -> Result<String> {
    let sums: Vec<Sum> = rows.iter().map(Sum::of).collect();
    let find = |case| sums.iter().find(|sum| sum.case == case).context("a row is missing");
    let (few, unchanged) = (find(Case::Few)?, find(Case::Unchanged)?);
    let (versions, absent) = programs.versions()?;
    let mut text = format!(
        "{} {}; {REGISTRIES} × {registry}.\n\n",
        table::machine(rounds),
        versions.join(", ")
    );
    let head = [
        "look",
        "wall ms",
        "least ms",
        "× windlass",
        "CPU ms",
        "peak MiB",
        "registries' CPU ms",
        "requests",
    ];
    let cells: Vec<Vec<String>> = sums.iter().map(|sum| sum.cells(&few.own)).collect();
    text += &table::markdown(&head, &cells);
    text += "\n";
    let asked = unchanged.requests.total() as f64 / COUNT as f64;
    let mut targets = vec![row(
        "requests for an image that has not moved",
        "≤ 1".to_owned(),
        format!("{asked:.4}"),
        asked <= 1.0,
    )];
    let own = sums.iter().filter(|sum| !matches!(sum.case, Case::Peer(_)));
    let peak = own.map(|sum| sum.own.memory_kib).max().unwrap_or_default();
    targets.push(row(
        &format!("peak memory, {COUNT} images"),
        format!("≤ {} MiB", MEMORY_KIB / 1024),
        format!("{} MiB", mebibytes(peak)),
        peak <= MEMORY_KIB,
    ));
    for peer in [Peer::Skopeo, Peer::SkopeoRaw] {
        let other = find(Case::Peer(peer))?;
        let times = other.own.wall.as_secs_f64() / few.own.wall.as_secs_f64();
        let what = format!("{} images: faster than {}", few::COUNT, peer.label());
        let (wanted, is) = (format!("≥ {TIMES_SKOPEO} ×"), format!("{times:.1} ×"));
        targets.push(row(&what, wanted, is, times >= TIMES_SKOPEO));
    }
    text += &table::markdown(&["target", "wanted", "measured", "held"], &targets);
    for line in absent {
        text.extend(["\n", &line, "\n"]);
    }
    Ok(text)
}

fn row(what: &str, wanted: String, measured: String, held: bool) -> Vec<String> {
    vec![what.to_owned(), wanted, measured, if held { "yes" } else { "no" }.to_owned()]
}
