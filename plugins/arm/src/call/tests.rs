use serde_json::json;

use super::*;
use crate::ResourceId;
use crate::table::Table;

const VERSION: &str = "2024-05-01-preview";

fn group() -> ResourceId {
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rgé".parse().unwrap()
}

fn arm(table: &Table) -> Arm<'_, Table> {
    Arm::new(table, None).unwrap()
}

fn refusal(code: &str) -> Value {
    json!({ "error": { "code": code, "message": "no." } })
}

#[test]
fn a_call_is_a_path_a_version_and_a_body() {
    let table = Table::default().then(200, &[], &json!({ "a": 1 })).then(201, &[], &json!({}));
    assert_eq!(arm(&table).get(group(), VERSION).unwrap(), json!({ "a": 1 }));
    let body = Body::from(json!({ "password": null })).sealed("/password", "pwd".to_owned());
    arm(&table).put("/x?tail=5", VERSION, &body).unwrap();
    let calls = table.calls();
    assert_eq!(
        calls[0].url,
        "https://management.azure.com/subscriptions/11111111-1111-1111-1111-111111111111/\
         resourceGroups/rg%C3%A9?api-version=2024-05-01-preview"
    );
    assert_eq!(
        calls[1].url,
        "https://management.azure.com/x?tail=5&api-version=2024-05-01-preview"
    );
    assert_eq!(calls[1].body, r#"{"password":"‹pwd›"}"#);
}

#[test]
fn another_cloud_is_another_origin() {
    let table = Table::default().then(200, &[], &json!({}));
    let arm = Arm::new(&table, Some("https://management.chinacloudapi.cn/")).unwrap();
    arm.get("/x", VERSION).unwrap();
    assert!(table.calls()[0].url.starts_with("https://management.chinacloudapi.cn/x?"));
    assert!(Arm::new(&table, Some("http://example.org")).is_err());
}

#[test]
fn what_is_not_there_is_none_but_its_group_must_be() {
    let table = Table::default()
        .then(404, &[], &refusal("ResourceNotFound"))
        .then(404, &[], &refusal("ResourceGroupNotFound"))
        .then(403, &[], &refusal("AuthorizationFailed"));
    assert_eq!(arm(&table).find("/x", VERSION), Ok(None));
    let error = Error::from(arm(&table).find("/x", VERSION).expect_err("no group"));
    assert_eq!(error.code(), "not-found.azure");
    assert!(Error::from(arm(&table).find("/x", VERSION).expect_err("no role")).is("denied"));
}

#[test]
fn throttled_requests_are_sent_again_after_the_pause_that_is_asked_for() {
    let table = Table::default()
        .then(429, &[("Retry-After", "7")], &refusal("TooManyRequests"))
        .then(503, &[("retry-after-ms", "500")], &Value::Null)
        .then(409, &[], &refusal("ContainerGroupTransitioning"))
        .then(200, &[], &json!({}));
    arm(&table).post("/x", VERSION, None).unwrap();
    assert_eq!(table.now(), Duration::from_millis(7_000 + 500 + 4_000));
    assert_eq!((table.calls().len(), table.said().len()), (4, 3));
}

#[test]
fn patience_has_an_end() {
    let mut table = Table::default();
    for _ in 0..10 {
        table = table.then(429, &[], &refusal("TooManyRequests"));
    }
    let error = Error::from(arm(&table).get("/x", VERSION).expect_err("throttled"));
    assert!(error.is("transient") && error.is_retryable());
    assert_eq!(table.calls().len(), 6);
    let table = Table::default().then(429, &[("retry-after", "3600")], &refusal("Throttled"));
    assert!(arm(&table).get("/x", VERSION).is_err());
    assert_eq!((table.calls().len(), table.now()), (1, Duration::ZERO));
}

#[test]
fn what_may_have_been_done_is_not_sent_twice() {
    let broken = || Error::new("transient.http", "the connection broke").retryable();
    for status in [500, 502, 504] {
        let table = Table::default().then(status, &[], &Value::Null).then(200, &[], &json!({}));
        assert!(arm(&table).post("/x", VERSION, None).is_err());
        assert_eq!(table.calls().len(), 1);
        let table = Table::default().then(status, &[], &Value::Null).then(200, &[], &json!({}));
        assert!(arm(&table).delete("/x", VERSION).is_ok());
    }
    let table = Table::default().error(broken()).then(200, &[], &json!({}));
    assert!(arm(&table).post("/x", VERSION, None).is_err());
    let table = Table::default().error(broken()).then(200, &[], &json!({}));
    assert!(arm(&table).get("/x", VERSION).is_ok());
    let table = Table::default().error(Error::new("denied.http", "no grant"));
    assert!(Error::from(arm(&table).get("/x", VERSION).expect_err("denied")).is("denied"));
    assert_eq!(table.calls().len(), 1);
}

#[test]
fn a_good_status_with_a_bad_body_is_odd() {
    for body in ["<html>", r#"{"a":"#, "\u{1}"] {
        let table = Table::default().raw(200, &[], body);
        let error = Error::from(arm(&table).get("/x", VERSION).expect_err(body));
        assert_eq!(error.code(), "azure.odd-answer");
    }
    let table = Table::default().raw(200, &[], " \n");
    assert_eq!(arm(&table).get("/x", VERSION), Ok(Value::Null));
}

#[test]
fn a_secret_without_a_place_is_not_sent() {
    let table = Table::default();
    let body = Body::from(json!({})).sealed("/password", "pwd".to_owned());
    assert!(arm(&table).put("/x", VERSION, &body).is_err());
    assert!(table.calls().is_empty());
}

#[test]
fn a_list_is_read_to_its_end() {
    let next = "https://management.azure.com/next?p=2";
    let table = Table::default()
        .then(200, &[], &json!({ "value": [1, 2], "nextLink": next }))
        .then(200, &[], &json!({ "value": [3], "nextLink": "" }));
    let all = arm(&table).list("/x", VERSION).unwrap();
    assert_eq!(all, [json!(1), json!(2), json!(3)]);
    assert_eq!(table.calls()[1].url, next);
    let table = Table::default().then(200, &[], &json!({ "value": {} }));
    assert!(arm(&table).list("/x", VERSION).is_err());
    let mut table = Table::default();
    for _ in 0..=MOST_PAGES {
        table = table.then(200, &[], &json!({ "value": [], "nextLink": next }));
    }
    assert!(arm(&table).list("/x", VERSION).is_err());
    assert_eq!(table.calls().len(), MOST_PAGES);
}
