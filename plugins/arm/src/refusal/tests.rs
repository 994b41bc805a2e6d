use serde_json::json;

use super::*;

fn read(status: u16, headers: &[(&str, &str)], body: &str) -> Refusal {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let response = Response { status, headers: headers.collect(), body: body.into() };
    Refusal::read("PUT https://host/x", &response)
}

fn error(status: u16, body: &Value) -> Error {
    Failure::Refused(Box::new(read(status, &[], &body.to_string()))).into()
}

fn coded(status: u16, code: &str) -> Error {
    error(status, &json!({ "error": { "code": code, "message": "It is so." } }))
}

#[test]
fn azures_words_are_kept() {
    let body = json!({ "error": {
        "code": "InvalidTemplate", "message": "It is\nwrong.", "target": "containers",
        "details": [{ "code": "A", "message": "the port." }, { "code": "B" }, {}, 1],
    } });
    let ids = [("X-Ms-Request-Id", "r1"), ("x-ms-correlation-request-id", "c1")];
    let refusal = read(400, &ids, &body.to_string());
    assert_eq!(refusal.inner.len(), 2);
    let error = Error::from(Failure::Refused(Box::new(refusal)));
    assert_eq!(error.code(), "invalid.azure");
    assert_eq!(
        error.message(),
        "PUT https://host/x answered 400 InvalidTemplate: It is wrong (the port)"
    );
    let shown = format!("{error:?}");
    for fact in ["request-id", "r1", "correlation-id", "c1", "azure-code", "containers"] {
        assert!(shown.contains(fact), "{fact} in {shown}");
    }
}

#[test]
fn a_code_says_more_than_a_status() {
    for (status, azure, ours) in [
        (403, "AuthorizationFailed", "denied.azure"),
        (401, "ExpiredAuthenticationToken", "unauthorized.azure"),
        (401, "InvalidAuthenticationTokenTenant", "unauthorized.azure"),
        (404, "ResourceGroupNotFound", "not-found.azure"),
        (404, "SubscriptionNotFound", "not-found.azure"),
        (409, "MissingSubscriptionRegistration", "azure.not-registered"),
        (400, "ContainerGroupQuotaReached", "azure.quota"),
        (409, "QuotaExceeded", "azure.quota"),
        (409, "RequestedResourceNotAvailable", "transient.azure"),
        (409, "ContainerGroupTransitioning", "transient.azure"),
        (403, "RequestDisallowedByPolicy", "denied.azure"),
    ] {
        let error = coded(status, azure);
        assert_eq!(error.code(), ours, "{azure}");
        assert!(error.hint_text().is_some(), "{azure}");
        assert_eq!(error.is_retryable(), ours == "transient.azure", "{azure}");
    }
}

#[test]
fn an_unknown_code_is_judged_by_its_status() {
    for (status, ours) in [
        (400, "invalid.azure"),
        (401, "unauthorized.azure"),
        (403, "denied.azure"),
        (404, "not-found.azure"),
        (409, "conflict.azure"),
        (412, "conflict.azure"),
        (418, "azure.refused"),
        (429, "transient.azure"),
        (500, "transient.azure"),
        (302, "azure.refused"),
    ] {
        assert_eq!(coded(status, "NobodyKnows").code(), ours);
    }
}

#[test]
fn the_namespace_to_register_is_named() {
    let message = "The subscription is not registered to use namespace \
                   'Microsoft.ContainerInstance'. See https://aka.ms/rps-not-found.";
    let body =
        json!({ "error": { "code": "MissingSubscriptionRegistration", "message": message } });
    let error = error(409, &body);
    assert!(
        error
            .hint_text()
            .is_some_and(|hint| hint.contains("--namespace Microsoft.ContainerInstance`")),
        "{:?}",
        error.hint_text()
    );
}

#[test]
fn every_body_becomes_a_refusal() {
    let bare = read(400, &[], r#"{"code":"Bad","message":"no"}"#);
    assert_eq!((bare.code.as_str(), bare.message.as_str()), ("Bad", "no"));
    let oauth = read(400, &[], r#"{"error":"invalid_client","error_description":"AADSTS7"}"#);
    assert_eq!((oauth.code.as_str(), oauth.message.as_str()), ("invalid_client", "AADSTS7"));
    let html = read(502, &[], "<html>\n <h1>Bad\tGateway</h1>\u{7}\n</html>");
    assert_eq!(
        html.to_string(),
        "PUT https://host/x answered 502: <html> <h1>Bad Gateway</h1> </html>"
    );
    let header = read(404, &[("x-ms-error-code", "BlobNotFound")], "");
    assert_eq!(header.to_string(), "PUT https://host/x answered 404 BlobNotFound");
    assert_eq!(read(400, &[], r#"{"error":{"code":"#).message, r#"{"error":{"code":"#);
    let odd =
        [r#"{"error":7}"#, r#"{"error":{"code":5,"message":[]}}"#, "[]", "null", "7", "\"x\""];
    for body in odd {
        assert_eq!(read(400, &[], body).to_string(), "PUT https://host/x answered 400", "{body}");
    }
    let long = read(500, &[], &"é".repeat(9000));
    assert_eq!(long.message.chars().count(), EXCERPT + 1);
    let long = read(500, &[], &json!({ "message": "é".repeat(9000) }).to_string());
    assert_eq!(long.message.chars().count(), LONGEST_MESSAGE + 1);
}
