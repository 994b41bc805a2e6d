//! `[on]`: what starts runs by itself.

use std::time::Duration;

use crate::at::At;
use crate::cron::{Cron, Zone};
use crate::reader::{Item, Reader, Table, span};
use crate::schema::{FirstSeen, ImageUpdate, Missed, On, Schedule};
use crate::{limits, problem};

pub(crate) const ON: &[&str] = &["image-update", "schedule"];
pub(crate) const IMAGE_UPDATE: &[&str] =
    &["images", "platforms", "every", "jitter", "settle", "first-seen"];
pub(crate) const SCHEDULE: &[&str] = &["cron", "zone", "missed"];

const FIRST_SEEN: [(&str, FirstSeen); 2] = [("arm", FirstSeen::Arm), ("fire", FirstSeen::Fire)];
const MISSED: [(&str, Missed); 2] = [("once", Missed::Once), ("skip", Missed::Skip)];

pub(crate) fn read_on<'a>(reader: &'a Reader<'a>, table: &Table<'a>) -> On {
    On {
        image_update: list(reader, table, "image-update", read_image_update),
        schedule: list(reader, table, "schedule", read_schedule),
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
    let images = match table.texts("images") {
        Some(images) if !images.value.is_empty() => images.value,
        // Items of a wrong type are reported already.
        Some(images) if images.span.end - images.span.start > "[]".len() => Vec::new(),
        _ => {
            reader.report(problem::no_images(reader.source, table.span));
            Vec::new()
        }
    };
    for image in images.iter().filter(|image| image.value.contains("{{")) {
        reader.report(problem::image_template(reader.source, image));
    }
    let every = table.duration("every");
    if let Some(every) = every.as_ref().filter(|every| every.value < limits::SHORTEST_INTERVAL) {
        reader.report(problem::interval_too_short(reader.source, every));
    }
    Some(ImageUpdate {
        images,
        platforms: table.texts("platforms").map(|texts| texts.value).unwrap_or_default(),
        every,
        jitter: table.duration("jitter"),
        settle: table.duration("settle").filter(|settle| settle.value > Duration::ZERO),
        first_seen: table.word("first-seen", &FIRST_SEEN),
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
