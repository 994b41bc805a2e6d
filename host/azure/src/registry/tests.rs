use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use report::Kind;
use serde_json::json;

use super::*;
use crate::identity::NoSecrets;
use crate::testing::{NOW, Reply, Server, TENANT, granted, identity, with_secret};

fn jwt(life: i64) -> String {
    format!("h.{}.s", URL_SAFE_NO_PAD.encode(json!({ "exp": NOW + life }).to_string()))
}

fn acr(target: &str) -> Reply {
    match target {
        "/oauth2/exchange" => Reply::json(200, json!({ "refresh_token": jwt(10_800) })),
        "/oauth2/token" => Reply::json(200, json!({ "access_token": jwt(4500) })),
        _ => granted("entra", 3599),
    }
}

#[tokio::test]
async fn a_token_is_exchanged_as_the_azure_cli_does() {
    let server = Server::start(|seen| acr(&seen.target)).await;
    let (identity, _) = identity(with_secret(&server.url));
    let registry = identity.registry(server.authority()).unwrap();
    for _ in 0..2 {
        let token = registry.refresh_token(&NoSecrets).await.unwrap();
        assert_eq!(token.secret().expose_text(), Some(jwt(10_800).as_str()));
    }
    let catalog = ["registry:catalog:*".to_owned()];
    let both = ["repository:a:pull".to_owned(), "repository:b:pull,push".to_owned()];
    registry.access_token(&catalog, &NoSecrets).await.unwrap();
    registry.access_token(&both, &NoSecrets).await.unwrap();
    registry.access_token(&both, &NoSecrets).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 4, "{:?}", server.lines());
    // As in `acr-repository-list` of the captures.
    let host = server.authority();
    assert_eq!(
        seen[1].form(),
        [
            "grant_type=access_token".to_owned(),
            format!("service={host}"),
            format!("tenant={TENANT}"),
            "access_token=entra".to_owned(),
        ]
    );
    let refresh = format!("refresh_token={}", jwt(10_800));
    assert_eq!(
        seen[2].form(),
        [
            "grant_type=refresh_token",
            &format!("service={host}"),
            "scope=registry:catalog:*",
            &refresh
        ]
    );
    // All scopes at once: with ABAC permissions a token is for these and no others.
    assert_eq!(seen[3].form()[2..4], ["scope=repository:a:pull", "scope=repository:b:pull,push"]);
}

#[tokio::test]
async fn a_registry_that_refuses_says_why() {
    for (status, kind, help) in [
        (401, Kind::Unauthorized, "AcrPull"),
        (403, Kind::Unauthorized, "firewall"),
        (404, Kind::Unauthorized, "login server"),
        (503, Kind::Transient, "role"),
    ] {
        let server = Server::start(move |seen| match seen.target.as_str() {
            "/oauth2/exchange" => Reply::json(
                status,
                json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "authentication required" }] }),
            ),
            _ => granted("entra-token", 3599),
        })
        .await;
        let (identity, _) = identity(with_secret(&server.url));
        let registry = identity.registry(server.authority()).unwrap();
        let fault = registry.refresh_token(&NoSecrets).await.err().unwrap();
        assert_eq!(fault.kind, kind, "{status}");
        assert_eq!(fault.causes[0], "authentication required");
        assert!(fault.help.as_deref().unwrap().contains(help), "{fault:?}");
        assert!(!format!("{fault:?}").contains("entra-token"));
    }
}

#[tokio::test]
async fn answers_of_a_registry_that_are_no_tokens_are_refused() {
    for body in ["", "{}", "{\"refresh_token\":\"\"}", "{\"refresh_token\":{}}", "[]"] {
        let server = Server::start(move |seen| match seen.target.as_str() {
            "/oauth2/exchange" => Reply::json(200, body),
            _ => granted("entra", 3599),
        })
        .await;
        let (identity, _) = identity(with_secret(&server.url));
        let registry = identity.registry(server.authority()).unwrap();
        assert_eq!(registry.refresh_token(&NoSecrets).await.err().unwrap().kind, Kind::Failed);
    }
}

#[tokio::test]
async fn other_registries_get_no_token() {
    let server = Server::start(|seen| acr(&seen.target)).await;
    let (identity, _) = identity(with_secret(&server.url));
    for other in ["docker.io", "myregistry.azurecr.io", "evil.example", "a b", "", "127.0.0.1:1"] {
        let fault = identity.registry(other).err().unwrap();
        assert_eq!(fault.kind, Kind::Denied, "{other}");
    }
    let registry = identity.registry(server.authority()).unwrap();
    let own = |text: &str| registry.is_own(&Url::parse(text).unwrap());
    assert!(own(&format!("{}/oauth2/token", server.url)));
    assert!(!own("https://auth.evil.example/oauth2/token"));
    assert!(!own(&server.url.replace("http:", "https:")));
    assert!(server.seen().is_empty());
}

#[test]
fn the_scope_of_a_request_follows_from_its_path() {
    let scope = |method: &str, path: &str| {
        let url = Url::parse(&format!("https://r.azurecr.io{path}")).unwrap();
        scopes_of(&method.parse().unwrap(), &url).map(|scopes| scopes.join(" "))
    };
    for (method, path, expect) in [
        ("GET", "/v2/_catalog?n=100", "registry:catalog:*"),
        ("GET", "/acr/v1/_catalog", "registry:catalog:*"),
        ("GET", "/acr/v1/a/b/_manifests?n=100", "repository:a/b:metadata_read"),
        ("GET", "/acr/v1/a/_tags/latest", "repository:a:metadata_read"),
        ("GET", "/acr/v1/a/b", "repository:a/b:metadata_read"),
        ("PATCH", "/acr/v1/a/_tags/latest", "repository:a:metadata_write"),
        ("DELETE", "/acr/v1/a", "repository:a:delete"),
        ("GET", "/v2/a/manifests/tags", "repository:a:pull"),
        ("HEAD", "/v2/a/b/blobs/sha256:1", "repository:a/b:pull"),
        ("GET", "/v2/a/tags/list", "repository:a:pull"),
        ("GET", "/v2/a/referrers/sha256:1", "repository:a:pull"),
        ("POST", "/v2/a/blobs/uploads/", "repository:a:pull,push"),
        ("PUT", "/v2/a/manifests/1", "repository:a:pull,push"),
        ("DELETE", "/v2/a/manifests/sha256:1", "repository:a:pull,delete"),
    ] {
        assert_eq!(scope(method, path).as_deref(), Some(expect), "{method} {path}");
    }
    for (method, path) in [
        ("POST", "/oauth2/token"),
        ("POST", "/oauth2/exchange"),
        ("GET", "/oauth2/token"),
        ("GET", "/"),
        ("GET", "/v2/"),
        ("GET", "/v2/a"),
        ("POST", "/v2/_catalog"),
        ("GET", "/acr/v1/"),
        ("POST", "/acr/v1/a"),
        ("GET", "/acr/v1/_catalog/x"),
        ("GET", "/acr/v1/_tags"),
        ("GET", "/v2//manifests/1"),
        ("GET", "/v2/a%2fb/manifests/1"),
        ("GET", "/v2/manifests/1"),
        ("GET", "/acr/v1/a//_tags"),
    ] {
        assert_eq!(scope(method, path), None, "{method} {path}");
    }
}
