use serde_json::json;

use super::*;

fn captured(text: &str) -> Json {
    let scenario: Json = serde_json::from_str(text).unwrap();
    let exchanges = scenario.get("exchanges").and_then(Json::as_array).unwrap();
    let requests = exchanges.iter().filter_map(|exchange| exchange.get("request"));
    let mut bodies = requests.filter(|request| {
        let path = request.get("path").and_then(Json::as_str).unwrap_or_default();
        path.contains("/scheduleRun?api-version=2025-03-01-preview")
    });
    bodies.next().and_then(|request| request.get("body")).cloned().unwrap()
}

fn request(images: &[&str], source: &str, file: &str) -> BuildRequest<String> {
    BuildRequest {
        images: images.iter().map(|image| (*image).to_owned()).collect(),
        source: source.to_owned(),
        file: file.to_owned(),
        platform: Platform::default(),
        arguments: Vec::new(),
        target: None,
        no_cache: false,
        timeout: None,
        agent_pool: None,
        source_auth: None,
    }
}

const SAMPLE: &str = "https://github.com/Azure-Samples/acr-build-helloworld-node.git#master";

#[test]
fn builds_are_asked_for_as_az_does() {
    let git = request(&["hello:{{.Run.ID}}"], SAMPLE, "Dockerfile").body();
    let capture = captured(include_str!("../../../../tests/azure/captures/build-git.json"));
    assert_eq!(git.value, capture);

    let caller = BuildRequest {
        source_auth: Some("[caller]".to_owned()),
        ..request(&["hello:1"], SAMPLE, "Dockerfile")
    };
    let capture = captured(include_str!("../../../../tests/azure/captures/build-abac-caller.json"));
    assert_eq!(caller.body().value, capture);

    // Of an upload az names the file anew, since it sends a Dockerfile from elsewhere too: ours is in
    // the context, under its own name.
    let mut capture = captured(include_str!("../../../../tests/azure/captures/build-local.json"));
    let text = |key: &str| capture.get(key).and_then(Json::as_str).unwrap().to_owned();
    let (source, file) = (text("sourceLocation"), text("dockerFilePath"));
    assert!(file.ends_with("_Dockerfile"), "{file}");
    capture["dockerFilePath"] = json!("Dockerfile");
    assert_eq!(request(&["helloacrtasks:v1"], &source, "Dockerfile").body().value, capture);
}

#[test]
fn tasks_are_run_as_az_does() {
    let id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/\
              Microsoft.ContainerRegistry/registries/myregistry/tasks/taskhelloworld";
    let plain = TaskRequest::<String> {
        task: id.parse().unwrap(),
        arguments: Vec::new(),
        context: None,
        file: None,
        target: None,
    };
    let capture = captured(include_str!("../../../../tests/azure/captures/task-run.json"));
    assert_eq!(plain.clone().body().value, capture);

    let mut capture =
        captured(include_str!("../../../../tests/azure/captures/task-run-override.json"));
    // A token for updates is what triggers of other systems need; nobody gives us one.
    let step = capture.get_mut("overrideTaskStepProperties").and_then(Json::as_object_mut);
    assert!(step.unwrap().remove("updateTriggerToken").is_some());
    let argument = Argument { name: "A".to_owned(), value: Value::Plain("2".to_owned()) };
    let changed = TaskRequest {
        arguments: vec![argument],
        context: Some("https://github.com/me/repo.git#dev".to_owned()),
        file: Some("Dockerfile2".to_owned()),
        ..plain
    };
    assert_eq!(changed.body().value, capture);
}

#[test]
fn secrets_are_sealed_where_their_values_go() {
    let argument = |name: &str, value| Argument { name: name.to_owned(), value };
    let whole = BuildRequest {
        arguments: vec![
            argument("A", Value::Plain("1".to_owned())),
            argument("TOKEN", Value::Secret("npm".to_owned())),
        ],
        target: Some("app".to_owned()),
        no_cache: true,
        timeout: Some(600),
        agent_pool: Some("pool1".to_owned()),
        platform: Platform::parse("Linux/ARM64/v8").unwrap(),
        ..request(&[], "/dev/null", "Dockerfile")
    };
    let body = whole.body();
    let parts = body.parts().expect("the place is there");
    let text: String = parts
        .iter()
        .map(|part| match part {
            arm::Part::Text(text) => text.clone(),
            arm::Part::Sealed(name, _) => format!("‹{name}›"),
        })
        .collect();
    let value: Json = serde_json::from_str(&text).unwrap();
    let expected = json!({
        "type": "DockerBuildRequest", "isPushEnabled": false, "sourceLocation": "/dev/null",
        "dockerFilePath": "Dockerfile", "target": "app", "noCache": true, "timeout": 600,
        "agentPoolName": "pool1", "credentials": {},
        "platform": { "os": "linux", "architecture": "arm64", "variant": "v8" },
        "arguments": [
            { "type": "Argument", "name": "A", "value": "1", "isSecret": false },
            { "type": "Argument", "name": "TOKEN", "value": "‹npm›", "isSecret": true },
        ],
    });
    assert_eq!(value, expected);
}

#[test]
fn platforms_that_agents_do_not_have_are_refused() {
    assert_eq!(Platform::parse("linux").unwrap(), Platform::default());
    for text in ["", "darwin/arm64", "linux/riscv64", "linux/arm/v5", "linux/arm64/v8/x", "linux/"]
    {
        let error = Platform::parse(text).expect_err(text);
        assert!(error.is("invalid") && error.hint_text().is_some(), "{text}");
    }
}
