use serde_json::json;

use super::*;
use crate::fixture::Fixture;
use crate::{Catalog, Given, Scope, parse, plan};

fn resolve(step: &str) -> Result<Grant, Fault> {
    let text = format!(
        "schema = 1\n[pipeline]\nname = \"x\"\n[inputs]\nl = {{ type = \"list\", default = [\"a\", \"b\"] }}\n[[step]]\nid = \"s\"\n{step}"
    );
    let pipeline = parse(&Source::new("p.toml", text)).unwrap();
    let plan = plan(&pipeline, &Given::default(), &Fixture).unwrap();
    let scope = Scope { inputs: plan.inputs.clone(), ..Scope::default() };
    plan.steps[0].resolve(&scope).map(|resolved| resolved.grant)
}

#[test]
fn a_builtin_plugin_gets_what_it_requests_item_by_item() {
    let found = resolve(
        "uses = \"import-image\"\nwith = { source = [\"a/b:1\", \"c/d:1\"], target = \"e/f:1\" }",
    )
    .unwrap();
    assert_eq!(found.oci.pull, ["a/b:1", "c/d:1"]);
    assert_eq!(found.oci.push, ["e/f:1"]);
}

#[test]
fn an_input_that_is_not_given_requests_nothing() {
    let found = resolve("uses = \"store-secret\"\nwith = { secret = \"a\" }").unwrap();
    assert_eq!(found.secrets.write, ["a"]);
    assert_eq!(found.secrets.use_, [""; 0]);
}

#[test]
fn a_written_grant_replaces_the_requests_of_a_builtin() {
    let found = resolve("uses = \"import-image\"\nwith = { source = \"a/b:1\", target = \"e/f:1\" }\n[step.grant]\noci = { pull = [\"{{ inputs.l }}\"] }").unwrap();
    assert_eq!(
        found,
        Grant {
            oci: OciRule { pull: vec!["a".into(), "b".into()], ..OciRule::default() },
            ..Grant::default()
        }
    );
}

#[test]
fn a_third_party_plugin_without_a_grant_gets_nothing() {
    let found =
        resolve("uses = \"oci://ghcr.io/acme/notify:1.2\"\nwith = { text = \"hi\" }").unwrap();
    assert!(found.is_empty());
}

#[test]
fn requests_have_texts_tables_and_flags() {
    let mut grant = Grant::default();
    grant
        .extend(
            "http",
            json!(["https://a", { "url": "https://b", "methods": ["GET"], "private": true }]),
        )
        .unwrap();
    assert_eq!(grant.http[1].methods, ["GET"]);
    assert!(grant.http[1].private && !grant.http[0].private);
    grant.extend("state", json!(false)).unwrap();
    assert!(!grant.state);
    grant.extend("state", json!("true")).unwrap();
    assert!(grant.state);
    for (key, value) in [
        ("http", json!(7)),
        ("http", json!([{ "host": "x" }])),
        ("oci.pull", json!([[]])),
        ("tcp", json!("x")),
    ] {
        assert!(grant.extend(key, value).is_err(), "{key}");
    }
}

#[test]
fn the_keys_of_requests_are_all_understood() {
    for key in KEYS {
        let mut grant = Grant::default();
        grant.extend(key, json!("https://x")).unwrap();
        assert!(!grant.is_empty(), "{key}");
    }
    assert!(
        Fixture
            .plugin("import-image")
            .unwrap()
            .requests
            .iter()
            .all(|r| KEYS.contains(&&*r.capability))
    );
}
