use report::{Fault, Kind};

use super::{server::Server, *};

const VALUE: &str = "hunter2-and-more";

async fn refused(run: &TestRun, grant: &GrantText, request: Request) -> Fault {
    run.call(grant).http.send(request).await.unwrap_err()
}

#[tokio::test]
async fn a_host_that_is_not_granted_is_denied_with_the_rule_to_add() {
    let (run, server) = (run(), Server::start().await);
    let url = server.url("api.test", "/path?secret=1");
    let fault = refused(&run, &private(&["http://elsewhere.test"]), get(&url)).await;
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.http"));
    let port = server.address.port();
    let expected = format!("{{ url = \"http://api.test:{port}\", methods = [\"GET\"] }}");
    assert!(fault.help.unwrap().contains(&expected));
    assert!(server.seen().is_empty());
    assert_eq!(run.recorder.ledger().len(), 1, "a refusal is recorded too");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_denied_by_the_address_policy() {
    let (run, server) = (run(), Server::start().await);
    let url = server.url("api.test", "/");
    let fault = refused(&run, &public(&[&url]), get(&url)).await;
    let port = server.address.port();
    snapbox::assert_data_eq!(
        format!("{}\n{fault}\n{}", fault.code, fault.help.as_ref().unwrap())
            .replace(&port.to_string(), "PORT"),
        snapbox::str![[r#"
denied.http
the host refuses to connect to `http://api.test:PORT`: 127.0.0.1 is a loopback address
add to `[step.grant]` of the step: http = [{ url = "http://api.test:PORT", private = true }]
"#]]
    );
    assert!(server.seen().is_empty());
    let fault = refused(&run, &public(&["http://private.test"]), get("http://private.test/")).await;
    assert!(fault.message.contains("10.1.2.3 is a private address"), "{fault}");
}

#[tokio::test]
async fn the_machines_own_name_is_denied_too() {
    let server = Server::start().await;
    // The system's resolver, as in the product.
    let run = TestRun::new();
    let url = server.url("localhost", "/");
    let fault = refused(&run, &public(&[&url]), get(&url)).await;
    assert!(fault.code == "denied.http" && fault.message.contains("loopback"), "{fault}");
    assert!(run.call(&private(&[&url])).http.send(get(&url)).await.is_ok());
}

#[tokio::test]
async fn literal_addresses_are_checked_in_every_spelling() {
    let (run, server) = (run(), Server::start().await);
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
    ] {
        let url = format!("http://{host}:{port}/");
        let fault = refused(&run, &public(&[&url]), get(&url)).await;
        assert_eq!(fault.code, "denied.http", "{host}: {fault}");
    }
    assert!(server.seen().is_empty());
    let url = server.url("2130706433", "/");
    assert!(run.call(&private(&[&server.url("127.0.0.1", "")])).http.send(get(&url)).await.is_ok());
}

#[tokio::test]
async fn behind_a_proxy_names_are_checked_before_the_proxy_gets_them() {
    let proxy = Server::start().await;
    for host in ["127.0.0.1", "api.test"] {
        let mut options = ClientOptions::default();
        options.proxy.http = Some(format!("{host}:{}", proxy.address.port()));
        let run = TestRunBuilder::default().http(Http::with_names(options, names())).build();
        let grant = public(&["http://public.test", "http://private.test", "http://unknown.test"]);
        let call = run.call(&grant);
        let fault = call.http.send(get("http://private.test/")).await.unwrap_err();
        assert!(fault.message.contains("10.1.2.3 is a private address"), "{fault}");
        for url in ["http://public.test/a", "http://unknown.test/b"] {
            assert_eq!(call.http.send(get(url)).await.unwrap().status, 200, "{url}");
        }
    }
    let lines: Vec<String> = proxy.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines[..2], ["GET http://public.test/a", "GET http://unknown.test/b"]);
    assert_eq!(lines.len(), 4);
}

#[tokio::test]
async fn metadata_is_denied_even_where_private_is_granted() {
    let run = run();
    let fault =
        refused(&run, &private(&["http://metadata.test"]), get("http://metadata.test/")).await;
    assert!(fault.message.contains("169.254.169.254 is a cloud metadata address"), "{fault}");
    assert!(fault.help.unwrap().contains("no name may lead there"));
    let url = "http://169.254.169.254/latest/meta-data";
    let fault = refused(&run, &public(&["http://169.254.169.254"]), get(url)).await;
    assert!(fault.message.contains("metadata"), "{fault}");
    assert!(fault.help.unwrap().contains("private = true"));
}

#[tokio::test]
async fn every_hop_of_a_redirect_is_checked() {
    let (run, server) = (run(), Server::start().await);
    let grant = private(&[&server.url("api.test", "")]);
    for target in [
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.test/",
        "http://evil.example/",
        &server.url("127.0.0.1", "/"),
        &server.url("other.test", "/"),
        &server.url("api.test", "/").replace("http:", "https:"),
        "//other.test/",
    ] {
        let url = server.url("api.test", &format!("/to/302?{target}"));
        let fault = refused(&run, &grant, get(&url)).await;
        assert_eq!(fault.code, "denied.http", "{target}: {fault}");
    }
    for target in ["ftp://api.test/", "file:///etc/passwd", "http://me:pw@api.test/", "data:,x"] {
        let url = server.url("api.test", &format!("/to/302?{target}"));
        let fault = refused(&run, &grant, get(&url)).await;
        assert_eq!(fault.code, "invalid.http", "{target}: {fault}");
    }
    let lines = server.seen();
    assert!(lines.iter().all(|seen| seen.line.starts_with("GET /to/302")), "nothing was followed");
}

#[tokio::test]
async fn urls_that_show_one_host_and_mean_another_are_refused() {
    let (run, server) = (run(), Server::start().await);
    let port = server.address.port();
    let grant = private(&[&server.url("api.test", ""), "https://good.example"]);
    for url in [
        format!("http://good@api.test:{port}/"),
        format!("http://good.example:pw@api.test:{port}/"),
        format!("http://@api.test:{port}/x#frag"),
        format!("http:\\\\api.test:{port}/"),
        format!("http://api.test:{port}\\@good.example/"),
        format!("http://api.te\tst:{port}/"),
        format!(" http://api.test:{port}/"),
        format!("http://api.test:{port}/\r\nx: y"),
        "file:///etc/passwd".to_owned(),
        "ftp://api.test/".to_owned(),
        "/relative".to_owned(),
        "http://".to_owned(),
        String::new(),
    ] {
        let fault = refused(&run, &grant, get(&url)).await;
        assert_eq!(
            (fault.kind, fault.code.as_str()),
            (Kind::Invalid, "invalid.http"),
            "{url}: {fault}"
        );
        assert!(!fault.to_string().contains("pw"), "{fault}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn headers_that_belong_to_the_host_are_refused() {
    let (run, server) = (run(), Server::start().await);
    let grant = private(&[&server.url("api.test", "")]);
    let send = |header: Header| {
        let mut request = get(&server.url("api.test", "/"));
        request.headers = vec![header];
        refused(&run, &grant, request)
    };
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "connection",
        "Upgrade",
        "te",
        "trailer",
        "keep-alive",
        "proxy-authorization",
        "Proxy-Anything",
        "http2-settings",
        "",
        "a b",
        "x\r\ny",
        "x:y",
        "näme",
    ] {
        let fault = send(plain(name, "x")).await;
        assert_eq!(fault.code, "invalid.http", "{name:?}");
    }
    for value in ["a\r\nhost: evil", "a\nb", "a\0b", "a\rb"] {
        let fault = send(plain("x-header", value)).await;
        assert_eq!(fault.code, "invalid.http", "{value:?}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn methods_that_open_tunnels_are_refused() {
    let (run, server) = (run(), Server::start().await);
    let grant = private(&[&server.url("api.test", "")]);
    for method in ["CONNECT", "TRACE", "", "GE T", "GET\r\n"] {
        let request = Request { method: method.to_owned(), ..get(&server.url("api.test", "/")) };
        assert_eq!(refused(&run, &grant, request).await.code, "invalid.http", "{method:?}");
    }
}

#[tokio::test]
async fn a_secret_goes_to_no_host_outside_its_only_to() {
    let server = Server::start().await;
    let run = run_with(TestRunBuilder::default().secret("token", VALUE, &["api.test"]));
    let call = run.call(&private(&[&server.url("api.test", ""), &server.url("other.test", "")]));
    let token = call.secrets.get("token").await.unwrap();
    let with_header = |value: HeaderValue| {
        let mut request = get(&server.url("other.test", "/"));
        request.headers = vec![Header { name: "authorization".to_owned(), value }];
        request
    };
    let sealed =
        HeaderValue::Sealed { prefix: String::new(), value: token.clone(), suffix: String::new() };
    let basic = HeaderValue::Basic { username: "me".to_owned(), password: token.clone() };
    let part = Part::Sealed { value: token, encoding: Encoding::Raw };
    for request in
        [with_header(sealed), with_header(basic), post(&server.url("other.test", "/"), vec![part])]
    {
        let fault = call.http.send(request).await.unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.secrets"));
        assert_eq!(fault.message, "the secret `token` may not go to `other.test`");
        let help = "in `[secrets]` give `token` the key `only-to = [\"api.test\", \"other.test\"]`";
        assert_eq!(fault.help.unwrap(), help);
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let server = Server::start().await;
    let builder = TestRunBuilder::default().secret("free", VALUE, &[]).secret(
        "bound",
        "other-value",
        &["*.test"],
    );
    let run = run_with(builder);
    let call = run.call(&private(&[&server.url("api.test", ""), &server.url("other.test", "")]));
    let free = call.secrets.get("free").await.unwrap();
    let bound = call.secrets.get("bound").await.unwrap();
    let placeholder = call.secrets.placeholder(&bound).unwrap();
    // There and back again: who was led away is not led back into the credentials.
    let back = server.url("api.test", "/end");
    let away = server.url("other.test", &format!("/to/307?{back}"));
    let mut request = get(&server.url("api.test", &format!("/to/307?{away}")));
    let sealed = HeaderValue::Sealed {
        prefix: "Bearer ".to_owned(),
        value: free.clone(),
        suffix: String::new(),
    };
    request.headers = vec![
        Header { name: "x-sealed".to_owned(), value: sealed },
        plain("authorization", "Bearer plain-token"),
        plain("cookie", "a=b"),
        plain("x-placeholder", &placeholder),
        plain("x-harmless", "1"),
    ];
    call.http.send(request).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    let names = ["x-sealed", "authorization", "cookie", "x-placeholder", "x-harmless"];
    assert!(names.iter().all(|name| seen[0].header(name).is_some()));
    for hop in &seen[1..] {
        let left: Vec<_> = names.iter().filter(|name| hop.header(name).is_some()).collect();
        assert_eq!(left, [&"x-harmless"]);
    }
    let part = Part::Sealed { value: free, encoding: Encoding::Raw };
    let request = post(&server.url("api.test", &format!("/to/307?{away}")), vec![part]);
    let fault = call.http.send(request).await.unwrap_err();
    assert_eq!(fault.code, "denied.http");
    assert!(fault.message.contains("a redirect would carry a secret"), "{fault}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_placeholder_is_a_random_word_to_everybody_else() {
    let server = Server::start().await;
    let run = run_with(TestRunBuilder::default().secret("token", VALUE, &["api.test"]));
    let call = run.call(&private(&[&server.url("api.test", ""), &server.url("other.test", "")]));
    let token = call.secrets.get("token").await.unwrap();
    let word = call.secrets.placeholder(&token).unwrap();
    for host in ["api.test", "other.test"] {
        let body = vec![Part::Bytes(word.clone().into_bytes())];
        let mut request = post(&server.url(host, &format!("/{word}")), body);
        request.headers = vec![plain("authorization", &format!("Bearer {word}"))];
        call.http.send(request).await.unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization"), Some(format!("Bearer {VALUE}").as_str()));
    assert_eq!(seen[1].header("authorization"), Some(format!("Bearer {word}").as_str()));
    assert!(seen.iter().all(|seen| seen.body == word.as_bytes() && seen.line.contains(&word)));
    // Another call of the same run does not know the word.
    let mut request = get(&server.url("api.test", "/"));
    request.headers = vec![plain("authorization", &word)];
    let other = run.call(&private(&[&server.url("api.test", "")]));
    other.http.send(request).await.unwrap();
    assert_eq!(server.seen()[2].header("authorization"), Some(word.as_str()));
}

#[tokio::test]
async fn a_secret_never_shows_in_faults_or_the_ledger() {
    let server = Server::start().await;
    let broken = "hunter2\nand-more-of-it";
    let run = run_with(TestRunBuilder::default().secret("token", VALUE, &[]).secret(
        "broken",
        broken,
        &["*.test"],
    ));
    let call = run.call(&private(&[&server.url("api.test", ""), "http://nowhere.test"]));
    let token = call.secrets.get("token").await.unwrap();
    let secret = call.secrets.get("broken").await.unwrap();
    let word = call.secrets.placeholder(&secret).unwrap();
    let sealed = |value: &crate::SecretHandle| Header {
        name: "x".to_owned(),
        value: HeaderValue::Sealed {
            prefix: String::new(),
            value: value.clone(),
            suffix: String::new(),
        },
    };
    let mut requests = vec![
        // A guest that has the value from elsewhere and writes it where it would be shown.
        get(&format!("http://nowhere.test/{VALUE}?q={VALUE}")),
        get(&format!("http://{VALUE}.test/")),
        Request { method: format!("{VALUE} x"), ..get("http://nowhere.test/") },
        get(&server.url("api.test", &format!("/{VALUE}"))),
    ];
    for header in [sealed(&token), sealed(&secret), plain("x", &word), plain(VALUE, "\n")] {
        let url = server.url("api.test", "/");
        requests.push(Request { headers: vec![header], ..get(&url) });
    }
    let mut said = String::new();
    for request in requests {
        said.push_str(&format!("{request:?}").replace(VALUE, ""));
        let result = call.http.send(request).await;
        said.push_str(&result.map_or_else(|fault| format!("{fault:?}"), |_| String::new()));
    }
    said.push_str(&run.recorder.lines().join("\n"));
    for secret in [VALUE, "hunter2", "and-more-of-it"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}
