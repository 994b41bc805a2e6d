use std::cell::RefCell;
use std::collections::VecDeque;

use arm::table::Table;
use serde_json::{Value as Json, json};

use super::*;

const ONE: &str = "11111111-1111-1111-1111-111111111111";
const DIGEST: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const BLOB: &str = "https://store.blob.core.windows.net";
const SAMPLE: &str = "https://github.com/Azure-Samples/acr-build-helloworld-node.git#master";

#[derive(Default)]
struct World {
    table: Table,
    sends: RefCell<VecDeque<Result<Sent>>>,
    sent: RefCell<Vec<String>>,
    lines: RefCell<Vec<String>>,
    has_no_file: bool,
}

impl Cloud for World {
    type Http = Table;

    fn http(&self) -> &Table {
        &self.table
    }

    fn secret(&self, name: &str) -> Result<String> {
        Ok(name.to_owned())
    }

    fn has_file(&self) -> Result<bool> {
        Ok(!self.has_no_file)
    }

    fn upload(&self, url: &str, headers: &[(&str, &str)]) -> Result<Sent> {
        let headers: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        self.sent.borrow_mut().push(format!("{url} {}", headers.join(", ")));
        let taken = || Ok(Sent { status: 201, text: String::new(), size: 706 });
        self.sends.borrow_mut().pop_front().unwrap_or_else(taken)
    }

    fn revision(&self) -> Option<String> {
        None
    }

    fn line(&self, text: &str) {
        self.lines.borrow_mut().push(text.to_owned());
    }
}

fn listed(name: &str) -> Table {
    let registry = json!({
        "id": format!("/subscriptions/{ONE}/resourceGroups/rg1/providers/{}/{name}", acr::KIND),
        "name": name, "location": "westeurope",
        "properties": { "loginServer": format!("{name}.azurecr.io") },
    });
    Table::default().then(200, &[], &json!({ "value": [registry] }))
}

fn uploading(table: Table) -> Table {
    let path = "source/202601010000/456a4222-b09c-4be9-b8be-580c3c305441.tar.gz";
    table.then(
        200,
        &[],
        &json!({ "uploadUrl": format!("{BLOB}/c/{path}?sig=hush"), "relativePath": path }),
    )
}

/// A run that is taken, logs a line and ends.
fn running(table: Table, status: &str) -> Table {
    let run = |status: &str, images: Json| json!({ "name": "ca1", "properties": { "runId": "ca1", "status": status, "outputImages": images } });
    let image = json!([{ "registry": "myregistry.azurecr.io", "repository": "hello", "tag": "ca1", "digest": DIGEST }]);
    table
        .then(200, &[], &run("Queued", json!([])))
        .then(
            200,
            &[],
            &json!({ "logLink": format!("{BLOB}/logs/ca1?sig=hush"), "logArtifactLink": "" }),
        )
        .raw(
            206,
            &[("content-range", "bytes 0-11/12"), ("x-ms-meta-complete", "successful")],
            "Step 1/2\r\nok",
        )
        .then(200, &[], &run(status, image))
}

fn inputs(with: &str) -> Inputs {
    let text = format!(
        r#"{{"builder": "acr-tasks", "identity": "prod", "subscription": "{ONE}", {with}}}"#
    );
    serde_json::from_str(&text).expect(with)
}

const HOUR: Duration = Duration::from_secs(3600);

fn built(with: &str, world: &World) -> Result<Outcome<Outputs>> {
    build(&inputs(with), false, HOUR, world)
}

/// Methods, paths and bodies that az sends to ARM, without how it looks a registry up.
fn captured(text: &str) -> Vec<(String, Json)> {
    let scenario: Json = serde_json::from_str(text).unwrap();
    let exchanges = scenario.get("exchanges").and_then(Json::as_array).unwrap();
    let requests = exchanges.iter().filter_map(|exchange| exchange.get("request"));
    let text =
        |request: &Json, key: &str| request.get(key).and_then(Json::as_str).unwrap().to_owned();
    let arm = requests.filter(|request| {
        text(request, "host") == "management.azure.com" && text(request, "method") == "POST"
    });
    let line = |request: &Json| format!("POST {}", text(request, "path"));
    arm.map(|request| (line(request), request.get("body").cloned().unwrap_or_default())).collect()
}

/// The same of ours.
fn posted(table: &Table) -> Vec<(String, Json)> {
    let lines = table.lines().into_iter().zip(table.calls());
    let posts = lines.filter(|(_, call)| call.method == "POST");
    posts.map(|(line, call)| (line, serde_json::from_str(&call.body).unwrap_or_default())).collect()
}

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/azure/captures/", $name, ".json"))
    };
}

#[test]
fn where_no_tasks_are_permitted_the_first_refusal_says_the_way_out() {
    let refused =
        json!({ "error": { "code": "TasksOperationsNotAllowed", "message": "not permitted" } });
    let world = World { table: listed("myregistry").then(400, &[], &refused), ..World::default() };
    let error = built(r#""tags": ["myregistry.azurecr.io/app:1"]"#, &world).unwrap_err();
    assert!(error.is("denied") && error.message().contains("not permitted"), "{error}");
    assert!(error.hint_text().unwrap().contains("`builder = \"local\"`"), "{error}");
    assert!(world.sent.borrow().is_empty(), "nothing was sent");
}

#[test]
fn a_repository_is_built_as_az_has_it_built() {
    for (capture, with) in [
        (capture!("build-git"), r#""tags": ["myregistry.azurecr.io/hello:{{.Run.ID}}"]"#),
        (
            capture!("build-abac-caller"),
            r#""tags": ["hello:1"], "registry": "myregistry", "source-acr-auth-id": "[caller]""#,
        ),
    ] {
        let world = World { table: running(listed("myregistry"), "Succeeded"), ..World::default() };
        let outcome = built(&format!(r#""context": "{SAMPLE}", {with}"#), &world).expect(with);
        // az was told not to wait: the log it did not ask for.
        assert_eq!(posted(&world.table).first(), captured(capture).first());
        assert!(world.sent.borrow().is_empty(), "Azure fetches it");
        let outputs = outcome.outputs();
        assert_eq!((outputs.run_id.as_deref(), outputs.digest.as_str()), (Some("ca1"), DIGEST));
        let target = outputs.targets.first().unwrap();
        assert_eq!(target.reference, "myregistry.azurecr.io/hello:ca1", "Azure has filled it in");
        assert_eq!(world.lines.borrow().as_slice(), ["Step 1/2", "ok"]);
        assert_eq!(world.table.left(), 0);
    }
}

#[test]
fn a_folder_is_sent_and_built_as_az_does() {
    let world =
        World { table: running(uploading(listed("myregistry")), "Succeeded"), ..World::default() };
    built(r#""context": ".", "tags": ["myregistry.azurecr.io/helloacrtasks:v1"]"#, &world).unwrap();
    let ours = posted(&world.table);
    let theirs = captured(capture!("build-local"));
    // Ours is called `ca1`; and az names the Dockerfile anew, since it sends one from elsewhere too.
    let line = |list: &[(String, Json)], at: usize| list[at].0.clone();
    assert_eq!(line(&ours, 0), line(&theirs, 0));
    assert_eq!(line(&ours, 2), line(&theirs, 2).replace("/caw/", "/ca1/"));
    let (call, mut body) = theirs[1].clone();
    assert!(body["dockerFilePath"].as_str().unwrap().ends_with("_Dockerfile"));
    body["dockerFilePath"] = json!("Dockerfile");
    assert_eq!(ours.get(1), Some(&(call, body)));
    assert_eq!((ours.len(), theirs.len()), (3, 3));
    let sent = world.sent.borrow().clone();
    let [sent] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(sent.contains("x-ms-blob-type: BlockBlob") && sent.contains("octet-stream"), "{sent}");
    // What opens the store is told to nobody.
    assert!(!world.table.said().join("\n").contains("hush"), "{:?}", world.table.said());
}

#[test]
fn arguments_and_settings_reach_azure() {
    let with = r#""context": "oci://myregistry.azurecr.io/src:1", "registry": "MyRegistry.azurecr.io", "file": "sub/Dockerfile-app",
        "args": {"A": "1"}, "secret-args": {"TOKEN": "npm"}, "target": "app", "platforms": "linux/arm64/v8",
        "agent-pool": "pool1", "run-timeout": "2h", "no-cache": true"#;
    let world = World { table: running(listed("myregistry"), "Succeeded"), ..World::default() };
    built(with, &world).unwrap();
    let (_, body) = posted(&world.table).first().cloned().unwrap();
    let expected = json!({
        "type": "DockerBuildRequest", "isPushEnabled": false, "sourceLocation": "oci://myregistry.azurecr.io/src:1",
        "dockerFilePath": "sub/Dockerfile-app", "target": "app", "noCache": true, "timeout": 7200, "agentPoolName": "pool1",
        "platform": { "os": "linux", "architecture": "arm64", "variant": "v8" }, "credentials": {},
        "arguments": [
            { "type": "Argument", "name": "A", "value": "1", "isSecret": false },
            { "type": "Argument", "name": "TOKEN", "value": "‹npm›", "isSecret": true },
        ],
    });
    assert_eq!(body, expected);
}

#[test]
fn a_dockerfile_of_the_pipeline_is_sent_along() {
    let world =
        World { table: running(uploading(listed("myregistry")), "Succeeded"), ..World::default() };
    built(r#""dockerfile": "FROM scratch", "tags": ["myregistry.azurecr.io/a:1"]"#, &world)
        .unwrap();
    let (_, body) = posted(&world.table)[1].clone();
    assert_eq!(body["dockerFilePath"], GIVEN);
}

#[test]
fn a_run_that_failed_is_a_step_that_failed_whatever_its_log_says() {
    for (status, code) in [
        ("Failed", "azure.run-failed"),
        ("Timeout", "timeout.azure"),
        ("Canceled", "cancelled.azure"),
    ] {
        let world = World { table: running(listed("myregistry"), status), ..World::default() };
        let error = built(
            &format!(r#""context": "{SAMPLE}", "tags": ["myregistry.azurecr.io/a:1"]"#),
            &world,
        );
        assert_eq!(error.unwrap_err().code(), code);
        assert_eq!(world.lines.borrow().len(), 2, "the log is told before");
    }
}

#[test]
fn a_store_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let answer = |status: u16, text: &str| Ok(Sent { status, text: text.to_owned(), size: 1 });
    let with = r#""tags": ["myregistry.azurecr.io/a:1"]"#;
    let world =
        World { table: running(uploading(listed("myregistry")), "Succeeded"), ..World::default() };
    let busy = [answer(503, ""), Err(Error::new("transient.http", "reset")), answer(500, "")];
    world.sends.borrow_mut().extend(busy);
    built(with, &world).unwrap();
    assert_eq!(world.sent.borrow().len(), 4);
    for (sends, count, code, word) in [
        (
            vec![answer(403, "<Error><Code>AuthorizationFailure</Code></Error>")],
            1,
            "denied.azure",
            "403 AuthorizationFailure",
        ),
        (vec![answer(413, "")], 1, "invalid.azure", "413"),
        (vec![answer(400, "<Code>")], 1, "azure.refused", "400"),
        (
            vec![Err(Error::new("denied.http", "not granted"))],
            1,
            "denied.http",
            "send the context: not granted",
        ),
        ((0..4).map(|_| answer(503, "")).collect(), 4, "transient.azure", "503"),
    ] {
        let world = World { table: uploading(listed("myregistry")), ..World::default() };
        world.sends.borrow_mut().extend(sends);
        let error = built(with, &world).unwrap_err();
        assert!(error.code() == code && error.message().contains(word), "{error:?}");
        assert!(!error.message().contains("hush"));
        assert_eq!(world.sent.borrow().len(), count, "{word}");
    }
    let world =
        World { table: listed("myregistry").then(200, &[], &json!({})), ..World::default() };
    assert_eq!(built(with, &world).unwrap_err().code(), "azure.odd-answer");
}

#[test]
fn who_may_not_use_acr_tasks_is_shown_the_way_out() {
    let scenario: Json = serde_json::from_str(capture!("build-not-allowed")).unwrap();
    let answer = scenario.pointer("/exchanges/2/emulator_response/body").unwrap();
    let world = World { table: listed("freeregistry").then(400, &[], answer), ..World::default() };
    let error = built(
        &format!(r#""context": "{SAMPLE}", "tags": ["freeregistry.azurecr.io/hello:1"]"#),
        &world,
    );
    let error = error.unwrap_err();
    assert!(
        error.is("denied") && error.hint_text().unwrap().contains("builder = \"local\""),
        "{error:?}"
    );
}

#[test]
fn a_dry_run_looks_and_sends_nothing() {
    let world = World { table: listed("myregistry"), ..World::default() };
    let inputs = inputs(r#""tags": ["myregistry.azurecr.io/a:1"]"#);
    build(&inputs, true, HOUR, &world).unwrap();
    assert!(world.sent.borrow().is_empty() && world.table.lines().len() == 1);
    let world = World { has_no_file: true, ..World::default() };
    assert!(build(&inputs, true, HOUR, &world).unwrap_err().is("not-found"));
}

#[test]
fn what_acr_tasks_do_not_do_is_refused_before_anything_is_asked() {
    for (with, word) in [
        (r#""platforms": ["linux/amd64", "linux/arm64"]"#, "one platform"),
        (r#""platforms": "system""#, "this machine"),
        (r#""platforms": "linux/riscv64""#, "riscv64"),
        (r#""sbom": "spdx""#, "`sbom`"),
        (r#""provenance": true"#, "`provenance`"),
        (r#""secrets": ["a"]"#, "`secrets`"),
        (r#""cache-to": "a.io/b""#, "`cache-to`"),
        (r#""format": "docker""#, "`format`"),
        (r#""compression": "zstd""#, "`compression`"),
        (r#""source-date-epoch": 1"#, "`source-date-epoch`"),
        (r#""labels": {"a": "b"}"#, "`labels`"),
        (r#""image": {"base": "a"}"#, "`image`"),
        (r#""context": "https://a.io/b.git", "dockerfile": "FROM a""#, "`dockerfile`"),
        (r#""run-timeout": "1m""#, "`1m`"),
        (r#""run-timeout": "soon""#, "`soon`"),
        (r#""endpoint": "http://arm.example""#, "endpoint"),
    ] {
        let world = World::default();
        let error = built(with, &world).expect_err(with);
        assert!(error.is("invalid") && error.message().contains(word), "{error}");
        assert!(error.hint_text().is_some() && world.table.calls().is_empty(), "{error:?}");
    }
    let inputs: Inputs = serde_json::from_str(r#"{"builder": "acr-tasks"}"#).unwrap();
    let error = build(&inputs, false, HOUR, &World::default()).unwrap_err();
    assert!(error.hint_text().unwrap().contains("identity = "));
    let world = World { table: listed("myregistry"), ..World::default() };
    assert!(
        built(r#""tags": ["hello:1"]"#, &world).unwrap_err().message().contains("which registry")
    );
    let world = World { table: listed("myregistry"), ..World::default() };
    let error =
        built(r#""tags": ["myregistry.azurecr.io/a:1", "ghcr.io/a/b:1"]"#, &world).unwrap_err();
    assert!(error.message().contains("`ghcr.io/a/b:1`"), "{error}");
    let world = World { table: uploading(listed("myregistry")), ..World::default() };
    let twice =
        r#""tags": ["myregistry.azurecr.io/a:1"], "args": {"A": "1"}, "secret-args": {"A": "s"}"#;
    assert!(built(twice, &world).unwrap_err().message().contains("`A`"));
}

#[test]
fn what_only_acr_tasks_understand_is_refused_here() {
    for with in [
        r#"{"secret-args": {"A": "b"}}"#,
        r#"{"registry": "a"}"#,
        r#"{"agent-pool": "a"}"#,
        r#"{"source-acr-auth-id": "[caller]"}"#,
        r#"{"run-timeout": "1h"}"#,
    ] {
        let inputs: Inputs = serde_json::from_str(with).unwrap();
        assert!(refuse_azure(&inputs).expect_err(with).is("invalid"));
    }
    assert_eq!(refuse_azure(&serde_json::from_str("{}").unwrap()), Ok(()));
}
