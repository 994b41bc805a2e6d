use std::cell::RefCell;

use arm::table::Table;
use serde_json::json;

use super::*;
use crate::fake::{DIGEST, Fake, S, inputs, served, story};

const OPERATION: &str =
    "https://management.azure.com/subscriptions/x/operations/1?api-version=2018-06-01";
const STARTED: [(&str, &str); 2] = [("Azure-AsyncOperation", OPERATION), ("Retry-After", "1")];

fn group(at: &str) -> String {
    format!(
        "{at} /subscriptions/{S}/resourceGroups/rg1/providers/Microsoft.ContainerInstance/\
         containerGroups/aci-demo?api-version={VERSION}"
    )
}

fn missing() -> Value {
    json!({ "error": { "code": "ResourceNotFound", "message": "not found" } })
}

fn with(more: &Value) -> Inputs {
    let mut all = story();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    inputs(&all)
}

/// The group that the story's inputs make, as Azure gives it.
fn there(more: &Value, state: &str) -> Value {
    let facts = Facts {
        location: "westeurope".to_owned(),
        label: Some("aci-demo-1".to_owned()),
        images: [("myregistry.azurecr.io/aci-helloworld:v1".to_owned(), pinned())].into(),
    };
    served(&spec(&with(more), &facts).value, state, 0)
}

fn pinned() -> String {
    format!("myregistry.azurecr.io/aci-helloworld@{DIGEST}")
}

fn creating() -> Value {
    let mut group = there(&json!({}), "Waiting");
    group["properties"]["provisioningState"] = "Creating".into();
    group
}

#[test]
fn a_group_is_created_with_no_more_requests_than_az() {
    let table = Table::default()
        .then(404, &[], &missing())
        .then(200, &[], &json!({ "location": "westeurope" }))
        .then(201, &STARTED, &json!({}))
        .then(200, &[], &creating())
        .then(200, &[], &there(&json!({}), "Running"));
    let host = Fake::new(table);
    let (outputs, summary) = deploy(&with(&json!({})), false, &host).unwrap();
    assert_eq!(
        host.table.lines(),
        [
            group("GET"),
            format!("GET /subscriptions/{S}/resourceGroups/rg1?api-version=2024-11-01"),
            group("PUT"),
            group("GET"),
            group("GET"),
        ]
    );
    // az asks for the resource group, puts, looks twice at the operation, and gets the group: five.
    let body: Value = serde_json::from_str(&host.table.calls()[2].body).unwrap();
    assert_eq!(body["properties"]["containers"][0]["properties"]["image"], pinned());
    assert_eq!(body["properties"]["imageRegistryCredentials"][0]["password"], "‹pwd›");
    assert_eq!(body["location"], "westeurope");
    assert!(outputs.changed && !outputs.replaced);
    assert_eq!(outputs.fqdn.as_deref(), Some("aci-demo-1.westeurope.azurecontainer.io"));
    assert_eq!(outputs.url.as_deref(), Some("http://aci-demo-1.westeurope.azurecontainer.io"));
    assert_eq!(
        (outputs.ip.as_deref(), outputs.digest.as_deref()),
        (Some("20.50.60.70"), Some(DIGEST))
    );
    assert_eq!(
        (outputs.state.as_str(), outputs.containers[0].state.as_str()),
        ("Running", "Running")
    );
    assert!(summary.contains("is created"), "{summary}");
    assert!(host.table.said().iter().any(|line| line == "aci-demo: Started: Started container"));
}

#[test]
fn a_group_that_is_as_wanted_costs_one_request() {
    let host = Fake::new(Table::default().then(200, &[], &there(&json!({}), "Running")));
    let (outputs, summary) = deploy(&with(&json!({})), false, &host).unwrap();
    assert!(!outputs.changed && outputs.changes.is_empty());
    assert_eq!(host.table.lines(), [group("GET")]);
    assert!(summary.contains("as it should be"), "{summary}");
    let host = Fake::new(
        Table::default()
            .then(200, &[], &there(&json!({}), "Running"))
            .then(200, &[], &json!({}))
            .then(200, &[], &there(&json!({}), "Running")),
    );
    let always = json!({ "update-secrets": "always" });
    assert!(deploy(&with(&always), false, &host).unwrap().0.changed);
    assert_eq!(host.table.lines()[1], group("PUT"));
    let host = Fake::new(Table::default().then(200, &[], &there(&json!({}), "Stopped")));
    let mut stopped = there(&json!({}), "Stopped");
    stopped["properties"]["instanceView"]["state"] = "Stopped".into();
    let error = deploy(&with(&json!({})), false, &host).expect_err("stopped");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("start")), "{error}");
}

#[test]
fn tags_alone_are_changed_without_a_restart() {
    let mut found = there(&json!({}), "Running");
    found["tags"] = json!({ "policy": "x" });
    let host = Fake::new(Table::default().then(200, &[], &found).then(200, &[], &json!({})));
    let (outputs, _) = deploy(&with(&json!({ "tags": { "a": "1" } })), false, &host).unwrap();
    assert!(outputs.changed);
    assert_eq!(host.table.lines()[1], group("PATCH"));
    assert_eq!(host.table.calls()[1].body, r#"{"tags":{"a":"1","policy":"x"}}"#);
}

#[test]
fn another_image_is_an_update() {
    let host = Fake::new(
        Table::default()
            .then(200, &[], &there(&json!({ "env": { "A": "1" } }), "Running"))
            .then(200, &STARTED, &json!({}))
            .then(200, &[], &there(&json!({}), "Running")),
    );
    let (outputs, summary) = deploy(&with(&json!({})), false, &host).unwrap();
    assert_eq!(
        outputs.changes,
        ["/properties/containers/aci-demo/properties/environmentVariables"]
    );
    assert!(summary.contains("is updated"), "{summary}");
}

#[test]
fn what_cannot_be_changed_is_made_anew_if_it_may() {
    let more = json!({ "cpu": 2 });
    let host = Fake::new(Table::default().then(200, &[], &there(&json!({}), "Running")));
    let error = deploy(&with(&more), false, &host).expect_err("fixed");
    assert!(error.is("conflict") && error.message().contains("/resources/requests/cpu"), "{error}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("replace = \"if-needed\"")));
    let anew = || {
        Table::default()
            .then(200, &[], &there(&json!({}), "Running"))
            .then(200, &[], &json!({}))
            .then(201, &STARTED, &json!({}))
            .then(200, &[], &there(&more, "Running"))
    };
    for replace in ["if-needed", "always"] {
        let host = Fake::new(anew());
        let inputs = with(&json!({ "cpu": 2, "replace": replace }));
        let (outputs, summary) = deploy(&inputs, false, &host).unwrap();
        assert!(outputs.replaced && summary.contains("made anew"), "{summary}");
        assert_eq!(host.table.lines(), [group("GET"), group("DELETE"), group("PUT"), group("GET")]);
    }
    // Azure knows more of what cannot be changed than we do.
    let refusal =
        json!({ "error": { "code": "InvalidContainerGroupUpdate", "message": "delete it first" } });
    let refused =
        || Table::default().then(200, &[], &there(&json!({}), "Running")).then(400, &[], &refusal);
    let changed = json!({ "env": { "A": "1" } });
    let host = Fake::new(refused());
    let error = deploy(&with(&changed), false, &host).expect_err("refused");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("if-needed")), "{error:?}");
    let host =
        Fake::new(refused().then(200, &[], &json!({})).then(201, &STARTED, &json!({})).then(
            200,
            &[],
            &there(&changed, "Running"),
        ));
    let inputs = with(&json!({ "env": { "A": "1" }, "replace": "if-needed" }));
    assert!(deploy(&inputs, false, &host).unwrap().0.replaced);
}

#[test]
fn a_failed_group_shows_what_it_has_written() {
    let mut failed = there(&json!({}), "Waiting");
    failed["properties"]["provisioningState"] = "Failed".into();
    let error = json!({ "code": "InternalError", "message": "The provisioning failed." });
    let host = Fake::new(
        Table::default()
            .then(404, &[], &missing())
            .then(201, &STARTED, &json!({}))
            .then(200, &[], &failed)
            .then(200, &[], &json!({ "status": "Failed", "error": error }))
            .then(200, &[], &json!({ "content": "one\ntwo\n" })),
    );
    let error =
        deploy(&with(&json!({ "location": "westeurope" })), false, &host).expect_err("failed");
    assert_eq!(error.code(), "azure.operation-failed");
    assert!(error.message().contains("InternalError: The provisioning failed"), "{error}");
    assert!(host.table.lines()[3].contains("/operations/1"));
    assert!(host.table.lines()[4].contains("/containers/aci-demo/logs?tail=100&api-version="));
    assert!(host.table.said().contains(&"aci-demo | two".to_owned()));
}

#[test]
fn the_former_group_comes_back_if_that_is_wanted() {
    let crashed = |restarts| {
        let mut group = there(&json!({}), "Waiting");
        group["properties"]["containers"][0]["properties"]["instanceView"]["restartCount"] =
            restarts;
        group
    };
    let former = there(&json!({ "env": { "OLD": "1" } }), "Running");
    let host = Fake::new(
        Table::default()
            .then(200, &[], &former)
            .then(200, &[("Retry-After", "1")], &json!({}))
            .then(200, &[], &crashed(json!(4)))
            .then(200, &[], &json!({ "content": null }))
            .then(200, &[], &json!({}))
            .then(200, &[], &former),
    );
    let error =
        deploy(&with(&json!({ "on-failure": "restore" })), false, &host).expect_err("crashed");
    assert_eq!(error.code(), "azure.unhealthy");
    assert!(error.message().starts_with("the former group is restored: "), "{error}");
    let body: Value = serde_json::from_str(&host.table.calls()[4].body).unwrap();
    assert_eq!(
        body["properties"]["containers"][0]["properties"]["environmentVariables"][0]["name"],
        "OLD"
    );
    assert_eq!(body["properties"]["imageRegistryCredentials"][0]["password"], "‹pwd›");
    // A secret that the inputs do not have: it says so, and the error is that of the deployment.
    let former = there(&json!({ "env": { "OLD": { "secret": "gone" } } }), "Running");
    let host = Fake::new(
        Table::default()
            .then(200, &[], &former)
            .then(200, &[], &json!({}))
            .then(200, &[], &crashed(json!(4)))
            .then(200, &[], &json!({ "content": "" })),
    );
    let error =
        deploy(&with(&json!({ "on-failure": "restore" })), false, &host).expect_err("crashed");
    assert!(error.message().contains("has ended 4 times"), "{error}");
    assert!(host.warned.borrow()[0].contains("environmentVariables/0/secureValue"));
}

#[test]
fn only_what_was_changed_is_restored() {
    let former = there(&json!({ "env": { "OLD": "1" } }), "Running");
    let refusal = json!({ "error": { "code": "InaccessibleImage", "message": "no" } });
    let more = json!({ "on-failure": "restore" });
    let host = Fake::new(Table::default().then(200, &[], &former).then(400, &[], &refusal));
    assert!(deploy(&with(&more), false, &host).is_err());
    assert_eq!(host.table.lines(), [group("GET"), group("PUT")], "it was refused");
    let host = Fake::new(Table::default().then(200, &[], &former).then(200, &[], &json!({})).then(
        403,
        &[],
        &json!({ "error": { "code": "AuthorizationFailed", "message": "no" } }),
    ));
    assert!(deploy(&with(&more), false, &host).expect_err("no look").is("denied"));
    assert_eq!(host.table.lines().len(), 3, "nobody knows how it is");
    let more = json!({ "on-failure": "restore", "replace": "always" });
    let host = Fake::new(
        Table::default()
            .then(200, &[], &former)
            .then(200, &[], &json!({}))
            .then(400, &[], &refusal)
            .then(201, &STARTED, &json!({}))
            .then(200, &[], &former),
    );
    let error = deploy(&with(&more), false, &host).expect_err("refused");
    assert!(error.message().starts_with("the former group is restored"), "{error}");
    assert_eq!(
        host.table.lines(),
        [group("GET"), group("DELETE"), group("PUT"), group("PUT"), group("GET")]
    );
}

#[test]
fn a_wait_has_an_end() {
    let mut table = Table::default().then(404, &[], &missing()).then(201, &STARTED, &json!({}));
    for _ in 0..100 {
        table = table.then(200, &[], &creating());
    }
    let host = Fake::new(table.then(404, &[], &missing()));
    let inputs = with(&json!({ "location": "westeurope", "within": "1m" }));
    let error = deploy(&inputs, false, &host).expect_err("late");
    assert_eq!(error.code(), "timeout.azure");
    assert!(error.message().contains("Azure makes it: `Creating`"), "{error}");
    assert!(arm::Http::now(&host) < std::time::Duration::from_secs(61));
}

#[test]
fn a_group_must_answer_where_that_is_asked() {
    let run = |probes: Vec<Result<u16>>, health: Value| {
        let table = Table::default().then(200, &[], &there(&json!({}), "Running"));
        let host = Fake { probes: RefCell::new(probes.into()), ..Fake::new(table) };
        let done = deploy(&with(&json!({ "health": health, "within": "1m" })), false, &host);
        (done, host)
    };
    let refused = || Err(Error::new("transient.http", "refused"));
    let (done, host) = run(vec![refused(), Ok(503), Ok(302)], json!({ "path": "/up" }));
    assert!(done.is_ok());
    assert_eq!(host.probed.borrow()[2], "http://aci-demo-1.westeurope.azurecontainer.io:80/up");
    let (done, host) = run(vec![Ok(404)], json!({ "status": 200 }));
    let error = done.expect_err("nothing answers");
    assert!(error.is("unhealthy") && error.message().contains("nobody listens"), "{error}");
    assert!(host.probed.borrow().len() > 3);
    let (done, _) = run(vec![Err(Error::new("denied.http", "no rule"))], json!({}));
    assert!(done.expect_err("denied").is("denied"));
    let (done, _) = run(vec![], json!({ "suffix": "azurecontainer.cn" }));
    assert!(
        done.expect_err("another cloud").hint_text().is_some_and(|hint| hint.contains("suffix"))
    );
}

#[test]
fn a_random_label_stays() {
    let random = json!({ "dns-label": "aci-demo-1", "dns-random": true, "location": "westeurope" });
    let host = Fake::new(
        Table::default().then(404, &[], &missing()).then(201, &STARTED, &json!({})).then(
            200,
            &[],
            &there(&json!({}), "Running"),
        ),
    );
    deploy(&with(&random), false, &host).unwrap();
    let body: Value = serde_json::from_str(&host.table.calls()[1].body).unwrap();
    let label = body["properties"]["ipAddress"]["dnsNameLabel"].as_str().unwrap().to_owned();
    assert_eq!(label, "aci-demo-1-012345");
    let mut found = there(&json!({}), "Running");
    found["properties"]["ipAddress"]["dnsNameLabel"] = "aci-demo-1-999999".into();
    let host = Fake::new(Table::default().then(200, &[], &found));
    assert!(!deploy(&with(&random), false, &host).unwrap().0.changed);
}

#[test]
fn images_are_asked_for_before_azure_is() {
    let look = |more: &Value, answer| {
        let table = Table::default().then(404, &[], &missing());
        let mut host = Fake::new(table);
        host.images.insert("myregistry.azurecr.io/aci-helloworld:v1".to_owned(), answer);
        let done = deploy(&with(more), true, &host);
        (done, host.table.lines().len())
    };
    let here = json!({ "location": "westeurope" });
    let (done, asked) = look(&here, Ok(None));
    assert!(done.expect_err("no image").is("not-found"));
    assert_eq!(asked, 1);
    let refused = || Err(Error::new("oci.unauthorized", "the registry refuses"));
    let error = look(&here, refused()).0.expect_err("refused");
    assert_eq!(error.code(), "oci.unauthorized");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("[registries")));
    let (done, _) = look(&json!({ "location": "x", "pin": false, "preflight": false }), refused());
    assert!(done.unwrap().0.digest.is_none());
    let (done, _) = look(&json!({ "location": "x", "pin": false }), refused());
    assert!(done.is_err());
}

#[test]
fn a_dry_run_says_what_would_change() {
    let run = |found: Value, more: &Value| {
        let host = Fake::new(Table::default().then(200, &[], &found));
        let (outputs, summary) = deploy(&with(more), true, &host).unwrap();
        assert_eq!(host.table.lines(), [group("GET")]);
        (outputs.changed, summary)
    };
    let (changed, text) = run(there(&json!({}), "Running"), &json!({}));
    assert!(!changed && text.contains("as it should be"), "{text}");
    let (changed, text) = run(there(&json!({}), "Running"), &json!({ "env": { "A": "1" } }));
    assert!(changed && text.contains("would be updated: /properties/containers"), "{text}");
    let more = json!({ "cpu": 2, "replace": "if-needed" });
    assert!(run(there(&json!({}), "Running"), &more).1.contains("would be made anew"));
}

#[test]
fn a_template_is_written_and_nobody_is_called() {
    let host = Fake::new(Table::default());
    let (outputs, _) = deploy(&with(&json!({ "template": "out/aci.json" })), false, &host).unwrap();
    assert!(outputs.changed && host.table.calls().is_empty());
    let (path, text) = host.written.borrow()[0].clone();
    let template: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(path, "out/aci.json");
    let properties = &template["resources"][0]["properties"];
    assert_eq!(properties["imageRegistryCredentials"][0]["password"], "[parameters('pwd')]");
    assert_eq!(
        properties["containers"][0]["properties"]["image"],
        "myregistry.azurecr.io/aci-helloworld:v1"
    );
    let host = Fake::new(Table::default());
    deploy(&with(&json!({ "template": "a" })), true, &host).unwrap();
    assert!(host.written.borrow().is_empty());
}

#[test]
fn refusals_say_what_to_try() {
    for (code, hint) in [
        ("InaccessibleImage", "`registries`"),
        ("RegistryErrorResponse", "import the image"),
        ("DnsNameLabelNotAvailable", "dns-random"),
        ("ContainerGroupQuotaReached", "ask for more"),
    ] {
        let refusal = json!({ "error": { "code": code, "message": "no" } });
        let table = Table::default().then(404, &[], &missing()).then(400, &[], &refusal);
        let host = Fake::new(table);
        let inputs = with(&json!({ "location": "westeurope" }));
        let error = deploy(&inputs, false, &host).expect_err(code);
        assert!(error.hint_text().is_some_and(|text| text.contains(hint)), "{code}: {error:?}");
    }
    let denied = json!({ "registries": [{ "server": "s", "username": "u", "password": { "secret": "denied" } }], "location": "x" });
    let host = Fake::new(Table::default().then(404, &[], &missing()));
    assert!(deploy(&with(&denied), false, &host).expect_err("denied").is("denied"));
    assert_eq!(host.table.lines().len(), 1, "nothing is sent without the secret");
}
