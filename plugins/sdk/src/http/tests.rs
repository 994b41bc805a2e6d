use super::{Error, Request, Response, wit};

fn response(status: u16) -> Response {
    Response {
        method: "PUT".to_owned(),
        status,
        url: "https://example.org/a?token=1".to_owned(),
        headers: vec![("etag".to_owned(), "x".to_owned())],
        body: br#"{"a":1}"#.to_vec(),
    }
}

#[test]
fn a_status_becomes_an_error_of_its_kind() {
    let error = |status| response(status).success().expect_err("no success");
    assert_eq!(error(404), Error::new("http.not-found", "PUT https://example.org/a answered 404"));
    assert!(error(403).is("unauthorized"));
    assert!(error(412).is("conflict"));
    assert!(error(503).is("transient") && error(503).is_retryable());
    assert!(error(302).is("failed") && !error(302).is_retryable());
    assert_eq!(response(204).success(), Ok(response(204)));
}

#[test]
fn a_response_is_read_as_text_and_as_json() {
    assert_eq!(response(200).header("ETag"), Some("x"));
    assert_eq!(response(200).text(), r#"{"a":1}"#);
    let read: serde_json::Value = response(200).json().expect("JSON");
    assert_eq!(read["a"], 1);
    assert_eq!(response(200).json::<bool>().expect_err("no bool").code(), "invalid.json");
}

#[test]
fn a_json_body_says_what_it_is() {
    let request = Request::post("https://example.org").body("left out").json(&[1]).expect("JSON");
    assert_eq!(request.0.method, "POST");
    assert!(matches!(request.0.body.as_slice(), [wit::Part::Bytes(bytes)] if bytes == b"[1]"));
    assert!(matches!(
        request.0.headers.as_slice(),
        [wit::Header { name, value: wit::HeaderValue::Plain(value) }]
            if name == "content-type" && value == "application/json"
    ));
}
