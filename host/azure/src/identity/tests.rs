use std::os::unix::fs::PermissionsExt as _;

use futures::future::join_all;
use report::Kind;
use serde_json::json;

use super::*;
use crate::cloud::Endpoints;
use crate::testing::{
    APP, NOW, OneSecret, Reply, Server, TENANT, granted, identity, options, with_secret,
};

const TOKEN_PATH: &str = "/22222222-2222-2222-2222-222222222222/oauth2/v2.0/token";

async fn arm(identity: &Identity) -> Result<String, Fault> {
    let token = identity.token(&Audience::Arm, &NoSecrets).await?;
    Ok(token.secret().expose_text().unwrap().to_owned())
}

#[tokio::test]
async fn a_client_secret_is_sent_as_the_azure_cli_sends_it() {
    let server = Server::start(|_| granted("token-of-arm", 3599)).await;
    let (identity, _) = identity(with_secret(&server.url));
    assert_eq!(arm(&identity).await.unwrap(), "token-of-arm");
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", TOKEN_PATH));
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    // Those of `login-sp` in the captures, but for what only a library of Microsoft's can keep.
    assert_eq!(
        seen.form(),
        [
            format!("client_id={APP}"),
            "grant_type=client_credentials".to_owned(),
            "scope=https://management.azure.com/.default".to_owned(),
            "client_secret=s3cr3t-of-the-app".to_owned(),
        ]
    );
    // The token and the secret are masked from here on.
    let mask = identity.mask();
    assert_eq!(mask.apply("token-of-arm s3cr3t-of-the-app"), "*** ***");
}

#[tokio::test]
async fn many_who_want_a_token_make_one_request_and_other_audiences_their_own() {
    let server = Server::start(|_| granted("t", 3599)).await;
    let (identity, _) = identity(with_secret(&server.url));
    let all = join_all((0..25).map(|_| arm(&identity))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(server.seen().len(), 1);
    let vault = |host: &str| Audience::Vault(host.to_owned());
    for audience in [Audience::Graph, vault("a"), vault("b"), Audience::Registry("c".into())] {
        identity.token(&audience, &NoSecrets).await.unwrap();
    }
    let scopes: Vec<String> =
        server.seen().iter().map(|seen| seen.form()[2].replace(&server.url, "")).collect();
    // Vaults have one audience; registries take the token of Azure Resource Manager here.
    assert_eq!(
        scopes,
        [
            "scope=https://management.azure.com/.default",
            "scope=/graph/.default",
            "scope=https://vault.azure.net/.default",
        ]
    );
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_says_what_to_do() {
    let body = json!({
        "error": "invalid_client",
        "error_description": "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '33333333-3333-3333-3333-333333333333'. Trace ID: 0 Correlation ID: 0 Timestamp: 2026-01-01 00:00:00Z",
        "error_codes": [7_000_215],
        "trace_id": "1d69bed3",
    });
    let server = Server::start(move |_| Reply::json(401, &body)).await;
    let (identity, pauses) = identity(with_secret(&server.url));
    let fault = arm(&identity).await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Unauthorized, "unauthorized.azure"));
    assert_eq!(
        fault.message,
        "Azure refused the client secret of the identity `prod` (AADSTS7000215)"
    );
    assert!(fault.causes[0].starts_with("Invalid client secret provided."), "{fault:?}");
    assert_eq!(fault.causes[1], "trace id 1d69bed3");
    assert!(fault.help.as_deref().unwrap().contains("not its id"));
    // It stays refused: nobody asks again, and no other link is tried.
    assert_eq!((server.seen().len(), pauses.lock().unwrap().len()), (1, 0));
    assert!(!format!("{fault:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn passing_trouble_is_waited_for_as_long_as_the_server_says() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let server =
        Server::start(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Reply::json(429, "").header("retry-after", "7"),
            1 => Reply::json(503, "<html>"),
            _ => granted("t", 60),
        })
        .await;
    let (identity, pauses) = identity(with_secret(&server.url));
    arm(&identity).await.unwrap();
    let pauses = pauses.lock().unwrap().clone();
    assert_eq!(pauses[0].as_secs(), 7);
    assert!((1600..=2000).contains(&pauses[1].as_millis()), "{pauses:?}");
}

#[tokio::test]
async fn trouble_that_does_not_pass_is_said_to_be_passing() {
    for (retry_after, requests) in [("1", 4), ("3600", 1)] {
        let server =
            Server::start(move |_| Reply::json(429, "").header("retry-after", retry_after)).await;
        let (identity, _) = identity(with_secret(&server.url));
        let fault = arm(&identity).await.unwrap_err();
        assert_eq!((fault.kind, fault.retry), (Kind::Transient, true));
        assert_eq!(server.seen().len(), requests);
    }
    // Nobody listens there.
    let closed = Server::start(|_| granted("t", 60)).await.url;
    let (identity, pauses) = identity(with_secret(&closed));
    let fault = arm(&identity).await.unwrap_err();
    assert_eq!((fault.kind, pauses.lock().unwrap().len()), (Kind::Transient, 3));
    assert!(fault.message.starts_with("no connection from http://127.0.0.1:"), "{fault}");
}

#[tokio::test]
async fn answers_that_are_no_tokens_are_refused() {
    for body in
        ["", "{}", "[]", "null", "{\"access_token\":1}", "{\"access_token\":\"\"}", "<html>"]
    {
        let server = Server::start(move |_| Reply::json(200, body)).await;
        let (identity, _) = identity(with_secret(&server.url));
        let fault = arm(&identity).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Failed, "{body}: {fault}");
    }
    let server = Server::start(|_| Reply::json(200, "x".repeat(2 << 20))).await;
    let (identity, _) = identity(with_secret(&server.url));
    let fault = arm(&identity).await.unwrap_err();
    assert!(fault.message.ends_with("has more than 1 MiB"), "{fault}");
    // A token that no header can hold is no token to send.
    let server = Server::start(|_| granted("a\nb", 60)).await;
    let (identity, _) = self::identity(with_secret(&server.url));
    let url = Url::parse(&format!("{}/arm/x", server.url)).unwrap();
    let sent = identity.authorization(&Audience::Arm, &Method::GET, &url, &NoSecrets).await;
    assert!(!format!("{:?}", sent.unwrap_err()).contains("a\nb"));
}

#[tokio::test]
async fn a_login_that_redirects_is_not_followed() {
    let server =
        Server::start(|_| Reply::json(302, "").header("location", "http://127.0.0.1:1/")).await;
    let (identity, _) = identity(with_secret(&server.url));
    let fault = arm(&identity).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Unauthorized);
    assert!(fault.message.ends_with("(status 302)"), "{fault}");
}

#[tokio::test]
async fn a_secret_of_the_pipeline_goes_before_the_environment() {
    let server = Server::start(|_| granted("t", 3599)).await;
    let mut own = with_secret(&server.url);
    own.client_secret = Some("sp".to_owned());
    own.client_id = Some("other-app".to_owned());
    let (identity, _) = identity(own);
    let secrets = OneSecret("sp", b"of-the-pipeline".to_vec());
    identity.token(&Audience::Arm, &secrets).await.unwrap();
    let form = server.seen()[0].form();
    assert_eq!(
        (form[0].as_str(), form[3].as_str()),
        ("client_id=other-app", "client_secret=of-the-pipeline")
    );
}

#[tokio::test]
async fn a_federated_token_is_read_anew_for_every_login() {
    let server = Server::start(|_| granted("t", 0)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs_err::write(&path, "first.jwt\n").unwrap();
    let variables = [
        ("AZURE_CLIENT_ID", APP),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_FEDERATED_TOKEN_FILE", path.to_str().unwrap()),
    ];
    let (identity, _) = identity(options(&server.url, &variables));
    arm(&identity).await.unwrap();
    fs_err::write(&path, "second.jwt").unwrap();
    arm(&identity).await.unwrap();
    let forms: Vec<_> = server.seen().iter().map(|seen| seen.form()).collect();
    // As in `login-federated` of the captures.
    assert_eq!(forms[0][3], "client_assertion=first.jwt");
    assert_eq!(
        forms[0][4],
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(forms[1][3], "client_assertion=second.jwt");
    for (text, why) in [("", "is empty"), ("  \n", "is empty")] {
        fs_err::write(&path, text).unwrap();
        let fault = arm(&identity).await.unwrap_err();
        assert!(fault.message.ends_with(why), "{fault}");
    }
    fs_err::write(&path, "x".repeat(70_000)).unwrap();
    assert!(arm(&identity).await.unwrap_err().message.ends_with("more than 64 KiB"));
    fs_err::remove_file(&path).unwrap();
    let fault = arm(&identity).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Unauthorized);
    assert!(fault.message.contains(path.to_str().unwrap()), "{fault}");
}

#[tokio::test]
async fn a_job_of_github_exchanges_its_token() {
    let server = Server::start(|seen| match seen.method.as_str() {
        "GET" => Reply::json(200, json!({ "count": 1, "value": "oidc.jwt.of-the-job" })),
        _ => granted("t", 3599),
    })
    .await;
    let url = format!("{}/idtoken?api-version=2.0", server.url);
    let variables = [
        ("AZURE_CLIENT_ID", APP),
        ("AZURE_TENANT_ID", TENANT),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token"),
    ];
    let (identity, _) = identity(options(&server.url, &variables));
    arm(&identity).await.unwrap();
    let seen = server.seen();
    assert_eq!(
        seen[0].target,
        "/idtoken?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange"
    );
    assert_eq!(seen[0].header("authorization"), Some("Bearer request-token"));
    assert_eq!(seen[1].form()[3], "client_assertion=oidc.jwt.of-the-job");
    assert_eq!(identity.mask().apply("request-token oidc.jwt.of-the-job"), "*** ***");
}

#[tokio::test]
async fn the_token_of_a_job_goes_nowhere_without_tls() {
    let variables = [
        ("AZURE_CLIENT_ID", APP),
        ("AZURE_TENANT_ID", TENANT),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://actions.example/idtoken"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token"),
    ];
    let (identity, _) = identity(options("http://127.0.0.1:1", &variables));
    let fault = arm(&identity).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Invalid);
    assert_eq!(fault.message, "ACTIONS_ID_TOKEN_REQUEST_URL is not an `https` URL");
}

fn of_machine() -> Reply {
    Reply::json(
        200,
        json!({
            "access_token": "t", "client_id": "66", "expires_in": "86400",
            "expires_on": (NOW + 86_400).to_string(), "resource": "r", "token_type": "Bearer",
        }),
    )
}

#[tokio::test]
async fn a_virtual_machine_asks_its_metadata_service() {
    let imds = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com";
    let id = "/subscriptions/1/x";
    for (which, more) in [
        (Managed::System, ""),
        (Managed::ClientId("66".to_owned()), "&client_id=66"),
        (Managed::ResourceId(id.to_owned()), "&msi_res_id=%2Fsubscriptions%2F1%2Fx"),
    ] {
        let server = Server::start(|_| of_machine()).await;
        let mut own = options(&server.url, &[]);
        own.managed = Some(which);
        let (identity, _) = identity(own);
        arm(&identity).await.unwrap();
        arm(&identity).await.unwrap();
        assert_eq!(server.lines(), [format!("GET {imds}{more}")]);
        assert_eq!(server.seen()[0].header("metadata"), Some("true"));
    }
}

#[tokio::test]
async fn app_service_is_asked_with_its_header() {
    let server = Server::start(|_| of_machine()).await;
    let endpoint = format!("{}/msi/token", server.url);
    let variables =
        [("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", "app-service-header")];
    let mut own = options(&server.url, &variables);
    own.managed = Some(Managed::ResourceId("/id".to_owned()));
    let (identity, _) = identity(own);
    arm(&identity).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(
        seen.target,
        "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com&mi_res_id=%2Fid"
    );
    assert_eq!(seen.header("x-identity-header"), Some("app-service-header"));
}

#[tokio::test]
async fn a_metadata_service_that_is_being_replaced_is_waited_for() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let server =
        Server::start(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => Reply::json(404, ""),
            1..=4 => Reply::json(410, ""),
            _ => of_machine(),
        })
        .await;
    let mut own = options(&server.url, &[]);
    own.managed = Some(Managed::System);
    let (identity, pauses) = identity(own);
    arm(&identity).await.unwrap();
    let total: std::time::Duration = pauses.lock().unwrap().iter().sum();
    assert!(total.as_secs() >= 70, "{total:?}");
}

#[tokio::test]
async fn a_machine_without_an_identity_is_no_reason_to_stop() {
    let replies: [fn() -> Reply; 4] = [
        || Reply::json(404, ""),
        || Reply::json(200, "<html>captive portal</html>"),
        || Reply::json(403, "connecting to 169.254.169.254: network is unreachable"),
        || {
            Reply::json(
                400,
                r#"{"error":"invalid_request","error_description":"Identity not found"}"#,
            )
        },
    ];
    for reply in replies {
        let server = Server::start(move |_| reply()).await;
        let (identity, pauses) = identity(options(&server.url, &[]));
        let fault = arm(&identity).await.unwrap_err();
        assert_eq!(fault.message, "the identity `prod` has no way to log in to Azure");
        assert_eq!(fault.causes.len(), 6, "{fault:?}");
        assert_eq!(fault.causes[0], "client secret: AZURE_CLIENT_SECRET is not set");
        assert_eq!(fault.causes[5], "Azure CLI: `az` is not on the PATH");
        assert!(fault.help.unwrap().contains("az login"));
        assert_eq!((server.seen().len(), pauses.lock().unwrap().len()), (1, 0));
    }
    for (variables, what) in [
        (&[("MSI_ENDPOINT", "http://x")][..], "Cloud Shell"),
        (&[("IDENTITY_ENDPOINT", "http://x"), ("IMDS_ENDPOINT", "http://x")][..], "Azure Arc"),
    ] {
        let mut own = options("http://127.0.0.1:1", variables);
        own.managed = Some(Managed::System);
        let (identity, _) = identity(own);
        let fault = arm(&identity).await.unwrap_err();
        assert!(fault.message.contains(what), "{fault}");
    }
}

#[tokio::test]
async fn a_link_that_is_there_and_refused_ends_the_chain() {
    let server = Server::start(|seen| match seen.target.starts_with("/metadata") {
        true => of_machine(),
        false => Reply::json(400, r#"{"error":"x","error_description":"AADSTS700016: no"}"#),
    })
    .await;
    let (identity, _) = identity(with_secret(&server.url));
    let fault = arm(&identity).await.unwrap_err();
    assert!(fault.message.ends_with("(AADSTS700016)"), "{fault}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_link_that_worked_is_the_one_that_is_asked_again() {
    let server = Server::start(|_| of_machine()).await;
    let (identity, _) = identity(options(&server.url, &[]));
    arm(&identity).await.unwrap();
    identity.token(&Audience::Graph, &NoSecrets).await.unwrap();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn only_the_links_that_are_named_are_tried() {
    let server = Server::start(|_| of_machine()).await;
    let mut own = with_secret(&server.url);
    own.links = vec![Link::Cli];
    let (identity, _) = identity(own);
    let fault = arm(&identity).await.unwrap_err();
    assert_eq!(
        fault.message,
        "the identity `prod` cannot use its Azure CLI: `az` is not on the PATH"
    );
    assert!(server.seen().is_empty());
    let mut own = options(&server.url, &[]);
    own.client_secret = Some("sp".to_owned());
    let (identity, _) = self::identity(own);
    let fault = arm(&identity).await.unwrap_err();
    assert!(fault.message.contains("AZURE_CLIENT_ID and AZURE_TENANT_ID"), "{fault}");
    assert!(server.seen().is_empty());
}

/// An `az` that does what `script` says.
async fn with_az(script: &str, tenant: Option<&str>) -> Result<(Identity, String), Fault> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("az");
    fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_mode(0o700);
    std::fs::set_permissions(&path, permissions).unwrap();
    let mut own = options("http://127.0.0.1:1", &[]);
    own.az = Some(path);
    own.links = vec![Link::Cli];
    own.tenant = tenant.map(str::to_owned);
    let (identity, _) = identity(own);
    let token = arm(&identity).await?;
    Ok((identity, token))
}

#[tokio::test]
async fn the_azure_cli_is_asked_who_is_logged_in() {
    let script = format!(
        r#"[ "$*" = "account get-access-token --output json --resource https://management.azure.com --tenant T" ] || exit 3
        echo '{{"accessToken":"token-of-az","expiresOn":"2026-11-22 16:25:18.000000","expires_on":{},"tokenType":"Bearer"}}'"#,
        NOW + 3600
    );
    let (identity, token) = with_az(&script, Some("T")).await.unwrap();
    assert_eq!(token, "token-of-az");
    assert_eq!(identity.mask().apply("token-of-az"), "***");
}

#[tokio::test]
async fn an_azure_cli_that_has_nothing_says_so_in_one_bounded_line() {
    let script = "echo 'ERROR: Please run '\"'az login'\"' to setup account.' >&2; exit 1";
    let fault = with_az(script, None).await.err().unwrap();
    assert_eq!(fault.kind, Kind::Unauthorized);
    assert!(
        fault.message.ends_with("`az` has no token: Please run 'az login' to setup account"),
        "{fault}"
    );
    assert_eq!(fault.help.as_deref(), Some("run `az login`"));
    for script in ["echo '{}'", "echo nothing", "yes", "exit 0", "yes >&2; exit 1"] {
        let fault = with_az(script, None).await.err().unwrap();
        assert_eq!(fault.kind, Kind::Unauthorized, "{script}");
        assert!(fault.message.len() < 500, "{fault}");
    }
}

#[tokio::test]
async fn a_token_is_written_only_into_requests_to_its_audience() {
    let server = Server::start(|_| granted("t", 3599)).await;
    let (identity, _) = identity(with_secret(&server.url));
    let at = |path: &str| Url::parse(&format!("{}{path}", server.url)).unwrap();
    let ask = async |audience: &Audience, url: &Url| {
        identity.authorization(audience, &Method::GET, url, &NoSecrets).await
    };
    let header = ask(&Audience::Arm, &at("/arm/subscriptions")).await.unwrap();
    assert!(header.is_sensitive());
    assert_eq!(header.to_str().unwrap(), "Bearer t");
    for (audience, url) in [
        (Audience::Arm, at("/graph/v1.0")),
        (Audience::Graph, at("/arm/subscriptions")),
        (Audience::Arm, Url::parse("https://management.azure.com/").unwrap()),
        (Audience::Vault("kv1.vault.azure.net".into()), at("/vault/kv1/secrets/a")),
    ] {
        let fault = ask(&audience, &url).await.unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.azure"), "{url}");
    }
}

#[test]
fn the_environment_may_name_the_cloud_and_never_an_unsafe_login() {
    let make = |authority: &str| {
        let mut own = options("http://127.0.0.1:1", &[("AZURE_AUTHORITY_HOST", authority)]);
        own.endpoints = Endpoints::default();
        Identity::new(own)
    };
    let china = make("https://login.chinacloudapi.cn/").unwrap();
    assert_eq!(china.cloud().resource(&Audience::Arm), "https://management.chinacloudapi.cn");
    let own = make("https://login.example").unwrap();
    assert_eq!(own.cloud().token_url("t").unwrap().host_str(), Some("login.example"));
    for wrong in ["http://login.example", "login.example", "https://me:pw@login.example"] {
        assert_eq!(make(wrong).err().unwrap().kind, Kind::Invalid);
    }
}
