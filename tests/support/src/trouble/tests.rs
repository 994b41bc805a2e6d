use std::io::{Read as _, Write as _};

use super::*;
use crate::http::{Answer, HttpServer};
use crate::image::Image;
use crate::skopeo::Skopeo;
use crate::{HostileRegistry, Mischief};

/// What a client reads until the connection ends; the error, where it is reset.
fn ask(proxy: &FaultProxy, request: &str) -> Result<String, std::io::ErrorKind> {
    let mut stream = std::net::TcpStream::connect(proxy.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        Ok(_) => Ok(answer),
        Err(error) => Err(error.kind()),
    }
}

fn echo() -> HttpServer {
    HttpServer::start(|request| {
        Answer::body(request.body.clone()).header("docker-content-digest", "sha256:1")
    })
}

const PUT: &str = "PUT /a HTTP/1.1\r\nconnection: close\r\ncontent-length: 8\r\n\r\nabcdefgh";

/// The body behind a head.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn an_honest_line_changes_nothing_and_remembers_all() {
    let server = echo();
    let proxy = FaultProxy::before(&server.address());
    let answer = ask(&proxy, PUT).unwrap();
    assert_eq!(body(&answer), "abcdefgh");
    let seen = proxy.requests();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("PUT", "/a"));
    assert_eq!((seen[0].sent, seen[0].status, seen[0].received), (8, 200, 8));
    assert_eq!(seen[0].answer("docker-content-digest"), Some("sha256:1"));
    assert_eq!(proxy.bytes(), (8, 8));
    assert_eq!(server.requests()[0].body, b"abcdefgh");
    proxy.forget();
    assert!(proxy.requests().is_empty());
}

#[test]
fn each_trouble_is_what_it_says() {
    let server = echo();
    let proxy = FaultProxy::before(&server.address());
    let with = |trouble: Trouble| {
        proxy.forget();
        proxy.trouble(When::number(0), trouble);
        let answer = ask(&proxy, PUT);
        assert_eq!(proxy.hits(), 1);
        assert!(ask(&proxy, PUT).is_ok(), "trouble hits once");
        answer
    };
    let says = |trouble: Trouble, parts: &[&str]| {
        let answer = with(trouble.clone()).unwrap();
        for part in parts {
            assert!(answer.contains(part), "{trouble:?}: {part}\n{answer}");
        }
    };
    says(Trouble::Refuse(503), &["HTTP/1.1 503", "UNKNOWN"]);
    says(Trouble::RefuseUntil(429, "soon"), &["429", "retry-after: soon", "TOOMANYREQUESTS"]);
    says(Trouble::WebPage, &["200", "text/html", "Sign in"]);
    says(Trouble::CutAnswer, &["content-length: 8\r\n"]);
    says(Trouble::ShortAnswer, &["content-length: 4\r\n"]);
    says(Trouble::LongAnswer, &["content-length: 16\r\n", "abcdefghand more"]);
    says(Trouble::CorruptAnswer, &["content-length: 8\r\n", "abcddfgh"]);
    says(Trouble::CorruptRequest, &["abcddfgh"]);
    says(Trouble::WrongDigest, &["sha256:0000"]);
    says(Trouble::Without("content-length"), &["transfer-encoding: chunked", "8\r\nabcdefgh"]);
    says(Trouble::With("x-a", "b"), &["x-a: b\r\n"]);
    for half in [Trouble::CutAnswer, Trouble::ShortAnswer] {
        assert_eq!(body(&with(half).unwrap()), "abcd");
    }
    for reset in [
        Trouble::ResetBefore,
        Trouble::ResetBehind,
        Trouble::ResetInAnswer,
        Trouble::ResetInRequest,
    ] {
        assert_eq!(with(reset), Err(std::io::ErrorKind::ConnectionReset));
    }
    let lacks = with(Trouble::Without("docker-content-digest")).unwrap();
    assert!(!lacks.contains("digest"), "{lacks}");
}

#[test]
fn trouble_hits_the_requests_that_are_meant() {
    let server = echo();
    let proxy = FaultProxy::before(&server.address());
    proxy.trouble(When::asked("PUT", "/b").behind(1).times(2), Trouble::Refuse(500));
    let statuses = ["/a", "/b", "/b", "/a", "/b", "/b"].map(|path| {
        let answer = ask(&proxy, &PUT.replace("/a", path)).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    });
    assert_eq!(statuses, ["200", "200", "500", "200", "500", "200"]);
    assert_eq!(proxy.counts(), BTreeMap::from([("PUT".to_owned(), 6)]));
    proxy.forget();
    proxy.trouble(When::number(1).always(), Trouble::Refuse(500));
    let statuses = [0, 1, 2].map(|_| ask(&proxy, PUT).unwrap().contains(" 500 "));
    assert_eq!(statuses, [false, true, true]);
}

#[test]
fn a_held_request_waits_for_the_test() {
    let server = echo();
    let proxy = FaultProxy::before(&server.address());
    for moment in [Moment::Before, Moment::Within, Moment::Behind] {
        proxy.forget();
        let gate = proxy.hold(When::number(0), moment);
        let before = server.requests().len();
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| ask(&proxy, PUT));
            gate.wait();
            assert_eq!(proxy.requests()[0].status, 0, "{moment:?}");
            let has_arrived = server.requests().len() > before;
            assert_eq!(has_arrived, moment == Moment::Behind, "{moment:?}");
            gate.open();
            assert_eq!(body(&asking.join().unwrap().unwrap()), "abcdefgh");
        });
    }
}

#[test]
fn tokens_are_wanted_and_end() {
    let image = Image::multi_arch(&["linux/amd64"], 1000);
    let (source, target) =
        (HostileRegistry::with(&image, Mischief::None), HostileRegistry::empty(Mischief::None));
    let proxies = [&source, &target].map(|registry| FaultProxy::before(&registry.address()));
    for proxy in &proxies {
        proxy.want_tokens();
    }
    // Somebody else agrees that it is a token service, and goes elsewhere without a credential.
    proxies[0].trouble(When::asked("GET", "/blobs/").always(), Trouble::Elsewhere);
    let [from, to] = proxies.each_ref().map(FaultProxy::address);
    Skopeo::new().copy_all(&format!("docker://{from}/a:v1"), &format!("docker://{to}/b:v2"));
    assert_eq!(target.tags(), ["v2"]);
    let blobs: Vec<Seen> =
        proxies[0].requests().into_iter().filter(|seen| seen.path.contains("/blobs/")).collect();
    assert!(blobs.iter().any(|seen| seen.is_elsewhere));
    assert!(blobs.iter().all(|seen| seen.is_elsewhere != seen.is_authorized), "{blobs:#?}");
    assert!(source.requests().iter().all(|request| request.header("authorization").is_none()));

    let given = proxies[0].tokens_given();
    assert!(given > 0);
    let mut get = "GET /v2/a/manifests/v1 HTTP/1.1\r\nconnection: close\r\n".to_owned();
    get += &format!("authorization: Bearer token-{given}\r\n\r\n");
    assert!(ask(&proxies[0], &get).unwrap().contains(" 200 "));
    let wrong = get.replace("/v2/a/", "/v2/b/");
    assert!(ask(&proxies[0], &wrong).unwrap().contains(" 401 "), "a token is for a repository");
    proxies[0].trouble(When::asked("GET", "/manifests/"), Trouble::ExpireTokens);
    let refused = ask(&proxies[0], &get).unwrap();
    assert!(refused.contains(" 401 ") && refused.contains("scope=\"repository:a:pull\""));
}

#[test]
fn a_thin_line_takes_its_time() {
    let server = echo();
    let proxy = FaultProxy::before(&server.address());
    let round_trip = std::time::Duration::from_millis(5);
    proxy.link(Link { round_trip, bytes_per_second: Some(400) });
    let start = std::time::Instant::now();
    assert_eq!(body(&ask(&proxy, PUT).unwrap()), "abcdefgh");
    // Eight bytes there, eight back: 20 ms each; nothing can make that shorter.
    assert!(start.elapsed() >= std::time::Duration::from_millis(45));
}
