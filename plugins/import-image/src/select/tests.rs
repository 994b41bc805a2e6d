use super::*;

const PRESENT: [&str; 9] =
    ["1.1", "1.2", "1.2-alpine", "1.10", "2.0.0", "v2.1.0", "latest", "nightly", "edge"];

fn inputs(json: &str) -> Inputs {
    serde_json::from_str(json).expect("inputs")
}

fn present() -> Vec<String> {
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    PRESENT.iter().map(|tag| (*tag).to_owned()).chain([signature]).collect()
}

fn chosen(json: &str) -> Vec<String> {
    let inputs = inputs(json);
    let selection = Selection::new(&inputs).expect("sound").expect("a selection");
    selection.choose("r.io/a", &present()).expect("some tags")
}

fn refused(json: &str) -> String {
    let error = Selection::new(&inputs(json)).expect_err("refused");
    assert!(error.is("invalid"));
    format!("{} | {}", error.message(), error.hint_text().unwrap_or_default())
}

#[test]
fn all_that_is_said_must_agree() {
    assert_eq!(chosen(r#"{"tags": ["1.*"]}"#), ["1.1", "1.2-alpine", "1.2", "1.10"]);
    assert_eq!(chosen(r#"{"semver": ">=1.2, <2"}"#), ["1.2", "1.10"]);
    assert_eq!(chosen(r#"{"semver": ">=1.2", "newest": 2}"#), ["2.0.0", "v2.1.0"]);
    assert_eq!(chosen(r#"{"tags": ["1.*"], "exclude-tags": ["*-alpine"], "newest": 1}"#), ["1.10"]);
    assert_eq!(chosen(r#"{"tag-regex": "\\d+\\.\\d+"}"#), ["1.1", "1.2", "1.10"]);
    assert_eq!(chosen(r#"{"tag-regex": "1|latest"}"#), ["latest"]);
    assert_eq!(chosen(r#"{"tags": ["1.1", "gone"]}"#), ["1.1", "gone"]);
}

#[test]
fn all_tags_are_all_but_those_of_referrers() {
    let all = chosen(r#"{"all-tags": true}"#);
    assert_eq!(all.len(), PRESENT.len());
    assert!(!all.iter().any(|tag| tag.starts_with("sha256-")));
}

#[test]
fn names_alone_need_no_list() {
    let needs = |json: &str| {
        let inputs = inputs(json);
        Selection::new(&inputs).expect("sound").expect("a selection").needs_list()
    };
    assert!(!needs(r#"{"tags": ["1.1", "1.2"]}"#));
    assert!(needs(r#"{"tags": ["1.1", "2.*"]}"#));
    assert!(needs(r#"{"newest": 3}"#));
}

#[test]
fn no_tag_at_all_is_an_error_that_shows_some() {
    let inputs = inputs(r#"{"tags": ["3.*"]}"#);
    let selection = Selection::new(&inputs).expect("sound").expect("a selection");
    let error = selection.choose("r.io/a", &present()).expect_err("nothing");
    assert_eq!(error.code(), "not-found.tags");
    assert_eq!(error.message(), "no tag of `r.io/a` is meant");
    let hint = error.hint_text().expect("a hint");
    assert_eq!(
        hint,
        "it has 9 tags, the newest are `v2.1.0`, `nightly`, `latest`, `edge`, `2.0.0`"
    );
}

#[test]
fn what_contradicts_itself_is_refused_with_help() {
    assert_eq!(
        refused(r#"{"all-tags": true, "tags": ["1"]}"#),
        "`all-tags` and `tags` contradict each other | leave `all-tags` away"
    );
    assert!(refused(r#"{"exclude-tags": ["1"]}"#).contains("add `all-tags = true`"));
    assert!(refused(r#"{"newest": 0}"#).contains("means no tag"));
    assert!(refused(r#"{"tag-regex": "("}"#).contains("no regular expression"));
    assert!(refused(r#"{"semver": "new"}"#).contains("no range of versions"));
    assert!(refused(r#"{"tags": [""]}"#).contains("no pattern"));
}
