//! `windlass runs`: the table.

use record::{RunRow, Selection, Store};
use report::{Fault, Kind, closest};

use super::super::{Failure, print_data, print_json};
use super::{as_json, open};
use crate::args::runs::{List, ListFormat};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::{aligned, to_the_second};

/// The headings, as people know them from `az acr task list-runs`.
const HEADINGS: [&str; 7] =
    ["RUN ID", "PIPELINE", "PLATFORM", "STATUS", "TRIGGER", "STARTED", "DURATION"];

pub(super) fn list(asked: &List, settings: &Settings) -> Result<Exit, Failure> {
    let store = open(settings)?;
    let mut rows = Vec::new();
    let mut more = false;
    if let Some(store) = &store {
        let selection = Selection {
            pipeline: asked.pipeline.clone(),
            status: asked.status.iter().map(|&status| status.into()).collect(),
            trigger: asked.trigger.iter().map(|&trigger| trigger.into()).collect(),
            image: asked.image.clone(),
            since: asked.since,
            before: asked.before,
            // One more, to know whether there are.
            last: Some(u64::from(asked.last) + 1),
        };
        rows = store.list(&selection).map_err(Fault::from)?;
        more = rows.len() as u64 > u64::from(asked.last);
        rows.truncate(asked.last as usize);
    }
    if let (Some(pipeline), true) = (&asked.pipeline, rows.is_empty()) {
        is_known(pipeline, store.as_ref())?;
    }
    match (asked.format, &store) {
        (ListFormat::Json, _) => print_json(&rows.iter().map(as_json).collect::<Vec<_>>())?,
        (ListFormat::Tsv, _) => print_data(tsv(&rows).as_bytes()),
        (ListFormat::Human, Some(store)) if !rows.is_empty() => {
            print_data(table(&rows, store)?.as_bytes());
        }
        (ListFormat::Human, _) => {
            if !settings.quiet {
                let nothing = if store.is_some() { "no such runs" } else { "no runs yet" };
                anstream::eprintln!("{nothing}");
            }
        }
    }
    if more && asked.format == ListFormat::Human && !settings.quiet {
        let twice = asked.last.saturating_mul(2).max(1);
        anstream::eprintln!("there are more: `--last {twice}` shows older ones");
    }
    Ok(Exit::Ok)
}

/// A pipeline that never ran is probably another one mistyped.
fn is_known(pipeline: &str, store: Option<&Store>) -> Result<(), Failure> {
    let known = match store {
        Some(store) => store.pipelines().map_err(Fault::from)?,
        None => Vec::new(),
    };
    if known.iter().any(|name| name == pipeline) {
        return Ok(());
    }
    let fault = Fault::new(Kind::NotFound, format!("no pipeline `{pipeline}` was ever run here"));
    Err(Failure::Usage(match closest(pipeline, known.iter().map(String::as_str)) {
        Some(near) => fault.help(format!("did you mean `--pipeline {near}`?")),
        None => fault.help("`windlass runs` lists what was run"),
    }))
}

fn table(rows: &[RunRow], store: &Store) -> Result<String, Failure> {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    for row in rows {
        lines.push([
            store.short(&row.id).map_err(Fault::from)?,
            row.run.pipeline.clone(),
            system(&row.run.platform),
            row.status.to_string(),
            row.run.trigger.to_string(),
            row.started_at.map(to_the_second).unwrap_or_default(),
            row.took_ms().map(clock).unwrap_or_default(),
        ]);
    }
    Ok(aligned(&lines))
}

fn tsv(rows: &[RunRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let cells = [
            row.id.clone(),
            row.run.pipeline.clone(),
            row.run.platform.clone(),
            row.status.as_str().to_owned(),
            row.run.trigger.as_str().to_owned(),
            row.started_at.map(to_the_second).unwrap_or_default(),
            row.took_ms().map(clock).unwrap_or_default(),
        ];
        text += &cells.join("\t");
        text.push('\n');
    }
    text
}

/// `Linux`, of `linux/amd64`.
fn system(platform: &str) -> String {
    let name = platform.split('/').next().unwrap_or_default();
    let mut rest = name.chars();
    let first = rest.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}

/// `00:00:38`; a second that has begun counts.
fn clock(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_laid_out_as_people_know_it() {
        let line = |cells: [&str; 7]| cells.map(str::to_owned);
        let lines = [
            HEADINGS.map(str::to_owned),
            line([
                "da6",
                "taskhelloworld",
                "Linux",
                "Succeeded",
                "Manual",
                "2018-09-17T23:07:22Z",
                "00:00:38",
            ]),
            line(["da5", "t", "Linux", "Running", "Image Update", "2018-09-17T23:06:33Z", ""]),
        ];
        let expected = "\
RUN ID    PIPELINE        PLATFORM    STATUS     TRIGGER       STARTED               DURATION
--------  --------------  ----------  ---------  ------------  --------------------  ----------
da6       taskhelloworld  Linux       Succeeded  Manual        2018-09-17T23:07:22Z  00:00:38
da5       t               Linux       Running    Image Update  2018-09-17T23:06:33Z
";
        assert_eq!(aligned(&lines), expected);
    }

    #[test]
    fn durations_are_read_off_a_clock() {
        assert_eq!(clock(0), "00:00:00");
        assert_eq!(clock(1), "00:00:01");
        assert_eq!(clock(37_001), "00:00:38");
        assert_eq!(clock(100 * 3_600_000), "100:00:00");
        assert_eq!(system("linux/amd64"), "Linux");
    }
}
