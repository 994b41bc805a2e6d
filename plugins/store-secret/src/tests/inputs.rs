use super::value::{mine, with};
use super::*;

#[test]
fn inputs_that_make_no_sense_are_refused_before_anything_is_asked() {
    let token = json!({ "registry": REG, "name": "token1", "repositories": ["a"] });
    let changed = |more: Value| {
        let mut token = token.clone();
        token.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "vault": "kv1", "scope-map-token": token })
    };
    let principal = |more: Value| {
        let mut spec = json!({ "scope": REG });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "vault": "kv1", "service-principal": spec })
    };
    for inputs in [
        json!({}),
        json!({ "vault": "kv1" }),
        json!({ "vault": "kv1", "name": "a" }),
        json!({ "vault": "kv1", "secret": "mine" }),
        json!({ "name": "a", "secret": "mine" }),
        json!({ "to": "azure-key-vault", "name": "a", "secret": "mine" }),
        json!({ "to": "local", "vault": "kv1", "name": "a", "secret": "mine" }),
        json!({ "to": "local", "name": "a/b", "secret": "mine" }),
        json!({ "to": "local", "name": "a", "secret": "mine", "expires": "1d" }),
        json!({ "to": "local", "name": "a", "secret": "mine", "deleted": "purge" }),
        with(mine(), json!({ "vault": "a" })),
        with(mine(), json!({ "vault": "a--b" })),
        with(mine(), json!({ "vault": "1abc" })),
        with(mine(), json!({ "vault": "http://kv.vault.azure.net" })),
        with(mine(), json!({ "vault": "https://kv/?a" })),
        with(mine(), json!({ "vault": "https://kv/../a" })),
        with(mine(), json!({ "name": "" })),
        with(mine(), json!({ "name": "a_b" })),
        with(mine(), json!({ "name": "a/b" })),
        with(mine(), json!({ "name": "x".repeat(128) })),
        with(mine(), json!({ "generate": {} })),
        with(mine(), json!({ "expires": "soon" })),
        with(mine(), json!({ "expires": "0s" })),
        with(mine(), json!({ "expires": "9999999y" })),
        with(mine(), json!({ "not-before": "1960-01-01T00:00:00Z" })),
        with(mine(), json!({ "content-type": "" })),
        with(mine(), json!({ "tags": { "windlass-x": "1" } })),
        with(mine(), json!({ "tags": { "": "1" } })),
        with(mine(), json!({ "tags": { "a": "x".repeat(257) } })),
        with(
            mine(),
            json!({ "tags": (0..16).map(|n| (n.to_string(), "x")).collect::<BTreeMap<_, _>>() }),
        ),
        with(principal(json!({})), json!({ "name": "a" })),
        with(principal(json!({})), json!({ "expires": "1d" })),
        with(principal(json!({})), json!({ "enabled": false })),
        with(principal(json!({})), json!({ "graph-endpoint": "graph" })),
        with(principal(json!({})), json!({ "arm-endpoint": "https://a/b" })),
        principal(json!({ "scope": [] })),
        principal(json!({ "scope": "myregistry" })),
        principal(json!({ "role": "" })),
        principal(json!({ "role": "/a?b" })),
        principal(json!({ "valid": "long" })),
        principal(json!({ "valid": "1d", "renew-before": "2d" })),
        principal(json!({ "user-secret": "same", "password-secret": "Same" })),
        principal(json!({ "name": "x".repeat(121) })),
        principal(json!({ "scope": "/subscriptions/11111111-1111-1111-1111-111111111111" })),
        changed(json!({ "registry": "/subscriptions/11111111-1111-1111-1111-111111111111" })),
        changed(json!({ "name": "abc" })),
        changed(json!({ "repositories": [] })),
        changed(json!({ "scope-map": "x" })),
        changed(json!({ "actions": [] })),
        changed(json!({ "user-secret": "a", "password-secret": "a" })),
    ] {
        let (world, found) = run(Table::default(), inputs.clone());
        let error = found.expect_err(&inputs.to_string());
        assert!(error.is("invalid") && error.hint_text().is_some(), "{inputs}: {error:?}");
        assert!(world.lines().is_empty());
    }
}

const REG: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.ContainerRegistry/registries/myregistry";
