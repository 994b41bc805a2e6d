//! `windlass watch`: looks at what `[on]` names, and runs what that starts.
//!
//! Looking and running meet in the record of runs alone: a look decides and leaves a queued run
//! there, and whoever comes first begins it. So it does not matter which process does which, nor
//! where one of them is killed.

mod files;
mod git;
mod hooks;
mod look;
mod looks;
mod queue;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use ::hook::Listener;
use ::run::{Clock as _, SystemClock};
use futures::future::join_all;
use record::Store;
use report::{Fault, Kind};
use tokio_util::sync::CancellationToken;

pub(super) use self::watched::check;

use self::files::Files;
use self::hooks::Ears;
use self::looks::{Looks, Round};
use self::queue::run_queued;
use self::watched::Watched;
use super::Failure;
use crate::args::watch::Watch;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;

/// Between two looks at what waits to run, and at whether a file has changed.
const PAUSE: Duration = Duration::from_millis(250);

/// After a look that could not be written down.
const AGAIN: Duration = Duration::from_secs(5);

pub(super) async fn watch(arguments: Watch, settings: &Settings) -> Result<Exit, Failure> {
    let mut watched = Vec::new();
    for file in &arguments.files {
        watched.push(Box::pin(Watched::load(file, &arguments, settings)).await?);
    }
    let files = Arc::new(Files::new(watched)?);
    let listener = match &arguments.listen {
        Some(address) => Some(Listener::bind(address).await.map_err(Fault::from)?),
        None if files.all().iter().any(|watched| !watched.endpoints.is_empty()) => {
            let fault = Fault::new(Kind::Invalid, "a webhook is to be heard, and nobody listens");
            return Err(Failure::Usage(fault.help("add `--listen 127.0.0.1:8300`, or `--once`")));
        }
        None => None,
    };
    let heard = Signals::watch(async |signals| {
        let done = match arguments.once {
            true => once(&files.all(), &arguments, settings, &signals.stop).await,
            false => {
                forever(&files, listener, &arguments, settings, &signals.stop).await;
                Ok(Exit::Ok)
            }
        };
        match (done, arguments.once && signals.stop.is_cancelled()) {
            (Ok(_), true) => Ok(signals.exit()),
            (done, _) => done,
        }
    })
    .await;
    heard.unwrap_or_else(|error| {
        Err(Fault::new(Kind::Internal, "signals cannot be heard").cause(error).into())
    })
}

async fn once(
    watched: &[Arc<Watched>],
    arguments: &Watch,
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<Exit, Failure> {
    let rounds = join_all(watched.iter().map(async |watched| {
        let mut store = open(settings)?;
        let mut looks = Looks::new(Arc::clone(watched), settings);
        looks.begin(&store, None)?;
        let mut round = Round::default();
        while let Some(ended) = looks.end().await {
            round.add(looks.decide(ended, &mut store)?);
        }
        Ok::<_, Failure>(round)
    }));
    let rounds = tokio::select! {
        rounds = rounds => rounds.into_iter().collect::<Result<Vec<_>, _>>()?,
        () = stop.cancelled() => return Ok(Exit::Interrupted),
    };
    let mut ran = 0;
    let mut failed = None;
    let mut store = open(settings)?;
    for watched in watched {
        for exit in run_queued(watched, &mut store, arguments, settings, stop).await? {
            ran += 1;
            failed = failed.or(Some(exit).filter(|exit| *exit != Exit::Ok));
        }
    }
    let trouble = rounds.iter().find_map(|round| round.trouble).map(Exit::from);
    let has_come = ran > 0 || rounds.iter().any(|round| round.fired > 0);
    if !has_come && trouble.is_none() && !settings.quiet {
        anstream::eprintln!("nothing has come");
    }
    Ok(match failed.or(trouble) {
        Some(exit) => exit,
        None if has_come && arguments.detailed_exitcode => Exit::Changes,
        None => Exit::Ok,
    })
}

async fn forever(
    files: &Arc<Files>,
    listener: Option<Listener>,
    arguments: &Watch,
    settings: &Settings,
    stop: &CancellationToken,
) {
    let all = files.all();
    if !settings.quiet {
        for watched in &all {
            let count = report::plural(watched.plan.triggers.len(), "trigger");
            anstream::eprintln!("watching {count} of {}", watched.given.file.display());
        }
    }
    let listen = async {
        let Some(listener) = listener else { return };
        if !settings.quiet {
            anstream::eprintln!("listening on http://{}/hooks/", listener.local_addr());
        }
        let ears = Ears { files: Arc::clone(files), settings: settings.clone() };
        listener.serve(Arc::new(ears), stop.clone()).await;
    };
    let each = (0..all.len()).map(async |index| {
        let running = run_on(index, files, arguments, settings, stop);
        tokio::join!(running, look_on(index, files, arguments, settings, stop));
    });
    tokio::join!(listen, join_all(each));
}

/// Runs what waits, whenever something does.
async fn run_on(
    index: usize,
    files: &Files,
    arguments: &Watch,
    settings: &Settings,
    stop: &CancellationToken,
) {
    let mut store = None;
    while let Some(watched) = files.get(index).filter(|_| !stop.is_cancelled()) {
        let ran = async {
            let store = kept(&mut store, settings)?;
            run_queued(&watched, store, arguments, settings, stop).await
        };
        if let Err(failure) = ran.await {
            _ = failure.show(settings);
            store = None;
            rest(AGAIN, stop).await;
        }
        rest(PAUSE, stop).await;
    }
}

/// Looks whenever it is time, with the file as it is by then.
async fn look_on(
    index: usize,
    files: &Files,
    arguments: &Watch,
    settings: &Settings,
    stop: &CancellationToken,
) {
    let Some(first) = files.get(index) else { return };
    let mut looks = Looks::new(first, settings);
    let mut refused = None;
    let mut store = None;
    while !stop.is_cancelled() {
        // A file that cannot be read, or is wrong, changes nothing; that is said once.
        let file = &looks.watched.given.file;
        let digest = super::load::digest(file).ok();
        if digest.is_some()
            && digest.as_ref() != Some(&looks.watched.new.source)
            && digest != refused
        {
            let loaded = Box::pin(Watched::load(file, arguments, settings)).await;
            let taken = loaded.and_then(|loaded| Ok(files.set(index, loaded)?));
            match taken {
                Ok(loaded) => looks = Looks::new(loaded, settings),
                Err(failure) => _ = failure.show(settings),
            }
            refused = digest;
            continue;
        }
        let looked = async {
            let store = kept(&mut store, settings)?;
            looks.begin(store, Some(SystemClock.now()))?;
            // Those that take long do not keep the others from their next look.
            let ended = tokio::select! {
                Some(ended) = looks.end() => ended,
                () = rest(PAUSE, stop) => return Ok(()),
            };
            looks.decide(ended, store).map(drop)
        };
        if let Err(failure) = looked.await {
            _ = failure.show(settings);
            store = None;
            rest(AGAIN, stop).await;
        }
    }
}

async fn rest(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = stop.cancelled() => {}
    }
}

fn open(settings: &Settings) -> Result<Store, Failure> {
    Ok(Store::open(&settings.state_dir).map_err(Fault::from)?)
}

/// The store, opened if it is not open.
fn kept<'s>(store: &'s mut Option<Store>, settings: &Settings) -> Result<&'s mut Store, Failure> {
    match store {
        Some(open) => Ok(open),
        closed @ None => Ok(closed.insert(open(settings)?)),
    }
}
