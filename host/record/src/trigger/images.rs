//! Images: whether what a look reports starts a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Judged;

/// What a look at images has found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What it wants to remember, by key.
    pub memory: Map<String, Value>,
    /// The images that have changed: each has `image`, `platform` and `new`.
    pub changed: Vec<Value>,
    /// All that was looked at, for people.
    pub watched: Vec<Value>,
    /// Whether all could be seen.
    pub is_complete: bool,
}

/// What is kept of the looks so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// What the last look remembered.
    #[serde(default)]
    memory: Map<String, Value>,
    /// What runs were started for, and is reported still.
    #[serde(default)]
    fired: BTreeMap<String, String>,
    #[serde(default)]
    armed: bool,
    #[serde(default)]
    watched: Vec<Value>,
}

/// What the looks so far have remembered.
pub fn memory(state: &Value) -> Map<String, Value> {
    Kept::read(state).memory
}

/// The references that the last look has seen.
pub fn watched(state: &Value) -> Vec<String> {
    let image = |watched: &Value| watched.get("image")?.as_str().map(str::to_owned);
    Kept::read(state).watched.iter().filter_map(image).collect()
}

/// Judges what a look has reported.
///
/// What is held against the image that was built on it is reported until something is built anew: of
/// that a run is started once.
pub fn images(before: &Value, report: Report) -> Judged {
    let before = Kept::read(before);
    let mut fired = match report.is_complete {
        true => BTreeMap::new(),
        // What could not be seen may be reported again.
        false => before.fired.clone(),
    };
    let mut news = Vec::new();
    for change in report.changed {
        let text = |key| change.get(key).and_then(Value::as_str).unwrap_or_default();
        let (key, new) =
            (format!("{} {}", text("image"), text("platform")), text("new").to_owned());
        let is_new = before.fired.get(&key) != Some(&new);
        fired.insert(key, new);
        if is_new {
            news.push(said(change));
        }
    }
    let armed = report.is_complete || before.armed;
    let kept = Kept { memory: report.memory, fired, armed, watched: report.watched };
    let cause = (!news.is_empty()).then(|| json!({ "images": news }));
    Judged { state: json!(kept), armed, cause }
}

/// A change without what nobody asked for; `platform` and `old` say something also when there is none.
fn said(mut change: Value) -> Value {
    if let Some(fields) = change.as_object_mut() {
        fields.retain(|key, value| !value.is_null() || matches!(key.as_str(), "platform" | "old"));
    }
    change
}

impl Kept {
    /// Of something else, as an older version may have written it, nothing is known.
    fn read(state: &Value) -> Self {
        Deserialize::deserialize(state).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks one after the other, each with what it reports; whether each fires.
    fn fires(looks: &[(bool, &[(&str, &str)])]) -> Vec<bool> {
        let mut state = Value::Null;
        let mut fired = Vec::new();
        for (is_complete, changed) in looks {
            let change = |(image, new): &(&str, &str)| json!({ "image": image, "platform": null, "old": "0", "new": new });
            let changed = changed.iter().map(change).collect();
            let judged =
                images(&state, Report { changed, is_complete: *is_complete, ..Report::default() });
            state = judged.state;
            fired.push(judged.cause.is_some());
        }
        fired
    }

    #[test]
    fn what_is_reported_again_starts_nothing() {
        let looks: [(bool, &[_]); 5] = [
            (true, &[("a", "1")]),
            (true, &[("a", "1")]),
            (true, &[("a", "1"), ("b", "1")]),
            (true, &[("b", "1")]),
            (true, &[("a", "1"), ("b", "1")]),
        ];
        assert_eq!(fires(&looks), [true, false, true, false, true]);
    }

    #[test]
    fn what_could_not_be_seen_is_not_forgotten() {
        let looks: [(bool, &[_]); 4] =
            [(true, &[("a", "1")]), (false, &[]), (true, &[("a", "1")]), (true, &[])];
        assert_eq!(fires(&looks), [true, false, false, false]);
    }

    #[test]
    fn only_what_is_new_is_the_cause() {
        let change = |image: &str| json!({ "image": image, "platform": "linux/amd64", "new": "1" });
        let report =
            |changed: Vec<Value>| Report { changed, is_complete: true, ..Report::default() };
        let first = images(&Value::Null, report(vec![change("a")]));
        let second = images(&first.state, report(vec![change("a"), change("b")]));
        assert_eq!(second.cause, Some(json!({ "images": [change("b")] })));
    }

    #[test]
    fn it_is_armed_once_all_was_seen() {
        let look = |is_complete| Report { is_complete, ..Report::default() };
        let first = images(&json!({ "a": { "digest": "of an older format" } }), look(false));
        assert!(!first.armed);
        let second = images(&first.state, look(true));
        assert!(second.armed && images(&second.state, look(false)).armed);
    }

    #[test]
    fn what_is_remembered_and_watched_can_be_read_back() {
        let watched = vec![json!({ "image": "a:1", "digest": "sha256:1" })];
        let memory = Map::from_iter([("images-0".to_owned(), json!({ "images": {} }))]);
        let report = Report { memory: memory.clone(), watched, ..Report::default() };
        let state = images(&Value::Null, report).state;
        assert_eq!(
            (super::memory(&state), super::watched(&state)),
            (memory, vec!["a:1".to_owned()])
        );
        assert!(super::watched(&json!([1])).is_empty());
    }
}
