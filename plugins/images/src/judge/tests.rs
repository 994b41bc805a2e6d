use std::collections::BTreeMap;

use super::*;

const SETTLE: u64 = 600;

fn terms() -> Terms {
    Terms { settle: SETTLE, ..Terms::default() }
}

fn index(digest: &str, platforms: &[(&str, &str)]) -> Sight {
    let of = |(platform, digest): &(&str, &str)| ((*platform).to_owned(), (*digest).to_owned());
    let platforms: BTreeMap<String, String> = platforms.iter().map(of).collect();
    Sight { digest: digest.to_owned(), platforms, tag: None }
}

/// What an image does from look to look.
struct Story {
    known: Option<Known>,
    terms: Terms,
}

impl Story {
    fn look(&mut self, sight: Sight, now: u64) -> Stand {
        let old = self.known.as_ref().and_then(|known| known.seen.clone());
        let judged = judge(self.known.as_ref(), old.as_ref(), sight, &self.terms, now);
        self.known = Some(judged.remember(self.known.as_ref(), false, true));
        judged.stand
    }
}

fn change(old: &str, new: &str) -> Stand {
    Stand::Changed(vec![Change { platform: None, old: Some(old.to_owned()), new: new.to_owned() }])
}

#[test]
fn the_first_look_arms_or_fires() {
    let mut story = Story { known: None, terms: Terms::default() };
    assert_eq!(story.look(Sight::single("a"), 1), Stand::Armed);
    assert_eq!(story.look(Sight::single("a"), 2), Stand::Unchanged);
    assert_eq!(story.look(Sight::single("b"), 3), change("a", "b"));
    assert_eq!(story.look(Sight::single("b"), 4), Stand::Unchanged);
    let mut story = Story { known: None, terms: Terms { fires: true, ..Terms::default() } };
    let new = Change { platform: None, old: None, new: "a".to_owned() };
    assert_eq!(story.look(Sight::single("a"), 1), Stand::Changed(vec![new]));
    assert_eq!(story.look(Sight::single("a"), 2), Stand::Unchanged);
}

#[test]
fn what_moves_is_told_once_it_has_not_moved_for_long_enough() {
    let mut story = Story { known: None, terms: terms() };
    assert_eq!(story.look(Sight::single("a"), 0), Stand::Armed);
    assert_eq!(story.look(Sight::single("b"), 100), Stand::Settling { until: 700 });
    assert_eq!(story.look(Sight::single("b"), 650), Stand::Settling { until: 700 });
    assert_eq!(story.look(Sight::single("c"), 690), Stand::Settling { until: 1290 });
    assert_eq!(story.look(Sight::single("c"), 1290), change("a", "c"));
    assert_eq!(story.look(Sight::single("c"), 1300), Stand::Unchanged);
}

#[test]
fn what_moves_back_in_time_has_not_changed() {
    let mut story = Story { known: None, terms: terms() };
    story.look(Sight::single("a"), 0);
    assert_eq!(story.look(Sight::single("b"), 100), Stand::Settling { until: 700 });
    assert_eq!(story.look(Sight::single("a"), 200), Stand::Unchanged);
    assert_eq!(story.look(Sight::single("b"), 900), Stand::Settling { until: 1500 });
}

#[test]
fn a_clock_that_is_set_back_starts_the_time_anew() {
    let mut story = Story { known: None, terms: terms() };
    story.look(Sight::single("a"), 10_000);
    assert_eq!(story.look(Sight::single("b"), 10_100), Stand::Settling { until: 10_700 });
    assert_eq!(story.look(Sight::single("b"), 50), Stand::Settling { until: 650 });
    assert_eq!(story.look(Sight::single("b"), 650), change("a", "b"));
}

#[test]
fn an_index_is_told_once_the_wanted_platforms_are_there() {
    let wanted = vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    let mut story = Story { known: None, terms: Terms { wanted, ..terms() } };
    let old = [("linux/amd64", "a"), ("linux/arm64", "b")];
    assert_eq!(story.look(index("1", &old), 0), Stand::Armed);
    let waiting = Stand::Waiting(vec!["linux/arm64".to_owned()]);
    assert_eq!(story.look(index("2", &old[..1]), 100), waiting);
    assert_eq!(story.look(index("2", &old[..1]), 5_000), waiting);
    let new = [("linux/amd64", "c"), ("linux/arm64", "d")];
    assert_eq!(story.look(index("3", &new), 5_100), Stand::Settling { until: 5_700 });
    let Stand::Changed(changes) = story.look(index("3", &new), 5_700) else {
        panic!("it has settled");
    };
    assert_eq!(changes.len(), 2);
}

#[test]
fn what_was_not_told_is_told_the_next_time() {
    let armed = Known { seen: Some(Sight::single("a")), pending: None };
    let judged = judge(Some(&armed), armed.seen.as_ref(), Sight::single("b"), &Terms::default(), 1);
    assert_eq!(judged.stand, change("a", "b"));
    let kept = judged.remember(Some(&armed), false, false);
    assert_eq!(kept.seen, armed.seen);
    assert_eq!(kept.sight_of("b"), Some(&Sight::single("b")));
    let again = judge(Some(&kept), kept.seen.as_ref(), Sight::single("b"), &Terms::default(), 2);
    assert_eq!(again.stand, change("a", "b"));
    assert_eq!(again.remember(Some(&kept), false, true).pending, None);
}

#[test]
fn what_something_was_built_on_is_told_until_it_is_built_anew() {
    let basis = Sight::single("a");
    let judged = judge(None, Some(&basis), Sight::single("b"), &Terms::default(), 1);
    assert_eq!(judged.stand, change("a", "b"));
    let known = judged.remember(None, true, true);
    let again = judge(Some(&known), Some(&basis), Sight::single("b"), &Terms::default(), 2);
    assert_eq!(again.stand, change("a", "b"));
}

#[test]
fn several_that_change_together_are_told_together_but_none_waits_for_ever() {
    let judged = |stand, since| Judgement { stand, sight: Sight::single("x"), since };
    let held = |now: u64, since: u64, until: u64| {
        let mut settled = judged(change("a", "x"), since);
        let mut moving = judged(Stand::Settling { until }, now);
        hold_for_others(&mut [&mut settled, &mut moving], SETTLE, now);
        settled.stand
    };
    assert_eq!(held(700, 100, 900), Stand::Settling { until: 900 });
    assert_eq!(held(1_200, 100, 1_700), Stand::Settling { until: 1_300 });
    assert_eq!(held(1_300, 100, 1_900), change("a", "x"));
    let mut alone = judged(change("a", "x"), 100);
    hold_for_others(&mut [&mut alone], SETTLE, 700);
    assert_eq!(alone.stand, change("a", "x"));
}
