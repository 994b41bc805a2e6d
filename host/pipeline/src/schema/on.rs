//! `[on]`: what starts runs by itself.

use std::time::Duration;

use schemars::JsonSchema;

use crate::at::At;
use crate::cron::{Cron, Zone};

/// What starts runs by itself, while `windlass watch` looks.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct On {
    /// Images: a run is started when one of them is another one than before.
    #[schemars(default)]
    pub image_update: Vec<ImageUpdate>,
    /// Times of day.
    #[schemars(default)]
    pub schedule: Vec<Schedule>,
}

/// Images that are looked at; those that change together start one run.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageUpdate {
    /// What to look at: `docker.io/library/node:22`.
    pub images: Vec<At<String>>,
    /// The platforms that count, such as `"linux/amd64"`; without any, whatever the tag points at.
    #[schemars(default)]
    pub platforms: Vec<At<String>>,
    /// The time between two looks; `"5m"` by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    pub every: Option<At<Duration>>,
    /// Up to so much is added to it, by chance; a tenth of `every` by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    pub jitter: Option<At<Duration>>,
    /// How long an image must stay as it is before a change counts; none by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    pub settle: Option<At<Duration>>,
    /// What the first look at an image does; `"arm"` by default.
    pub first_seen: Option<At<FirstSeen>>,
    /// Where the trigger stands.
    #[schemars(skip)]
    pub span: report::Span,
}

/// What the first look at an image does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum FirstSeen {
    /// It is remembered, and the next change starts a run.
    #[default]
    Arm,
    /// It starts a run.
    Fire,
}

/// Times of day at which a run is started.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Schedule {
    /// Minute, hour, day of the month, month, day of the week: `"0 3 * * *"`.
    #[schemars(with = "String")]
    pub cron: At<Cron>,
    /// The time zone, such as `"Europe/Berlin"`; `"UTC"` by default.
    #[schemars(with = "Option<String>", default)]
    pub zone: Option<At<Zone>>,
    /// What becomes of times at which nobody looked; `"once"` by default.
    pub missed: Option<At<Missed>>,
    /// Where the trigger stands.
    #[schemars(skip)]
    pub span: report::Span,
}

/// What becomes of times at which nobody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Missed {
    /// One run is started for all of them.
    #[default]
    Once,
    /// Nothing, once a minute has passed.
    Skip,
}

impl On {
    /// Whether nothing starts runs.
    pub fn is_empty(&self) -> bool {
        self.image_update.is_empty() && self.schedule.is_empty()
    }
}
