//! Tasks that run again when what they were built on is another one.

use std::sync::Arc;

use azure_emulator::{Base, Build, Builder, Built, Product};
use futures::future::BoxFuture;
use oci::Selector;
use serde_json::{Value, json};

use crate::cloud::{Cloud, REGISTRY};
use crate::images;

const SERVER: &str = "myregistry.azurecr.io";

/// Every run makes another image; the one of the task stands on `base:1` and reads `sdk:1`.
struct Standing;

async fn product(build: &Build) -> Result<Product, String> {
    let mut product = Product::default();
    if build.dockerfile == "Dockerfile-app" {
        for (repository, is_runtime) in [("base", true), ("sdk", false)] {
            let store = build.repository(SERVER, repository)?;
            let found = store.resolve(&Selector::Tag("1".parse().unwrap())).await.unwrap();
            let digest = found.ok_or("there is no base")?.digest;
            let (registry, tag) = (SERVER.to_owned(), "1".to_owned());
            let repository = repository.to_owned();
            product.bases.push(Base { registry, repository, tag, digest, is_runtime });
        }
    }
    for image in &build.images {
        let (repository, tag) = image.split_once(':').unwrap();
        let store = build.repository(SERVER, repository)?;
        let made = images::image(&*store, &build.run, &[tag.parse().unwrap()]).await;
        product.images.push(Built {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            digest: made.digest(),
            media_type: made.media_type().as_str().to_owned(),
            size: made.descriptor().size,
        });
    }
    Ok(product)
}

impl Builder for Standing {
    fn build<'a>(&'a self, build: &'a Build) -> BoxFuture<'a, Result<Product, String>> {
        Box::pin(product(build))
    }
}

async fn build(cloud: &Cloud, image: &str) {
    let request = json!({
        "type": "DockerBuildRequest", "imageNames": [image], "isPushEnabled": true,
        "sourceLocation": "https://example.com/a.git", "dockerFilePath": "Dockerfile-base",
        "platform": { "os": "linux" },
    });
    let came = cloud.arm("POST", &format!("{REGISTRY}/scheduleRun"), request).await;
    assert_eq!(came.status, 200, "{}", came.body);
    cloud.azure.settle().await;
}

async fn import(cloud: &Cloud, source: &str, target: &str) {
    let body = json!({
        "source": { "sourceImage": source, "registryUri": SERVER }, "targetTags": [target],
        "mode": "Force",
    });
    let came = cloud.arm("POST", &format!("{REGISTRY}/importImage"), body).await;
    assert_eq!(came.status, 202, "{}", came.body);
    cloud.azure.settle().await;
}

async fn change(cloud: &Cloud, properties: Value) {
    let body = json!({ "properties": properties });
    let came = cloud.arm("PATCH", &format!("{REGISTRY}/tasks/hello"), body).await;
    assert_eq!(came.status, 200, "{}", came.body);
}

/// The runs that a base has started, oldest first, by what it was.
async fn updates(cloud: &Cloud) -> Vec<String> {
    let listed = cloud.arm("GET", &format!("{REGISTRY}/runs"), Value::Null).await.body;
    let runs = listed["value"].as_array().unwrap().iter().rev();
    let started = runs.filter(|run| run["properties"]["imageUpdateTrigger"].is_object());
    started
        .map(|run| {
            let properties = &run["properties"];
            assert_eq!(
                (&properties["task"], &properties["status"]),
                (&json!("hello"), &json!("Succeeded"))
            );
            assert_eq!(properties["runType"], "AutoBuild");
            let image = &properties["imageUpdateTrigger"]["images"][0];
            assert!(image["digest"].as_str().unwrap().starts_with("sha256:"));
            format!("{}:{}", image["repository"].as_str().unwrap(), image["tag"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_task_runs_again_when_its_base_is_another_one() {
    let cloud = Cloud::with(|config| config.builder = Some(Arc::new(Standing)));
    for image in ["base:1", "sdk:1", "base:2"] {
        build(&cloud, image).await;
    }
    let task = json!({ "location": "westeurope", "properties": {
        "platform": { "os": "linux" }, "status": "Enabled",
        "step": {
            "type": "Docker", "dockerFilePath": "Dockerfile-app", "imageNames": ["hello:{{.Run.ID}}"],
            "contextPath": "https://example.com/app.git",
            "baseImageDependencies": [{ "type": "Runtime", "registry": SERVER, "repository": "base", "tag": "1", "digest": "mine" }],
        },
        "trigger": { "baseImageTrigger": { "name": "base", "status": "Enabled", "baseImageTriggerType": "Runtime" } },
    } });
    let put = async || cloud.arm("PUT", &format!("{REGISTRY}/tasks/hello"), task.clone()).await;
    let known = |task: &Value| task["properties"]["step"]["baseImageDependencies"].clone();
    assert_eq!(known(&put().await.body), Value::Null, "what a client says it stands on is nothing");
    build(&cloud, "base:1").await;
    assert!(
        updates(&cloud).await.is_empty(),
        "what it stands on is not known before its first run"
    );

    let run = json!({ "type": "TaskRunRequest", "taskId": format!("{REGISTRY}/tasks/hello") });
    cloud.arm("POST", &format!("{REGISTRY}/scheduleRun"), run).await;
    cloud.azure.settle().await;
    let shown = cloud.arm("GET", &format!("{REGISTRY}/tasks/hello"), Value::Null).await.body;
    let kinds = |list: &Value| {
        let all = list.as_array().unwrap().iter();
        all.map(|one| {
            format!("{} {}", one["type"].as_str().unwrap(), one["repository"].as_str().unwrap())
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(kinds(&known(&shown)), ["Runtime base", "BuildTime sdk"]);
    assert_eq!(kinds(&known(&put().await.body)), ["Runtime base", "BuildTime sdk"]);

    build(&cloud, "base:1").await;
    assert_eq!(updates(&cloud).await, ["base:1"], "built");
    import(&cloud, "base:2", "base:1").await;
    assert_eq!(updates(&cloud).await.len(), 2, "imported");
    import(&cloud, "base:2", "base:1").await;
    build(&cloud, "base:2").await;
    build(&cloud, "sdk:1").await;
    assert_eq!(updates(&cloud).await.len(), 2, "the same, another tag, another stage");

    change(&cloud, json!({ "trigger": { "baseImageTrigger": { "baseImageTriggerType": "All" } } }))
        .await;
    build(&cloud, "sdk:1").await;
    assert_eq!(updates(&cloud).await.pop().as_deref(), Some("sdk:1"));
    for off in [
        json!({ "trigger": { "baseImageTrigger": { "status": "Disabled" } } }),
        json!({ "trigger": { "baseImageTrigger": { "status": "Enabled" } }, "status": "Disabled" }),
    ] {
        change(&cloud, off).await;
        build(&cloud, "base:1").await;
        assert_eq!(updates(&cloud).await.len(), 3);
    }
    // Who was asleep is not woken by what it has missed, but by what comes next.
    change(&cloud, json!({ "status": "Enabled" })).await;
    assert_eq!(updates(&cloud).await.len(), 3);
    build(&cloud, "base:1").await;
    assert_eq!(updates(&cloud).await.len(), 4);
    // Nobody waits for a task that is gone.
    cloud.arm("DELETE", &format!("{REGISTRY}/tasks/hello"), Value::Null).await;
    build(&cloud, "base:1").await;
    assert_eq!(updates(&cloud).await.len(), 4);
}
