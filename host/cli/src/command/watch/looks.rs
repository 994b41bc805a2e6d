//! The looks of one pipeline file: begun when they are due, decided when they end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::run::Timestamp;
use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use pipeline::plan::{Rule, Trigger};
use record::{Decided, Store, TriggerRow};
use report::{Diagnostic, Fault, Kind};

use super::look::{self, Looked};
use super::watched::Watched;
use crate::command::Failure;
use crate::settings::Settings;
use crate::ui;

/// Looks that are under way, and whose.
pub(super) struct Looks<'s> {
    pub(super) watched: Arc<Watched>,
    settings: &'s Settings,
    /// Which triggers are being looked at, by their places.
    under_way: BTreeSet<usize>,
    ends: FuturesUnordered<LocalBoxFuture<'s, Ended>>,
}

/// A look that has ended.
pub(super) struct Ended {
    trigger: usize,
    before: Option<TriggerRow>,
    looked: Looked,
}

/// What looks came to.
#[derive(Default)]
pub(super) struct Round {
    /// Runs that were started.
    pub(super) fired: usize,
    /// Why something could not be looked at.
    pub(super) trouble: Option<Kind>,
}

impl Round {
    pub(super) fn add(&mut self, other: Self) {
        self.fired += other.fired;
        self.trouble = self.trouble.or(other.trouble);
    }
}

impl<'s> Looks<'s> {
    pub(super) fn new(watched: Arc<Watched>, settings: &'s Settings) -> Self {
        Self { watched, settings, under_way: BTreeSet::new(), ends: FuturesUnordered::new() }
    }

    /// Begins the looks whose time has come, or all without a time.
    pub(super) fn begin(&mut self, store: &Store, due: Option<Timestamp>) -> Result<(), Failure> {
        let watched = Arc::clone(&self.watched);
        for (index, trigger) in watched.plan.triggers.iter().enumerate() {
            // Who looks once hears nothing.
            let is_deaf = due.is_none() && matches!(trigger.rule, Rule::Webhook { .. });
            if is_deaf || self.under_way.contains(&index) {
                continue;
            }
            let times = store.times(&self.watched.new.file, &trigger.name).map_err(Fault::from)?;
            let is_due = match (times, due) {
                // A clock that was set back may have put the next look far away.
                (Some((checked_at, next_at)), Some(due)) => next_at <= due || checked_at > due,
                _ => true,
            };
            if is_due {
                self.begin_one(index, store)?;
            }
        }
        Ok(())
    }

    /// Waits for one to end; none if none is under way.
    pub(super) async fn end(&mut self) -> Option<Ended> {
        self.ends.next().await
    }

    /// Decides about a look. If somebody else has decided since it began, it begins again.
    pub(super) fn decide(&mut self, ended: Ended, store: &mut Store) -> Result<Round, Failure> {
        let Ended { trigger: index, before, looked } = ended;
        self.under_way.remove(&index);
        let watched = Arc::clone(&self.watched);
        let Some(trigger) = watched.plan.triggers.get(index) else { return Ok(Round::default()) };
        let version = before.as_ref().map_or(0, TriggerRow::version);
        let look = looked.written(trigger, &watched, version);
        let mut round = Round { fired: 0, trouble: looked.trouble };
        let decided = store
            .decide(&look, |before| looked.judge(trigger, before, look.at))
            .map_err(Fault::from)?;
        match decided {
            Decided::Outdated => {
                self.begin_one(index, store)?;
                return Ok(Round::default());
            }
            Decided::Unchanged => {}
            Decided::Fired(id) => {
                round.fired += 1;
                let short = store.short(&id).map_err(Fault::from)?;
                say_fired(&watched, trigger, &short, self.settings);
            }
        }
        let is_new = before.is_none_or(|before| before.error != look.error);
        if let (Some(error), true) = (&look.error, is_new) {
            let what = format!("`{}` of {}", trigger.name, watched.given.file.display());
            let warning = Diagnostic::warning(format!("{what} could not look: {error}"));
            ui::show_diagnostics(&[warning], self.settings.style);
        }
        Ok(round)
    }

    fn begin_one(&mut self, index: usize, store: &Store) -> Result<(), Failure> {
        let (watched, settings) = (Arc::clone(&self.watched), self.settings);
        let Some(trigger) = watched.plan.triggers.get(index) else { return Ok(()) };
        let before = store.trigger(&watched.new.file, &trigger.name).map_err(Fault::from)?;
        let results = match &trigger.rule {
            Rule::Images { look, .. } => watched.results(look, store)?,
            Rule::Schedule { .. } | Rule::Git { .. } | Rule::Webhook { .. } => BTreeMap::new(),
        };
        self.under_way.insert(index);
        let trigger = trigger.clone();
        self.ends.push(Box::pin(async move {
            let looked = look::at(&trigger, &watched, before.as_ref(), results, settings).await;
            Ended { trigger: index, before, looked }
        }));
        Ok(())
    }
}

pub(super) fn say_fired(watched: &Watched, trigger: &Trigger, short: &str, settings: &Settings) {
    if !settings.quiet {
        let file = watched.given.file.display();
        anstream::eprintln!("`{}` of {file} starts run {short}", trigger.name);
    }
}
