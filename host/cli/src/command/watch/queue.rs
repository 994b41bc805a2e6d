//! Runs that wait: they are begun in the order of what started them.

use ::run::{Clock as _, SystemClock};
use futures::{StreamExt as _, stream::FuturesUnordered};
use record::Store;
use report::Fault;
use tokio_util::sync::CancellationToken;

use super::watched::Watched;
use super::{PAUSE, rest};
use crate::args::{Given, watch::Watch};
use crate::command::Failure;
use crate::command::run::{Again, Begun, Queued, Wanted, begin};
use crate::exit::Exit;
use crate::settings::Settings;

/// Runs of one file that are under way at the same time, where several may be.
const MOST_AT_ONCE: usize = 8;

/// Runs what waits of a pipeline, one after the other or, where that is allowed, several at a time;
/// how each ended.
pub(super) async fn run_queued(
    watched: &Watched,
    store: &mut Store,
    arguments: &Watch,
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<Vec<Exit>, Failure> {
    let mut ends = Vec::new();
    let mut running = FuturesUnordered::new();
    let most = if watched.runs_alone() { 1 } else { MOST_AT_ONCE };
    let mut begun = Vec::new();
    loop {
        let wants_more = running.len() < most && !stop.is_cancelled();
        let next = match wants_more {
            true => next(watched, store, &begun)?,
            false => None,
        };
        if let Some(id) = next {
            begun.push(id.clone());
            if let Some((queued, wanted)) = wanted(id, watched, store, arguments)? {
                running.push(Box::pin(begin(queued, wanted, settings)));
            }
            continue;
        }
        // What comes meanwhile runs beside it.
        let looks_again = wants_more && !running.is_empty();
        let ended = tokio::select! {
            ended = running.next() => ended,
            () = tokio::time::sleep(PAUSE), if looks_again => continue,
        };
        match ended {
            None => return Ok(ends),
            Some(Ok(Begun::Ended(exit))) => ends.push(exit),
            Some(Ok(Begun::Busy)) => {
                begun.clear();
                rest(PAUSE, stop).await;
            }
            Some(Ok(Begun::Gone)) => {}
            Some(Err(failure)) => return Err(failure),
        }
    }
}

/// The oldest run that waits and was not begun here.
fn next(watched: &Watched, store: &mut Store, begun: &[String]) -> Result<Option<String>, Failure> {
    let file = &watched.new.file;
    store.resume(file, SystemClock.now()).map_err(Fault::from)?;
    let queued = store.queued(file).map_err(Fault::from)?;
    Ok(queued.into_iter().find(|id| !begun.contains(id)))
}

fn wanted(
    id: String,
    watched: &Watched,
    store: &Store,
    arguments: &Watch,
) -> Result<Option<(Queued, Wanted)>, Failure> {
    let Some(row) = store.row(&id).map_err(Fault::from)? else { return Ok(None) };
    let own = arguments.inputs.iter().filter(|(name, _)| row.run.withheld.contains(name));
    let inputs = row.run.inputs.clone().into_iter().chain(own.cloned()).collect();
    // One that goes on where another was broken off.
    let again = match &row.run.rerun_of {
        None => None,
        Some(broken) => {
            let results = match store.row(broken).map_err(Fault::from)? {
                Some(row) => Some(store.detail(row).map_err(Fault::from)?),
                None => None,
            };
            Some(Again { id: broken.clone(), results, from: None })
        }
    };
    let wanted = Wanted {
        given: Given { file: watched.given.file.clone(), inputs },
        choices: row.run.choices,
        how: arguments.how,
        again,
    };
    let queued = Queued { id, trigger: row.run.trigger, alone: watched.runs_alone() };
    Ok(Some((queued, wanted)))
}
