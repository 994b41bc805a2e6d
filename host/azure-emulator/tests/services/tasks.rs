//! ACR Tasks: uploads with signatures, and runs that end as they should.

use std::sync::Arc;

use azure_emulator::{Azure, Build, Builder, Config, Product};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::builder::FromNothing;
use crate::cloud::{Cloud, REGISTRY};

fn with_builder(builder: impl Builder + 'static) -> Cloud {
    Cloud::with(|config| config.builder = Some(Arc::new(builder)))
}

fn request(place: &str) -> Value {
    json!({
        "type": "DockerBuildRequest", "imageNames": ["app:{{.Run.ID}}"], "isPushEnabled": true,
        "sourceLocation": place, "dockerFilePath": "Dockerfile",
        "platform": { "os": "linux", "architecture": "amd64" },
    })
}

/// Never ends.
struct Patient;

impl Builder for Patient {
    fn build<'a>(&'a self, _build: &'a Build) -> BoxFuture<'a, Result<Product, String>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn without_a_builder_nothing_is_pretended() {
    let cloud = Cloud::new();
    let came = cloud.arm("POST", &format!("{REGISTRY}/scheduleRun"), request("/dev/null")).await;
    assert_eq!((came.status, came.code()), (400, "TasksOperationsNotAllowed"));
}

#[tokio::test]
async fn a_run_builds_pushes_and_says_so() {
    let cloud = with_builder(FromNothing);
    let queued = cloud
        .arm("POST", &format!("{REGISTRY}/scheduleRun"), request("https://github.com/me/app.git"))
        .await;
    assert_eq!(
        (&queued.body["name"], &queued.body["properties"]["status"]),
        (&json!("ca1"), &json!("Queued"))
    );
    cloud.azure.settle().await;
    let run = cloud.arm("GET", &format!("{REGISTRY}/runs/ca1"), Value::Null).await.body;
    assert_eq!(run["properties"]["status"], "Succeeded", "{run}");
    assert_eq!(run["properties"]["outputImages"][0]["tag"], "ca1");
    let tag = cloud.basic("GET", "/v2/app/manifests/ca1", (crate::cloud::APP, "s3cr3t")).await;
    assert_eq!(tag.status, 200);
    let link =
        cloud.arm("POST", &format!("{REGISTRY}/runs/ca1/listLogSasUrl"), Value::Null).await.body;
    let link = link["logLink"].as_str().unwrap();
    let log = cloud.send("GET", link, &[("x-ms-range", "bytes=0-9")], "").await;
    assert_eq!(
        (log.status, log.headers["x-ms-meta-complete"].to_str().unwrap()),
        (206, "successful")
    );
    assert_eq!(cloud.send("GET", link, &[("x-ms-range", "bytes=999999-")], "").await.status, 416);
    let other = link.replace("ca1", "ca2");
    assert_eq!(
        cloud.send("GET", &other, &[], "").await.status,
        403,
        "the signature is of the path"
    );
    cloud.pass(3601);
    assert_eq!(cloud.send("GET", link, &[], "").await.status, 403, "and has an end");
}

#[tokio::test]
async fn only_what_was_uploaded_is_built() {
    let cloud = with_builder(FromNothing);
    let url =
        cloud.arm("POST", &format!("{REGISTRY}/listBuildSourceUploadUrl"), Value::Null).await.body;
    let (put, place) = (url["uploadUrl"].as_str().unwrap(), url["relativePath"].as_str().unwrap());
    let blob = [("x-ms-blob-type", "BlockBlob")];
    assert_eq!(cloud.send("PUT", put, &blob, "no archive").await.status, 201);
    assert_eq!(cloud.send("PUT", put, &[], "x").await.status, 400);
    assert_eq!(cloud.send("PUT", &put.replace("sp=rcw", "sp=rcwd"), &blob, "x").await.status, 403);
    assert_eq!(cloud.send("PUT", &put.replace("source", ".."), &blob, "x").await.status, 404);
    for (number, place) in
        [place, "source/none.tar.gz", "../../state.json", "logs/x"].iter().enumerate()
    {
        cloud.arm("POST", &format!("{REGISTRY}/scheduleRun"), request(place)).await;
        cloud.azure.settle().await;
        let run =
            cloud.arm("GET", &format!("{REGISTRY}/runs/ca{}", number + 1), Value::Null).await.body;
        assert_eq!(run["properties"]["status"], "Failed", "{place}");
        assert!(
            run["properties"]["runErrorMessage"].as_str().unwrap().contains("source code"),
            "{run}"
        );
    }
}

#[tokio::test]
async fn requests_are_checked() {
    let cloud = with_builder(FromNothing);
    let with = |name: &str, value: Value| {
        let mut body = request("/dev/null");
        body[name] = value;
        body
    };
    for body in [
        with("platform", json!({ "os": "plan9" })),
        with("platform", json!({ "os": "linux", "architecture": "z80" })),
        with("timeout", json!(10)),
        with("dockerFilePath", json!("")),
        with("arguments", json!([{}])),
        with("type", json!("Other")),
        with("imageNames", json!([7])),
    ] {
        let came = cloud.arm("POST", &format!("{REGISTRY}/scheduleRun"), body.clone()).await;
        assert_eq!(came.code(), "InvalidParameters", "{body}");
    }
    let task = json!({ "type": "TaskRunRequest", "taskId": format!("{REGISTRY}/tasks/nothing") });
    assert_eq!(
        cloud.arm("POST", &format!("{REGISTRY}/scheduleRun"), task).await.code(),
        "ResourceNotFound"
    );
}

#[tokio::test]
async fn a_run_can_be_canceled_and_does_not_outlive_the_emulator() {
    let cloud = with_builder(Patient);
    let schedule = format!("{REGISTRY}/scheduleRun");
    cloud.arm("POST", &schedule, request("/dev/null")).await;
    assert_eq!(
        cloud.arm("POST", &format!("{REGISTRY}/runs/ca1/cancel"), Value::Null).await.status,
        200
    );
    cloud.azure.settle().await;
    let run = cloud.arm("GET", &format!("{REGISTRY}/runs/ca1"), Value::Null).await.body;
    assert_eq!(run["properties"]["status"], "Canceled");
    cloud.arm("POST", &schedule, request("/dev/null")).await;
    let again = Cloud { azure: Azure::open(Config::new(cloud.folder.path())).unwrap(), ..cloud };
    let run = again.arm("GET", &format!("{REGISTRY}/runs/ca2"), Value::Null).await.body;
    assert_eq!(run["properties"]["status"], "Error", "{run}");
}
