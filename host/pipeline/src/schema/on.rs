//! `[on]`: what starts runs by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde_json::Value;

use crate::at::At;
use crate::cron::{Cron, Zone};
use crate::schema::StepEntry;

/// What starts runs by itself, while `windlass watch` looks.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct On {
    /// What becomes of a run that is to start while another one is under way; `"queue"` by default.
    pub concurrency: Option<At<Concurrency>>,
    /// Images: a run is started when one of them is another one than before.
    #[schemars(with = "Vec<ImageUpdateKeys>", default)]
    pub image_update: Vec<ImageUpdate>,
    /// Times of day.
    #[schemars(default)]
    pub schedule: Vec<Schedule>,
    /// Branches: a run is started when there is another commit than before.
    #[schemars(default)]
    pub git: Vec<Git>,
    /// What others tell: a run is started when they do.
    #[schemars(default)]
    pub webhook: Vec<Webhook>,
}

/// What becomes of a run that is to start while another one of the same file is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Concurrency {
    /// It waits.
    #[default]
    Queue,
    /// It replaces those that wait, and the one under way is cancelled.
    CancelPrevious,
    /// It runs beside it.
    Allow,
}

/// Images that are looked at; those that change together start one run.
#[derive(Clone, Debug, Default)]
pub struct ImageUpdate {
    /// The look: a step of `watch-base-image`, with what the trigger says as its inputs.
    pub look: StepEntry,
    /// The time between two looks; `"5m"` by default.
    pub every: Option<At<Duration>>,
    /// Up to so much is added to it, by chance; a tenth of `every` by default.
    pub jitter: Option<At<Duration>>,
    /// Where the trigger stands.
    pub span: report::Span,
}

/// The keys of [`ImageUpdate`], for the schema: how often is looked, and the inputs of
/// `watch-base-image`, which checks them.
#[derive(JsonSchema)]
#[schemars(rename = "ImageUpdate", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is of use")]
struct ImageUpdateKeys {
    /// The time between two looks; `"5m"` by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    every: Option<String>,
    /// Up to so much is added to it, by chance; a tenth of `every` by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    jitter: Option<String>,
    /// What to look at: `docker.io/library/node:22`.
    images: Option<Vec<String>>,
    /// The folder of a Dockerfile, whose images are looked at.
    context: Option<String>,
    /// The Dockerfile in it; `Dockerfile` by default.
    file: Option<String>,
    /// The Dockerfile itself, as text.
    dockerfile: Option<String>,
    /// Build arguments of the Dockerfile.
    #[schemars(schema_with = "crate::json_schema::any_object", default)]
    args: Option<String>,
    /// The stage that is built.
    target: Option<String>,
    /// Which images of a Dockerfile or a build: `"runtime"` by default, or `"all"`.
    stages: Option<String>,
    /// An image whose base, as its annotations say, is looked at.
    annotations_of: Option<String>,
    /// What a step has built on when it last ran: `"{{ steps.app.outputs.bases }}"`.
    #[schemars(schema_with = "crate::json_schema::any", default)]
    bases_of: Option<String>,
    /// Repositories that a Dockerfile or `annotations-of` may lead to, as patterns.
    bases: Option<Vec<String>>,
    /// The platforms that count, such as `["linux/amd64"]`; all that there are by default.
    #[schemars(schema_with = "crate::json_schema::any", default)]
    platforms: Option<String>,
    /// Follow the newest tag that is a version in this range.
    semver: Option<String>,
    /// Follow the newest tag that matches this regular expression.
    tag_regex: Option<String>,
    /// What the first look at an image does: `"arm"` by default, or `"fire"`.
    first_seen: Option<FirstSeen>,
    /// How long an image must stay as it is before a change counts; none by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    settle: Option<String>,
}

/// What the first look does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum FirstSeen {
    /// What is there is remembered, and the next change starts a run.
    #[default]
    Arm,
    /// It starts a run.
    Fire,
}

/// A branch whose commits start runs.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Git {
    /// The repository: a URL, or a folder relative to the file; `"."` by default.
    pub repository: Option<At<String>>,
    /// The branch; the one that the repository itself points at by default.
    pub branch: Option<At<String>>,
    /// The time between two looks; `"1m"` by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    pub every: Option<At<Duration>>,
    /// Up to so much is added to it, by chance; a tenth of `every` by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    pub jitter: Option<At<Duration>>,
    /// What the first look does; `"arm"` by default.
    pub first_seen: Option<At<FirstSeen>>,
    /// Where the trigger stands.
    #[schemars(skip)]
    pub span: report::Span,
}

/// Something that others tell over HTTP.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Webhook {
    /// The last part of its address: `/hooks/NAME`.
    pub name: At<String>,
    /// Who tells it.
    pub from: At<Sender>,
    /// The secret that proves it: its name in `[secrets]`.
    pub secret: At<String>,
    /// How it is proved; as `from` usually does by default.
    pub check: Option<At<Proof>>,
    /// The header with the token or the signature; what `from` usually sends by default.
    pub header: Option<At<String>>,
    /// The images whose pushes count, as patterns: `"localhost:5000/base/**"`; all by default.
    #[schemars(default)]
    pub images: Vec<At<String>>,
    /// The tags that count, as patterns; all by default.
    #[schemars(default)]
    pub tags: Vec<At<String>>,
    /// The branches whose commits count, as patterns; all by default.
    #[schemars(default)]
    pub branches: Vec<At<String>>,
    /// Where the trigger stands.
    #[schemars(skip)]
    pub span: report::Span,
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

/// Who tells something over HTTP, which says what it looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Sender {
    /// A registry of the CNCF's distribution: its notifications.
    Distribution,
    /// A webhook of an Azure registry.
    Acr,
    /// A webhook of Docker Hub.
    DockerHub,
    /// A subscription of Azure Event Grid, with its handshake.
    EventGrid,
    /// A webhook of GitHub.
    Github,
    /// Anybody: each delivery counts, whatever it says.
    #[default]
    Any,
}

/// How a sender proves that it knows the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Proof {
    /// It sends it.
    Token,
    /// It signs the body with it.
    HmacSha256,
}

/// A trigger as it is written, before templates are rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its kind, and its place among those of its kind.
    pub name: String,
    /// Its kind: the key of `[on]`.
    pub kind: &'static str,
    /// What it looks at, for people.
    pub watches: String,
}

impl On {
    /// All triggers, in the order in which a plan has them.
    pub fn outline(&self) -> Vec<Outline> {
        let Self { concurrency: _, image_update, schedule, git, webhook } = self;
        let images = image_update.iter().map(|update| {
            let with = update.look.with.as_ref().map(|with| with.value.to_json());
            ("image-update", watched(&with.unwrap_or_default()))
        });
        let schedules = schedule.iter().map(|schedule| ("schedule", schedule.times()));
        let branches = git.iter().map(|git| {
            let text = |text: &Option<At<String>>| text.as_ref().map(|text| text.value.clone());
            let repository = text(&git.repository).unwrap_or_else(|| ".".to_owned());
            ("git", branch_of(&repository, text(&git.branch).as_deref()))
        });
        let hooks = webhook.iter().map(|hook| ("webhook", hook.address()));
        let mut count = BTreeMap::new();
        let all = images.chain(schedules).chain(branches).chain(hooks);
        all.map(|(kind, watches)| {
            let index: &mut usize = count.entry(kind).or_default();
            let name = numbered(kind, *index);
            *index += 1;
            Outline { name, kind, watches }
        })
        .collect()
    }
}

impl Schedule {
    /// The times of day, for people.
    pub(crate) fn times(&self) -> String {
        let zone = self.zone.as_ref().map(|zone| zone.value.clone()).unwrap_or_default();
        format!("{} ({zone})", self.cron.value)
    }
}

impl Webhook {
    /// Where it is heard.
    pub(crate) fn address(&self) -> String {
        format!("/hooks/{}", self.name.value)
    }
}

/// What a trigger is called: its kind, and its place among those of its kind.
pub(crate) fn numbered(kind: &str, index: usize) -> String {
    match index {
        0 => kind.to_owned(),
        more => format!("{kind}-{}", more + 1),
    }
}

/// A branch, for people.
pub(crate) fn branch_of(repository: &str, branch: Option<&str>) -> String {
    match branch {
        Some(branch) => format!("{repository} {branch}"),
        None => repository.to_owned(),
    }
}

/// What a look looks at, for people: what its inputs name.
pub(crate) fn watched(inputs: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    let text = |key: &str| inputs.get(key).and_then(Value::as_str);
    let images = inputs.get("images").and_then(Value::as_array);
    parts.extend(images.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    if text("dockerfile").is_some() {
        parts.push("a Dockerfile".to_owned());
    } else if text("context").is_some() || text("file").is_some() {
        let context = text("context").unwrap_or(".").trim_end_matches('/');
        parts.push(format!("{context}/{}", text("file").unwrap_or("Dockerfile")));
    }
    parts.extend(text("annotations-of").map(|image| format!("the base of {image}")));
    parts.extend(text("bases-of").map(|bases| bases.trim_matches(['{', '}', ' ']).to_owned()));
    parts.join(", ")
}
