//! From runs to tables.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Row;
use super::client::{Client, Programs, State};
use crate::bench::table::{self, Summary, mebibytes, milliseconds};

/// Both tables, with a line about where and how before and what is missing behind.
pub(super) fn report(rows: &[Row], programs: &Programs, rounds: usize) -> Result<String> {
    let sums: Vec<(&Row, Summary)> =
        rows.iter().map(|row| (row, Summary::of(&row.costs))).collect();
    let head =
        ["image", "state", "builder", "wall ms", "least ms", "× windlass", "CPU ms", "peak MiB"];
    let cells: Vec<Vec<String>> = sums.iter().map(|sum| cells(sum, &sums)).collect();
    let mut versions = programs.versions()?.join(", ");
    if !versions.is_empty() {
        versions = format!(" {versions}.");
    }
    let mut text = format!("{}{versions}\n\n", table::machine(rounds));
    text += &table::markdown(&head, &cells);
    text += "\n";
    let targets = targets(&sums).context("a case has no runs")?;
    text += &table::markdown(&["target", "wanted", "measured", "held"], &targets);
    for line in programs.absent() {
        text.extend(["\n", line, "\n"]);
    }
    Ok(text)
}

type Sum<'a> = (&'a Row, Summary);

fn cells((row, sum): &Sum<'_>, all: &[Sum<'_>]) -> Vec<String> {
    let ours = find(all, row.case.name, Client::Windlass, row.state);
    let ratio = ours.map(|ours| sum.wall.as_secs_f64() / ours.wall.as_secs_f64());
    // The daemon does the work, and what it takes is not seen from here.
    let is_alone = row.client != Client::Docker;
    let of_process = |value: String| if is_alone { value } else { "–".to_owned() };
    vec![
        row.case.title.to_owned(),
        row.state.label().to_owned(),
        row.client.label().to_owned(),
        milliseconds(sum.wall),
        milliseconds(sum.least),
        ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
        of_process(milliseconds(sum.cpu)),
        of_process(mebibytes(sum.memory_kib)),
    ]
}

fn find<'s>(sums: &'s [Sum<'_>], case: &str, client: Client, state: State) -> Option<&'s Summary> {
    let is_it = |row: &Row| row.case.name == case && row.client == client && row.state == state;
    sums.iter().find(|(row, _)| is_it(row)).map(|(_, sum)| sum)
}

/// What we set out to reach: (case, state, milliseconds).
const WANTED: &[(&str, State, u64)] = &[
    ("copy1", State::Cold, 100),
    ("run10", State::Cold, 400),
    ("ctx", State::Cold, 2033),
    ("ctx", State::Cached, 120),
];
/// How much a line may take beyond its command.
const LINE: Duration = Duration::from_millis(6);
const MEMORY_KIB: u64 = 100 * 1024;

/// What we set out to reach, and whether we did.
fn targets(sums: &[Sum<'_>]) -> Option<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let ours = |case: &str, state| find(sums, case, Client::Windlass, state);
    for (row, sum) in sums.iter().filter(|(row, _)| row.client == Client::Windlass) {
        let name = row.case.name;
        let of_case = WANTED.iter().filter(|(case, state, _)| *case == name && *state == row.state);
        for (_, state, wanted) in of_case {
            let what = format!("{}, {}", row.case.title, state.label());
            let wanted = Duration::from_millis(*wanted);
            rows.push(target(
                &what,
                &format!("≤ {}", ms(wanted)),
                ms(sum.wall),
                sum.wall <= wanted,
            ));
        }
        let others = sums.iter().filter(|(other, _)| {
            other.case.name == name && other.state == row.state && other.client != Client::Windlass
        });
        if let Some((other, peer)) = others.min_by_key(|(_, sum)| sum.wall) {
            let what = format!("{}, {}: ahead of the fastest", row.case.title, row.state.label());
            let wanted = format!("< {} ({})", ms(peer.wall), other.client.label());
            rows.push(target(&what, &wanted, ms(sum.wall), sum.wall < peer.wall));
        }
    }
    let lines = |name: &str| sums.iter().find(|(row, _)| row.case.name == name);
    if let (Some((few, _)), Some((many, _))) = (lines("line1"), lines("line41")) {
        let (one, all) = (ours("line1", State::Cold)?, ours("line41", State::Cold)?);
        let more = u32::try_from(many.case.layers() - few.case.layers()).ok()?;
        let each = all.wall.saturating_sub(one.wall) / more;
        let wanted = format!("≤ {}", ms(LINE));
        rows.push(target(
            "each further RUN, its echo and its layer included",
            &wanted,
            ms(each),
            each <= LINE,
        ));
    }
    let of_us = sums.iter().filter(|(row, _)| row.client == Client::Windlass);
    let peak = of_us.map(|(_, sum)| sum.memory_kib).max()?;
    let wanted = format!("≤ {} MiB", MEMORY_KIB / 1024);
    let measured = format!("{} MiB", mebibytes(peak));
    rows.push(target("peak memory, whatever the size", &wanted, measured, peak <= MEMORY_KIB));
    Some(rows)
}

fn target(what: &str, wanted: &str, measured: String, held: bool) -> Vec<String> {
    let held = if held { "yes" } else { "no" };
    vec![what.to_owned(), wanted.to_owned(), measured, held.to_owned()]
}

fn ms(time: Duration) -> String {
    format!("{} ms", milliseconds(time))
}
