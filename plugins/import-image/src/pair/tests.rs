use super::pair;
use crate::inputs::Inputs;

fn inputs(sources: &[&str], targets: &[&str]) -> Inputs {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut inputs = Inputs::default();
    match sources {
        [source] => inputs.source = Some((*source).to_owned()),
        sources => inputs.sources = texts(sources),
    }
    match targets {
        [target] => inputs.target = Some((*target).to_owned()),
        targets => inputs.targets = texts(targets),
    }
    inputs
}

fn check(sources: &[&str], targets: &[&str], expect: &[(&str, &[&str])]) {
    let pairs = pair(&inputs(sources, targets)).expect("they pair up");
    let pairs: Vec<(String, Vec<String>)> = pairs
        .iter()
        .map(|pair| {
            (pair.source.clone(), pair.targets.iter().map(super::Target::reference).collect())
        })
        .collect();
    let expect: Vec<(String, Vec<String>)> = expect
        .iter()
        .map(|(source, targets)| {
            ((*source).to_owned(), targets.iter().map(|target| (*target).to_owned()).collect())
        })
        .collect();
    assert_eq!(pairs, expect);
}

fn refused(inputs: &Inputs, message: &str, hint: Option<&str>) {
    let error = pair(inputs).expect_err("a refusal");
    assert_eq!((error.code(), error.message()), ("invalid.inputs", message));
    assert_eq!(error.hint_text(), hint);
}

#[test]
fn one_source_goes_to_every_target() {
    check(&["node:22"], &["a.io/n"], &[("node:22", &["a.io/n:22"])]);
    check(&["node:22"], &["a.io/n", "b.io/n:x"], &[("node:22", &["a.io/n:22", "b.io/n:x"])]);
}

#[test]
fn several_sources_and_as_many_targets_go_pairwise() {
    check(
        &["node:22", "go:1"],
        &["a.io/n", "a.io/g:2"],
        &[("node:22", &["a.io/n:22"]), ("go:1", &["a.io/g:2"])],
    );
}

#[test]
fn several_sources_go_below_a_target_that_ends_with_a_slash() {
    check(
        &["docker.io/library/node:22", "oci-layout:images/go:1", "x.io:5000/a/b@sha256:ab"],
        &["localhost:5000/base/"],
        &[
            ("docker.io/library/node:22", &["localhost:5000/base/node:22"]),
            ("oci-layout:images/go:1", &["localhost:5000/base/go:1"]),
            ("x.io:5000/a/b@sha256:ab", &["localhost:5000/base/b"]),
        ],
    );
}

#[test]
fn a_target_without_tag_gets_that_of_the_source() {
    check(&["node"], &["a.io/n"], &[("node", &["a.io/n:latest"])]);
    check(&["node@sha256:ab"], &["a.io/n"], &[("node@sha256:ab", &["a.io/n"])]);
    check(&["node@sha256:ab"], &["a.io/n:1"], &[("node@sha256:ab", &["a.io/n:1"])]);
    check(&["node:1@sha256:ab"], &["a.io/n"], &[("node:1@sha256:ab", &["a.io/n:1"])]);
}

#[test]
fn what_is_missing_is_named() {
    refused(
        &inputs(&[], &["a.io/n"]),
        "there is no source",
        Some("give `source`, or a list as `sources`"),
    );
    refused(
        &inputs(&["node"], &[]),
        "there is no target",
        Some("give `target`, or a list as `targets`"),
    );
    refused(&inputs(&["node", " "], &["a.io/"]), "a source is empty", None);
}

#[test]
fn one_and_several_at_once_are_refused() {
    let mut both = inputs(&["node"], &["a.io/n"]);
    both.sources = vec!["go".to_owned()];
    refused(&both, "both `source` and `sources` are given", Some("put all of them into `sources`"));
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    refused(
        &inputs(&["a", "b"], &["x.io/n"]),
        "2 sources would all be written to `x.io/n`",
        Some("end the target with `/` to put each below it: `x.io/n/`"),
    );
    refused(
        &inputs(&["a", "b", "c"], &["x.io/n", "x.io/m"]),
        "3 sources and 2 targets do not pair up",
        Some("give one source, as many targets as sources, or one `target` ending with `/`"),
    );
}

#[test]
fn two_sources_are_not_written_to_one_place() {
    refused(
        &inputs(&["a.io/x/node:1", "a.io/y/node:1"], &["b.io/"]),
        "`a.io/x/node:1` and `a.io/y/node:1` would both be written to `b.io/node:1`",
        Some("give each source a target of its own in `targets`"),
    );
    check(
        &["a.io/x@sha256:aa", "a.io/x@sha256:bb"],
        &["b.io/"],
        &[("a.io/x@sha256:aa", &["b.io/x"]), ("a.io/x@sha256:bb", &["b.io/x"])],
    );
}

#[test]
fn targets_that_cannot_be_are_refused() {
    refused(
        &inputs(&["a"], &["b.io/x@sha256:aa"]),
        "the target `b.io/x@sha256:aa` has a digest",
        Some("leave it away: the digest follows from the source"),
    );
    refused(
        &inputs(&["oci-layout:."], &["b.io/"]),
        "`oci-layout:.` has no name to put below `b.io/`",
        Some("write the target's repository out"),
    );
    refused(
        &inputs(&["a"], &["b.io/x", "b.io/"]),
        "`b.io/` in `targets` ends with `/`",
        Some("write the repository out, or use `target` for one prefix"),
    );
}
