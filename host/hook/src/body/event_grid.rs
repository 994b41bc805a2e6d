//! Azure Event Grid: events of a registry, in its own schema or as CloudEvents.

use http::HeaderMap;
use serde::Deserialize;

use super::registry::Event;
use super::{Unreadable, json, word_of};
use crate::delivery::{Delivery, Heard, Push};
use crate::text::{Events, Word, text};

/// What asks whether events may be sent.
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// Events that tell of a push.
const PUSHED: [&str; 2] =
    ["Microsoft.ContainerRegistry.ImagePushed", "Microsoft.ContainerRegistry.ChartPushed"];

const EXPECTED: &str = "events of Event Grid's own schema or CloudEvents 1.0, such as \
                        [{\"eventType\": \"Microsoft.ContainerRegistry.ImagePushed\", \"data\": …}]";

/// What both schemas say, each in its own words.
#[derive(Deserialize)]
struct Said<'a> {
    id: Option<Word>,
    #[serde(alias = "eventType", rename = "type")]
    kind: Word,
    #[serde(alias = "eventTime", rename = "time")]
    at: Option<Word>,
    /// Read once it is known what it is.
    #[serde(borrow)]
    data: Option<&'a serde_json::value::RawValue>,
}

/// Events, one or several; or the question whether they may be sent.
///
/// Source: Azure, "Azure Container Registry as an Event Grid source", "Endpoint validation with
/// Event Grid event schema"; CloudEvents, "HTTP Protocol Binding".
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Heard, Unreadable> {
    let id = word_of(headers, "ce-id")?;
    if let Some(kind) = word_of(headers, "ce-type")? {
        // CloudEvents' binary mode: what is said of the event lies in headers.
        let at = word_of(headers, "ce-time")?;
        return heard(push(&kind, id, at, body)?.into_iter().collect());
    }
    let said = if body.trim_ascii_start().starts_with(b"[") {
        json::<Events<Said<'_>>>(body, EXPECTED)?.0
    } else {
        vec![json::<Said<'_>>(body, EXPECTED)?]
    };
    if let Some(asked) = said.iter().find(|said| said.kind.as_str() == VALIDATION) {
        return handshake(asked);
    }
    let pushes = said.into_iter().map(|Said { id, kind, at, data }| {
        let data = data.map_or("null", |data| data.get());
        push(kind.as_str(), text(id), text(at), data.as_bytes())
    });
    heard(pushes.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

fn heard(pushes: Vec<Push>) -> Result<Heard, Unreadable> {
    Ok(Delivery::of_pushes(None, pushes, "no event tells of a push"))
}

/// The push that an event of this kind tells of, if it does.
fn push(
    kind: &str,
    id: Option<String>,
    at: Option<String>,
    data: &[u8],
) -> Result<Option<Push>, Unreadable> {
    if !PUSHED.contains(&kind) {
        return Ok(None);
    }
    let event: Event = json(data, EXPECTED)?;
    let push = event.push(EXPECTED)?;
    // The registry's own id is the same for whoever else is told of the event.
    Ok(Some(Push { id: push.id.or(id), at: push.at.or(at), ..push }))
}

fn handshake(asked: &Said<'_>) -> Result<Heard, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Question {
        validation_code: Word,
    }
    let data = asked.data.map_or("null", |data| data.get());
    let expected = "a validation event with data.validationCode";
    let Question { validation_code } = json(data.as_bytes(), expected)?;
    let missing = || Unreadable { why: "an empty validation code".to_owned(), expected };
    Ok(Heard::Handshake(text(Some(validation_code)).ok_or_else(missing)?))
}
