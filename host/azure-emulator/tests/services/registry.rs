//! Registries: whose tokens count for what.

use std::sync::{Arc, Mutex};

use oci::{MemoryRegistry, Registry as _, RepositoryName};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use crate::cloud::{APP, Came, Cloud, REGISTRY};
use crate::images;

/// A registry of the outside with one image, `base:1`.
pub(crate) struct Upstream {
    pub(crate) url: Url,
    _serving: JoinSet<()>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let registry = Arc::new(MemoryRegistry::new());
        let store = registry.repository(&"base".parse::<RepositoryName>().unwrap());
        images::index(&*store, "base", &"1".parse().unwrap()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(oci::serve(listener, registry, std::future::pending()));
        Self { url, _serving: serving }
    }
}

/// A cloud with `app:1` and `other:1` in its registry.
pub(crate) async fn filled() -> (Cloud, Upstream) {
    let upstream = Upstream::start().await;
    let url = upstream.url.clone();
    let cloud = Cloud::with(|config| {
        config.upstreams.insert("up.example".to_owned(), url);
    });
    for target in ["app:1", "other:1"] {
        assert_eq!(import(&cloud, "base:1", target).await, "Succeeded");
    }
    (cloud, upstream)
}

/// Imports and waits; the code of the error, if there is one.
async fn import(cloud: &Cloud, source: &str, target: &str) -> String {
    let body = json!({
        "source": { "registryUri": "up.example", "sourceImage": source }, "targetTags": [target],
    });
    let came = cloud.arm("POST", &format!("{REGISTRY}/importImage"), body).await;
    if came.status != 202 {
        return came.code().to_owned();
    }
    cloud.azure.settle().await;
    let token = cloud.token("https://management.azure.com").await;
    let place = came.headers["location"].to_str().unwrap();
    let first = cloud.with_token("GET", place, &token, Value::Null).await;
    assert_eq!(first.status, 202, "nothing is done at once");
    let came = cloud.with_token("GET", place, &token, Value::Null).await;
    if came.status == 200 { "Succeeded".to_owned() } else { came.code().to_owned() }
}

#[tokio::test]
async fn imports_copy_or_say_why_not() {
    let (cloud, _upstream) = filled().await;
    assert_eq!(import(&cloud, "base:1", "app:1").await, "Conflict");
    assert_eq!(import(&cloud, "base:none", "new:1").await, "InvalidParameters");
    for (source, target) in [
        ("", "a:1"),
        ("UPPER:1", "a:1"),
        ("base@sha256:1", "a:1"),
        ("base:1", "a@sha256:1"),
        ("base:1", ""),
    ] {
        assert_eq!(import(&cloud, source, target).await, "InvalidParameters", "{source} {target}");
    }
    for source in [
        json!({ "sourceImage": "a:1" }),
        json!({ "sourceImage": "a:1", "registryUri": "x.example", "resourceId": REGISTRY }),
        json!({ "sourceImage": "a:1", "registryUri": "unknown.example" }),
    ] {
        let body = json!({ "source": source, "targetTags": ["a:1"] });
        let came = cloud.arm("POST", &format!("{REGISTRY}/importImage"), body).await;
        assert_eq!(came.code(), "InvalidParameters", "{}", came.body);
    }
    // What was copied is whole: the manifest behind the index is there too.
    let index = cloud.basic("GET", "/v2/app/manifests/1", (APP, "s3cr3t")).await;
    let digest = index.body["manifests"][0]["digest"].as_str().unwrap();
    assert_eq!(
        cloud.basic("GET", &format!("/v2/app/manifests/{digest}"), (APP, "s3cr3t")).await.status,
        200
    );
}

async fn access_token(cloud: &Cloud, login: (&str, &str), scope: &str) -> Came {
    cloud
        .basic("GET", &format!("/oauth2/token?service=myregistry.azurecr.io&scope={scope}"), login)
        .await
}

#[tokio::test]
async fn a_puller_pulls_and_does_not_push() {
    let (cloud, _upstream) = filled().await;
    let (app, secret, principal) = cloud.principal("puller").await;
    let login = (app.as_str(), secret.as_str());
    let denied = cloud.basic("GET", "/v2/app/manifests/1", login).await;
    assert_eq!(denied.status, 401);
    assert!(
        denied.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .ends_with("scope=\"repository:app:pull\"")
    );
    cloud.assign(&principal, "7f951dda-4ed3-4680-a7ca-43fe172d538d", REGISTRY).await;
    assert_eq!(cloud.basic("GET", "/v2/app/manifests/1", login).await.status, 200);
    assert_eq!(cloud.basic("POST", "/v2/app/blobs/uploads/", login).await.status, 401);
    assert_eq!(cloud.basic("DELETE", "/v2/app/manifests/1", login).await.status, 401);
    let token = access_token(&cloud, login, "repository:app:pull,push").await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = |path: &str| format!("https://myregistry.azurecr.io{path}");
    assert_eq!(
        cloud.with_token("GET", &at("/v2/app/manifests/1"), &token, Value::Null).await.status,
        200
    );
    assert_eq!(
        cloud.with_token("GET", &at("/v2/other/manifests/1"), &token, Value::Null).await.status,
        401
    );
    assert_eq!(
        cloud.with_token("POST", &at("/v2/app/blobs/uploads/"), &token, Value::Null).await.status,
        401
    );
    cloud.pass(75 * 60 + 1);
    assert_eq!(
        cloud.with_token("GET", &at("/v2/app/manifests/1"), &token, Value::Null).await.status,
        401
    );
    assert_eq!(access_token(&cloud, (&app, "wrong"), "repository:app:pull").await.status, 401);
}

#[tokio::test]
async fn admins_and_tokens_have_their_own_rights() {
    let (cloud, _upstream) = filled().await;
    let credentials = format!("{REGISTRY}/listCredentials");
    assert_eq!(
        cloud.arm("POST", &credentials, Value::Null).await.code(),
        "UnauthorizedForCredentialOperations"
    );
    cloud.arm("PATCH", REGISTRY, json!({ "properties": { "adminUserEnabled": true } })).await;
    let admin = cloud.arm("POST", &credentials, Value::Null).await.body;
    let password = admin["passwords"][0]["value"].as_str().unwrap();
    assert_eq!(
        cloud.basic("GET", "/v2/app/manifests/1", ("myregistry", password)).await.status,
        200
    );
    cloud
        .arm("POST", &format!("{REGISTRY}/regenerateCredential"), json!({ "name": "password" }))
        .await;
    assert_eq!(
        cloud.basic("GET", "/v2/app/manifests/1", ("myregistry", password)).await.status,
        401
    );

    let map = json!({ "properties": { "actions": ["repositories/app/content/read"] } });
    assert_eq!(cloud.arm("PUT", &format!("{REGISTRY}/scopeMaps/only-app"), map).await.status, 201);
    let bad = json!({ "properties": { "actions": ["everything"] } });
    assert_eq!(
        cloud.arm("PUT", &format!("{REGISTRY}/scopeMaps/wrong-one"), bad).await.code(),
        "InvalidScopeMapActions"
    );
    let token = json!({ "properties": { "scopeMapId": format!("{REGISTRY}/scopeMaps/only-app") } });
    assert_eq!(cloud.arm("PUT", &format!("{REGISTRY}/tokens/reader"), token).await.status, 201);
    let body = json!({ "tokenId": format!("{REGISTRY}/tokens/reader") });
    let made = cloud.arm("POST", &format!("{REGISTRY}/generateCredentials"), body).await.body;
    let login = ("reader", made["passwords"][0]["value"].as_str().unwrap());
    assert_eq!(cloud.basic("GET", "/v2/app/manifests/1", login).await.status, 200);
    assert_eq!(cloud.basic("GET", "/v2/other/manifests/1", login).await.status, 401);
    let shown = cloud.arm("GET", &format!("{REGISTRY}/tokens/reader"), Value::Null).await;
    assert!(!shown.body.to_string().contains(login.1));
}

#[tokio::test]
async fn an_abac_registry_listens_to_its_own_roles_alone() {
    let (cloud, _upstream) = filled().await;
    cloud
        .arm(
            "PATCH",
            REGISTRY,
            json!({ "properties": { "roleAssignmentMode": "AbacRepositoryPermissions" } }),
        )
        .await;
    assert_eq!(
        cloud.basic("GET", "/v2/app/manifests/1", (APP, "s3cr3t")).await.status,
        401,
        "not even owners"
    );
    let (app, secret, principal) = cloud.principal("reader").await;
    let name = uuid::Uuid::new_v4();
    let path = format!("{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let condition = "@Request[Microsoft.ContainerRegistry/registries/repositories:name] StringEqualsIgnoreCase 'app'";
    let body = json!({ "properties": {
        "roleDefinitionId": "x/b93aa761-3e63-49ed-ac28-beffa264f7ac", "principalId": principal,
        "condition": condition, "conditionVersion": "2.0",
    } });
    assert_eq!(cloud.arm("PUT", &path, body).await.status, 201);
    assert_eq!(cloud.basic("GET", "/v2/app/manifests/1", (&app, &secret)).await.status, 200);
    assert_eq!(cloud.basic("GET", "/v2/other/manifests/1", (&app, &secret)).await.status, 401);
    assert_eq!(cloud.basic("GET", "/v2/_catalog", (&app, &secret)).await.status, 401);
}

#[tokio::test]
async fn webhooks_are_called() {
    let (cloud, _upstream) = filled().await;
    let heard: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let ear = Arc::clone(&heard);
    let router = axum::Router::new().fallback(move |headers: http::HeaderMap, body: String| {
        let ear = Arc::clone(&ear);
        async move {
            let secret = headers["authorization"].to_str().unwrap().to_owned();
            ear.lock().unwrap().push((secret, serde_json::from_str(&body).unwrap()));
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/hook", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let hook = json!({ "location": "westeurope", "properties": {
        "serviceUri": uri, "customHeaders": { "Authorization": "hush" },
        "actions": ["push"], "scope": "hooked:*",
    } });
    assert_eq!(cloud.arm("PUT", &format!("{REGISTRY}/webhooks/hook1"), hook).await.status, 201);
    assert_eq!(import(&cloud, "base:1", "hooked:2").await, "Succeeded");
    assert_eq!(import(&cloud, "base:1", "unheard:2").await, "Succeeded");
    cloud.azure.settle().await;
    let ping =
        cloud.arm("POST", &format!("{REGISTRY}/webhooks/hook1/ping"), Value::Null).await.body;
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].0, "hush");
    assert_eq!(
        (&heard[0].1["action"], &heard[0].1["target"]["repository"], &heard[0].1["target"]["tag"]),
        (&json!("push"), &json!("hooked"), &json!("2"))
    );
    assert_eq!((&heard[1].1["action"], &heard[1].1["id"]), (&json!("ping"), &ping["id"]));
    let events =
        cloud.arm("POST", &format!("{REGISTRY}/webhooks/hook1/listEvents"), Value::Null).await.body;
    assert_eq!(events["value"][0]["eventResponseMessage"]["statusCode"], "200");
    let shown = cloud.arm("GET", &format!("{REGISTRY}/webhooks/hook1"), Value::Null).await.body;
    assert!(!shown.to_string().contains("hush"));
}

#[tokio::test]
async fn deleted_images_are_gone_from_lists() {
    let (cloud, _upstream) = filled().await;
    let login = (APP, "s3cr3t");
    let manifests = cloud.basic("GET", "/acr/v1/app/_manifests?n=1", login).await;
    assert_eq!(manifests.body["manifests"].as_array().unwrap().len(), 1);
    assert!(manifests.headers.contains_key("link"));
    assert_eq!(cloud.basic("GET", "/acr/v1/app/_manifests?n=0", login).await.status, 400);
    assert_eq!(cloud.basic("GET", "/acr/v1/none/_tags", login).await.status, 404);
    assert_eq!(cloud.basic("DELETE", "/acr/v1/app", login).await.status, 202);
    assert_eq!(cloud.basic("GET", "/acr/v1/app/_manifests", login).await.status, 404);
    let catalog = cloud.basic("GET", "/v2/_catalog", login).await;
    assert_eq!(catalog.body["repositories"], json!(["other"]));
}
