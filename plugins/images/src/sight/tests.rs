use proptest::prelude::*;

use super::*;

const PLATFORMS: [&str; 5] =
    ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "windows/amd64"];

fn index(digest: &str, platforms: &[(&str, &str)]) -> Sight {
    let mut sight = Sight::single(digest);
    let of = |(platform, digest): &(&str, &str)| ((*platform).to_owned(), (*digest).to_owned());
    sight.platforms = platforms.iter().map(of).collect();
    sight
}

fn said(changes: &[Change]) -> Vec<String> {
    let say = |change: &Change| {
        let platform = change.platform.as_deref().unwrap_or("image");
        format!("{platform} {}>{}", change.old.as_deref().unwrap_or("-"), change.new)
    };
    changes.iter().map(say).collect()
}

fn wanted(platforms: &[&str]) -> Vec<String> {
    platforms.iter().map(|platform| (*platform).to_owned()).collect()
}

/// The JSON of an index of these platforms, in this order.
fn json(entries: &[(String, String)]) -> Vec<u8> {
    let entry = |(platform, digest): &(String, String)| {
        let mut parts = platform.split('/');
        let (os, architecture) = (parts.next().unwrap(), parts.next().unwrap());
        serde_json::json!({
            "digest": digest, "size": 1, "mediaType": "x",
            "platform": { "os": os, "architecture": architecture, "variant": parts.next() },
        })
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    serde_json::to_vec(&serde_json::json!({ "schemaVersion": 2, "manifests": entries })).unwrap()
}

#[test]
fn attestations_and_artifacts_are_no_platforms() {
    let content = br#"{"manifests": [
        {"digest": "a", "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": "b", "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": "c"}
    ]}"#;
    let sight = Sight::of_index("i", content).unwrap();
    assert_eq!(sight, index("i", &[("linux/amd64", "a")]));
    assert_eq!(Sight::of_index("i", br#"{"manifests": null}"#).unwrap(), Sight::single("i"));
    assert!(Sight::of_index("i", b"<html>").is_err());
}

#[test]
fn an_index_that_only_moved_is_no_change() {
    let old = index("1", &[("linux/amd64", "a"), ("linux/arm64", "b")]);
    let moved = index("2", &[("linux/amd64", "a"), ("linux/arm64", "b")]);
    assert_eq!(moved.changes_since(Some(&old), &[]), []);
    let arm = index("3", &[("linux/amd64", "a"), ("linux/arm64", "c")]);
    assert_eq!(said(&arm.changes_since(Some(&old), &[])), ["linux/arm64 b>c"]);
    assert_eq!(arm.changes_since(Some(&old), &wanted(&["linux/amd64"])), []);
}

#[test]
fn a_platform_that_comes_counts_if_it_was_named_and_one_that_goes_never_does() {
    let old = index("1", &[("linux/amd64", "a")]);
    let both = index("2", &[("linux/amd64", "a"), ("linux/arm64", "b")]);
    assert_eq!(both.changes_since(Some(&old), &[]), []);
    let named = wanted(&["linux/arm64"]);
    assert_eq!(said(&both.changes_since(Some(&old), &named)), ["linux/arm64 ->b"]);
    assert_eq!(old.changes_since(Some(&both), &[]), []);
    assert_eq!((old.missing(&named), both.missing(&named)), (named.clone(), Vec::new()));
    // It comes back as it was.
    let back = index("3", &[("linux/amd64", "a"), ("linux/arm64", "b")]);
    assert_eq!(back.changes_since(Some(&old.remembering(Some(&both))), &named), []);
}

#[test]
fn an_image_and_an_index_are_held_against_each_other() {
    let single = |digest| Sight::single(digest);
    assert_eq!(said(&single("b").changes_since(Some(&single("a")), &[])), ["image a>b"]);
    let both = index("i", &[("linux/amd64", "a"), ("linux/arm64", "b")]);
    // It was wrapped into an index, or taken out of one.
    assert_eq!(both.changes_since(Some(&single("a")), &[]), []);
    assert_eq!(single("b").changes_since(Some(&both), &[]), []);
    let new = both.changes_since(Some(&single("x")), &wanted(&["linux/arm64"]));
    assert_eq!(said(&new), ["linux/arm64 x>b"]);
    assert_eq!(said(&single("x").changes_since(Some(&both), &[])), ["image i>x"]);
    let one = single("x").changes_since(Some(&both), &wanted(&["linux/amd64"]));
    assert_eq!(said(&one), ["image a>x"]);
}

#[test]
fn of_nothing_everything_is_new() {
    let both = index("i", &[("linux/amd64", "a"), ("linux/arm64", "b")]);
    assert_eq!(said(&both.changes_since(None, &[])), ["linux/amd64 ->a", "linux/arm64 ->b"]);
    assert_eq!(said(&Sight::single("a").changes_since(None, &[])), ["image ->a"]);
}

fn entries() -> impl Strategy<Value = Vec<(String, String)>> {
    let digests = proptest::collection::vec("[a-f]{1,2}", PLATFORMS.len());
    let some = proptest::sample::subsequence(PLATFORMS.to_vec(), 1..=PLATFORMS.len());
    (digests, some).prop_map(|(digests, platforms)| {
        platforms.iter().map(|platform| (*platform).to_owned()).zip(digests).collect()
    })
}

proptest! {
    #[test]
    fn the_same_digests_are_never_a_change(
        entries in entries(),
        named in proptest::sample::subsequence(PLATFORMS.to_vec(), 0..=PLATFORMS.len()),
    ) {
        let sight = Sight::of_index("1", &json(&entries)).unwrap();
        let again = Sight::of_index("2", &json(&entries)).unwrap();
        let known: Vec<&str> =
            named.into_iter().filter(|named| entries.iter().any(|(have, _)| have == named)).collect();
        prop_assert_eq!(again.changes_since(Some(&sight), &wanted(&known)), []);
        prop_assert_eq!(sight.changes_since(Some(&sight), &wanted(&known)), []);
    }

    #[test]
    fn the_order_of_platforms_does_not_matter(
        old in entries(),
        (new, shuffled) in entries().prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle())),
    ) {
        let old = Sight::of_index("1", &json(&old)).unwrap();
        let one = Sight::of_index("2", &json(&new)).unwrap();
        let other = Sight::of_index("2", &json(&shuffled)).unwrap();
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.changes_since(Some(&old), &[]), other.changes_since(Some(&old), &[]));
    }
}
