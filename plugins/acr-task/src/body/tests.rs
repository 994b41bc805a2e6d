use arm::table::Table;

use super::*;
use crate::act::tests::{captured, inputs, world};

/// The body as it is sent, secrets as `‹NAME›`.
fn written(with: &str) -> Result<Value> {
    let body = body(&inputs(with), "westeurope", &world(Table::default()))?;
    let text = body.parts().expect("each secret has its place").into_iter();
    let text: String = text
        .map(|part| match part {
            arm::Part::Text(text) => text,
            arm::Part::Sealed(name, _) => format!("‹{name}›"),
        })
        .collect();
    Ok(serde_json::from_str(&text).unwrap())
}

/// az's body, its token by our name.
fn az(text: &str) -> Value {
    let (_, body) = captured(text);
    serde_json::from_str(&body.to_string().replace("ghp_x", "‹pat›")).unwrap()
}

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/azure/captures/", $name, ".json"))
    };
}

#[test]
fn tasks_are_made_as_az_makes_them() {
    for (capture, with) in [
        (
            capture!("task-create"),
            r#""images": ["helloworld:{{.Run.ID}}"], "file": "Dockerfile-app", "git-token": "pat",
               "context": "https://github.com/me/acr-build-helloworld-node.git#master",
               "args": {"REGISTRY_NAME": "myregistry.azurecr.io"}, "assign-identity": ["[system]"]"#,
        ),
        (
            capture!("task-create-schedule"),
            r#""command": "mcr.microsoft.com/hello-world", "context": "/dev/null", "schedules": ["0 21 * * *"]"#,
        ),
        (
            capture!("task-create-abac-system"),
            r#""images": ["hello:{{.Run.ID}}"], "context": "https://github.com/me/repo.git", "commit-trigger": false,
               "source-acr-auth-id": "[system]", "assign-identity": ["[system]"]"#,
        ),
    ] {
        assert_eq!(written(with).expect(with), az(capture));
    }
    let mut theirs = az(capture!("task-create-uami"));
    // Hooks of other systems and files of values are for those who write them by hand.
    let mut drop = |pointer: &str, key: &str| {
        assert!(
            theirs
                .pointer_mut(pointer)
                .and_then(Value::as_object_mut)
                .unwrap()
                .remove(key)
                .is_some()
        );
    };
    drop("/properties/step", "valuesFilePath");
    drop("/properties/trigger/baseImageTrigger", "updateTriggerEndpoint");
    theirs["properties"]["trigger"]["baseImageTrigger"]["updateTriggerPayloadType"] =
        json!("Default");
    let ours = written(
        r#""context": "https://github.com/me/repo.git#main:sub", "file": "acr-task.yaml", "args": {"a": "b"},
           "git-token": "pat", "pull-request-trigger": true,
           "assign-identity": ["[system]", "/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/rg1/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uami1"]"#,
    );
    assert_eq!(ours.unwrap(), theirs);
}

#[test]
fn secrets_and_settings_have_their_places() {
    let ours = written(
        r#""images": ["a:1"], "context": "oci://myregistry.azurecr.io/src:1", "secret-args": {"TOKEN": "npm"},
           "platform": "linux/arm64", "agent-pool": "p1", "run-timeout": "10m", "disabled": true,
           "base-image-trigger": "none", "schedules": ["nightly: 0 1 * * *"], "target": "app", "no-cache": true"#,
    )
    .unwrap();
    let at = |pointer: &str| ours.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!(at("/properties/step/arguments/0/value"), "‹npm›");
    assert_eq!(
        (at("/properties/agentPoolName"), at("/properties/agentConfiguration")),
        (json!("p1"), Value::Null)
    );
    assert_eq!(
        (at("/properties/timeout"), at("/properties/status")),
        (json!(600), json!("Disabled"))
    );
    let timer = json!([{ "name": "nightly", "status": "Enabled", "schedule": "0 1 * * *" }]);
    assert_eq!(at("/properties/trigger"), json!({ "timerTriggers": timer }));
    assert_eq!(
        (at("/properties/step/target"), at("/properties/step/noCache")),
        (json!("app"), json!(true))
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (with, word) in [
        (r#""images": ["a:1"]"#, "context"),
        (r#""context": "https://example.com/a.git", "git-token": "t""#, "cannot trigger"),
        (r#""context": "https://github.com/a/b.git", "commit-trigger": true"#, "token"),
        (r#""command": "a\nb""#, "several lines"),
        (r#""command": "a", "schedules": ["often"]"#, "`often`"),
        (r#""command": "a", "schedules": [":0 1 * * *"]"#, "schedule"),
        (r#""command": "a", "run-timeout": "9h""#, "`9h`"),
        (r#""command": "a", "platform": "plan9""#, "plan9"),
        (r#""command": "a", "args": {"A": "1"}, "secret-args": {"A": "b"}"#, "`A`"),
    ] {
        let error = written(with).expect_err(with);
        assert!(error.is("invalid") && error.message().contains(word), "{error}");
        assert!(error.hint_text().is_some());
    }
}
