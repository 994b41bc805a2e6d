//! `[on]`: what starts runs by itself.

use crate::at::{At, Entries};
use crate::cron::{Cron, Zone};
use crate::reader::{Item, Reader, Table, span};
use crate::schema::on::numbered;
use crate::schema::{
    Concurrency, FirstSeen, Git, ImageUpdate, Missed, On, Proof, Schedule, Sender, StepEntry, Tree,
    Webhook,
};
use crate::{limits, problem};

pub(crate) const ON: &[&str] = &["concurrency", "image-update", "schedule", "git", "webhook"];
pub(crate) const IMAGE_UPDATE: &[&str] = &[
    "every",
    "jitter",
    "images",
    "context",
    "file",
    "dockerfile",
    "args",
    "target",
    "stages",
    "annotations-of",
    "bases-of",
    "bases",
    "platforms",
    "semver",
    "tag-regex",
    "first-seen",
    "settle",
];
pub(crate) const SCHEDULE: &[&str] = &["cron", "zone", "missed"];
pub(crate) const GIT: &[&str] = &["repository", "branch", "every", "jitter", "first-seen"];
pub(crate) const WEBHOOK: &[&str] =
    &["name", "from", "secret", "check", "header", "images", "tags", "branches"];

/// The keys of a trigger that say what is looked at; one of them has to be there.
const WATCHED: [&str; 6] =
    ["images", "context", "file", "dockerfile", "annotations-of", "bases-of"];

/// The plugin that looks at images.
const LOOKS: &str = "watch-base-image";

const FIRST_SEEN: [(&str, FirstSeen); 2] = [("arm", FirstSeen::Arm), ("fire", FirstSeen::Fire)];
const MISSED: [(&str, Missed); 2] = [("once", Missed::Once), ("skip", Missed::Skip)];
const CONCURRENCY: [(&str, Concurrency); 3] = [
    ("queue", Concurrency::Queue),
    ("cancel-previous", Concurrency::CancelPrevious),
    ("allow", Concurrency::Allow),
];
const SENDERS: [(&str, Sender); 6] = [
    ("distribution", Sender::Distribution),
    ("acr", Sender::Acr),
    ("docker-hub", Sender::DockerHub),
    ("event-grid", Sender::EventGrid),
    ("github", Sender::Github),
    ("any", Sender::Any),
];
const PROOFS: [(&str, Proof); 2] = [("token", Proof::Token), ("hmac-sha256", Proof::HmacSha256)];

pub(crate) fn read_on<'a>(reader: &'a Reader<'a>, table: &Table<'a>) -> On {
    let mut image_update = list(reader, table, "image-update", read_image_update);
    for (index, update) in image_update.iter_mut().enumerate() {
        update.look.id.value = numbered("image-update", index);
    }
    On {
        concurrency: table.word("concurrency", &CONCURRENCY),
        image_update,
        schedule: list(reader, table, "schedule", read_schedule),
        git: list(reader, table, "git", read_git),
        webhook: list(reader, table, "webhook", read_webhook),
    }
}

/// A list of tables: `[[on.KEY]]`.
fn list<'a, T>(
    reader: &'a Reader<'a>,
    table: &Table<'a>,
    key: &'static str,
    read: fn(&'a Reader<'a>, &'a Item<'a>) -> Option<T>,
) -> Vec<T> {
    let Some(item) = table.item(key) else { return Vec::new() };
    if item.get_ref().is_table() {
        reader.report(problem::single_trigger(reader.source, span(item), key));
        return Vec::new();
    }
    let items = reader.items(item, &format!("`{key}`")).unwrap_or_default();
    if items.len() > limits::TRIGGERS {
        let (found, limit) = (items.len(), limits::TRIGGERS);
        reader.report(problem::too_many(reader.source, span(item), key, found, limit));
        return Vec::new();
    }
    items.iter().filter_map(|item| read(reader, item)).collect()
}

fn read_image_update<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<ImageUpdate> {
    let table = reader.open(item, "`[[on.image-update]]`", IMAGE_UPDATE)?;
    if WATCHED.iter().all(|key| table.item(key).is_none()) {
        reader.report(problem::no_images(reader.source, table.span));
    }
    let own = ["every", "jitter"];
    let mut inputs = Vec::new();
    for key in IMAGE_UPDATE.iter().filter(|key| !own.contains(key)) {
        if let (Some(span), Some(tree)) = (table.key_span(key), table.tree(key)) {
            inputs.push((At::new((*key).to_owned(), span), tree));
        }
    }
    // One image that cannot be seen says nothing of the others.
    let keep_going = At::new("keep-going".to_owned(), table.span);
    inputs.push((keep_going, At::new(Tree::Boolean(true), table.span)));
    let look = StepEntry {
        id: At::new(String::new(), table.span),
        uses: At::new(LOOKS.to_owned(), table.span),
        with: Some(At::new(Tree::Table(Entries(inputs)), table.span)),
        span: table.span,
        ..StepEntry::default()
    };
    let every = interval(reader, &table);
    Some(ImageUpdate { look, every, jitter: table.duration("jitter"), span: table.span })
}

/// The time between two looks, which no registry and no repository is asked more often.
fn interval<'a>(reader: &'a Reader<'a>, table: &Table<'a>) -> Option<At<std::time::Duration>> {
    let every = table.duration("every");
    if let Some(every) = every.as_ref().filter(|every| every.value < limits::SHORTEST_INTERVAL) {
        reader.report(problem::interval_too_short(reader.source, every));
    }
    every
}

fn read_git<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<Git> {
    let table = reader.open(item, "`[[on.git]]`", GIT)?;
    let repository = table.text("repository");
    // It becomes an argument of git, and a branch part of one.
    for text in repository.iter().chain(&table.text("branch")) {
        if text.value.is_empty() || text.value.starts_with('-') || text.value.contains('\0') {
            reader.report(problem::not_for_git(reader.source, text));
        }
    }
    if let Some(text) = repository.as_ref().filter(|text| has_password(&text.value)) {
        reader.mask(text.span);
        reader.report(problem::password_in_url(reader.source, text.span));
    }
    Some(Git {
        repository,
        branch: table.text("branch"),
        every: interval(reader, &table),
        jitter: table.duration("jitter"),
        first_seen: table.word("first-seen", &FIRST_SEEN),
        span: table.span,
    })
}

/// Whether a URL says who asks, with a password.
fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

fn read_webhook<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<Webhook> {
    let table = reader.open(item, "`[[on.webhook]]`", WEBHOOK)?;
    let name = table.required_text("name", "name = \"registry\"");
    super::check(reader, &name, "a webhook's name");
    let from = match table.item("from") {
        Some(_) => table.word("from", &SENDERS),
        None => {
            let example = "from = \"distribution\"";
            let what = "`[[on.webhook]]`";
            reader.report(problem::missing_key(reader.source, table.span, "from", what, example));
            None
        }
    };
    let texts = |key| table.texts(key).map(|texts| texts.value).unwrap_or_default();
    Some(Webhook {
        name,
        from: from.unwrap_or_default(),
        secret: table.required_text("secret", "secret = \"hook-token\""),
        check: table.word("check", &PROOFS),
        header: table.text("header"),
        images: texts("images"),
        tags: texts("tags"),
        branches: texts("branches"),
        span: table.span,
    })
}

fn read_schedule<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<Schedule> {
    let table = reader.open(item, "`[[on.schedule]]`", SCHEDULE)?;
    let text = table.required_text("cron", "cron = \"0 3 * * *\"");
    let cron = match text.value.parse::<Cron>() {
        Ok(cron) => cron,
        Err(error) => {
            // What is missing or no text is reported already.
            if table.item("cron").is_some_and(|item| item.get_ref().is_str()) {
                reader.report(problem::bad_cron(reader.source, &text, &error));
            }
            Cron::default()
        }
    };
    let zone = table.text("zone").and_then(|text| {
        let zone = Zone::parse(&text.value);
        if zone.is_none() {
            reader.report(problem::unknown_zone(reader.source, &text));
        }
        Some(At::new(zone?, text.span))
    });
    let missed = table.word("missed", &MISSED);
    Some(Schedule { cron: At::new(cron, text.span), zone, missed, span: table.span })
}
