//! The CNCF's distribution, and Azure's registry, whose events have the same shape.

use serde::Deserialize;

use super::{Unreadable, json};
use crate::delivery::{Delivery, Heard, Push};
use crate::text::{Events, Word, text};

/// What is pushed under a name; all else that is pushed is a blob of it.
const MANIFESTS: [&str; 6] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// One event of a registry. Deletions lack most of it.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) id: Option<Word>,
    timestamp: Option<Word>,
    pub(super) action: Word,
    #[serde(default)]
    target: Target,
    #[serde(default)]
    request: Request,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Target {
    media_type: Option<Word>,
    repository: Option<Word>,
    tag: Option<Word>,
    digest: Option<Word>,
    url: Option<Address>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    host: Option<Word>,
}

/// A URL, of which only is asked whether it is a manifest's.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
struct Address {
    of_manifest: bool,
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self { of_manifest: url.contains("/manifests/") }
    }
}

/// The envelope of distribution's notifications.
///
/// Source: distribution, "Work with notifications".
pub(super) fn distribution(body: &[u8]) -> Result<Heard, Unreadable> {
    #[derive(Deserialize)]
    struct Envelope {
        events: Events<Event>,
    }
    let expected = "an envelope of events, such as \
                    {\"events\": [{\"action\": \"push\", \"target\": {\"repository\": …}}]}";
    let Envelope { events } = json(body, expected)?;
    let pushed = events.0.into_iter().filter(|event| event.action.as_str() == "push");
    let pushes =
        pushed.filter(|event| event.target.is_manifest()).map(|event| event.push(expected));
    let pushes = pushes.collect::<Result<Vec<_>, _>>()?;
    Ok(Delivery::of_pushes(None, pushes, "no manifest was pushed"))
}

/// Azure Container Registry's own webhooks: one event in each body.
///
/// Source: Azure, "Azure Container Registry webhook reference".
pub(super) fn acr(body: &[u8]) -> Result<Heard, Unreadable> {
    let expected = "an event, such as {\"action\": \"push\", \"target\": {\"repository\": …}}";
    let event: Event = json(body, expected)?;
    match event.action.as_str() {
        // What is pushed into quarantine is not to be had; a push follows when it is released.
        "push" | "chart_push" => {
            let push = event.push(expected)?;
            Ok(Delivery::of_pushes(push.id.clone(), vec![push], ""))
        }
        "ping" => Ok(Heard::Ignored("a ping")),
        _ => Ok(Heard::Ignored("nothing was pushed")),
    }
}

impl Event {
    /// The push that this event is.
    pub(super) fn push(self, expected: &'static str) -> Result<Push, Unreadable> {
        let missing = || Unreadable { why: "a push without a repository".to_owned(), expected };
        Ok(Push {
            id: text(self.id),
            host: text(self.request.host),
            repository: text(self.target.repository).ok_or_else(missing)?,
            tag: text(self.target.tag),
            digest: text(self.target.digest),
            at: text(self.timestamp),
        })
    }
}

impl Target {
    fn is_manifest(&self) -> bool {
        let by_type = |word: &Word| MANIFESTS.contains(&word.as_str());
        let by_place = |url: &Address| url.of_manifest;
        self.media_type.as_ref().is_some_and(by_type) || self.url.as_ref().is_some_and(by_place)
    }
}
