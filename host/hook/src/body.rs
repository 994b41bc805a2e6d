//! Bodies: one file for each kind of sender.
//!
//! Each reads what it needs, in types with bounds, and skips the rest; so the most that a body of
//! the greatest size can cost is known.

mod docker_hub;
mod event_grid;
mod github;
mod registry;

use http::HeaderMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::delivery::{Delivery, Heard};
use crate::form::Form;
use crate::text::{Word, text};

/// Names of one delivery that senders use.
const IDS: [&str; 4] =
    ["x-request-id", "idempotency-key", "x-github-delivery", "x-gitlab-event-uuid"];

/// How much of what a parser says is passed on; it may quote the body.
const LONGEST_REASON: usize = 200;

/// A body that says nothing that can be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}; expected {expected}")]
pub struct Unreadable {
    /// What is wrong with it.
    pub why: String,
    /// What it should have been.
    pub expected: &'static str,
}

impl Form {
    /// Reads what a sender of this form has said.
    ///
    /// # Errors
    /// [`Unreadable`] if it is nothing that such a sender says, or more than is listened to.
    pub fn read(self, headers: &HeaderMap, body: &[u8]) -> Result<Heard, Unreadable> {
        match self {
            Self::Distribution => registry::distribution(body),
            Self::Acr => registry::acr(body),
            Self::DockerHub => docker_hub::read(body),
            Self::EventGrid => event_grid::read(headers, body),
            Self::Github => github::read(headers, body),
            Self::Any => any(headers, body),
        }
    }
}

/// Anything that is JSON, or nothing.
fn any(headers: &HeaderMap, body: &[u8]) -> Result<Heard, Unreadable> {
    if !body.trim_ascii().is_empty() {
        json::<IgnoredAny>(body, "JSON, or no body at all")?;
    }
    let ids = IDS.iter().map(|name| word_of(headers, name));
    let id = ids.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().next();
    Ok(Heard::Delivery(Delivery { id, ..Delivery::default() }))
}

/// A header's value, if it is there.
fn word_of(headers: &HeaderMap, name: &str) -> Result<Option<String>, Unreadable> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let word = value.to_str().map_err(|_| "a header that is no text").and_then(Word::new);
    let why = |why: &str| Unreadable { why: why.to_owned(), expected: "a short name in a header" };
    Ok(text(Some(word.map_err(why)?)))
}

fn json<'de, T: Deserialize<'de>>(
    body: &'de [u8],
    expected: &'static str,
) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|error| {
        let why = error.to_string().chars().take(LONGEST_REASON).collect();
        Unreadable { why, expected }
    })
}
