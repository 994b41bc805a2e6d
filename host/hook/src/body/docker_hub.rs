//! Docker Hub.

use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;

use super::{Unreadable, json};
use crate::delivery::{Delivery, Heard, Push};
use crate::text::{Word, text};

/// The registry that Docker Hub is.
const HOST: &str = "docker.io";

/// The last second of the year 9999, the last that RFC 3339 can write.
const LAST_SECOND: f64 = 253_402_300_799.0;

#[derive(Deserialize)]
struct Event {
    push_data: PushData,
    repository: Repository,
}

#[derive(Deserialize)]
struct PushData {
    tag: Option<Word>,
    /// Seconds; some senders write them with a fraction.
    pushed_at: Option<f64>,
}

#[derive(Deserialize)]
struct Repository {
    repo_name: Word,
}

/// A push. `callback_url` is not called: it would be a request to wherever a stranger says, and what
/// it is for, chains of webhooks, ends here.
///
/// Source: Docker, "Webhooks".
pub(super) fn read(body: &[u8]) -> Result<Heard, Unreadable> {
    let expected = "a push, such as {\"push_data\": {\"tag\": …}, \"repository\": \
                    {\"repo_name\": …}}";
    let event: Event = json(body, expected)?;
    let missing = || Unreadable { why: "a push without a repository".to_owned(), expected };
    let push = Push {
        id: None,
        host: Some(HOST.to_owned()),
        repository: text(Some(event.repository.repo_name)).ok_or_else(missing)?,
        tag: text(event.push_data.tag),
        digest: None,
        at: event.push_data.pushed_at.and_then(moment),
    };
    Ok(Delivery::of_pushes(None, vec![push], ""))
}

/// The second, in RFC 3339; none if no calendar has it.
fn moment(seconds: f64) -> Option<String> {
    if !(0.0..=LAST_SECOND).contains(&seconds) {
        return None;
    }
    let at = UNIX_EPOCH + Duration::try_from_secs_f64(seconds.trunc()).ok()?;
    Some(humantime::format_rfc3339_seconds(at).to_string())
}
