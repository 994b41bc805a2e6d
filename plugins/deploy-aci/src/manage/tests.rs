use arm::table::Table;
use serde_json::json;

use super::*;
use crate::fake::{Fake, S, inputs, served};

fn line(at: &str, rest: &str) -> String {
    let (method, path) = (at, rest);
    format!(
        "{method} /subscriptions/{S}/resourceGroups/rg1/providers/Microsoft.ContainerInstance/\
         containerGroups/aci-demo{path}api-version={VERSION}"
    )
}

fn run(more: &Value, dry_run: bool, table: Table) -> (Result<(Outputs, String)>, Fake) {
    let host = Fake::new(table);
    let done = manage(&inputs(more), dry_run, &host);
    (done, host)
}

#[test]
fn each_action_is_the_request_that_az_sends() {
    for (action, status) in [("stop", 204), ("restart", 204), ("start", 202)] {
        let table = Table::default().then(status, &[], &Value::Null);
        let (done, host) = run(&json!({ "action": action }), false, table);
        assert!(done.unwrap().0.changed);
        assert_eq!(host.table.lines(), [line("POST", &format!("/{action}?"))]);
        assert_eq!(host.table.calls()[0].body, "");
        let (done, host) = run(&json!({ "action": action }), true, Table::default());
        assert!(done.unwrap().1.contains("would be") && host.table.calls().is_empty());
    }
}

#[test]
fn a_start_is_waited_for() {
    let started = [("Location", "https://management.azure.com/result"), ("Retry-After", "1")];
    let table = Table::default()
        .then(202, &started, &Value::Null)
        .then(202, &[], &Value::Null)
        .then(204, &[], &Value::Null);
    let (done, host) = run(&json!({ "action": "start" }), false, table);
    assert!(done.is_ok() && host.table.left() == 0);
}

#[test]
fn what_is_not_there_needs_no_deletion() {
    let gone = json!({ "error": { "code": "ResourceNotFound", "message": "x" } });
    for (status, body, changed) in
        [(200, json!({}), true), (204, Value::Null, false), (404, gone, false)]
    {
        let table = Table::default().then(status, &[], &body);
        let (done, host) = run(&json!({ "action": "delete" }), false, table);
        assert_eq!(done.unwrap().0.changed, changed);
        assert_eq!(host.table.lines(), [line("DELETE", "?")]);
    }
    let other = json!({ "error": { "code": "ResourceGroupNotFound", "message": "x" } });
    let (done, _) =
        run(&json!({ "action": "delete" }), false, Table::default().then(404, &[], &other));
    assert!(done.expect_err("no group").is("not-found"));
}

#[test]
fn logs_are_shown_and_given() {
    let group = served(
        &json!({ "properties": { "containers": [
        { "name": "a", "properties": {} }, { "name": "b", "properties": {} },
    ] } }),
        "Running",
        0,
    );
    let table = Table::default()
        .then(200, &[], &group)
        .then(200, &[], &json!({ "content": "x\ny\n" }))
        .then(200, &[], &json!({ "content": null }));
    let (done, host) = run(&json!({ "action": "logs", "tail": 5 }), true, table);
    let (outputs, summary) = done.unwrap();
    assert_eq!((outputs.logs["a"].as_str(), outputs.logs["b"].as_str()), ("x\ny\n", ""));
    assert!(!outputs.changed && summary.starts_with("2 lines"), "{summary}");
    assert_eq!(host.table.said(), ["a | x", "a | y"]);
    assert_eq!(host.table.lines()[1], line("GET", "/containers/a/logs?tail=5&"));
    let table = Table::default().then(200, &[], &json!({ "content": "é".repeat(MOST_OUTPUT) }));
    let (done, host) = run(&json!({ "action": "logs", "container": "one" }), false, table);
    assert!(done.unwrap().0.logs["one"].len() <= MOST_OUTPUT);
    assert_eq!(host.table.lines().len(), 1);
    let gone = json!({ "error": { "code": "ResourceNotFound", "message": "x" } });
    let (done, _) =
        run(&json!({ "action": "logs" }), false, Table::default().then(404, &[], &gone));
    assert!(done.expect_err("no group").is("not-found"));
}
