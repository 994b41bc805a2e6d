use serde_json::json;

use super::*;

fn plugin(inputs_schema: Value) -> Plugin {
    Plugin::new(PluginFacts {
        name: "p".to_owned(),
        version: "1.0.0".to_owned(),
        digest: "sha256:0".to_owned(),
        builtin: false,
        summary: String::new(),
        inputs_schema,
        outputs_schema: json!({}),
        requests: Vec::new(),
    })
    .unwrap()
}

fn reasons(schema: Value, inputs: Value) -> Vec<String> {
    let found = plugin(schema).misfits(&inputs, &BTreeSet::new());
    found.into_iter().map(|misfit| misfit.reason).collect()
}

#[test]
fn defaults_are_filled_in_however_deep_and_nulls_are_taken_out() {
    let plugin = plugin(json!({
        "properties": {
            "a": { "default": 1 },
            "b": { "$ref": "#/$defs/b" },
            "c": { "type": "string" },
        },
        "$defs": { "b": { "properties": { "x": { "default": [1] }, "y": { "default": 2 } } } },
    }));
    let mut inputs = json!({ "b": { "y": 3 }, "c": null }).as_object().unwrap().clone();
    plugin.complete(&mut inputs);
    assert_eq!(Value::Object(inputs), json!({ "b": { "y": 3, "x": [1] }, "a": 1 }));
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let plugin = plugin(json!({ "properties": { "a": { "$ref": "#", "default": {} } } }));
    let mut inputs = Map::new();
    plugin.complete(&mut inputs);
    assert_eq!(Value::Object(inputs), json!({ "a": {} }));
    assert_eq!(follow(&json!({ "$ref": "#" }), &json!({ "$ref": "#" })), &json!({ "$ref": "#" }));
}

#[test]
fn several_forms_are_explained_by_the_one_that_came_nearest() {
    let forms = json!({
        "properties": {
            "a": { "oneOf": [{ "const": "x" }, { "type": "boolean" }] },
            "b": { "anyOf": [
                { "type": "string" },
                { "type": "object", "properties": { "n": { "type": "integer" } } },
            ] },
        },
    });
    assert_eq!(
        reasons(forms.clone(), json!({ "a": 1 })),
        ["`a` is `1`, expected `true` or `false` or `x`"]
    );
    assert_eq!(
        reasons(forms, json!({ "b": { "n": "1" } })),
        ["`b.n` is `\"1\"`, expected a whole number"]
    );
}

#[test]
fn what_is_unknown_is_not_judged_and_neither_is_what_holds_it() {
    let schema =
        json!({ "properties": { "a": { "maxItems": 1, "items": { "type": "integer" } } } });
    let inputs = json!({ "a": ["{{ x }}", "y"] });
    let unknown = BTreeSet::from(["/a/0".to_owned()]);
    let found = plugin(schema).misfits(&inputs, &unknown);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].pointer, "/a/1");
}

#[test]
fn a_plugin_with_a_wrong_schema_or_request_says_so() {
    let facts = |inputs_schema: Value, capability: &str, value: &str| PluginFacts {
        name: "p".to_owned(),
        version: String::new(),
        digest: String::new(),
        builtin: true,
        summary: String::new(),
        inputs_schema,
        outputs_schema: json!({}),
        requests: vec![crate::CapabilityRequest {
            capability: capability.to_owned(),
            value: value.to_owned(),
            reason: String::new(),
        }],
    };
    let error = |facts| Plugin::new(facts).unwrap_err();
    assert!(error(facts(json!({ "type": 1 }), "http", "x")).starts_with("its inputs schema"));
    assert_eq!(error(facts(json!({}), "tcp", "x")), "it requests `tcp`, which is not a capability");
    assert!(error(facts(json!({}), "http", "{{ x")).starts_with("its request `http`"));
    assert!(Plugin::new(facts(json!({ "$ref": "https://example.com/x" }), "http", "x")).is_err());
}
