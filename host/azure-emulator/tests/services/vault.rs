//! Secrets: who may, which names, and what becomes of them.

use serde_json::{Value, json};

use crate::cloud::{Cloud, GROUP, NOW};

#[tokio::test]
async fn values_and_names_have_rules() {
    let cloud = Cloud::new();
    let set = |name: &str, body: Value| {
        let (cloud, path) = (&cloud, format!("/secrets/{name}"));
        async move { cloud.secret("PUT", &path, body).await }
    };
    assert_eq!(set("fine-1", json!({ "value": "" })).await.status, 200, "an empty value is taken");
    for (name, body) in [
        ("under_score", json!({ "value": "x" })),
        (&"a".repeat(128), json!({ "value": "x" })),
        ("a", json!({})),
        ("a", json!({ "value": 7 })),
        ("a", json!({ "value": "x".repeat(25 * 1024 + 1) })),
        ("a", json!({ "value": "x", "tags": { "a": "x".repeat(257) } })),
        ("a", json!({ "value": "x", "attributes": { "nbf": 10, "exp": 5 } })),
        ("a", json!({ "value": "x", "attributes": { "enabled": "yes" } })),
    ] {
        let came = set(name, body).await;
        assert_eq!((came.status, came.code()), (400, "BadParameter"), "{name}");
    }
}

#[tokio::test]
async fn disabled_and_early_secrets_are_not_given_out() {
    let cloud = Cloud::new();
    let made = cloud
        .secret("PUT", "/secrets/a", json!({ "value": "x", "attributes": { "nbf": NOW + 60 } }))
        .await;
    let early = cloud.secret("GET", "/secrets/a", Value::Null).await;
    assert_eq!(
        (early.status, early.body["error"]["innererror"]["code"].as_str()),
        (403, Some("SecretNotYetValid"))
    );
    cloud.pass(61);
    assert_eq!(cloud.secret("GET", "/secrets/a", Value::Null).await.body["value"], "x");
    let version = made.body["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let path = format!("/secrets/a/{version}");
    let off = cloud.secret("PATCH", &path, json!({ "attributes": { "enabled": false } })).await;
    assert_eq!((off.status, off.body.get("value")), (200, None), "an update shows no value");
    let came = cloud.secret("GET", "/secrets/a", Value::Null).await;
    assert_eq!(came.body["error"]["innererror"]["code"], "SecretDisabled");
}

#[tokio::test]
async fn lists_have_pages() {
    let cloud = Cloud::new();
    for number in 0..30 {
        cloud.secret("PUT", &format!("/secrets/s{number:02}"), json!({ "value": "x" })).await;
    }
    let first = cloud.secret("GET", "/secrets", Value::Null).await.body;
    assert_eq!(first["value"].as_array().unwrap().len(), 25);
    let token = cloud.token("https://vault.azure.net").await;
    let next = cloud
        .with_token("GET", first["nextLink"].as_str().unwrap(), &token, Value::Null)
        .await
        .body;
    assert_eq!((next["value"].as_array().unwrap().len(), &next["nextLink"]), (5, &Value::Null));
    assert!(!first.to_string().contains("\"value\":\"x\""), "lists show no values");
    assert_eq!(cloud.secret("GET", "/secrets?maxresults=26", Value::Null).await.status, 400);
}

#[tokio::test]
async fn a_vault_under_policies_asks_them() {
    let cloud = Cloud::new();
    let vault = |policies: Value| {
        json!({ "location": "westeurope", "properties": {
            "tenantId": "22222222-2222-2222-2222-222222222222", "sku": { "name": "standard", "family": "A" },
            "accessPolicies": policies, "enableRbacAuthorization": false, "enablePurgeProtection": true,
        } })
    };
    let path = format!("{GROUP}/providers/Microsoft.KeyVault/vaults/policed");
    assert_eq!(
        cloud.arm("PUT", &path, vault(json!([]))).await.body["properties"]["provisioningState"],
        "RegisteringDns"
    );
    let token = cloud.token("https://vault.azure.net").await;
    let url = "https://policed.vault.azure.net/secrets/a?api-version=7.4";
    let put = || cloud.with_token("PUT", url, &token, json!({ "value": "x" }));
    assert_eq!(put().await.body["error"]["innererror"]["code"], "ForbiddenByPolicy");
    let policies = json!([{ "objectId": "44444444-4444-4444-4444-444444444444", "permissions": { "secrets": ["Set", "delete", "purge"] } }]);
    assert_eq!(cloud.arm("PUT", &path, vault(policies)).await.status, 200);
    assert_eq!(put().await.status, 200);
    assert_eq!(cloud.with_token("GET", url, &token, Value::Null).await.status, 403);
    assert_eq!(cloud.with_token("DELETE", url, &token, Value::Null).await.status, 200);
    let purge = url.replace("secrets", "deletedsecrets");
    let came = cloud.with_token("DELETE", &purge, &token, Value::Null).await;
    assert_eq!(came.body["error"]["innererror"]["code"], "ForbiddenByPurgeProtection");
}

#[tokio::test]
async fn deleted_vaults_keep_their_names() {
    let cloud = Cloud::new();
    let path = format!("{GROUP}/providers/Microsoft.KeyVault/vaults/mykeyvault");
    cloud.secret("PUT", "/secrets/kept", json!({ "value": "x" })).await;
    assert_eq!(cloud.arm("DELETE", &path, Value::Null).await.status, 200);
    let mut body = json!({ "location": "westeurope", "properties": {
        "tenantId": "22222222-2222-2222-2222-222222222222", "sku": { "name": "standard", "family": "A" },
    } });
    assert_eq!(cloud.arm("PUT", &path, body.clone()).await.code(), "ConflictError");
    body["properties"]["createMode"] = json!("recover");
    assert_eq!(cloud.arm("PUT", &path, body).await.status, 200);
    assert_eq!(cloud.secret("GET", "/secrets/kept", Value::Null).await.body["value"], "x");
}

#[tokio::test]
async fn no_answer_shows_what_was_not_asked_for() {
    let cloud = Cloud::new();
    cloud.secret("PUT", "/secrets/a", json!({ "value": "the-value" })).await;
    for (method, path) in [
        ("GET", "/secrets"),
        ("GET", "/secrets/a/versions"),
        ("DELETE", "/secrets/a"),
        ("GET", "/deletedsecrets/a"),
    ] {
        let came = cloud.secret(method, path, Value::Null).await;
        assert!(
            came.status == 200 && !came.body.to_string().contains("the-value"),
            "{method} {path}"
        );
    }
}
