//! `windlass runs`: the table.

use record::{Selection, Store};
use report::{Fault, Kind, closest};

use super::super::{Failure, print_data, print_json};
use super::acr::Asker;
use super::open;
use super::row::{COLUMNS, HEADINGS, Row};
use crate::args::runs::{List, ListFormat};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui::{aligned, show_fault};

pub(super) async fn list(asked: &List, settings: &Settings) -> Result<Exit, Failure> {
    let asker = match asked.acr.is_empty() {
        true => None,
        false => Some(Asker::new(asked, settings)?),
    };
    let store = open(settings)?;
    let (mut rows, mut more) = ours(asked, store.as_ref())?;
    let mut faults = Vec::new();
    for registry in asker.iter().flat_map(|_| &asked.acr) {
        let Some(asker) = &asker else { break };
        match asker.runs(registry, asked).await {
            Ok(runs) => {
                more |= runs.found.is_cut;
                let server = &runs.login_server;
                rows.extend(
                    runs.found
                        .runs
                        .into_iter()
                        .map(|run| Row::Theirs { server: server.clone(), run: Box::new(run) }),
                );
            }
            Err(fault) => faults.push(fault),
        }
    }
    // Stable: of one moment, our own come first.
    rows.sort_by_key(|row| std::cmp::Reverse(row.at()));
    more |= rows.len() > asked.last as usize;
    rows.truncate(asked.last as usize);
    if let (Some(pipeline), true, None) = (&asked.pipeline, rows.is_empty(), &asker) {
        is_known(pipeline, store.as_ref())?;
    }
    let places = if asker.is_some() { Places::Several } else { Places::Here };
    print(&rows, asked.format, places, store.as_ref(), settings)?;
    if more && asked.format == ListFormat::Human && !settings.quiet {
        let twice = asked.last.saturating_mul(2).max(1);
        anstream::eprintln!("there are more: `--last {twice}` shows older ones");
    }
    // What there is was shown; what there is not is said behind it.
    let mut faults = faults.into_iter();
    let first = faults.next();
    faults.for_each(|fault| show_fault(None, &fault, None, settings.style));
    first.map_or(Ok(Exit::Ok), |fault| Err(fault.into()))
}

/// The runs of this machine, and whether there are more.
fn ours(asked: &List, store: Option<&Store>) -> Result<(Vec<Row>, bool), Failure> {
    let Some(store) = store else { return Ok((Vec::new(), false)) };
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
    let mut rows = store.list(&selection).map_err(Fault::from)?;
    let more = rows.len() as u64 > u64::from(asked.last);
    rows.truncate(asked.last as usize);
    Ok((rows.into_iter().map(|row| Row::Ours(Box::new(row))).collect(), more))
}

/// Whether a line has to say where its run ran.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Places {
    Here,
    Several,
}

fn print(
    rows: &[Row],
    format: ListFormat,
    places: Places,
    store: Option<&Store>,
    settings: &Settings,
) -> Result<(), Failure> {
    match format {
        ListFormat::Json => {
            let json = match places {
                Places::Here => Row::as_json,
                Places::Several => Row::as_json_with_place,
            };
            print_json(&rows.iter().map(json).collect::<Vec<_>>())?;
        }
        ListFormat::Tsv => {
            let shown = if places == Places::Here { COLUMNS - 1 } else { COLUMNS };
            let line = |row: &Row| row.plain().get(..shown).unwrap_or_default().join("\t") + "\n";
            print_data(rows.iter().map(line).collect::<String>().as_bytes());
        }
        ListFormat::Human if !rows.is_empty() => {
            let lines: Result<Vec<_>, Fault> = rows.iter().map(|row| row.shown(store)).collect();
            print_data(table(lines?, places).as_bytes());
        }
        ListFormat::Human => {
            if !settings.quiet {
                let is_first = store.is_none() && places == Places::Here;
                anstream::eprintln!("{}", if is_first { "no runs yet" } else { "no such runs" });
            }
        }
    }
    Ok(())
}

fn table(lines: Vec<[String; COLUMNS]>, places: Places) -> String {
    let all: Vec<_> = std::iter::once(HEADINGS.map(str::to_owned)).chain(lines).collect();
    match places {
        Places::Several => aligned(&all),
        Places::Here => {
            let without = |[id, name, platform, status, trigger, started, took, _]: [String;
                               COLUMNS]| {
                [id, name, platform, status, trigger, started, took]
            };
            aligned(&all.into_iter().map(without).collect::<Vec<_>>())
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: [&str; COLUMNS]) -> [String; COLUMNS] {
        cells.map(str::to_owned)
    }

    #[test]
    fn the_table_is_laid_out_as_people_know_it() {
        let (began, here) = ("2018-09-17T23:07:22Z", "here");
        let lines = vec![
            line([
                "da6",
                "taskhelloworld",
                "Linux",
                "Succeeded",
                "Manual",
                began,
                "00:00:38",
                here,
            ]),
            line([
                "da5",
                "t",
                "Linux",
                "Running",
                "Image Update",
                "2018-09-17T23:06:33Z",
                "",
                here,
            ]),
        ];
        let expected = "\
RUN ID    PIPELINE        PLATFORM    STATUS     TRIGGER       STARTED               DURATION
--------  --------------  ----------  ---------  ------------  --------------------  ----------
da6       taskhelloworld  Linux       Succeeded  Manual        2018-09-17T23:07:22Z  00:00:38
da5       t               Linux       Running    Image Update  2018-09-17T23:06:33Z
";
        assert_eq!(table(lines, Places::Here), expected);
    }

    #[test]
    fn runs_of_a_registry_say_where_they_ran() {
        let (began, there) = ("2018-09-17T23:07:22Z", "a.azurecr.io");
        let lines =
            vec![line(["ca1", "", "Linux", "Succeeded", "Manual", began, "00:00:38", there])];
        let expected = "\
RUN ID    PIPELINE    PLATFORM    STATUS     TRIGGER    STARTED               DURATION    WHERE
--------  ----------  ----------  ---------  ---------  --------------------  ----------  ------------
ca1                   Linux       Succeeded  Manual     2018-09-17T23:07:22Z  00:00:38    a.azurecr.io
";
        assert_eq!(table(lines, Places::Several), expected);
    }
}
