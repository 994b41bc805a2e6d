use std::cell::RefCell;

use serde_json::json;
use windlass_plugin::Error;

use super::*;
use crate::Body;
use crate::table::Table;

const VERSION: &str = "2024-05-01-preview";
const STATUS: (&str, &str) = ("Azure-AsyncOperation", "https://management.azure.com/op?v=1");
const PLACE: (&str, &str) = ("Location", "https://management.azure.com/result?v=1");
const SOON: (&str, &str) = ("Retry-After", "1");

fn put(table: &Table, wait: &Wait<'_>) -> Result<Value> {
    let arm = Arm::new(table, None).unwrap();
    let answer = arm.put("/x", VERSION, &Body::from(json!({})))?;
    arm.finish(answer, wait)
}

fn post(table: &Table) -> Result<Value> {
    let arm = Arm::new(table, None).unwrap();
    let answer = arm.post("/x", VERSION, None)?;
    arm.finish(answer, &Wait::default())
}

#[test]
fn a_put_by_status_ends_with_the_resource() {
    let table = Table::default()
        .then(201, &[STATUS, SOON], &json!({ "properties": { "provisioningState": "Pending" } }))
        .then(200, &[SOON], &json!({ "status": "InProgress" }))
        .then(202, &[], &Value::Null)
        .then(200, &[], &json!({ "status": "succeeded" }))
        .then(200, &[], &json!({ "name": "x" }));
    let seen = RefCell::new(0);
    let wait = Wait { each: &|_| *seen.borrow_mut() += 1, ..Wait::default() };
    assert_eq!(put(&table, &wait), Ok(json!({ "name": "x" })));
    assert_eq!(
        table.lines(),
        [
            "PUT /x?api-version=2024-05-01-preview",
            "GET /op?v=1",
            "GET /op?v=1",
            "GET /op?v=1",
            "GET /x?api-version=2024-05-01-preview"
        ]
    );
    assert_eq!(*seen.borrow(), 3);
    // At once, then as asked, and then, where nothing was asked, by our own second pause.
    assert_eq!(table.now(), Duration::from_secs(1 + 4));
}

#[test]
fn a_post_by_location_ends_with_its_body() {
    let moved = ("location", "/moved?v=1");
    let table = Table::default()
        .then(202, &[PLACE, SOON], &Value::Null)
        .then(202, &[moved, SOON], &Value::Null)
        .then(202, &[SOON], &Value::Null)
        .then(200, &[], &json!({ "status": "whatever" }));
    assert_eq!(post(&table), Ok(json!({ "status": "whatever" })));
    assert_eq!(table.lines()[1..], ["GET /result?v=1", "GET /moved?v=1", "GET /moved?v=1"]);
    let table = Table::default().then(202, &[PLACE], &Value::Null).then(204, &[], &Value::Null);
    assert_eq!(post(&table), Ok(Value::Null));
}

#[test]
fn a_post_with_both_is_done_by_status_and_read_by_location() {
    let table = Table::default()
        .then(202, &[PLACE, STATUS, SOON], &Value::Null)
        .then(200, &[], &json!({ "status": "Succeeded" }))
        .then(200, &[], &json!({ "result": 1 }));
    assert_eq!(post(&table), Ok(json!({ "result": 1 })));
    assert_eq!(table.lines()[1..], ["GET /op?v=1", "GET /result?v=1"]);
}

#[test]
fn a_put_without_a_header_is_followed_by_the_resource() {
    let state = |state: &str| json!({ "properties": { "provisioningState": state } });
    let table =
        Table::default().then(200, &[], &state("Updating")).then(200, &[], &state("Succeeded"));
    assert_eq!(put(&table, &Wait::default()), Ok(state("Succeeded")));
    assert_eq!(table.lines()[1], "GET /x?api-version=2024-05-01-preview");
    let table =
        Table::default().then(200, &[], &state("Updating")).then(200, &[], &state("Failed"));
    assert!(put(&table, &Wait::default()).is_err());
}

#[test]
fn what_is_done_at_once_is_not_waited_for() {
    for (status, body) in [
        (200, json!({ "properties": { "provisioningState": "Succeeded" } })),
        (201, json!({ "name": "x" })),
        (204, Value::Null),
    ] {
        let table = Table::default().then(status, &[], &body);
        assert_eq!(put(&table, &Wait::default()), Ok(body));
        assert_eq!(table.calls().len(), 1);
    }
    // Of a POST without a header nothing can be waited for.
    let table = Table::default().then(202, &[], &Value::Null);
    assert_eq!(post(&table), Ok(Value::Null));
}

#[test]
fn a_failed_operation_is_azures_refusal() {
    let error =
        json!({ "code": "InaccessibleImage", "message": "The image 'x' is not accessible." });
    for body in [
        json!({ "status": "Failed", "error": error }),
        json!({ "status": "FAILED", "properties": { "error": error } }),
    ] {
        let table = Table::default().then(201, &[STATUS], &json!({})).then(
            200,
            &[("x-ms-request-id", "r1")],
            &body,
        );
        let failure = put(&table, &Wait::default()).expect_err("failed");
        assert_eq!(failure.azure_code(), Some("InaccessibleImage"));
        let error = Error::from(failure);
        assert_eq!(error.code(), "azure.operation-failed");
        assert!(error.message().contains("InaccessibleImage: The image 'x'"), "{error}");
        assert!(format!("{error:?}").contains("r1"));
    }
    let table = Table::default().then(202, &[PLACE], &Value::Null).then(
        409,
        &[],
        &json!({ "error": { "code": "Conflict", "message": "exists" } }),
    );
    assert!(Error::from(post(&table).expect_err("conflict")).is("conflict"));
    let table = Table::default().then(202, &[STATUS], &Value::Null).then(
        200,
        &[],
        &json!({ "status": "Canceled" }),
    );
    assert_eq!(Error::from(post(&table).expect_err("cancelled")).code(), "cancelled.azure");
}

#[test]
fn what_never_ends_is_left_after_the_limit() {
    let mut table = Table::default().then(201, &[STATUS], &json!({}));
    for _ in 0..200 {
        table = table.then(200, &[("retry-after", "0")], &json!({ "status": "InProgress" }));
    }
    let wait = Wait { limit: Duration::from_secs(10), ..Wait::default() };
    let error = Error::from(put(&table, &wait).expect_err("endless"));
    assert_eq!(error.code(), "timeout.azure");
    assert!(error.message().contains("`InProgress`"), "{error}");
    assert!(table.now() <= wait.limit && table.calls().len() < 60);
    // A pause of an hour is not kept, and not begun where the limit comes first.
    let long = ("retry-after", "3600");
    let table = Table::default()
        .then(202, &[PLACE], &Value::Null)
        .then(202, &[PLACE, long], &Value::Null)
        .then(200, &[], &json!(1));
    assert_eq!(post(&table), Ok(json!(1)));
    assert_eq!(table.now(), MOST_ASKED);
}

#[test]
fn a_poll_is_tried_again_and_its_body_is_checked() {
    let table = Table::default()
        .then(201, &[STATUS], &json!({}))
        .then(503, &[SOON], &Value::Null)
        .error(Error::new("transient.http", "the connection broke"))
        .then(200, &[], &json!({ "status": "Succeeded" }))
        .then(200, &[], &json!({}));
    assert_eq!(put(&table, &Wait::default()), Ok(json!({})));
    for body in ["{}", "[]", r#"{"status":7}"#, "", "<html>", r#"{"status":"Succ"#] {
        let table = Table::default().then(201, &[STATUS], &json!({})).raw(200, &[], body);
        let error = Error::from(put(&table, &Wait::default()).expect_err(body));
        assert_eq!(error.code(), "azure.odd-answer", "{body}");
    }
    let empty = ("Azure-AsyncOperation", " ");
    let table = Table::default().then(200, &[empty], &json!({}));
    assert_eq!(put(&table, &Wait::default()), Ok(json!({})), "an empty header is none");
}

#[test]
fn an_operation_says_why_it_failed() {
    let ask = |status, body: &Value| {
        let table = Table::default().then(201, &[STATUS], &json!({})).then(status, &[], body);
        let arm = Arm::new(&table, None).unwrap();
        let answer = arm.put("/x", VERSION, &Body::from(json!({}))).unwrap();
        arm.failure(&answer)
    };
    let error = json!({ "code": "InaccessibleImage", "message": "no" });
    let failure = ask(200, &json!({ "status": "Failed", "error": error })).unwrap();
    assert_eq!(failure.azure_code(), Some("InaccessibleImage"));
    assert_eq!(ask(403, &json!({ "error": error })).and_then(|it| it.status()), Some(403));
    for body in [json!({ "status": "InProgress" }), json!({ "status": "Succeeded" }), json!({})] {
        assert_eq!(ask(200, &body), None);
    }
    let table = Table::default().then(200, &[], &json!({}));
    let arm = Arm::new(&table, None).unwrap();
    let answer = arm.put("/x", VERSION, &Body::from(json!({}))).unwrap();
    assert_eq!(arm.failure(&answer), None);
}
