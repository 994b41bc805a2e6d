//! Who may be heard.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use report::{Fault, Secret};

use super::{SECRET, endpoint, sign};
use crate::{Check, Endpoint, EndpointError, Form};

fn holds(endpoint: &Endpoint, target: &str, head: &[(&str, &str)], body: &[u8]) -> bool {
    let mut request = http::Request::post(target);
    for (name, value) in head {
        request = request.header(*name, *value);
    }
    endpoint.holds(&request.body(()).unwrap().into_parts().0, body)
}

#[test]
fn a_token_is_taken_in_every_dress() {
    let endpoint = endpoint(Form::Acr, None, None);
    let holds = |value: &str| holds(&endpoint, "/hooks/a", &[("authorization", value)], b"");
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for good in [
        SECRET.to_owned(),
        format!("Bearer {SECRET}"),
        format!("bearer  {SECRET}"),
        basic(&format!("anybody:{SECRET}")),
        basic(&format!(":{SECRET}")),
    ] {
        assert!(holds(&good), "{good}");
    }
    let (short, other) = (&SECRET[..SECRET.len() - 1], SECRET.replace('9', "8"));
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        short.to_owned(),
        format!("{SECRET}{SECRET}"),
        other.clone(),
        SECRET.to_uppercase(),
        format!("Bearer {other}"),
        format!("Token {SECRET}"),
        basic(SECRET),
        basic(&format!("{SECRET}:")),
        basic(&format!("a:b:{SECRET}")),
        format!("Basic {SECRET}:"),
    ] {
        assert!(!holds(&bad), "{bad}");
    }
}

#[test]
fn a_token_proves_nothing_where_it_is_missing_or_elsewhere_or_twice() {
    let usual = endpoint(Form::Any, None, None);
    assert!(!holds(&usual, "/hooks/a", &[], b""));
    assert!(!holds(&usual, "/hooks/a", &[("x-token", SECRET)], b""));
    assert!(!holds(&usual, &format!("/hooks/a?token={SECRET}"), &[], b""), "it can send headers");
    for other in [SECRET, "other"] {
        let twice = [("authorization", SECRET), ("authorization", other)];
        assert!(!holds(&usual, "/hooks/a", &twice, b""));
    }
    let gitlab = endpoint(Form::Any, None, Some("X-Gitlab-Token"));
    assert!(holds(&gitlab, "/hooks/a", &[("x-gitlab-token", SECRET)], b""));
    assert!(!holds(&gitlab, "/hooks/a", &[("authorization", SECRET)], b""));
}

#[test]
fn senders_that_know_no_headers_have_the_token_in_the_url() {
    for form in [Form::DockerHub, Form::EventGrid] {
        let endpoint = endpoint(form, None, None);
        let holds = |query: &str, head: &[(&str, &str)]| {
            holds(&endpoint, &format!("/hooks/a{query}"), head, b"")
        };
        assert!(holds(&format!("?token={SECRET}"), &[]));
        assert!(holds(&format!("?a=b&token={SECRET}&c"), &[]));
        assert!(holds("", &[("authorization", SECRET)]));
        assert!(!holds("", &[]));
        assert!(!holds("?token=", &[]));
        assert!(!holds(&format!("?Token={SECRET}"), &[]));
        assert!(!holds(&format!("?token={SECRET}&token=x"), &[]));
        assert!(!holds(&format!("?token={SECRET}"), &[("authorization", "other")]));
    }
    let blank = Secret::new("a+b/c d&e");
    let endpoint = Endpoint::new(Form::DockerHub, None, None, blank).unwrap();
    assert!(holds(&endpoint, "/hooks/a?token=a%2Bb%2Fc%20d%26e", &[], b""));
}

#[test]
fn a_signature_is_of_this_body_with_this_secret() {
    let github = endpoint(Form::Github, None, None);
    assert_eq!(github.check(), Check::HmacSha256);
    let body = b"{\"ref\":\"refs/heads/main\"}";
    let holds = |value: &str| holds(&github, "/", &[("X-Hub-Signature-256", value)], body);
    let (hex, bytes) = (hex::encode(sign(body)), sign(body));
    for good in [
        format!("sha256={hex}"),
        hex.clone(),
        hex.to_uppercase(),
        STANDARD.encode(&bytes),
        STANDARD_NO_PAD.encode(&bytes),
        format!("sha256={}", STANDARD.encode(&bytes)),
    ] {
        assert!(holds(&good), "{good}");
    }
    for bad in [
        String::new(),
        "sha256=".to_owned(),
        format!("sha1={hex}"),
        format!("sha256={}", hex::encode(sign(b"other"))),
        format!("sha256={}", &hex[..62]),
        format!("sha256={hex}00"),
        SECRET.to_owned(),
        "sha256=not hex and not base64".to_owned(),
    ] {
        assert!(!holds(&bad), "{bad}");
    }
}

#[test]
fn a_signature_that_is_missing_or_twice_proves_nothing() {
    let signed = endpoint(Form::Any, Some(Check::HmacSha256), Some("X-Signature"));
    let value = hex::encode(sign(b""));
    assert!(holds(&signed, "/", &[("x-signature", &value)], b""));
    assert!(!holds(&signed, "/", &[("x-signature", &value), ("x-signature", &value)], b""));
    assert!(!holds(&signed, "/", &[("x-hub-signature-256", &value)], b""));
    assert!(!holds(&signed, &format!("/?token={SECRET}"), &[], b""));
}

/// RFC 4231, test case 2.
#[test]
fn the_signature_is_that_of_the_standard() {
    let secret = Secret::new("Jefe");
    let endpoint = Endpoint::new(Form::Github, None, None, secret).unwrap();
    let value = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let body = b"what do ya want for nothing?";
    assert!(holds(&endpoint, "/", &[("x-hub-signature-256", value)], body));
}

#[test]
fn endpoints_that_nobody_could_send_to_are_refused() {
    let new = |check, header, secret: &[u8]| {
        Endpoint::new(Form::Any, check, header, Secret::new(secret)).err()
    };
    assert_eq!(new(None, None, b""), Some(EndpointError::Empty));
    assert_eq!(new(None, None, b"hunter2\n"), Some(EndpointError::Unsendable));
    assert_eq!(new(None, None, b" hunter2"), Some(EndpointError::Unsendable));
    assert_eq!(new(Some(Check::HmacSha256), None, b"hunter2\n"), None);
    assert_eq!(new(None, Some("X Token"), b"a"), Some(EndpointError::Header("X Token".to_owned())));
    let fault = Fault::from(new(None, None, b"hunter2\n").unwrap());
    assert!(!format!("{fault:?}").contains("hunter2"));
    assert!("hmac".parse::<Check>().unwrap_err().to_string().ends_with("`token` or `hmac-sha256`"));
    for check in Check::ALL {
        assert_eq!(check.as_str().parse(), Ok(check));
    }
}
