use minijinja::{Environment, UndefinedBehavior, Value as Rendered, context};
use serde_json::{Value, json};

use super::*;
use crate::fake::{S, inputs, story};

/// What is asked for, of inputs as the host fills in their defaults.
fn asked(more: &Value) -> Vec<String> {
    let mut filled = json!({
        "action": "deploy", "identity": null, "endpoint": null, "subscription": S, "image": null,
        "resource-group": "rg1", "name": "aci-demo", "containers": [], "init-containers": [],
        "pin": true, "preflight": true, "health": null, "template": null, "env": {},
    });
    filled.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut asked = Vec::new();
    for request in requests() {
        let template = request.value().trim_start_matches("{{").trim_end_matches("}}");
        let expression = environment.compile_expression(template.trim()).unwrap();
        let value =
            expression.eval(context! { inputs => minijinja::value::Serde(&filled) }).unwrap();
        let mut add = |value: &Rendered| asked.push(format!("{} {value}", request.capability()));
        match value.as_str() {
            Some(_) => add(&value),
            None if value.is_none() => {}
            None => value.try_iter().unwrap().for_each(|value| add(&value)),
        }
    }
    asked
}

#[test]
fn requests_follow_from_the_inputs() {
    assert_eq!(
        asked(&json!({ "image": "a.io/b:1", "identity": "ci" })),
        ["identity ci", "http https://management.azure.com", "oci.pull a.io/b:1",]
    );
    let endpoint = asked(&json!({ "endpoint": "http://127.0.0.1:9444", "action": "stop" }));
    assert_eq!(endpoint, ["http {'url': 'http://127.0.0.1:9444', 'private': True}"]);
    let health = json!({
        "scheme": "http", "suffix": "azurecontainer.io", "port": 80, "path": "/", "private": false,
    });
    assert_eq!(
        asked(&json!({ "health": health }))[1],
        "http {'url': 'http://*.azurecontainer.io:80', 'methods': ['GET'], 'private': False}"
    );
    let several = json!({
        "containers": [{ "image": "a.io/x" }, { "image": "a.io/y" }],
        "init-containers": [{ "image": "a.io/z" }],
    });
    assert_eq!(asked(&several)[1..], ["oci.pull a.io/x", "oci.pull a.io/y", "oci.pull a.io/z"]);
    let blind = asked(&json!({ "image": "a.io/b", "pin": false, "preflight": false }));
    assert_eq!(blind, ["http https://management.azure.com"]);
    assert_eq!(
        asked(&json!({ "template": "a.json", "image": "a.io/b" })),
        ["workspace.write a.json"]
    );
}

#[test]
fn secrets_are_asked_for_wherever_they_stand() {
    let nested = json!({
        "env": { "A": { "secret": "one" }, "B": "{\"secret\":\"not-this\"}" },
        "containers": [{ "image": "x", "env": { "C": { "secret": "two" } } }],
        "registries": [{ "server": "s", "username": { "secret": "usr" }, "password": { "secret": "one" } }],
        "volumes": { "files": { "secret": { "a": { "secret": "file" }, "b": "secret" } } },
    });
    let mut secrets = asked(&nested);
    secrets.retain(|line| line.starts_with("secrets.use"));
    secrets.sort();
    assert_eq!(
        secrets,
        ["secrets.use file", "secrets.use one", "secrets.use two", "secrets.use usr"]
    );
    let none = asked(&json!({ "env": { "A": { "secret": "one" } }, "action": "delete" }));
    assert_eq!(none, ["http https://management.azure.com"]);
}

#[test]
fn the_schema_knows_every_input() {
    use windlass_plugin::Schema;
    let schema: Value = serde_json::from_str(&Inputs::shape().to_string()).unwrap();
    assert_eq!(schema["required"], json!(["subscription", "resource-group", "name"]));
    assert_eq!(schema["properties"]["memory"]["default"], 1.5);
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn an_address_follows_from_what_is_said() {
    assert_eq!(inputs(&story()).address(), Some(Ip::Public));
    assert_eq!(inputs(&json!({ "image": "x" })).address(), None);
    assert_eq!(inputs(&json!({ "image": "x", "subnets": ["s"] })).address(), Some(Ip::Private));
    assert_eq!(inputs(&json!({ "image": "x", "ip": "public" })).address(), Some(Ip::Public));
    assert_eq!(inputs(&json!({ "image": "x", "dns-label": "a", "ip": "none" })).address(), None);
}

#[test]
fn what_is_misspelt_is_refused() {
    for bad in [
        json!({ "imag": "x" }),
        json!({ "ports": [0] }),
        json!({ "restart": "Always" }),
        json!({ "registries": [{ "server": "s", "password": "plain" }] }),
        json!({ "containers": [{ "name": "a" }] }),
        json!({ "volumes": { "files": { "nfs": {} } } }),
    ] {
        let mut all = json!({ "subscription": S, "resource-group": "rg1", "name": "aci-demo" });
        all.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        assert!(serde_json::from_value::<Inputs>(all).is_err(), "{bad}");
    }
}
