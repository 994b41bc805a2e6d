//! Images: whether what they are now is a change.

use std::{collections::BTreeMap, time::Duration};

use run::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Judged;

/// What an image was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The image, as the file names it.
    pub image: String,
    /// The platform that was looked at; none for whatever the tag points at.
    pub platform: Option<String>,
    /// The digest.
    pub digest: String,
}

/// What counts as a change.
#[derive(Clone, Debug, Default)]
pub struct ImageRules {
    /// All that is watched, whether it could be seen or not: image and platform.
    pub watched: Vec<(String, Option<String>)>,
    /// Whether the first sight of an image is a change.
    pub first_seen_fires: bool,
    /// How long an image must stay as it is before it counts.
    pub settle: Duration,
}

/// What is remembered of one image.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// What it is since when, as long as that does not count yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moving: Option<(String, Timestamp)>,
}

/// Judges what was `seen` at `now` by what is remembered.
///
/// What could not be seen stays as it was. Images that change together are one change: while one of
/// them still moves, all wait.
pub fn images(before: &Value, seen: &[Seen], rules: &ImageRules, now: Timestamp) -> Judged {
    let mut known: BTreeMap<String, Known> = Deserialize::deserialize(before).unwrap_or_default();
    let keys: Vec<String> =
        rules.watched.iter().map(|(image, on)| key(image, on.as_deref())).collect();
    known.retain(|name, _| keys.contains(name));
    let mut changes = Vec::new();
    let mut moves = false;
    for Seen { image, platform, digest } in seen {
        let known = known.entry(key(image, platform.as_deref())).or_default();
        let is_first = known.digest.is_none();
        if known.digest.as_ref() == Some(digest) || (is_first && !rules.first_seen_fires) {
            *known = Known { digest: Some(digest.clone()), moving: None };
            continue;
        }
        let since = match &known.moving {
            // A clock that was set back begins anew.
            Some((moving, since)) if moving == digest && *since <= now => *since,
            _ => now,
        };
        known.moving = Some((digest.clone(), since));
        let stood = now.as_millis().saturating_sub(since.as_millis());
        moves |= u128::from(stood) < rules.settle.as_millis();
        changes.push(json!({
            "image": image, "platform": platform, "old": known.digest, "new": digest,
        }));
    }
    let fires = !changes.is_empty() && !moves;
    if fires {
        for known in known.values_mut() {
            // What moves and was not seen this time is not among the changes: it goes on moving.
            let is_change = known.moving.as_ref().is_some_and(|(digest, _)| {
                changes.iter().any(|change| change["new"] == digest.as_str())
            });
            if is_change {
                known.digest = known.moving.take().map(|(digest, _)| digest);
            }
        }
    }
    let armed = keys.iter().all(|name| known.get(name).is_some_and(|known| known.digest.is_some()));
    Judged { state: json!(known), armed, cause: fires.then(|| json!({ "images": changes })) }
}

fn key(image: &str, platform: Option<&str>) -> String {
    match platform {
        Some(platform) => format!("{image} {platform}"),
        None => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_769_847_300_000 + seconds * 1000)
    }

    /// Looks one after the other, each some seconds later; whether each fires.
    fn fires(rules: &ImageRules, looks: &[(u64, &[(&str, &str)])]) -> Vec<bool> {
        let mut state = Value::Null;
        let mut fired = Vec::new();
        for (seconds, look) in looks {
            let seen = |(image, digest): &(&str, &str)| Seen {
                image: (*image).to_owned(),
                platform: None,
                digest: (*digest).to_owned(),
            };
            let seen: Vec<Seen> = look.iter().map(seen).collect();
            let judged = images(&state, &seen, rules, at(*seconds));
            state = judged.state;
            fired.push(judged.cause.is_some());
        }
        fired
    }

    fn rules(images: &[&str]) -> ImageRules {
        let watched = images.iter().map(|&image| (image.to_owned(), None)).collect();
        ImageRules { watched, ..ImageRules::default() }
    }

    #[test]
    fn the_first_look_arms_and_each_change_fires_once() {
        let looks: [(u64, &[_]); 5] = [
            (0, &[("a", "1")]),
            (1, &[("a", "1")]),
            (2, &[("a", "2")]),
            (3, &[("a", "2")]),
            (4, &[("a", "1")]),
        ];
        assert_eq!(fires(&rules(&["a"]), &looks), [false, false, true, false, true]);
    }

    #[test]
    fn the_first_look_may_fire() {
        let rules = ImageRules { first_seen_fires: true, ..rules(&["a"]) };
        assert_eq!(fires(&rules, &[(0, &[("a", "1")]), (1, &[("a", "1")])]), [true, false]);
    }

    #[test]
    fn what_was_not_seen_stays_as_it_was() {
        let looks: [(u64, &[_]); 4] = [
            (0, &[("a", "1"), ("b", "1")]),
            (1, &[("b", "1")]),
            (2, &[("a", "2"), ("b", "1")]),
            (3, &[("a", "2")]),
        ];
        assert_eq!(fires(&rules(&["a", "b"]), &looks), [false, false, true, false]);
    }

    #[test]
    fn a_change_counts_when_all_that_moves_has_settled() {
        let rules = ImageRules { settle: Duration::from_secs(10), ..rules(&["a", "b"]) };
        let looks: [(u64, &[_]); 6] = [
            (0, &[("a", "1"), ("b", "1")]),
            (20, &[("a", "2"), ("b", "1")]),
            (25, &[("a", "2"), ("b", "2")]),
            (31, &[("a", "2"), ("b", "2")]),
            (36, &[("a", "2"), ("b", "2")]),
            (50, &[("a", "2"), ("b", "2")]),
        ];
        assert_eq!(fires(&rules, &looks), [false, false, false, false, true, false]);
    }

    #[test]
    fn what_goes_back_before_it_has_settled_is_no_change() {
        let rules = ImageRules { settle: Duration::from_secs(10), ..rules(&["a"]) };
        let looks: [(u64, &[_]); 4] =
            [(0, &[("a", "1")]), (5, &[("a", "2")]), (10, &[("a", "1")]), (30, &[("a", "1")])];
        assert_eq!(fires(&rules, &looks), [false; 4]);
    }

    #[test]
    fn it_is_armed_when_every_image_was_seen() {
        let rules = rules(&["a", "b"]);
        let seen = |image: &str| Seen { image: image.into(), platform: None, digest: "1".into() };
        let one = images(&Value::Null, &[seen("a")], &rules, at(0));
        assert!(!one.armed);
        assert!(images(&one.state, &[seen("b")], &rules, at(1)).armed);
    }
}
