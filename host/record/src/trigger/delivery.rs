//! Deliveries of webhooks: whether what one tells is new.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Judged;

/// Deliveries that are remembered by their ids: who sends one again does so within hours.
const MOST_IDS: usize = 1_000;

/// Things of which it is remembered how they were last told.
const MOST_THINGS: usize = 10_000;

/// What a delivery tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, if the sender gives one: it sends the same again with the same one.
    pub id: Option<String>,
    /// What has happened.
    pub news: Vec<News>,
}

/// One thing that is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Its own id, where a delivery has several things to tell and none of its own.
    pub id: Option<String>,
    /// Of what: an image with its tag, a branch.
    pub of: String,
    /// What it is now: a digest, a commit; none if that is not told.
    pub now: Option<String>,
    /// The same, for the record of the run.
    pub told: Value,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    ids: VecDeque<String>,
    #[serde(default)]
    things: VecDeque<(String, String)>,
}

/// Judges a delivery: what was told before starts nothing.
pub fn delivery(before: &Value, delivery: &Delivery) -> Judged {
    let mut kept: Kept = Deserialize::deserialize(before).unwrap_or_default();
    let is_known = delivery.id.as_ref().is_some_and(|id| kept.ids.contains(id));
    let mut news = Vec::new();
    if !is_known {
        kept.ids.extend(delivery.id.clone());
        news.extend(delivery.news.iter().filter(|news| kept.learn(news)).map(|it| &it.told));
    }
    while kept.ids.len() > MOST_IDS {
        kept.ids.pop_front();
    }
    while kept.things.len() > MOST_THINGS {
        kept.things.pop_front();
    }
    let cause =
        (!news.is_empty()).then(|| json!({ "webhook": { "id": delivery.id, "news": news } }));
    Judged { state: json!(kept), armed: true, cause }
}

impl Kept {
    /// Whether it was not told before.
    fn learn(&mut self, news: &News) -> bool {
        if news.id.as_ref().is_some_and(|id| self.ids.contains(id)) {
            return false;
        }
        self.ids.extend(news.id.clone());
        let Some(now) = &news.now else { return true };
        let known = self.things.iter().position(|(of, _)| *of == news.of);
        let before = known.and_then(|known| self.things.remove(known)).map(|(_, was)| was);
        self.things.push_back((news.of.clone(), now.clone()));
        before.as_ref() != Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(id: Option<&str>, of: &str, now: Option<&str>) -> Delivery {
        let (of, now) = (of.to_owned(), now.map(str::to_owned));
        Delivery {
            id: id.map(str::to_owned),
            news: vec![News { id: None, told: json!({ "image": of }), of, now }],
        }
    }

    fn fires(deliveries: &[Delivery]) -> Vec<bool> {
        let mut state = Value::Null;
        let judge = |delivery_: &Delivery| {
            let judged = delivery(&state, delivery_);
            state = judged.state;
            judged.cause.is_some()
        };
        deliveries.iter().map(judge).collect()
    }

    #[test]
    fn what_is_sent_again_starts_nothing() {
        let deliveries = [
            push(Some("1"), "a:1", None),
            push(Some("1"), "a:1", None),
            push(Some("2"), "a:1", None),
            push(None, "a:1", None),
        ];
        assert_eq!(fires(&deliveries), [true, false, true, true]);
    }

    #[test]
    fn each_thing_of_a_delivery_may_have_an_id() {
        let of = |ids: &[&str]| {
            let mut delivery = Delivery::default();
            for id in ids {
                let mut one = push(None, "a:1", None);
                one.news[0].id = Some((*id).to_owned());
                delivery.news.append(&mut one.news);
            }
            delivery
        };
        let deliveries = [of(&["1", "2"]), of(&["2", "1"]), of(&["2", "3"])];
        assert_eq!(fires(&deliveries), [true, false, true]);
    }

    #[test]
    fn the_same_digest_told_twice_starts_one_run() {
        let deliveries = [
            push(Some("1"), "a:1", Some("x")),
            push(Some("2"), "a:1", Some("x")),
            push(Some("3"), "a:1", Some("y")),
            push(Some("4"), "a:1", Some("x")),
            push(Some("5"), "b:1", Some("x")),
        ];
        assert_eq!(fires(&deliveries), [true, false, true, true, true]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut state = Value::Null;
        for number in 0..MOST_IDS + 10 {
            let id = number.to_string();
            state = delivery(&state, &push(Some(&id), &id, Some("x"))).state;
        }
        assert_eq!(state["ids"].as_array().unwrap().len(), MOST_IDS);
        assert_eq!(state["ids"][0], "10");
        let state = json!({ "things": vec![("a", "b"); MOST_THINGS + 5] });
        let judged = delivery(&state, &push(None, "c", Some("d")));
        assert_eq!(judged.state["things"].as_array().unwrap().len(), MOST_THINGS);
    }
}
