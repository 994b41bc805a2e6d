use std::cell::RefCell;

use arm::table::Table;
use serde_json::json;

use super::*;

const LINK: &str = "https://store.blob.core.windows.net/logs/ca1/rawtext.log?sv=1&sig=x";

fn registry() -> Registry {
    let id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/\
              Microsoft.ContainerRegistry/registries/myregistry";
    Registry {
        id: id.parse().unwrap(),
        login_server: "myregistry.azurecr.io".to_owned(),
        location: "westeurope".to_owned(),
        is_abac: false,
    }
}

fn run(status: &str) -> Value {
    json!({ "name": "ca1", "properties": { "runId": "ca1", "status": status } })
}

fn linked() -> Table {
    Table::default().then(200, &[], &json!({ "logLink": LINK, "logArtifactLink": "" }))
}

struct Followed {
    run: Result<Run>,
    lines: Vec<String>,
}

fn followed(table: &Table, seconds: u64) -> Followed {
    let lines = RefCell::new(Vec::new());
    let line = |text: &str| lines.borrow_mut().push(text.to_owned());
    let watcher = Watcher { limit: Duration::from_secs(seconds), line: &line };
    let arm = Arm::new(table, None).unwrap();
    let run = follow(&arm, table, &registry(), "ca1", &watcher);
    Followed { run, lines: lines.into_inner() }
}

fn methods(table: &Table) -> String {
    let calls = table.calls();
    let word = |call: &arm::table::Call| match call.url.contains(".blob.") {
        true => format!("{} log", call.method),
        false => format!(
            "{} {}",
            call.method,
            call.url.split('?').next().unwrap().rsplit('/').next().unwrap()
        ),
    };
    calls.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_log_is_told_as_it_grows() {
    let table = linked()
        .raw(404, &[], "BlobNotFound")
        .raw(206, &[("Content-Range", "bytes 0-7/8")], "one\r\ntwo")
        .raw(416, &[], "")
        .raw(200, &[("Content-Length", "8")], "")
        .raw(
            206,
            &[("content-range", "bytes 8-15/16"), ("X-Ms-Meta-Complete", "successful")],
            "\nthree\r\n",
        )
        .then(200, &[], &run("Succeeded"));
    let Followed { run, lines } = followed(&table, 600);
    assert_eq!(run.unwrap().status, crate::Status::Succeeded);
    assert_eq!(lines, ["one", "two", "three"]);
    assert_eq!(
        methods(&table),
        "POST listLogSasUrl, GET log, GET log, GET log, HEAD log, GET log, GET ca1"
    );
    assert_eq!(table.left(), 0);
}

#[test]
fn a_log_that_ends_without_a_line_ends_all_the_same() {
    let table = linked()
        .raw(206, &[("content-range", "bytes 0-3/4")], "done")
        .raw(416, &[], "")
        .raw(200, &[("content-length", "4"), ("x-ms-meta-complete", "failed")], "")
        .then(200, &[], &run("Failed"));
    let Followed { run, lines } = followed(&table, 600);
    // What the log says of the end is not what counts: that is the run's status.
    assert_eq!(run.unwrap().status, crate::Status::Failed);
    assert_eq!(lines, ["done"]);
}

#[test]
fn a_run_that_never_writes_is_asked_for_itself() {
    let mut table = linked();
    for _ in 0..5 {
        table = table.raw(404, &[], "");
    }
    let table = table.then(200, &[], &run("Canceled")).raw(404, &[], "");
    let Followed { run, lines } = followed(&table, 600);
    assert_eq!(run.unwrap().status, crate::Status::Canceled);
    assert!(lines.is_empty() && table.left() == 0);
}

#[test]
fn a_link_that_is_over_is_asked_for_again_and_not_for_ever() {
    let table = linked()
        .raw(403, &[], "<Error><Code>AuthenticationFailed</Code></Error>")
        .then(200, &[], &json!({ "logLink": LINK }))
        .raw(206, &[("x-ms-meta-complete", "successful")], "ok\n")
        .then(200, &[], &run("Succeeded"));
    assert_eq!(followed(&table, 600).lines, ["ok"]);

    let mut table = Table::default();
    for _ in 0..MOST_LINKS {
        table = table.then(200, &[], &json!({ "logLink": LINK })).raw(403, &[], "");
    }
    let table = table.then(200, &[], &run("Succeeded"));
    // Without a log the run is waited for all the same.
    assert!(followed(&table, 600).run.is_ok());
    assert!(table.said().iter().any(|said| said.contains("cannot be read")));
}

#[test]
fn an_artifact_is_read_when_the_run_is_over() {
    let artifact = "https://store.blob.core.windows.net/artifact";
    let table = Table::default()
        .then(200, &[], &json!({ "logLink": LINK, "logArtifactLink": artifact }))
        .then(200, &[], &run("Running"))
        .then(200, &[], &run("Succeeded"))
        .raw(200, &[], "a\nb");
    assert_eq!(followed(&table, 600).lines, ["a", "b"]);
}

#[test]
fn the_end_of_patience_is_an_error_that_says_that_azure_goes_on() {
    let table = linked().raw(404, &[], "").raw(404, &[], "").raw(404, &[], "");
    let error = followed(&table, 2).run.unwrap_err();
    assert!(error.is("timeout"), "{error}");
    assert!(error.hint_text().unwrap().contains("goes on"));
}

#[test]
fn a_log_that_cannot_be_read_ends_nothing() {
    let refusal = json!({ "error": { "code": "AuthorizationFailed", "message": "listLogSasUrl" } });
    let table = Table::default().then(403, &[], &refusal).then(200, &[], &run("Running")).then(
        200,
        &[],
        &run("Succeeded"),
    );
    let followed_one = followed(&table, 600);
    assert!(followed_one.run.is_ok() && followed_one.lines.is_empty());
    assert_eq!(table.said().len(), 1);
    for answer in [json!({}), json!({ "logLink": 7 }), json!("no")] {
        let table = Table::default().then(200, &[], &answer).then(200, &[], &run("Succeeded"));
        assert!(followed(&table, 600).run.is_ok(), "{answer}");
    }
}

#[test]
fn a_server_without_ranges_is_understood() {
    let table = linked()
        .raw(200, &[], "one\n")
        .raw(200, &[("x-ms-meta-complete", "successful")], "one\ntwo\n")
        .then(200, &[], &run("Succeeded"));
    assert_eq!(followed(&table, 600).lines, ["one", "two"]);
}

#[test]
fn the_log_is_asked_for_where_az_asks() {
    let text = include_str!("../../../../tests/azure/captures/build-failed.json");
    let scenario: Value = serde_json::from_str(text).unwrap();
    let requests: Vec<&Value> = scenario
        .get("exchanges")
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .filter_map(|exchange| exchange.get("request"))
        .collect();
    let is = |request: &&&Value, word: &str| {
        request.get("path").and_then(Value::as_str).is_some_and(|path| path.contains(word))
    };
    let asked = requests.iter().find(|request| is(request, "listLogSasUrl")).unwrap();
    let table = linked();
    let arm = Arm::new(&table, None).unwrap();
    let id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/\
              Microsoft.ContainerRegistry/registries/failregistry";
    let registry = Registry { id: id.parse().unwrap(), ..registry() };
    assert!(Link::ask(&arm, &registry, "ca10").is_ok());
    let line = format!("POST {}", asked.get("path").and_then(Value::as_str).unwrap());
    assert_eq!(table.lines(), [line]);
    // az looks with HEAD before each piece; a piece that is there says as much by itself.
    let read = requests.iter().filter(|request| is(request, "rawtext.log"));
    let heads = read.filter(|request| request.get("method") == Some(&json!("HEAD"))).count();
    assert_eq!(heads, 3);
}
