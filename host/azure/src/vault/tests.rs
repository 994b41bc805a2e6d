use http::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

use super::*;
use crate::identity::NoSecrets;
use crate::testing::{NOW, Reply, Server, granted, identity, with_secret};

const VERSION: &str = "a72417cc8e57432a8cd69ca387a7c283";

/// A vault whose secret `a` answers with `reply`, and the deleted one with `deleted`.
async fn read(
    reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    deleted: Option<Value>,
    version: Option<&str>,
) -> (Result<VaultSecret, Fault>, Vec<String>) {
    let server = Server::start(move |seen| match seen.target.as_str() {
        target if target.contains("/oauth2/") => granted("entra-token", 3599),
        target if target.contains("/deletedsecrets/") => match &deleted {
            Some(body) => Reply::json(200, body),
            None => Reply::json(403, ""),
        },
        _ => reply(seen.header("authorization").unwrap_or_default()),
    })
    .await;
    let (identity, _) = identity(with_secret(&server.url));
    let vault = identity.vault("mykeyvault").unwrap();
    let name = SecretName::new("a", version).unwrap();
    let read = vault.read(&name, &NoSecrets).await;
    if let Err(fault) = &read {
        assert!(!format!("{fault:?}").contains("entra-token"), "{fault:?}");
    } else {
        assert_eq!(identity.mask().apply("the-password"), "***");
    }
    (read, server.lines())
}

fn bundle(attributes: Value) -> Reply {
    Reply::json(
        200,
        json!({
            "value": "the-password", "contentType": "text/plain", "attributes": attributes,
            "id": format!("https://mykeyvault.vault.azure.net/secrets/a/{VERSION}"),
        }),
    )
}

fn failure_reply(status: u16, code: &str, message: &str, inner: &str) -> Reply {
    let mut error = json!({ "code": code, "message": message });
    if !inner.is_empty() {
        error["innererror"] = json!({ "code": inner });
    }
    Reply::json(status, json!({ "error": error }))
}

#[tokio::test]
async fn a_secret_is_read_with_one_request_and_a_token() {
    let token = "POST /22222222-2222-2222-2222-222222222222/oauth2/v2.0/token";
    let attributes = json!({ "enabled": true, "nbf": NOW - 1, "exp": NOW + 1 });
    let (read, lines) = read_ok(attributes.clone(), None).await;
    assert_eq!(read.value.expose_text(), Some("the-password"));
    assert_eq!(read.version, VERSION);
    // The Azure CLI asks without a token first; who the vault belongs to is known without.
    assert_eq!(lines, [token, "GET /vault/mykeyvault/secrets/a/?api-version=7.4"]);
    let (_, lines) = read_ok(attributes, Some(VERSION)).await;
    assert_eq!(lines[1], format!("GET /vault/mykeyvault/secrets/a/{VERSION}?api-version=7.4"));
}

async fn read_ok(attributes: Value, version: Option<&str>) -> (VaultSecret, Vec<String>) {
    let (result, lines) = read(
        move |authorization| {
            assert_eq!(authorization, "Bearer entra-token");
            bundle(attributes.clone())
        },
        None,
        version,
    )
    .await;
    (result.unwrap(), lines)
}

#[tokio::test]
async fn a_vault_that_says_no_says_why() {
    let rbac = "Caller is not authorized to perform action on resource.\r\nIf role assignments were changed\r\nCaller: appid=33";
    for (status, code, message, inner, kind, what, help) in [
        (
            403,
            "Forbidden",
            rbac,
            "ForbiddenByRbac",
            Kind::Unauthorized,
            "does not let",
            "Key Vault Secrets User",
        ),
        (403, "Forbidden", rbac, "", Kind::Unauthorized, "does not let", "Key Vault Secrets User"),
        (
            403,
            "Forbidden",
            "x",
            "ForbiddenByPolicy",
            Kind::Unauthorized,
            "does not let",
            "set-policy",
        ),
        (
            403,
            "Forbidden",
            "x",
            "ForbiddenByFirewall",
            Kind::Unauthorized,
            "does not let",
            "firewall",
        ),
        (
            403,
            "Forbidden",
            "Operation get is not allowed on a disabled secret.",
            "SecretDisabled",
            Kind::Failed,
            "is disabled",
            "--enabled true",
        ),
        (404, "SecretNotFound", "x", "", Kind::NotFound, "there is no secret `a`", "secret list"),
        (429, "Throttled", "x", "", Kind::Transient, "has no time", "again"),
        (503, "", "", "", Kind::Transient, "has no time", "again"),
        (400, "BadParameter", "x", "", Kind::Failed, "answers 400", "version"),
        (302, "", "", "", Kind::Failed, "answers 302", "version"),
    ] {
        let (result, _) =
            read(move |_| failure_reply(status, code, message, inner), None, None).await;
        let fault = result.err().unwrap();
        assert_eq!(fault.kind, kind, "{status} {inner}");
        assert_eq!(fault.code, format!("{kind}.azure"));
        assert!(fault.message.contains(what), "{fault:?}");
        assert!(fault.help.as_deref().unwrap().contains(help), "{fault:?}");
        assert!(fault.causes.iter().all(|cause| !cause.contains("Caller: ")), "{fault:?}");
    }
}

#[tokio::test]
async fn a_secret_that_was_deleted_can_be_recovered() {
    let gone = |_: &str| failure_reply(404, "SecretNotFound", "x", "");
    let deleted = json!({ "recoveryId": "r", "scheduledPurgeDate": 1_800_000_000 });
    let (result, _) = read(gone, Some(deleted), None).await;
    let fault = result.err().unwrap();
    assert!(
        fault.message.ends_with("is deleted, and can be recovered until 2027-01-15"),
        "{fault}"
    );
    assert!(fault.help.unwrap().contains("secret recover --vault-name"));
    let (result, _) = read(gone, Some(json!({})), None).await;
    assert!(result.err().unwrap().message.ends_with("can be recovered"));
}

#[tokio::test]
async fn a_secret_that_is_not_good_now_is_not_used() {
    for (attributes, what) in [
        (json!({ "exp": NOW }), "is over since 2026-11-22"),
        (json!({ "nbf": NOW + 86_400 }), "is not good before 2026-11-23"),
        (json!({ "exp": i64::MIN }), "is over since 1970-01-01"),
        (json!({ "nbf": i64::MAX }), "is not good before 9999-12-31"),
    ] {
        let (result, _) = read(move |_| bundle(attributes.clone()), None, None).await;
        let fault = result.err().unwrap();
        assert_eq!(fault.kind, Kind::Failed);
        assert!(fault.message.ends_with(what), "{fault}");
    }
}

#[tokio::test]
async fn answers_that_are_no_secrets_are_refused() {
    for body in ["", "[]", "{\"value\":1}", "<html>"] {
        let (result, _) = read(move |_| Reply::json(200, body), None, None).await;
        assert_eq!(result.err().unwrap().kind, Kind::Failed, "{body}");
    }
}

const CHALLENGE: &str = "Bearer authorization=\"https://login.microsoftonline.com/other-tenant\", resource=\"https://vault.azure.net\"";

#[tokio::test]
async fn a_vault_of_another_tenant_says_which() {
    let refuse = |_: &str| {
        failure_reply(401, "Unauthorized", "AKV10032: Invalid issuer.", "")
            .header("www-authenticate", CHALLENGE)
    };
    let (result, lines) = read(refuse, None, None).await;
    let fault = result.err().unwrap();
    assert_eq!(fault.kind, Kind::Unauthorized);
    assert_eq!(fault.causes, ["Unauthorized: AKV10032: Invalid issuer"]);
    assert!(fault.help.unwrap().contains("tenant `other-tenant`"));
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_vault_that_wants_another_audience_s_token_gets_none() {
    for resource in [
        "https://management.azure.com",
        "https://graph.microsoft.com",
        "https://evil.example",
        "https://net",
        "http://vault.azure.net",
        "vault",
        "",
    ] {
        let refuse = move |_: &str| {
            let text =
                format!("Bearer authorization=\"https://login.x/t\", resource=\"{resource}\"");
            failure_reply(401, "Unauthorized", "x", "").header("www-authenticate", text)
        };
        let (result, lines) = read(refuse, None, None).await;
        let fault = result.err().unwrap();
        assert_eq!(fault.kind, Kind::Denied, "{resource}: {fault:?}");
        // No token was asked for on its behalf.
        assert_eq!(lines.len(), 2, "{resource}: {lines:?}");
    }
}

#[test]
fn challenges_are_read_in_every_form_that_was_seen() {
    let of = |text: &str| {
        let mut headers = http::HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, text.parse().unwrap());
        let challenge = Challenge::of(&Answer { status: 401, headers, body: Vec::new().into() });
        (challenge.tenant.unwrap_or_default(), challenge.resource.unwrap_or_default())
    };
    let both = ("other-tenant".to_owned(), "https://vault.azure.net".to_owned());
    assert_eq!(of(CHALLENGE), both);
    let old = "Bearer authorization_uri=\"https://login.windows.net/other-tenant\" , scope=\"https://vault.azure.net/.default\"";
    assert_eq!(of(old), both);
    for odd in ["", "Bearer", "Basic realm=\"x\"", "Bearer authorization=,resource", "Bearer a=b,c"]
    {
        assert_eq!(of(odd), (String::new(), String::new()), "{odd}");
    }
}

#[test]
fn names_and_versions_are_checked_before_anybody_is_asked() {
    SecretName::new("myregistry-pull-pwd", Some(VERSION)).unwrap();
    SecretName::new(&"a".repeat(127), None).unwrap();
    for name in ["", "a_b", "a/b", "a.b", "../x", "a b", "é", &"a".repeat(128)] {
        assert_eq!(SecretName::new(name, None).unwrap_err().kind, Kind::Invalid, "{name}");
    }
    for version in [
        "",
        "latest",
        "../../keys/x",
        "a72417cc8e57432a8cd69ca387a7c28",
        "a72417cc8e57432a8cd69ca387a7c28g",
    ] {
        assert!(SecretName::new("a", Some(version)).is_err(), "{version}");
    }
}

#[test]
fn other_vaults_get_no_token() {
    let (identity, _) = identity(with_secret("http://127.0.0.1:1"));
    for other in
        ["https://kv1.vault.azure.net", "https://evil.example", "http://127.0.0.1:2", "a/b"]
    {
        assert_eq!(identity.vault(other).err().unwrap().kind, Kind::Invalid, "{other}");
    }
}
