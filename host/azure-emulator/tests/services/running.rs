//! Groups whose containers really run, by a runner that a test has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use azure_emulator::{Config, Container, Emulator, Runner};
use futures::future::BoxFuture;
use oci::client::{CaFile, ClientOptions, ProxyOptions};
use report::Fault;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::cloud::{Cloud, GROUP, TENANT};
use crate::registry::Upstream;

/// Containers are told what to do by their command: `serve`, or `exit CODE [CODE…]`, one for each
/// start; behind the last, they stay.
#[derive(Default)]
struct Puppets {
    starts: AtomicUsize,
    stays: Arc<Notify>,
}

impl Runner for Puppets {
    fn run<'a>(&'a self, container: &'a Container) -> BoxFuture<'a, Result<i32, String>> {
        Box::pin(async move {
            // The image is really there, whole.
            let (store, selector) = container.image_source();
            let manifest = store.manifest(selector).await.map_err(|e| Fault::from(e).message)?;
            container.log(&format!("{} of {}\n", container.name, manifest.digest()));
            let command: Vec<&str> = container.command.iter().map(String::as_str).collect();
            match command.as_slice() {
                ["serve"] => {
                    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    container.listens(container.ports[0], listener.local_addr().unwrap());
                    let variable = container.environment[0].1.expose_text().unwrap().to_owned();
                    let router = axum::Router::new().fallback(move || async move { variable });
                    axum::serve(listener, router).await.unwrap();
                    Ok(0)
                }
                ["exit", codes @ ..] => match codes.get(self.starts.fetch_add(1, SeqCst)) {
                    Some(code) => code.parse().map_err(|_| format!("`{code}` is no code")),
                    None => {
                        self.stays.notify_one();
                        std::future::pending().await
                    }
                },
                _ => Err("there is no such program".to_owned()),
            }
        })
    }
}

fn group(policy: &str, command: Value) -> Value {
    json!({ "location": "westeurope", "properties": {
        "osType": "Linux", "restartPolicy": policy,
        "containers": [{ "name": "main", "properties": {
            "image": "up.example/base:1", "command": command, "ports": [{ "port": 80 }],
            "resources": { "requests": { "cpu": 1, "memoryInGB": 1 } },
            "environmentVariables": [{ "name": "SAY", "secureValue": "hello from inside" }],
        } }],
        "ipAddress": { "type": "Public", "ports": [{ "port": 80 }], "dnsNameLabel": "label-one" },
    } })
}

fn at(name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/{name}")
}

async fn cloud() -> (Cloud, Upstream, Arc<Notify>) {
    let upstream = Upstream::start().await;
    let puppets = Puppets::default();
    let stays = Arc::clone(&puppets.stays);
    let url = upstream.url.clone();
    let cloud = Cloud::with(|config| {
        config.upstreams.insert("up.example".to_owned(), url);
        config.runner = Some(Arc::new(puppets));
    });
    (cloud, upstream, stays)
}

/// The group, once `state` of its container is what is waited for.
async fn until(cloud: &Cloud, state: &str) -> Value {
    loop {
        let group = cloud.arm("GET", &at("demo"), Value::Null).await.body;
        let view = &group["properties"]["containers"][0]["properties"]["instanceView"];
        if view["currentState"]["state"] == state {
            return group;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn jobs_end_with_their_codes() {
    for (codes, state, code) in [
        (json!(["exit", "0"]), "Succeeded", 0),
        (json!(["exit", "3"]), "Failed", 3),
        (json!(["nonsense"]), "Failed", -1),
    ] {
        let (cloud, _upstream, _) = cloud().await;
        assert_eq!(cloud.arm("PUT", &at("demo"), group("Never", codes)).await.status, 201);
        let group = until(&cloud, "Terminated").await;
        cloud.azure.settle().await;
        let current =
            &group["properties"]["containers"][0]["properties"]["instanceView"]["currentState"];
        assert_eq!(
            (&current["exitCode"], &group["properties"]["instanceView"]["state"]),
            (&json!(code), &json!(state))
        );
        if code == -1 {
            assert!(group.to_string().contains("there is no such program"), "{group}");
        }
    }
}

#[tokio::test]
async fn what_fails_is_started_again_if_it_should_be() {
    let (cloud, _upstream, stays) = cloud().await;
    cloud.arm("PUT", &at("demo"), group("OnFailure", json!(["exit", "1"]))).await;
    stays.notified().await;
    let group = until(&cloud, "Running").await;
    let view = &group["properties"]["containers"][0]["properties"]["instanceView"];
    assert_eq!(
        (&view["restartCount"], &view["previousState"]["state"]),
        (&json!(1), &json!("Waiting"))
    );
    assert!(view["events"].to_string().contains("BackOff"), "{view}");
    let logs = format!("{}/containers/main/logs", at("demo"));
    let text =
        cloud.arm("GET", &logs, Value::Null).await.body["content"].as_str().unwrap().to_owned();
    assert_eq!(text.lines().count(), 2, "each start wrote a line: {text}");
    assert_eq!(cloud.arm("POST", &format!("{}/stop", at("demo")), Value::Null).await.status, 204);
    until(&cloud, "Terminated").await;
}

#[tokio::test]
async fn an_init_container_that_fails_fails_the_group() {
    let (cloud, _upstream, _) = cloud().await;
    let mut body = group("Never", json!(["exit", "0"]));
    body["properties"]["initContainers"] = json!([{ "name": "first", "properties": { "image": "up.example/base:1", "command": ["exit", "9"] } }]);
    cloud.arm("PUT", &at("demo"), body).await;
    cloud.azure.settle().await;
    let group = cloud.arm("GET", &at("demo"), Value::Null).await.body;
    assert_eq!(group["properties"]["provisioningState"], "Failed");
}

/// The end of the story: image imported, group deployed, and its name answers, through the proxy.
#[tokio::test]
async fn the_name_of_a_group_answers() {
    let upstream = Upstream::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.upstreams.insert("up.example".to_owned(), upstream.url.clone());
    config.runner = Some(Arc::new(Puppets::default()));
    let emulator = Emulator::start(config).await.unwrap();
    let proxy = Some(emulator.proxy_url());
    let http = oci::client::build(&ClientOptions {
        ca_files: vec![CaFile { path: folder.path().join("ca.pem"), only_for: None }],
        proxy: ProxyOptions { https: proxy.clone(), http: proxy, none_for: None },
        ..ClientOptions::default()
    })
    .unwrap();
    let login = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret=s3cr3t&scope=https://management.azure.com/.default",
        crate::cloud::APP
    );
    let answer = http.post(login).body(form).send().await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let url = format!("https://management.azure.com{}?api-version=2023-05-01", at("demo"));
    let put = http.put(url).bearer_auth(token).body(group("Always", json!(["serve"])).to_string());
    assert_eq!(put.send().await.unwrap().status(), 201);
    let name = "http://label-one.westeurope.azurecontainer.io/";
    let text = loop {
        let answer = http.get(name).send().await.unwrap();
        match answer.status().as_u16() {
            502 => tokio::task::yield_now().await,
            _ => break answer.text().await.unwrap(),
        }
    };
    assert_eq!(text, "hello from inside");
    assert_eq!(
        http.get("http://other-one.westeurope.azurecontainer.io/").send().await.unwrap().status(),
        502
    );
    emulator.shutdown().await;
}
