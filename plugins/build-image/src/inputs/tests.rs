use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::*;

/// What is asked for with these inputs, as `capability value`.
fn asked(json: &str) -> Vec<String> {
    let mut inputs = serde_json::json!({
        "context": ".", "builder": "local", "network": "none", "hosts": [], "bases": ["docker.io/**"],
        "tags": [], "cache-from": [], "cache-to": null, "secrets": [], "identity": null,
        "endpoint": null, "storage": null, "secret-args": {},
    });
    let given: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
    inputs.as_object_mut().unwrap().extend(given);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut asked = Vec::new();
    for request in requests() {
        let template = request.value().trim_start_matches("{{").trim_end_matches("}}");
        let expression = environment.compile_expression(template.trim()).expect(template);
        let value = expression.eval(context! { inputs => Serde(&inputs) }).expect(template);
        let mut note = |value: &Value| asked.push(format!("{} {value}", request.capability()));
        if value.kind() == ValueKind::Seq {
            value.try_iter().unwrap().for_each(|it| note(&it));
        } else if !value.is_none() {
            note(&value);
        }
    }
    asked
}

#[test]
fn a_build_on_this_machine_asks_nothing_of_azure() {
    let asked = asked(r#"{"tags": ["a.azurecr.io/b:1"], "network": "host"}"#);
    assert_eq!(
        asked,
        [
            "workspace.read .",
            "oci.pull docker.io/**",
            "oci.pull a.azurecr.io/b:1",
            "oci.push a.azurecr.io/b:1",
            "exec.run True",
            "exec.network True",
        ]
    );
}

#[test]
fn a_build_in_azure_asks_nothing_of_this_machine_but_its_context() {
    let azure = |more: &str| {
        asked(&format!(
            r#"{{"builder": "acr-tasks", "identity": "prod", "tags": ["a.azurecr.io/b:{{{{.Run.ID}}}}"], {more}}}"#
        ))
    };
    let arm = "http https://management.azure.com";
    let store = "http https://*.blob.core.windows.net";
    let network = "exec.network False";
    let folder = azure(r#""context": "app", "secret-args": {"A": "x", "B": "y"}"#);
    let secrets = ["secrets.use x", "secrets.use y"];
    let expected = [&["workspace.read app", network, "identity prod", arm, store][..], &secrets];
    assert_eq!(folder, expected.concat());
    let git = azure(r#""context": "https://github.com/a/b.git""#);
    assert_eq!(git, [network, "identity prod", arm, store]);
    let near = azure(r#""endpoint": "https://127.0.0.1:9444", "storage": "https://store.example""#);
    assert!(
        near.iter().any(|it| it.contains("127.0.0.1:9444") && it.contains("private")),
        "{near:?}"
    );
    assert!(near.contains(&"http https://store.example".to_owned()));
}
