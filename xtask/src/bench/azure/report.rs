//! From measurements to tables.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::cloud::Asked;
use super::{Measured, Row};
use crate::bench::table::{self, Summary, mebibytes, milliseconds};
use crate::repo::Repo;
use crate::{files, shell};

/// What a step may take of the time of az.
const SHARE: f64 = 0.1;

/// A row, summed up.
struct Sum {
    what: &'static str,
    /// How many requests were recorded of az.
    recorded: u64,
    az: (Summary, Asked),
    windlass: (Summary, Asked),
}

impl Sum {
    fn of(row: &Row, recorded: u64) -> Self {
        Self { what: row.case.what, recorded, az: of(&row.az), windlass: of(&row.windlass) }
    }

    fn ratio(&self) -> f64 {
        self.windlass.0.wall.as_secs_f64() / self.az.0.wall.as_secs_f64()
    }

    fn cells(&self) -> Vec<String> {
        let ((az, az_asked), (own, asked)) = (&self.az, &self.windlass);
        vec![
            self.what.to_owned(),
            self.recorded.to_string(),
            az_asked.requests.to_string(),
            format!("{} ({})", asked.requests, asked.logins),
            az_asked.bytes.to_string(),
            asked.bytes.to_string(),
            milliseconds(az.wall),
            milliseconds(own.wall),
            format!("{:.3}", self.ratio()),
            milliseconds(az.cpu),
            milliseconds(own.cpu),
            mebibytes(az.memory_kib),
            mebibytes(own.memory_kib),
        ]
    }
}

/// The requests are those of the run that made the most.
fn of(measured: &[Measured]) -> (Summary, Asked) {
    let costs: Vec<_> = measured.iter().map(|one| one.cost).collect();
    let most = measured.iter().map(|one| one.asked).max_by_key(|asked| asked.requests);
    (Summary::of(&costs), most.unwrap_or_default())
}

/// Both tables, with a line about where and how before.
pub(super) fn report(repo: &Repo, rows: &[Row], az: &Path, rounds: usize) -> Result<String> {
    let login = recorded(repo, &["login-sp"])?;
    let mut sums = Vec::new();
    for row in rows {
        sums.push(Sum::of(row, recorded(repo, row.case.captures)?));
    }
    let mut text = format!("{} az {}.\n\n", table::machine(rounds), version(az)?);
    let head = [
        "what",
        "requests of az, recorded",
        "of az, here",
        "of windlass (for tokens)",
        "bytes sent by az",
        "by windlass",
        "az: wall ms",
        "windlass: wall ms",
        "× az",
        "az: CPU ms",
        "windlass: CPU ms",
        "az: peak MiB",
        "windlass: peak MiB",
    ];
    text += &table::markdown(&head, &sums.iter().map(Sum::cells).collect::<Vec<_>>());
    text += "\n";
    let mut targets = Vec::new();
    for sum in &sums {
        let asked = sum.windlass.1;
        let others = asked.requests - asked.logins;
        targets.push(row(
            &format!("{}: requests, once logged in", sum.what),
            format!("≤ {}", sum.recorded),
            others.to_string(),
            others <= sum.recorded,
        ));
        targets.push(row(
            &format!("{}: requests, with the login", sum.what),
            format!("≤ {}", sum.recorded + login),
            asked.requests.to_string(),
            asked.requests <= sum.recorded + login,
        ));
        targets.push(row(
            &format!("{}: wall, of that of az", sum.what),
            format!("≤ {SHARE} ×"),
            format!("{:.3} ×", sum.ratio()),
            sum.ratio() <= SHARE,
        ));
    }
    text += &table::markdown(&["target", "wanted", "measured", "held"], &targets);
    Ok(text)
}

fn row(what: &str, wanted: String, measured: String, held: bool) -> Vec<String> {
    vec![what.to_owned(), wanted, measured, if held { "yes" } else { "no" }.to_owned()]
}

/// How many requests az sent when it was recorded.
fn recorded(repo: &Repo, captures: &[&str]) -> Result<u64> {
    let mut count = 0;
    for name in captures {
        let path = repo.root().join(format!("tests/azure/captures/{name}.json"));
        let capture: Value = serde_json::from_slice(&files::read(&path)?)
            .with_context(|| format!("{}", path.display()))?;
        let exchanges = capture.get("exchanges").and_then(Value::as_array);
        count += exchanges.with_context(|| format!("{}: no exchanges", path.display()))?.len();
    }
    Ok(count as u64)
}

fn version(az: &Path) -> Result<String> {
    let said = shell::capture(Command::new(az).args(["version", "-o", "json"]))?;
    let said: Value = serde_json::from_str(&said).context("az tells no version")?;
    let version = said.get("azure-cli").and_then(Value::as_str);
    Ok(version.context("az tells no version")?.to_owned())
}
