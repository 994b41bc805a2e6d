//! What every request to ARM has to have.

use serde_json::{Value, json};

use crate::cloud::{Cloud, GROUP, REGISTRY};

const ARM: &str = "https://management.azure.com";

#[tokio::test]
async fn a_version_and_a_token_are_needed() {
    let cloud = Cloud::new();
    let token = cloud.token(ARM).await;
    let get = |url: String, token: String| {
        let cloud = &cloud;
        async move { cloud.with_token("GET", &url, &token, Value::Null).await }
    };
    let url = format!("{ARM}{GROUP}");
    assert_eq!(get(url.clone(), token.clone()).await.code(), "MissingApiVersionParameter");
    assert_eq!(
        get(format!("{url}?api-version=x"), token.clone()).await.code(),
        "InvalidApiVersionParameter"
    );
    let url = format!("{url}?api-version=2024-11-01");
    let came = cloud.send("GET", &url, &[], "").await;
    assert_eq!((came.status, came.code()), (401, "AuthenticationFailed"));
    assert!(came.headers["www-authenticate"].to_str().unwrap().contains("authorization_uri="));
    assert_eq!(get(url.clone(), "x.y.z".to_owned()).await.code(), "InvalidAuthenticationToken");
    let vault = cloud.token("https://vault.azure.net").await;
    assert_eq!(get(url.clone(), vault).await.code(), "InvalidAuthenticationTokenAudience");
    assert_eq!(get(url.clone(), token.clone()).await.status, 200);
    assert_eq!(
        get(url.to_lowercase(), token.clone()).await.status,
        200,
        "case makes no difference"
    );
    let other =
        url.replace("11111111-1111-1111-1111-111111111111", "99999999-1111-1111-1111-111111111111");
    assert_eq!(get(other, token.clone()).await.code(), "SubscriptionNotFound");
    // A changed token is not ours.
    let (head, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(
        get(url.clone(), format!("{head}x.{signature}")).await.code(),
        "InvalidAuthenticationToken"
    );
    cloud.pass(3601);
    assert_eq!(get(url, token).await.code(), "ExpiredAuthenticationToken");
}

#[tokio::test]
async fn roles_decide() {
    let cloud = Cloud::new();
    let (app, secret, principal) = cloud.principal("reader").await;
    let token = cloud.token_of(&app, &secret, ARM).await;
    let url = format!("{ARM}{REGISTRY}?api-version=2025-11-01");
    let came = cloud.with_token("GET", &url, &token, Value::Null).await;
    assert_eq!((came.status, came.code()), (403, "AuthorizationFailed"));
    let reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    assert_eq!(cloud.assign(&principal, reader, REGISTRY).await.status, 201);
    assert_eq!(cloud.assign(&principal, reader, REGISTRY).await.code(), "RoleAssignmentExists");
    assert_eq!(cloud.with_token("GET", &url, &token, Value::Null).await.status, 200);
    let body = json!({ "properties": { "adminUserEnabled": true } });
    assert_eq!(cloud.with_token("PATCH", &url, &token, body).await.status, 403);
    // Lists show what may be read.
    let list = format!(
        "{ARM}/subscriptions/11111111-1111-1111-1111-111111111111/resources?api-version=2024-11-01"
    );
    let came = cloud.with_token("GET", &list, &token, Value::Null).await;
    assert_eq!(came.body["value"].as_array().unwrap().len(), 1);
    assert_eq!(
        cloud.assign(&principal, "00000000-0000-0000-0000-000000000000", REGISTRY).await.code(),
        "RoleDefinitionDoesNotExist"
    );
    assert_eq!(
        cloud.assign("00000000-0000-0000-0000-000000000000", reader, REGISTRY).await.code(),
        "PrincipalNotFound"
    );
}

#[tokio::test]
async fn what_is_not_emulated_is_said_to_be() {
    let cloud = Cloud::new();
    for path in [
        format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/x"),
        format!("{REGISTRY}/replications"),
        "/subscriptions/11111111-1111-1111-1111-111111111111/nothing".to_owned(),
    ] {
        assert_eq!(cloud.arm("GET", &path, Value::Null).await.code(), "NotEmulated", "{path}");
    }
    let missing = cloud
        .arm("GET", &format!("{GROUP}x/providers/Microsoft.KeyVault/vaults/a"), Value::Null)
        .await;
    assert_eq!(missing.code(), "ResourceGroupNotFound");
}

#[tokio::test]
async fn bodies_have_limits_and_have_to_be_documents() {
    let cloud = Cloud::new();
    let token = format!("Bearer {}", cloud.token(ARM).await);
    let url = format!("{ARM}{REGISTRY}?api-version=2025-11-01");
    let put = |body: Vec<u8>| {
        let (cloud, token, url) = (&cloud, &token, &url);
        async move { cloud.send("PUT", url, &[("authorization", token)], body).await }
    };
    assert_eq!(put(vec![b' '; 5 * 1024 * 1024]).await.status, 413);
    for body in ["", "{", "[]", "7", "\u{0}"] {
        assert_eq!(put(body.as_bytes().to_vec()).await.code(), "InvalidRequestContent", "{body}");
    }
    let nested = "[".repeat(100_000);
    assert_eq!(put(nested.into_bytes()).await.code(), "InvalidRequestContent");
}
