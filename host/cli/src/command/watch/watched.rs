//! A pipeline file that is watched, and its triggers.

use std::path::Path;
use std::time::Duration;

use ::run::{Clock as _, SystemClock, Timestamp, Trigger as Kind};
use capability::{CallFacts, Grant, GrantText, GrantedOci, Nobody};
use oci::Platform;
use pipeline::schema::{FirstSeen, ImageUpdate, On, Schedule};
use record::{ImageRules, Judged, Look, NewRun, ScheduleRules, Seen};
use report::{Diagnostic, Source};
use serde_json::Value;

use super::look::Looked;
use crate::args::{Given, watch::Watch};
use crate::command::run::{Wanted, new_run, options};
use crate::command::{Failure, load};
use crate::settings::Settings;

/// The time between two looks at an image, where the file says nothing.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// The part of it that is added by chance, at most, so that not all who watch ask at once.
const JITTER_PART: u32 = 10;

/// A pipeline file that is watched.
pub(super) struct Watched {
    pub(super) given: Given,
    /// The run that its triggers start.
    pub(super) new: NewRun,
    pub(super) triggers: Vec<Trigger>,
    /// Sees the images that the file says to watch, and nothing else.
    pub(super) oci: GrantedOci,
}

/// What starts runs of a pipeline.
pub(crate) struct Trigger {
    /// Its kind, and its place among those of its kind.
    pub(crate) name: String,
    /// What it looks at, for people.
    pub(crate) watches: String,
    pub(super) rule: Rule,
}

/// When a run is due.
pub(super) enum Rule {
    Images { images: Vec<Image>, rules: ImageRules, every: Duration, jitter: Duration },
    Schedule(ScheduleRules),
}

/// An image that is watched.
pub(super) struct Image {
    pub(super) text: String,
    pub(super) platforms: Vec<Platform>,
}

impl Watched {
    /// Reads the file and its plugins; what is wrong with a run shows now, not when one is due.
    pub(super) async fn load(
        file: &Path,
        arguments: &Watch,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let given = Given { file: file.to_owned(), inputs: arguments.inputs.clone() };
        let wanted = Wanted {
            given: given.clone(),
            choices: record::Choices::default(),
            how: arguments.how,
            again: None,
        };
        let loaded = load::load(file, settings).await?;
        let plan = loaded.plan(&given, settings)?;
        let source = &loaded.pipeline.source;
        let triggers = triggers_of(&loaded.pipeline.on, source).map_err(Failure::File)?;
        if triggers.is_empty() {
            let problem = Diagnostic::error(format!("`{}` has nothing to watch", file.display()))
                .help("add `[[on.image-update]]` with `images = [\"…\"]`, or `[[on.schedule]]`");
            return Err(Failure::File(vec![problem]));
        }
        loaded.backends.secrets.learn().await;
        let new = new_run(&wanted, &plan, &options(&wanted, &plan)?, &loaded.mask)?;
        // What the file says to watch may be pulled; that is all.
        let images = triggers.iter().flat_map(|trigger| trigger.images());
        let grant = GrantText {
            oci_pull: images.map(|image| image.text.clone()).collect(),
            ..GrantText::default()
        };
        let granted = loaded.backends.give(CallFacts {
            grant: Grant::compile(&grant)?,
            state_scope: String::new(),
            dry_run: true,
            deadline: None,
            reporter: std::sync::Arc::new(Nobody),
        });
        Ok(Self { given, new, triggers, oci: granted.oci })
    }
}

/// The triggers that a file names.
///
/// # Errors
/// What is no image and no platform, with its place.
pub(crate) fn triggers_of(on: &On, source: &Source) -> Result<Vec<Trigger>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut triggers = Vec::new();
    for (index, update) in on.image_update.iter().enumerate() {
        let rule = image_rule(update, source, &mut problems);
        let images: Vec<&str> = update.images.iter().map(|image| image.value.as_str()).collect();
        triggers.push(Trigger {
            name: name("image-update", index),
            watches: images.join(", "),
            rule,
        });
    }
    for (index, Schedule { cron, zone, missed, span: _ }) in on.schedule.iter().enumerate() {
        let zone = zone.as_ref().map(|zone| zone.value.clone()).unwrap_or_default();
        let missed = missed.as_ref().map(|missed| missed.value).unwrap_or_default();
        triggers.push(Trigger {
            name: name("schedule", index),
            watches: format!("{} ({zone})", cron.value),
            rule: Rule::Schedule(ScheduleRules { cron: cron.value.clone(), zone, missed }),
        });
    }
    if problems.is_empty() { Ok(triggers) } else { Err(problems) }
}

fn name(kind: &str, index: usize) -> String {
    match index {
        0 => kind.to_owned(),
        more => format!("{kind}-{}", more + 1),
    }
}

fn image_rule(update: &ImageUpdate, source: &Source, problems: &mut Vec<Diagnostic>) -> Rule {
    let mut platforms = Vec::new();
    for text in &update.platforms {
        match text.value.parse::<Platform>() {
            Ok(platform) => platforms.push(platform),
            Err(error) => problems.push(
                Diagnostic::error(error.to_string())
                    .at(source, text.span, "")
                    .help("write it like `platforms = [\"linux/amd64\"]`"),
            ),
        }
    }
    let mut images = Vec::new();
    for text in &update.images {
        match text.value.parse::<oci::Place>() {
            Ok(oci::Place::Registry(_)) => {
                images.push(Image { text: text.value.clone(), platforms: platforms.clone() });
            }
            Ok(_) => problems.push(
                Diagnostic::error(format!("`{}` is not in a registry", text.value))
                    .at(source, text.span, "")
                    .help("watched is what is in a registry: `docker.io/library/node:22`"),
            ),
            Err(error) => problems.push(
                Diagnostic::error(error.to_string())
                    .at(source, text.span, "")
                    .maybe_help(error.help()),
            ),
        }
    }
    let every = update.every.as_ref().map_or(EVERY, |every| every.value);
    let watched = images.iter().flat_map(|image| {
        let platforms = image.platforms.iter().map(|platform| Some(platform.to_string()));
        let whole = image.platforms.is_empty().then_some(None);
        platforms.chain(whole).map(|platform| (image.text.clone(), platform))
    });
    let rules = ImageRules {
        watched: watched.collect(),
        first_seen_fires: update.first_seen.as_ref().is_some_and(|it| it.value == FirstSeen::Fire),
        settle: update.settle.as_ref().map(|settle| settle.value).unwrap_or_default(),
    };
    let jitter = update.jitter.as_ref().map_or(every / JITTER_PART, |jitter| jitter.value);
    Rule::Images { images, rules, every, jitter }
}

impl Trigger {
    pub(crate) fn kind(&self) -> Kind {
        match self.rule {
            Rule::Images { .. } => Kind::ImageUpdate,
            Rule::Schedule(_) => Kind::Timer,
        }
    }

    fn images(&self) -> &[Image] {
        match &self.rule {
            Rule::Images { images, .. } => images,
            Rule::Schedule(_) => &[],
        }
    }

    /// The look as it is written down.
    pub(super) fn look(&self, watched: &Watched, version: i64, looked: &Looked) -> Look {
        let at = SystemClock.now();
        Look {
            name: self.name.clone(),
            watches: self.watches.clone(),
            run: NewRun { trigger: self.kind(), ..watched.new.clone() },
            version,
            at,
            next_at: self.next(at),
            error: looked.error.clone(),
        }
    }

    fn next(&self, at: Timestamp) -> Timestamp {
        match &self.rule {
            Rule::Images { every, jitter, .. } => {
                let pause = *every + jitter.mul_f64(rand::random::<f64>());
                let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                Timestamp::from_millis(at.as_millis().saturating_add(pause))
            }
            Rule::Schedule(rules) => rules.next(at).unwrap_or(at),
        }
    }

    pub(super) fn judge(&self, before: &Value, seen: &[Seen], at: Timestamp) -> Judged {
        match &self.rule {
            Rule::Images { rules, .. } => record::judge_images(before, seen, rules, at),
            Rule::Schedule(rules) => record::judge_schedule(before, rules, at),
        }
    }
}
