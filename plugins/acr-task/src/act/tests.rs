use std::cell::RefCell;

use arm::table::Table;

use super::*;

const ONE: &str = "11111111-1111-1111-1111-111111111111";
const REGISTRY: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/\
                        Microsoft.ContainerRegistry/registries/myregistry";

pub(crate) struct World {
    pub(crate) table: Table,
    lines: RefCell<Vec<String>>,
}

impl Cloud for World {
    type Http = Table;

    fn http(&self) -> &Table {
        &self.table
    }

    fn secret(&self, name: &str) -> Result<String> {
        Ok(name.to_owned())
    }

    fn line(&self, text: &str) {
        self.lines.borrow_mut().push(text.to_owned());
    }
}

pub(crate) fn world(table: Table) -> World {
    World { table, lines: RefCell::default() }
}

fn listed() -> Table {
    let registry = json!({
        "id": REGISTRY, "name": "myregistry", "location": "westeurope",
        "properties": { "loginServer": "myregistry.azurecr.io" },
    });
    Table::default().then(200, &[], &json!({ "value": [registry] }))
}

pub(crate) fn inputs(with: &str) -> Inputs {
    let text = format!(
        r#"{{"registry": "myregistry", "identity": "prod", "subscription": "{ONE}", {with}}}"#
    );
    serde_json::from_str(&text).expect(with)
}

const HOUR: Duration = Duration::from_secs(3600);

fn done(with: &str, table: Table) -> (Result<Outcome<Outputs>>, World) {
    let world = world(table);
    (act(&inputs(with), false, HOUR, &world), world)
}

/// az's last request of a scenario: method, path without its query's order, body.
pub(crate) fn captured(text: &str) -> (String, Value) {
    let scenario: Value = serde_json::from_str(text).unwrap();
    let exchanges = scenario.get("exchanges").and_then(Value::as_array).unwrap();
    let mut writes =
        exchanges.iter().filter_map(|exchange| exchange.get("request")).filter(|request| {
            let text = |key: &str| request.get(key).and_then(Value::as_str).unwrap();
            text("method") != "GET" && !text("path").contains("listDetails")
        });
    let request = writes.next_back().unwrap();
    let text = |key: &str| request.get(key).and_then(Value::as_str).unwrap();
    (
        format!("{} {}", text("method"), text("path")),
        request.get("body").cloned().unwrap_or_default(),
    )
}

fn sent(world: &World) -> (String, Value) {
    let call = world.table.calls().last().cloned().unwrap();
    let line = world.table.lines().last().cloned().unwrap();
    (line, serde_json::from_str(&call.body).unwrap_or_default())
}

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/azure/captures/", $name, ".json"))
    };
}

const TASK: &str = r#""name": "taskhelloworld", "images": ["helloworld:{{.Run.ID}}"], "file": "Dockerfile-app",
    "context": "https://github.com/me/acr-build-helloworld-node.git#master", "git-token": "ghp_x",
    "args": {"REGISTRY_NAME": "myregistry.azurecr.io"}, "assign-identity": ["[system]"]"#;

/// What Azure gives back of a task that was put: without secrets, and with a principal.
fn there(body: &Value) -> Value {
    let mut task = body.clone();
    task["id"] = json!(format!("{REGISTRY}/tasks/taskhelloworld"));
    task["identity"]["principalId"] = json!("1a19691c");
    task["properties"]["step"].as_object_mut().unwrap().remove("contextAccessToken");
    task
}

#[test]
fn a_task_that_is_not_there_is_made_and_one_that_is_right_is_left() {
    let missing = json!({ "error": { "code": "ResourceNotFound", "message": "no" } });
    let (_, body) = captured(capture!("task-create"));
    let table = listed().then(404, &[], &missing).then(200, &[], &there(&body));
    let (outcome, world) = done(TASK, table);
    let outputs = outcome.unwrap().outputs().clone();
    assert_eq!((outputs.principal_id.as_deref(), outputs.changed), (Some("1a19691c"), true));
    let (line, ours) = sent(&world);
    assert!(
        line.starts_with("PUT ")
            && line.contains("/tasks/taskhelloworld?api-version=2025-03-01-preview")
    );
    assert_eq!(ours.pointer("/properties/step/contextAccessToken"), Some(&json!("‹ghp_x›")));

    let (outcome, world) = done(TASK, listed().then(200, &[], &there(&body)));
    assert_eq!(outcome.unwrap().outputs().differences, [""; 0]);
    assert_eq!(world.table.lines().len(), 2, "nothing is written");

    // A token cannot be compared: it is sent again when somebody says so.
    let table = listed().then(200, &[], &there(&body)).then(200, &[], &there(&body));
    let (outcome, world) = done(&format!("{TASK}, \"renew\": true"), table);
    assert!(outcome.unwrap().outputs().changed && sent(&world).0.starts_with("PATCH "));
}

#[test]
fn what_is_different_is_patched_and_another_kind_is_replaced() {
    let (_, body) = captured(capture!("task-create"));
    let mut old = there(&body);
    old["properties"]["timeout"] = json!(60);
    old["properties"]["credentials"] =
        json!({ "customRegistries": { "base.azurecr.io": { "identity": "[system]" } } });
    let (outcome, world) = done(TASK, listed().then(200, &[], &old).then(200, &[], &there(&body)));
    assert_eq!(outcome.unwrap().outputs().differences, ["properties/timeout"]);
    let (line, patch) = sent(&world);
    assert!(line.starts_with("PATCH "), "{line}");
    assert_eq!(patch.pointer("/properties/credentials"), Some(&json!({})), "credentials stay");
    let mut other = there(&body);
    other["properties"]["step"] = json!({ "type": "EncodedTask" });
    let (outcome, world) =
        done(TASK, listed().then(200, &[], &other).then(200, &[], &there(&body)));
    assert!(outcome.is_ok() && sent(&world).0.starts_with("PUT "));
    assert!(world.table.said().iter().any(|said| said.contains("another kind")));
}

#[test]
fn credentials_are_added_as_az_adds_them() {
    let task = json!({ "properties": { "credentials": {} } });
    let name = r#""action": "credential-add", "name": "taskhelloworld""#;
    let identity = r#""login-server": "baseregistry.azurecr.io", "use-identity": "[system]""#;
    let (outcome, world) =
        done(&format!("{name}, {identity}"), listed().then(200, &[], &task).then(200, &[], &task));
    assert!(outcome.unwrap().outputs().changed);
    assert_eq!(sent(&world), captured(capture!("task-credential-add-identity")));
    let user = r#""login-server": "other.azurecr.io", "username": "user", "password": "pw""#;
    let (outcome, world) =
        done(&format!("{name}, {user}"), listed().then(200, &[], &task).then(200, &[], &task));
    assert!(outcome.is_ok());
    let (line, mut body) = captured(capture!("task-credential-add-opaque"));
    body["properties"]["credentials"]["customRegistries"]["other.azurecr.io"]["password"]["value"] =
        json!("‹pw›");
    assert_eq!(sent(&world), (line, body));
    let task = json!({ "properties": { "credentials": { "customRegistries": { "baseregistry.azurecr.io": { "identity": "[system]" } } } } });
    let (outcome, _) = done(&format!("{name}, {identity}"), listed().then(200, &[], &task));
    assert!(!outcome.unwrap().outputs().changed);
    for with in [
        r#""login-server": "x""#,
        r#""login-server": "a.io""#,
        r#""login-server": "a.io", "username": "u""#,
    ] {
        let (outcome, _) = done(&format!("{name}, {with}"), listed());
        assert!(outcome.unwrap_err().is("invalid"), "{with}");
    }
}

#[test]
fn a_task_is_run_followed_and_judged() {
    let run = |status: &str| {
        json!({ "name": "ca1", "properties": {
        "runId": "ca1", "status": status, "task": "taskhelloworld", "platform": { "os": "linux" },
        "outputImages": [{ "registry": "r.azurecr.io", "repository": "a", "tag": "ca1", "digest": "sha256:aa" }],
    } })
    };
    let running = |status: &str| {
        listed()
            .then(200, &[], &run("Queued"))
            .then(200, &[], &json!({ "logLink": "https://s.blob.core.windows.net/l" }))
            .raw(206, &[("x-ms-meta-complete", "successful")], "built\n")
            .then(200, &[], &run(status))
    };
    let with = r#""action": "run", "name": "taskhelloworld""#;
    let (outcome, world) = done(with, running("Succeeded"));
    let outputs = outcome.unwrap().outputs().clone();
    assert_eq!(
        (outputs.run_id.as_deref(), outputs.digest.as_deref()),
        (Some("ca1"), Some("sha256:aa"))
    );
    assert_eq!(world.lines.borrow().as_slice(), ["built"]);
    let posted = world.table.lines().get(1).cloned().unwrap();
    assert_eq!(posted, captured(capture!("task-run")).0);
    let (outcome, _) = done(with, running("Failed"));
    assert_eq!(outcome.unwrap_err().code(), "azure.run-failed");
    let (outcome, world) =
        done(&format!("{with}, \"no-wait\": true"), listed().then(200, &[], &run("Queued")));
    assert_eq!(outcome.unwrap().outputs().runs.first().unwrap().status, "Queued");
    assert_eq!(world.table.calls().len(), 2);
}

#[test]
fn runs_are_listed_and_ended_and_tasks_deleted() {
    let page = json!({ "value": [{ "name": "ca1", "properties": { "status": "Succeeded", "imageUpdateTrigger": {} } }] });
    let (outcome, _) = done(
        r#""action": "list-runs", "name": "taskhelloworld", "top": 5"#,
        listed().then(200, &[], &page),
    );
    let outputs = outcome.unwrap().outputs().clone();
    assert_eq!(outputs.runs.first().unwrap().trigger, "Image Update");
    let (outcome, _) = done(r#""action": "list-runs", "top": 0"#, listed());
    assert!(outcome.unwrap_err().is("invalid"));
    let (outcome, world) =
        done(r#""action": "cancel", "run-id": "ca10""#, listed().then(200, &[], &Value::Null));
    assert!(outcome.is_ok());
    assert_eq!(sent(&world), captured(capture!("task-cancel-run")));
    let (outcome, _) = done(r#""action": "cancel""#, listed());
    assert!(outcome.unwrap_err().is("invalid"));
    let gone = |status: u16| {
        done(r#""action": "delete", "name": "ocitask""#, listed().then(status, &[], &Value::Null))
    };
    let (outcome, world) = gone(200);
    assert!(outcome.unwrap().outputs().changed);
    assert_eq!(sent(&world).0, captured(capture!("task-delete")).0);
    assert!(!gone(204).0.unwrap().outputs().changed);
}

#[test]
fn a_dry_run_changes_nothing() {
    let missing = json!({ "error": { "code": "ResourceNotFound", "message": "no" } });
    for (with, table) in [
        (TASK, listed().then(404, &[], &missing)),
        (r#""action": "run", "name": "taskhelloworld""#, listed()),
        (r#""action": "cancel", "run-id": "ca1""#, listed()),
        (r#""action": "delete", "name": "taskhelloworld""#, listed().then(200, &[], &json!({}))),
        (
            r#""action": "credential-add", "name": "taskhelloworld", "login-server": "a.io", "use-identity": "[system]""#,
            listed(),
        ),
    ] {
        let world = world(table);
        let outcome = act(&inputs(with), true, HOUR, &world).expect(with);
        assert!(outcome.outputs().changed, "{with}");
        assert!(world.table.calls().iter().all(|call| call.method == "GET"), "{with}");
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused_before_anything_is_asked() {
    for with in [
        r#""name": "abc""#,
        r#""name": "with space""#,
        r#""name": "../../x""#,
        r#""action": "run""#,
        r#""name": "taskhelloworld", "endpoint": "http://arm.example""#,
    ] {
        let (outcome, world) = done(with, Table::default());
        assert!(outcome.unwrap_err().is("invalid"), "{with}");
        assert!(world.table.calls().is_empty());
    }
    let nobody: Inputs = serde_json::from_str(r#"{"registry": "a", "name": "task1"}"#).unwrap();
    let error = act(&nobody, false, HOUR, &world(Table::default())).unwrap_err();
    assert!(error.hint_text().unwrap().contains("identity = "));
}
