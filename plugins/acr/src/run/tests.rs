use arm::table::Table;
use serde_json::json;

use super::*;

fn registry(is_abac: bool) -> Registry {
    let id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/\
              Microsoft.ContainerRegistry/registries/myregistry";
    Registry {
        id: id.parse().unwrap(),
        login_server: "myregistry.azurecr.io".to_owned(),
        location: "westeurope".to_owned(),
        is_abac,
    }
}

fn exchanges(text: &str) -> Vec<Value> {
    let scenario: Value = serde_json::from_str(text).unwrap();
    scenario.get("exchanges").and_then(Value::as_array).cloned().unwrap()
}

#[test]
fn runs_are_read_as_azure_tells_them() {
    let all = exchanges(include_str!("../../../../tests/azure/captures/task-list-runs.json"));
    let last = all.last().unwrap();
    let page = last.pointer("/emulator_response/body").unwrap();
    let table = Table::default().then(200, &[], page);
    let arm = Arm::new(&table, None).unwrap();
    let runs = list(&arm, &registry(false), None, None, 15).unwrap();
    assert_eq!(query(&table), query_of(last));
    let row = |run: &Run| {
        let task = run.task.clone().unwrap_or_default();
        (run.id.clone(), task, run.status.word().to_owned(), run.trigger.word().to_owned())
    };
    let words = |a: &str, b: &str, c: &str| (a.into(), b.into(), c.into(), "Manual".into());
    let rows: Vec<_> = runs.iter().map(row).take(5).collect();
    let expected: [(String, String, String, String); 5] = [
        words("ca15", "taskhelloworld", "Queued"),
        words("ca14", "taskhelloworld", "Succeeded"),
        words("ca13", "", "Queued"),
        words("ca12", "", "Queued"),
        words("ca11", "", "Failed"),
    ];
    assert_eq!(rows, expected);
    let image = runs[1].images.first().unwrap();
    assert_eq!(image.reference(), "myregistry.azurecr.io/helloacrtasks:v1");
    assert!(image.digest.starts_with("sha256:b"));
}

#[test]
fn a_filter_is_the_one_that_az_sends() {
    let all =
        exchanges(include_str!("../../../../tests/azure/captures/task-list-runs-filter.json"));
    let table = Table::default().then(200, &[], &json!({ "value": [] }));
    let arm = Arm::new(&table, None).unwrap();
    let found = list(&arm, &registry(false), Some("taskhelloworld"), Some("Succeeded"), 5).unwrap();
    assert!(found.is_empty());
    assert_eq!(query(&table), query_of(all.last().unwrap()));
    let error = list(&arm, &registry(false), Some("x' or 1 eq 1"), None, 5).unwrap_err();
    assert!(error.is("invalid"));
}

/// The path, and the pairs of the query in some order: nothing else of it means anything.
fn pairs(url: &str) -> (String, Vec<String>) {
    let plain = url.replace("%20", " ").replace("%27", "'");
    let (path, query) = plain.split_once('?').unwrap();
    let mut pairs: Vec<String> = query.split('&').map(str::to_owned).collect();
    pairs.sort();
    (path.to_owned(), pairs)
}

fn query(table: &Table) -> (String, Vec<String>) {
    let lines = table.lines();
    pairs(lines.last().unwrap().split_once(' ').unwrap().1)
}

fn query_of(exchange: &Value) -> (String, Vec<String>) {
    pairs(exchange.pointer("/request/path").and_then(Value::as_str).unwrap())
}

#[test]
fn what_started_a_run_is_told_in_the_words_of_az() {
    let trigger = |properties: Value| Trigger::read(&properties).word().to_owned();
    assert_eq!(trigger(json!({})), "Manual");
    assert_eq!(trigger(json!({ "timerTrigger": null, "sourceTrigger": {} })), "Manual");
    assert_eq!(trigger(json!({ "imageUpdateTrigger": { "images": [] } })), "Image Update");
    assert_eq!(trigger(json!({ "timerTrigger": {}, "imageUpdateTrigger": {} })), "Timer");
    let commit = json!({ "sourceTrigger": { "eventType": "Commit" }, "timerTrigger": {} });
    assert_eq!(trigger(commit), "Commit");
    assert_eq!(trigger(json!({ "sourceTrigger": { "eventType": " " } })), "Manual");
}

#[test]
fn the_status_decides_and_says_what_to_do() {
    let ended = |status: &str| {
        let run = json!({ "properties": { "runId": "ca1", "status": status, "runErrorMessage": "exit 1" } });
        Run::read(&run).unwrap().success()
    };
    assert!(ended("succeeded").is_ok());
    for (status, code) in [
        ("Failed", "azure.run-failed"),
        ("Error", "azure.run-error"),
        ("Timeout", "timeout.azure"),
        ("Canceled", "cancelled.azure"),
        ("Queued", "azure.run-going"),
        ("Brooding", "azure.run-going"),
        ("", "azure.run-going"),
    ] {
        let error = ended(status).expect_err(status);
        assert_eq!(error.code(), code);
        assert!(
            error.message().contains("`ca1`") && error.message().ends_with("exit 1"),
            "{error}"
        );
        assert!(error.hint_text().is_some());
    }
}

#[test]
fn what_is_no_run_is_none() {
    for value in [
        json!(null),
        json!({}),
        json!({ "name": "../x" }),
        json!({ "properties": { "runId": "a/b" } }),
    ] {
        assert_eq!(Run::read(&value), None, "{value}");
    }
    assert!(Run::read(&json!({ "name": "ca1" })).is_some());
    let table = Table::default();
    let arm = Arm::new(&table, None).unwrap();
    for id in ["", "../tasks/x", "ca 1"] {
        assert!(show(&arm, &registry(false), id).unwrap_err().is("invalid"));
    }
    assert!(table.calls().is_empty());
}

#[test]
fn who_may_not_use_acr_tasks_is_shown_the_local_builder() {
    let all = exchanges(include_str!("../../../../tests/azure/captures/build-not-allowed.json"));
    let answer = all.last().unwrap().get("emulator_response").unwrap();
    let table = Table::default().then(400, &[], answer.get("body").unwrap());
    let arm = Arm::new(&table, None).unwrap();
    let error = schedule(&arm, &registry(false), &Body::from(json!({}))).unwrap_err();
    assert!(error.is("denied"), "{error}");
    assert!(error.message().contains("not permitted"), "{error}");
    assert!(error.hint_text().unwrap().contains("builder = \"local\""));
}

#[test]
fn a_registry_with_permissions_for_each_repository_wants_a_caller() {
    let refusal = json!({ "error": { "code": "AuthorizationFailed", "message": "no" } });
    for (is_abac, has_hint) in [(true, true), (false, false)] {
        let table = Table::default().then(403, &[], &refusal);
        let arm = Arm::new(&table, None).unwrap();
        let error = schedule(&arm, &registry(is_abac), &Body::from(json!({}))).unwrap_err();
        assert_eq!(error.hint_text().unwrap().contains("[caller]"), has_hint);
    }
}

#[test]
fn a_run_that_azure_takes_without_a_name_is_an_error() {
    let table = Table::default().then(200, &[], &json!({}));
    let arm = Arm::new(&table, None).unwrap();
    let error = schedule(&arm, &registry(false), &Body::from(json!({}))).unwrap_err();
    assert_eq!(error.code(), "azure.odd-answer");
}

#[test]
fn runs_are_cancelled_where_az_cancels_them() {
    let all = exchanges(include_str!("../../../../tests/azure/captures/task-cancel-run.json"));
    let table = Table::default().then(200, &[], &Value::Null);
    let arm = Arm::new(&table, None).unwrap();
    cancel(&arm, &registry(false), "ca10").unwrap();
    assert_eq!(query(&table), query_of(all.last().unwrap()));
    assert_eq!(table.calls().first().unwrap().method, "POST");
}
