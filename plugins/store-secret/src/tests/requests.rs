use minijinja::{Environment, UndefinedBehavior, context};

use super::*;
use crate::inputs::requests;

/// What a step with these inputs asks for.
fn asked(given: &Value) -> Vec<String> {
    let mut inputs = json!({
        "to": null, "vault": null, "name": null, "secret": null, "identity": null,
        "service-principal": null, "scope-map-token": null,
        "arm-endpoint": "https://management.azure.com",
        "graph-endpoint": "https://graph.microsoft.com",
    });
    inputs.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut asked = Vec::new();
    for request in requests() {
        let text = request.value();
        let inner = text.strip_prefix("{{").unwrap().strip_suffix("}}").unwrap();
        let expression = environment.compile_expression(inner).unwrap();
        let value =
            expression.eval(context! { inputs => minijinja::value::Serde(&inputs) }).unwrap();
        let value = serde_json::to_value(&value).unwrap();
        let mut add = |value: &Value| match value {
            Value::Null | Value::Bool(false) => {}
            Value::String(text) => asked.push(format!("{} {text}", request.capability())),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                asked.push(format!("{} {other}", request.capability()));
            }
        };
        match value.as_array() {
            Some(values) => values.iter().for_each(&mut add),
            None => add(&value),
        }
    }
    asked
}

fn http(url: &str, private: bool) -> String {
    format!("http {}", json!({ "url": url, "private": private }))
}

#[test]
fn requests_follow_from_the_inputs() {
    let vault = http("https://kv1.vault.azure.net", false);
    let arm = http("https://management.azure.com", false);
    let graph = http("https://graph.microsoft.com", false);
    assert_eq!(
        asked(&json!({ "vault": "kv1", "name": "a", "secret": "b", "identity": "prod" })),
        ["identity prod", &vault, "secrets.use b"]
    );
    assert_eq!(asked(&json!({ "vault": "kv1", "service-principal": {} })), [&*vault, &arm, &graph]);
    assert_eq!(asked(&json!({ "vault": "kv1", "scope-map-token": {} })), [&*vault, &arm]);
    assert_eq!(
        asked(&json!({ "to": "local", "name": "a", "secret": "b" })),
        ["secrets.use b", "secrets.use a", "secrets.write a", "state true"]
    );
    let names = json!({ "user-secret": "u", "password-secret": "p" });
    assert_eq!(
        asked(&json!({ "to": "local", "scope-map-token": names })),
        [
            &*arm,
            "secrets.use u",
            "secrets.use p",
            "secrets.write u",
            "secrets.write p",
            "state true"
        ]
    );
    // What is said to be on this machine may be there; what only looks alike may not.
    for (url, origin, private) in [
        ("https://kv.vault.azure.cn/", "https://kv.vault.azure.cn", false),
        ("https://127.0.0.1:9444/kv1", "https://127.0.0.1:9444", true),
        ("http://localhost:80", "http://localhost:80", true),
        ("https://[::1]:9444/kv1", "https://[::1]:9444", true),
        ("https://localhost.example.org", "https://localhost.example.org", false),
        ("https://10.0.0.1", "https://10.0.0.1", false),
    ] {
        assert_eq!(asked(&json!({ "vault": url })), [http(origin, private)]);
    }
}
