//! `[on]`: what starts runs by itself.

use std::time::Duration;

use crate::at::At;
use crate::name::StepId;
use crate::plan::{Pace, Rule, Trigger};
use crate::problem;
use crate::schema::on::{self as schema, numbered};
use crate::schema::{Git, ImageUpdate, On, Schedule, Webhook};

use super::Planner;

/// The time between two looks at images, where the file says nothing.
const IMAGES_EVERY: Duration = Duration::from_secs(5 * 60);

/// The time between two looks at a branch, where the file says nothing.
const GIT_EVERY: Duration = Duration::from_secs(60);

/// The part of it that is added by chance, at most, so that not all who watch ask at once.
const JITTER_PART: u32 = 10;

impl<'a> Planner<'a> {
    /// All triggers, in the order of their kinds.
    pub(super) fn triggers(&mut self) -> Vec<Trigger> {
        let On { concurrency: _, image_update, schedule, git, webhook } = &self.pipeline.on;
        let mut triggers = Vec::new();
        for update in image_update {
            triggers.extend(self.image_update(update));
        }
        for (index, schedule) in schedule.iter().enumerate() {
            triggers.push(scheduled(schedule, index));
        }
        for (index, git) in git.iter().enumerate() {
            triggers.extend(self.git(git, index));
        }
        for (index, hook) in webhook.iter().enumerate() {
            if webhook.iter().take(index).any(|other| other.name.value == hook.name.value) {
                self.report(problem::hook_twice(self.source, &hook.name));
            }
            triggers.extend(self.webhook(hook, index));
        }
        triggers
    }

    fn image_update(&mut self, update: &'a ImageUpdate) -> Option<Trigger> {
        let look = self.look(&update.look, StepId::parse(&update.look.id.value).ok()?)?;
        Some(Trigger {
            name: update.look.id.value.clone(),
            watches: schema::watched(&look.preview().inputs),
            rule: Rule::Images {
                look: Box::new(look),
                pace: pace(update.every.as_ref(), update.jitter.as_ref(), IMAGES_EVERY),
            },
        })
    }

    fn git(&mut self, git: &Git, index: usize) -> Option<Trigger> {
        let text = |planner: &mut Self, text: &At<String>| planner.group(text);
        let repository = match &git.repository {
            Some(repository) => text(self, repository)?,
            None => ".".to_owned(),
        };
        let branch = match &git.branch {
            Some(branch) => Some(text(self, branch)?),
            None => None,
        };
        Some(Trigger {
            name: numbered("git", index),
            watches: schema::branch_of(&repository, branch.as_deref()),
            rule: Rule::Git {
                repository,
                branch,
                first_seen: git.first_seen.as_ref().map(|it| it.value).unwrap_or_default(),
                pace: pace(git.every.as_ref(), git.jitter.as_ref(), GIT_EVERY),
            },
        })
    }

    fn webhook(&mut self, hook: &Webhook, index: usize) -> Option<Trigger> {
        let known: Vec<&str> = self.pipeline.secrets.names().collect();
        let secret = &hook.secret;
        if !secret.value.is_empty() && !known.contains(&secret.value.as_str()) {
            let problem = problem::unknown_secret(self.source, secret.span, &secret.value, &known);
            self.report(problem);
        }
        let mut texts = |list: &[At<String>]| {
            list.iter().map(|text| self.group(text)).collect::<Option<Vec<_>>>()
        };
        let (images, tags, branches) =
            (texts(&hook.images)?, texts(&hook.tags)?, texts(&hook.branches)?);
        Some(Trigger {
            name: numbered("webhook", index),
            watches: hook.address(),
            rule: Rule::Webhook {
                name: hook.name.value.clone(),
                from: hook.from.value,
                secret: secret.value.clone(),
                check: hook.check.as_ref().map(|check| check.value),
                header: hook.header.as_ref().map(|header| header.value.clone()),
                images,
                tags,
                branches,
            },
        })
    }
}

fn scheduled(schedule: &Schedule, index: usize) -> Trigger {
    let Schedule { cron, zone, missed, span: _ } = schedule;
    Trigger {
        name: numbered("schedule", index),
        watches: schedule.times(),
        rule: Rule::Schedule {
            cron: cron.value.clone(),
            zone: zone.as_ref().map(|zone| zone.value.clone()).unwrap_or_default(),
            missed: missed.as_ref().map(|missed| missed.value).unwrap_or_default(),
        },
    }
}

fn pace(every: Option<&At<Duration>>, jitter: Option<&At<Duration>>, usual: Duration) -> Pace {
    let every = every.map_or(usual, |every| every.value);
    Pace { every, jitter: jitter.map_or(every / JITTER_PART, |jitter| jitter.value) }
}
