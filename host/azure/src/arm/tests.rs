use report::{Fault, Kind};
use serde_json::json;

use super::*;
use crate::identity::NoSecrets;
use crate::testing::{Reply, Server, granted, identity, with_secret};

/// What a list gives whose pages are `pages`, and what was asked for.
async fn list(
    pages: impl Fn(&str, &str) -> Reply + Send + Sync + 'static,
) -> (Result<Vec<Value>, Fault>, Vec<String>) {
    let own = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let known = std::sync::Arc::clone(&own);
    let server = Server::start(move |seen| match seen.target.as_str() {
        target if target.contains("/oauth2/") => granted("entra-token", 3599),
        target => {
            assert_eq!(seen.header("authorization"), Some("Bearer entra-token"));
            pages(target, known.get().map_or("", String::as_str))
        }
    })
    .await;
    own.set(server.url.clone()).unwrap();
    let (identity, _) = identity(with_secret(&server.url));
    let listed = identity.arm(&NoSecrets).list("/subscriptions", "2022-12-01", "things").await;
    let mut lines = server.lines();
    lines.retain(|line| line.starts_with("GET"));
    (listed.map_err(Fault::from), lines)
}

#[tokio::test]
async fn pages_are_followed_to_their_end() {
    let (listed, lines) = list(|target, own| match target.contains("skip") {
        false => Reply::json(
            200,
            json!({ "value": [1, 2], "nextLink": format!("{own}/arm/subscriptions?skip=2") }),
        ),
        true => Reply::json(200, json!({ "value": [3], "nextLink": "" })),
    })
    .await;
    assert_eq!(listed.unwrap(), [json!(1), json!(2), json!(3)]);
    let first = "GET /arm/subscriptions?api-version=2022-12-01";
    assert_eq!(lines, [first, "GET /arm/subscriptions?skip=2"]);
}

#[tokio::test]
async fn a_token_does_not_follow_a_link_to_somebody_else() {
    for link in ["https://evil.example/subscriptions", "http://127.0.0.1:1/arm/x", "../x", "\u{1b}"]
    {
        let page = json!({ "value": [], "nextLink": link });
        let (listed, lines) = list(move |_, _| Reply::json(200, &page)).await;
        let fault = listed.unwrap_err();
        assert!(matches!(fault.kind, Kind::Denied | Kind::Failed), "{link}: {fault}");
        assert_eq!(lines.len(), 1, "{link}");
    }
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let (listed, lines) = list(|_, own| {
        let next = format!("{own}/arm/subscriptions?again");
        Reply::json(200, json!({ "value": [1], "nextLink": next }))
    })
    .await;
    assert!(listed.unwrap_err().to_string().contains("too many pages"));
    assert_eq!(lines.len(), MOST_PAGES);
}

#[tokio::test]
async fn what_is_no_list_is_said_to_be_none() {
    for body in ["", "null", "[]", "{}", r#"{"value":{}}"#, r#"{"value":"x"}"#, "<html>"] {
        let (listed, _) = list(move |_, _| Reply::json(200, body)).await;
        let fault = listed.unwrap_err();
        assert_eq!(fault.kind, Kind::Failed, "{body}: {fault}");
        assert!(fault.help.is_some(), "{body}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_was_asked_and_what_to_try() {
    let refused = |status: u16, code: &'static str| async move {
        let error = json!({ "error": { "code": code, "message": "no\u{1b}[2J right" } });
        list(move |_, _| Reply::json(status, &error)).await.0.unwrap_err()
    };
    let fault = refused(403, "AuthorizationFailed").await;
    assert_eq!(fault.kind, Kind::Unauthorized);
    let said = format!("{fault} {:?} {:?}", fault.causes, fault.help);
    for part in ["things", "`prod`", "AuthorizationFailed", "no [2J right", "Reader"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(refused(404, "SubscriptionNotFound").await.kind, Kind::NotFound);
    assert_eq!(refused(503, "Busy").await.kind, Kind::Transient);
    assert_eq!(refused(400, "Odd").await.kind, Kind::Failed);
}
