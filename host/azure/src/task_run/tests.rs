use report::Kind;
use serde_json::{Value, json};

use super::*;
use crate::identity::NoSecrets;
use crate::testing::{Reply, Server, granted, identity, with_secret};

const ONE: &str =
    "/subscriptions/s1/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries";

fn registry(name: &str) -> Value {
    json!({ "id": format!("{ONE}/{name}"), "properties": { "loginServer": format!("{name}.azurecr.io") } })
}

fn run(number: u64, more: &Value) -> Value {
    let mut properties = json!({
        "runId": format!("ca{number}"), "status": "Succeeded", "runType": "QuickRun",
        "createTime": format!("2026-11-27T21:24:{number:02}.1234567+00:00"),
    });
    for (name, value) in more.as_object().unwrap() {
        properties[name] = value.clone();
    }
    json!({ "name": format!("ca{number}"), "properties": properties })
}

/// A cloud with two subscriptions and the registry `mine` in the second; `runs` are its runs.
async fn cloud(runs: impl Fn(&str) -> Value + Send + Sync + 'static) -> Server {
    Server::start(move |seen| {
        let target = seen.target.as_str();
        let value = match target.split('?').next().unwrap_or_default() {
            path if path.contains("/oauth2/") => return granted("entra-token", 3599),
            "/arm/subscriptions" => json!([
                { "subscriptionId": "s1", "state": "Enabled" },
                { "subscriptionId": "../s3", "state": "Enabled" },
                { "subscriptionId": "off", "state": "Disabled" },
                { "subscriptionId": "s2" },
            ]),
            path if path.ends_with("/s1/providers/Microsoft.ContainerRegistry/registries") => {
                json!([registry("other"), {}, { "id": "/../x", "properties": { "loginServer": "mine.azurecr.io" } }])
            }
            path if path.ends_with("/s2/providers/Microsoft.ContainerRegistry/registries") => {
                json!([registry("mine")])
            }
            path if path.ends_with("/registries/mine/runs") => return Reply::json(200, runs(target)),
            path => panic!("{path}"),
        };
        Reply::json(200, json!({ "value": value }))
    })
    .await
}

fn wanted(last: usize) -> Wanted<'static> {
    Wanted { task: None, status: None, since: None, keep: None, last }
}

async fn found(server: &Server, wanted: &Wanted<'_>) -> TaskRuns {
    let (identity, _) = identity(with_secret(&server.url));
    let arm = identity.arm(&NoSecrets);
    let registry = arm.task_registry("Mine.azurecr.io", None).await.unwrap();
    assert_eq!((registry.name(), registry.login_server.as_str()), ("mine", "mine.azurecr.io"));
    arm.task_runs(&registry, wanted).await.unwrap()
}

#[tokio::test]
async fn a_registry_is_looked_for_in_all_subscriptions() {
    let server = cloud(|_| json!({ "value": [run(2, &json!({})), run(1, &json!({}))] })).await;
    let runs = found(&server, &wanted(10)).await;
    let ids: Vec<&str> = runs.runs.iter().map(|run| run.id.as_str()).collect();
    assert_eq!((ids.as_slice(), runs.is_cut), (["ca2", "ca1"].as_slice(), false));
    let mut lines = server.lines();
    lines.retain(|line| line.starts_with("GET"));
    let registries = "providers/Microsoft.ContainerRegistry/registries";
    assert_eq!(
        lines,
        [
            "GET /arm/subscriptions?api-version=2022-12-01".to_owned(),
            format!("GET /arm/subscriptions/s1/{registries}?api-version=2026-09-01-preview"),
            format!("GET /arm/subscriptions/s2/{registries}?api-version=2026-09-01-preview"),
            format!("GET /arm{ONE}/mine/runs?api-version=2025-03-01-preview&%24top=11"),
        ]
    );
    let (identity, _) = identity(with_secret(&server.url));
    let fault = identity.arm(&NoSecrets).task_registry("\u{1b}no", Some("s1")).await.unwrap_err();
    assert_eq!((fault.kind, fault.to_string().contains('\u{1b}')), (Kind::NotFound, false));
    assert!(format!("{:?}", fault.help).contains("other.azurecr.io"), "{:?}", fault.help);
}

#[tokio::test]
async fn only_as_much_is_read_as_is_wanted() {
    let server = cloud(|_| {
        json!({ "value": (1..=9).rev().map(|number| run(number, &json!({}))).collect::<Vec<_>>() })
    })
    .await;
    let runs = found(&server, &wanted(3)).await;
    assert_eq!((runs.runs.len(), runs.is_cut), (3, true));
    let runs = found(&server, &wanted(9)).await;
    assert_eq!((runs.runs.len(), runs.is_cut), (9, false));
    let since = runs.runs[4].created;
    let runs = found(&server, &Wanted { since, ..wanted(9) }).await;
    assert_eq!((runs.runs.len(), runs.is_cut), (5, false), "what is older is not");
    let odd = |run: &TaskRun| run.id != "ca8";
    let runs = found(&server, &Wanted { keep: Some(&odd), ..wanted(2) }).await;
    let ids: Vec<&str> = runs.runs.iter().map(|run| run.id.as_str()).collect();
    assert_eq!((ids, runs.is_cut), (vec!["ca9", "ca7"], true));

    let named = Wanted { task: Some("hello"), status: Some("Failed"), ..wanted(1) };
    found(&server, &named).await;
    let asked = server.lines().pop().unwrap();
    assert!(
        asked.contains("%24filter=TaskName+eq+%27hello%27+and+Status+eq+%27Failed%27"),
        "{asked}"
    );
    let before = server.lines().len();
    let none = found(&server, &Wanted { task: Some("a' or 'b"), ..wanted(1) }).await;
    assert_eq!(none, TaskRuns::default());
    assert!(!server.lines()[before..].iter().any(|line| line.contains("/runs")));
}

#[test]
fn a_run_is_read_whole() {
    let read = TaskRun::read(&run(
        7,
        &json!({
            "task": "hello", "platform": { "os": "Linux", "architecture": "arm", "variant": "v7" },
            "startTime": "2026-11-27T21:24:08+00:00", "finishTime": "2026-11-27T22:24:08+01:00",
            "imageUpdateTrigger": { "images": [{ "registry": "b.azurecr.io", "repository": "base", "digest": "sha256:0" }] },
            "outputImages": [{ "registry": "a.azurecr.io", "repository": "r", "tag": "t", "digest": "sha256:1" }, {}],
            "runErrorMessage": "no\nluck",
        }),
    ))
    .unwrap();
    let image = |reference: &str, digest: &str| TaskImage {
        reference: reference.to_owned(),
        digest: digest.to_owned(),
    };
    let expected = TaskRun {
        id: "ca7".to_owned(),
        task: Some("hello".to_owned()),
        platform: "linux/arm/v7".to_owned(),
        status: "Succeeded".to_owned(),
        trigger: TaskTrigger::ImageUpdate,
        created: Some(1_795_814_647_123),
        started: Some(1_795_814_648_000),
        finished: Some(1_795_814_648_000),
        images: vec![image("a.azurecr.io/r:t", "sha256:1")],
        updated: vec![image("b.azurecr.io/base", "sha256:0")],
        error: Some("no?luck".to_owned()),
    };
    assert_eq!(read, expected);
}

#[test]
fn triggers_are_named_as_az_names_them() {
    let word = |more: Value| TaskRun::read(&run(1, &more)).unwrap().trigger.word().to_owned();
    assert_eq!(word(json!({})), "Manual");
    assert_eq!(word(json!({ "timerTrigger": null })), "Manual");
    assert_eq!(word(json!({ "timerTrigger": {} })), "Timer");
    assert_eq!(word(json!({ "sourceTrigger": { "eventType": "Git Commit" } })), "Git Commit");
    assert_eq!(
        word(json!({ "sourceTrigger": { "eventType": " " }, "imageUpdateTrigger": {} })),
        "Image Update"
    );
}

#[test]
fn nothing_that_a_registry_says_is_obeyed_by_a_terminal() {
    let evil = "a\u{1b}]0;x\u{7}\t\u{202e}\u{200b}é\r\n";
    let read = TaskRun::read(&run(
        1,
        &json!({
            "task": evil, "status": evil, "platform": { "os": evil },
            "sourceTrigger": { "eventType": evil }, "runErrorMessage": evil,
            "outputImages": [{ "registry": evil, "repository": evil, "tag": evil, "digest": evil }],
        }),
    ))
    .unwrap();
    let shown = format!("{read:?}");
    assert!(shown.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{shown}");
    assert_eq!(read.task.as_deref(), Some("a?]0;x?????"));
    let long = TaskRun::read(&run(1, &json!({ "task": "x".repeat(9999) }))).unwrap();
    assert_eq!(long.task.map(|task| task.len()), Some(LONGEST_WORD));
}

#[test]
fn what_is_no_run_is_none() {
    for value in [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({ "properties": [] }),
        json!({ "name": "../x" }),
        json!({ "properties": { "runId": "a b" } }),
        json!({ "properties": { "runId": "" } }),
    ] {
        assert_eq!(TaskRun::read(&value), None, "{value}");
    }
    let bare = TaskRun::read(
        &json!({ "name": "ca1", "properties": { "createTime": 7, "outputImages": {} } }),
    );
    assert_eq!(
        bare,
        Some(TaskRun { id: "ca1".to_owned(), status: "Unknown".to_owned(), ..TaskRun::default() })
    );
    for time in ["", "2026", "2026-11-27", "1960-01-01T00:00:00Z", "99999-01-01T00:00:00Z"] {
        assert_eq!(millis(time), None, "{time}");
    }
}
