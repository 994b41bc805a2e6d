//! `windlass watch`: looks at what `[on]` names, and runs what that starts.
//!
//! Looking and running meet in the record of runs alone: a look decides and leaves a queued run
//! there, and whoever comes first begins it. So it does not matter which process does which, nor
//! where one of them is killed.

mod git;
mod look;
mod queue;
mod watched;

use std::collections::BTreeMap;
use std::time::Duration;

use ::run::{Clock as _, SystemClock, Timestamp};
use futures::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use pipeline::plan::{Rule, Trigger};
use record::{Decided, Store, TriggerRow};
use report::{Diagnostic, Fault, Kind};
use tokio_util::sync::CancellationToken;

pub(super) use self::watched::check;

use self::queue::run_queued;
use self::watched::Watched;
use super::Failure;
use crate::args::watch::Watch;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::ui;

/// Between two looks at what waits to run, and at whether a file has changed.
const PAUSE: Duration = Duration::from_millis(250);

/// After a look that could not be written down.
const AGAIN: Duration = Duration::from_secs(5);

pub(super) async fn watch(arguments: Watch, settings: &Settings) -> Result<Exit, Failure> {
    let mut watched = Vec::new();
    for file in &arguments.files {
        watched.push(Box::pin(Watched::load(file, &arguments, settings)).await?);
    }
    let heard = Signals::watch(async |signals| {
        let done = match arguments.once {
            true => once(&watched, &arguments, settings, &signals.stop).await,
            false => forever(watched, &arguments, settings, &signals.stop).await.map(|()| Exit::Ok),
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

/// What a round came to.
#[derive(Default)]
struct Round {
    /// Runs that were started.
    fired: usize,
    /// Why something could not be looked at.
    trouble: Option<Kind>,
}

async fn once(
    watched: &[Watched],
    arguments: &Watch,
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<Exit, Failure> {
    let rounds = join_all(watched.iter().map(async |watched| {
        let mut store = open(settings)?;
        round(watched, &mut store, None, settings).await
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
    watched: Vec<Watched>,
    arguments: &Watch,
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    if !settings.quiet {
        for watched in &watched {
            let count = report::plural(watched.plan.triggers.len(), "trigger");
            anstream::eprintln!("watching {count} of {}", watched.given.file.display());
        }
    }
    join_all(watched.into_iter().map(async |watched| {
        let running = async {
            let mut store = None;
            while !stop.is_cancelled() {
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
        };
        tokio::join!(running, look_on(&watched, arguments, settings, stop));
    }))
    .await;
    Ok(())
}

/// Looks whenever it is time, with the file as it is by then.
async fn look_on(
    first: &Watched,
    arguments: &Watch,
    settings: &Settings,
    stop: &CancellationToken,
) {
    let mut changed: Option<Watched> = None;
    let mut refused = None;
    let mut store = None;
    while !stop.is_cancelled() {
        let watched = changed.as_ref().unwrap_or(first);
        // A file that cannot be read, or is wrong, changes nothing; that is said once.
        let digest = super::load::digest(&watched.given.file).ok();
        if digest.is_some() && digest.as_ref() != Some(&watched.new.source) && digest != refused {
            match Box::pin(Watched::load(&watched.given.file, arguments, settings)).await {
                Ok(loaded) => changed = Some(loaded),
                Err(failure) => _ = failure.show(settings),
            }
            refused = digest;
            continue;
        }
        let looked = async {
            let store = kept(&mut store, settings)?;
            round(watched, store, Some(SystemClock.now()), settings).await
        };
        let pause = tokio::select! {
            looked = looked => match looked {
                Ok(_) => PAUSE,
                Err(failure) => {
                    _ = failure.show(settings);
                    store = None;
                    AGAIN
                }
            },
            () = stop.cancelled() => return,
        };
        rest(pause, stop).await;
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

/// Looks at each trigger, at `due` at those whose time has come, and decides.
async fn round(
    watched: &Watched,
    store: &mut Store,
    due: Option<Timestamp>,
    settings: &Settings,
) -> Result<Round, Failure> {
    let file = &watched.new.file;
    let look_at = |trigger, before: Option<TriggerRow>, results| async move {
        let looked = look::at(trigger, watched, before.as_ref(), results, settings).await;
        (trigger, before, looked)
    };
    let ready = |store: &Store, trigger: &Trigger| -> Result<_, Fault> {
        let before = store.trigger(file, &trigger.name)?;
        let results = match &trigger.rule {
            Rule::Images { look, .. } => watched.results(look, store)?,
            Rule::Schedule { .. } | Rule::Git { .. } | Rule::Webhook { .. } => BTreeMap::new(),
        };
        Ok((before, results))
    };
    let mut looks = FuturesUnordered::new();
    for trigger in &watched.plan.triggers {
        // Who looks once hears nothing.
        if due.is_none() && matches!(trigger.rule, Rule::Webhook { .. }) {
            continue;
        }
        let (before, results) = ready(store, trigger)?;
        let is_due = match (&before, due) {
            // A clock that was set back may have put the next look far away.
            (Some(known), Some(due)) => known.next_at <= due || known.checked_at > due,
            _ => true,
        };
        if is_due {
            looks.push(look_at(trigger, before, results));
        }
    }
    let mut round = Round::default();
    while let Some((trigger, before, looked)) = looks.next().await {
        let look = looked.written(trigger, watched, before.as_ref().map_or(0, TriggerRow::version));
        round.trouble = round.trouble.or(looked.trouble);
        let decided = store
            .decide(&look, |before| looked.judge(trigger, before, look.at))
            .map_err(Fault::from)?;
        match decided {
            Decided::Outdated => {
                let (before, results) = ready(store, trigger)?;
                looks.push(look_at(trigger, before, results));
                continue;
            }
            Decided::Unchanged => {}
            Decided::Fired(id) => {
                round.fired += 1;
                say_fired(watched, trigger, &store.short(&id).map_err(Fault::from)?, settings);
            }
        }
        let is_new = before.is_none_or(|before| before.error != look.error);
        if let (Some(error), true) = (&look.error, is_new) {
            let what = format!("`{}` of {}", trigger.name, watched.given.file.display());
            let warning = Diagnostic::warning(format!("{what} could not look: {error}"));
            ui::show_diagnostics(&[warning], settings.style);
        }
    }
    Ok(round)
}

fn say_fired(watched: &Watched, trigger: &Trigger, short: &str, settings: &Settings) {
    if !settings.quiet {
        let file = watched.given.file.display();
        anstream::eprintln!("`{}` of {file} starts run {short}", trigger.name);
    }
}
