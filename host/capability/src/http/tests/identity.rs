//! A token goes to the hosts of its audience, and every way to lead it elsewhere ends without it.

use report::Kind;

use super::*;
use crate::identity::loopback::{ACCESS, Azure, TOKEN};

const APP: &str = "secret-of-the-application";

/// Names that are all on this machine, those that only look alike among them.
fn local_names() -> Arc<dyn Names> {
    let hosts = [
        "arm.localhost",
        "graph.localhost",
        "mykv.vault.localhost",
        "other.vault.localhost",
        "arm.localhost.evil.test",
        "evil-arm.localhost",
        "mykv.vault.localhost.evil.test",
        "evil.test",
        "management.azure.com",
    ];
    let local = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    Arc::new(Table(hosts.into_iter().map(|host| (host, local.clone())).collect()))
}

fn run_of(azure: &Azure, secret: &'static str) -> TestRun {
    TestRunBuilder::default()
        .identity(azure.identity())
        .secret("app", secret, &[])
        .http(Http::with_names(ClientOptions::default(), local_names()))
        .build()
}

/// A grant of `hosts` and of the identity.
fn as_prod(azure: &Azure, hosts: &[&str]) -> GrantText {
    let urls: Vec<String> = hosts.iter().map(|host| azure.url(host, "")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    GrantText { identity: vec!["prod".to_owned()], ..private(&urls) }
}

/// What the server saw of `authorization`, call by call.
fn sent(azure: &Azure) -> Vec<Option<String>> {
    azure.calls().iter().map(|seen| seen.authorization().map(str::to_owned)).collect()
}

fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

#[tokio::test]
async fn requests_to_the_audiences_have_the_token_and_nobody_sees_it() {
    let azure = Azure::start().await;
    let run = run_of(&azure, APP);
    let call = run.call(&as_prod(
        &azure,
        &["arm.localhost", "graph.localhost", "mykv.vault.localhost", "127.0.0.1"],
    ));
    for (host, path, token) in [
        ("arm.localhost", "/subscriptions", TOKEN),
        ("graph.localhost", "/v1.0/applications", TOKEN),
        ("mykv.vault.localhost", "/secrets/pull-pwd/", TOKEN),
        ("127.0.0.1", "/acr/v1/a/_manifests", ACCESS),
    ] {
        let response = call.http.send(get(&azure.url(host, path))).await.unwrap();
        assert_eq!(response.status, 200, "{host}");
        assert_eq!(sent(&azure).last().unwrap(), &bearer(token), "{host}");
        assert!(!format!("{response:?}").contains(token));
    }
    let said = run.recorder.lines().join("\n");
    assert!(!said.contains(TOKEN) && !said.contains(ACCESS) && !said.contains(APP), "{said}");
}

#[tokio::test]
async fn without_the_grant_there_is_no_token() {
    let azure = Azure::start().await;
    let run = run_of(&azure, APP);
    let url = azure.url("arm.localhost", "/subscriptions");
    let with = as_prod(&azure, &["arm.localhost"]);
    let without = GrantText { identity: Vec::new(), ..with.clone() };
    run.call(&without).http.send(get(&url)).await.unwrap();
    // A plugin that never asked for it gets none either, whatever the pipeline says.
    let mut facts = run.facts(&with);
    facts.grant = facts.grant.asked(["http".to_owned()]);
    run.backends.give(facts).http.send(get(&url)).await.unwrap();
    assert_eq!(sent(&azure), [None, None]);
    assert_eq!(azure.seen().len(), 2, "nobody has logged in");
    // The identity alone opens no host.
    let nowhere = GrantText { identity: with.identity.clone(), ..GrantText::default() };
    let fault = run.call(&nowhere).http.send(get(&url)).await.unwrap_err();
    assert_eq!(fault.code, "denied.http");
    let unknown = GrantText { identity: vec!["nobody".to_owned()], ..with };
    let fault = run.call(&unknown).http.send(get(&url)).await.unwrap_err();
    assert_eq!(fault.code, "unauthorized.identity");
}

#[tokio::test]
async fn hosts_that_look_alike_get_no_token() {
    let azure = Azure::start().await;
    let run = run_of(&azure, APP);
    let hosts = [
        "arm.localhost.evil.test",
        "evil-arm.localhost",
        "mykv.vault.localhost.evil.test",
        "management.azure.com",
        "evil.test",
    ];
    let call = run.call(&as_prod(&azure, &hosts));
    for host in hosts {
        call.http.send(get(&azure.url(host, "/subscriptions"))).await.unwrap();
        // Nor is a plugin kept from its own credentials there.
        let own = Request {
            headers: vec![plain("Authorization", "Bearer own")],
            ..get(&azure.url(host, "/"))
        };
        call.http.send(own).await.unwrap();
    }
    for pair in sent(&azure).chunks(2) {
        assert_eq!(pair, [None, Some("Bearer own".to_owned())]);
    }
}

#[tokio::test]
async fn a_redirect_leads_no_token_away_and_none_in() {
    let azure = Azure::start().await;
    let run = run_of(&azure, APP);
    let call = run.call(&as_prod(&azure, &["arm.localhost", "evil.test", "graph.localhost"]));
    let to = |from: &str, to: &str| {
        get(&azure.url(from, &format!("/to?{}", azure.url(to, "/subscriptions"))))
    };
    for (from, target, expect) in [
        ("arm.localhost", "arm.localhost", [bearer(TOKEN), bearer(TOKEN)]),
        ("arm.localhost", "evil.test", [bearer(TOKEN), None]),
        ("arm.localhost", "graph.localhost", [bearer(TOKEN), None]),
        ("evil.test", "arm.localhost", [None, None]),
    ] {
        let before = sent(&azure).len();
        call.http.send(to(from, target)).await.unwrap();
        assert_eq!(sent(&azure)[before..], expect, "{from} to {target}");
    }
    // Led away and back again is still led.
    let back = azure.url("evil.test", &format!("/to?{}", azure.url("arm.localhost", "/x")));
    let before = sent(&azure).len();
    call.http.send(get(&azure.url("arm.localhost", &format!("/to?{back}")))).await.unwrap();
    assert_eq!(sent(&azure)[before..], [bearer(TOKEN), None, None]);
    // A redirect to a host that is not granted is not followed at all.
    let fault = call.http.send(to("arm.localhost", "other.vault.localhost")).await.unwrap_err();
    assert_eq!(fault.code, "denied.http");
}

#[tokio::test]
async fn a_plugin_cannot_say_who_the_request_is_from() {
    let azure = Azure::start().await;
    let run = run_of(&azure, APP);
    let mut grant = as_prod(&azure, &["arm.localhost"]);
    grant.secrets_use = vec!["*".to_owned()];
    let call = run.call(&grant);
    let secret = call.secrets.get("app").await.unwrap();
    for header in [
        plain("Authorization", "Bearer mine"),
        plain("AUTHORIZATION", ""),
        Header {
            name: "authorization".to_owned(),
            value: HeaderValue::Sealed {
                prefix: "Bearer ".to_owned(),
                value: secret.clone(),
                suffix: String::new(),
            },
        },
        Header {
            name: "authorization".to_owned(),
            value: HeaderValue::Basic { username: "me".to_owned(), password: secret.clone() },
        },
    ] {
        let request =
            Request { headers: vec![header], ..get(&azure.url("arm.localhost", "/subscriptions")) };
        let fault = call.http.send(request).await.unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.identity"));
        assert!(fault.help.unwrap().contains("leave the header `authorization` away"));
    }
    assert!(azure.seen().is_empty(), "nothing was sent, and nobody has logged in");
}

#[tokio::test]
async fn a_vault_that_nobody_named_gets_no_token() {
    let azure = Azure::start().await;
    let run = run_of(&azure, APP);
    let other = azure.url("other.vault.localhost", "/secrets/pull-pwd/");
    let call = run.call(&as_prod(&azure, &["mykv.vault.localhost"]));
    assert_eq!(call.http.send(get(&other)).await.unwrap_err().code, "denied.http");
    let call = run.call(&as_prod(&azure, &["*.vault.localhost"]));
    let fault = call.http.send(get(&other)).await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.identity"));
    let line = format!("\"{}\" in the list of `http`", azure.url("other.vault.localhost", ""));
    assert!(fault.help.as_deref().unwrap().contains(&line), "{fault:?}");
    assert!(azure.seen().is_empty());
}

#[tokio::test]
async fn a_registry_s_token_service_is_not_asked_as_an_identity() {
    let azure = Azure::start().await;
    let run = run_of(&azure, APP);
    let call = run.call(&as_prod(&azure, &["127.0.0.1"]));
    for path in ["/oauth2/exchange", "/oauth2/token?service=x", "/v2/", "/unknown"] {
        let fault =
            call.http.send(post(&azure.url("127.0.0.1", path), Vec::new())).await.unwrap_err();
        assert_eq!(fault.code, "denied.azure", "{path}");
    }
    assert!(azure.seen().is_empty());
}

#[tokio::test]
async fn a_login_that_fails_sends_nothing() {
    let azure = Azure::start().await;
    let run = run_of(&azure, "wrong-secret");
    let call = run.call(&as_prod(&azure, &["arm.localhost"]));
    let fault = call.http.send(get(&azure.url("arm.localhost", "/x"))).await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Unauthorized, "unauthorized.azure"));
    assert!(
        fault.message.contains("AADSTS7000215") && !format!("{fault:?}").contains("wrong-secret")
    );
    assert!(azure.calls().is_empty());
}

#[tokio::test]
async fn libraries_that_speak_wasi_http_get_the_same() {
    use http_body_util::{BodyExt as _, Empty};
    let azure = Azure::start().await;
    let run = run_of(&azure, APP);
    let call = run.call(&as_prod(&azure, &["arm.localhost", "evil.test", "*.vault.localhost"]));
    let send = async |url: String, authorization: Option<&str>| {
        let mut request = http::Request::get(url);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let response = call.http.forward(request.body(body).unwrap(), Timeouts::default()).await;
        response.map(|response| response.status().as_u16()).map_err(|fault| fault.code)
    };
    let arm = azure.url("arm.localhost", "/subscriptions");
    assert_eq!(send(arm.clone(), None).await, Ok(200));
    assert_eq!(send(azure.url("evil.test", "/"), None).await, Ok(200));
    assert_eq!(sent(&azure), [bearer(TOKEN), None]);
    for (url, own) in
        [(arm, Some("Bearer mine")), (azure.url("mykv.vault.localhost", "/secrets/a"), None)]
    {
        assert_eq!(send(url, own).await, Err("denied.identity".to_owned()));
    }
    assert_eq!(azure.calls().len(), 2);
}
