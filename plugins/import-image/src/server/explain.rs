//! What a refusal of an import means.

use arm::Failure;
use windlass_plugin::Error;

/// The most manifests of an image that Azure imports.
const MOST_MANIFESTS: &str = "50";

/// The role that allows an import.
const ROLE: &str = "Container Registry Data Importer and Data Reader";

/// What to do about `failure`, which came of importing `source`.
///
/// Azure's codes say little here, so that its messages are read too: only to choose a hint, never to
/// decide what the error is.
#[must_use]
pub fn explain(failure: Failure, source: &str) -> Error {
    let refusal = failure.refusal();
    let code = refusal.map(|refusal| refusal.code.to_ascii_lowercase()).unwrap_or_default();
    let status = refusal.map(|refusal| refusal.status);
    let text = refusal.map(|refusal| {
        let inner = refusal.inner.iter().map(|(_, message)| message.as_str());
        std::iter::once(refusal.message.as_str()).chain(inner).collect::<Vec<_>>().join(" ")
    });
    let text = text.unwrap_or_default().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let is_late = matches!(failure, Failure::Late { .. });
    let error = Error::from(failure);
    let renamed = |new: &str, hint: String| Error::new(new, error.message().to_owned()).hint(hint);
    if is_late {
        return error.hint(
            "Azure goes on with it; registries that answer with redirects, such as \
             registry.k8s.io, are known to hang: copy from here with `mode = \"client\"`",
        );
    }
    if code == "conflict" || (status == Some(409) && says(&["already exists"])) {
        let hint = "set `force = true` to move the tag";
        return renamed("oci.conflict", hint.to_owned());
    }
    if says(&["toomanyrequests", "pull rate limit", "rate limit"]) {
        return error.hint(
            "the source lets those without an account pull little: give one, `username = \"…\"` \
             and `password = \"NAME\"` of `[secrets]`",
        );
    }
    if says(&["rfc 7233", "unexpected response status code", "unexpected length of body"]) {
        return error.hint(
            "the source cannot give parts of a blob, which Azure asks for: copy from here with \
             `mode = \"client\"`",
        );
    }
    if says(&["50 manifests", "manifest count", "number of manifests"]) {
        return error.hint(format!(
            "Azure imports at most {MOST_MANIFESTS} manifests of an image: copy from here with \
             `mode = \"client\"`, which may choose `platforms`"
        ));
    }
    if says(&[
        "manifest unknown",
        "manifest_unknown",
        "manifesttagged",
        "name unknown",
        "not found",
    ]) && !matches!(
        code.as_str(),
        "resourcenotfound" | "resourcegroupnotfound" | "subscriptionnotfound"
    ) {
        return renamed("oci.not-found", format!("check that `{source}` exists"));
    }
    if says(&["registries/pull/read"]) || code == "linkedauthorizationfailed" {
        return error.hint(
            "give the identity `AcrPull` on the source's registry (where that has ABAC \
             permissions, `Container Registry Repository Reader`), or `username` and `password`",
        );
    }
    if matches!(status, Some(403)) {
        return error.hint(format!(
            "an import needs the action `Microsoft.ContainerRegistry/registries/importImage/action` \
             on the target: give the identity the role `{ROLE}` or `Contributor` there"
        ));
    }
    if says(&["unauthorized", "authentication required", "access denied", "denied:"]) {
        return error.hint(format!(
            "Azure could not read `{source}`: give `username` and `password` (a service principal \
             with AcrPull, or a token of the registry), or for a registry of Azure in the same \
             tenant `source-registry`, its resource id"
        ));
    }
    if says(&["trusted services", "firewall", "is not allowed access", "network"]) {
        return error.hint(
            "a registry with restricted network lets imports through only with `Allow trusted \
             services`, and never from another tenant",
        );
    }
    if code == "invalidparameters" || says(&["error copying blobs"]) {
        return error.hint(format!(
            "Azure does not say why. Usually the source needs credentials, the identity needs \
             `AcrPull` on the source, or the image has more than {MOST_MANIFESTS} manifests; \
             `mode = \"client\"` copies from here and says what is wrong"
        ));
    }
    error
}

#[cfg(test)]
mod tests {
    use arm::table::Table;
    use arm::{Arm, Body};
    use serde_json::json;

    use super::*;

    fn explained(status: u16, code: &str, message: &str) -> Error {
        let body = json!({ "error": { "code": code, "message": message, "target": "request" } });
        let table = Table::default().then(status, &[], &body);
        let arm = Arm::new(&table, None).unwrap();
        let failure = arm.post("/x/importImage", "1", Some(&Body::from(json!({})))).unwrap_err();
        explain(failure, "r.example.com/a:1")
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        for (status, code, message, ours, hint) in [
            (
                409,
                "Conflict",
                "Tag exists:1 already exists in target registry.",
                "oci.conflict",
                "force",
            ),
            (
                400,
                "InvalidParameters",
                "Error copying blobs. Correlation ID: 1",
                "invalid.azure",
                "does not say why",
            ),
            (
                400,
                "InvalidParameters",
                "The remote server may not be RFC 7233 compliant",
                "invalid.azure",
                "mode = \"client\"",
            ),
            (
                400,
                "InvalidParameters",
                "Unexpected length of body in response",
                "invalid.azure",
                "parts of a blob",
            ),
            (
                400,
                "X",
                "toomanyrequests: You have reached your pull rate limit",
                "invalid.azure",
                "username",
            ),
            (400, "X", "Image has more than 50 manifests", "invalid.azure", "platforms"),
            (
                403,
                "AuthorizationFailed",
                "does not have authorization to perform action 'Microsoft.ContainerRegistry/registries/importImage/action'",
                "denied.azure",
                ROLE,
            ),
            (403, "LinkedAuthorizationFailed", "…/registries/pull/read", "denied.azure", "AcrPull"),
            (
                400,
                "X",
                "manifest unknown: manifest tagged by \"1\" is not found",
                "oci.not-found",
                "r.example.com/a:1",
            ),
            (400, "X", "UNAUTHORIZED: authentication required", "invalid.azure", "source-registry"),
            (
                400,
                "X",
                "client with IP '1.2.3.4' is not allowed access",
                "invalid.azure",
                "trusted",
            ),
            (404, "ResourceNotFound", "The Resource was not found.", "not-found.azure", ""),
        ] {
            let error = explained(status, code, message);
            assert_eq!(error.code(), ours, "{message}");
            assert!(error.message().contains(message.trim_end_matches('.')), "{error}");
            assert!(error.hint_text().unwrap_or_default().contains(hint), "{message}: {error:?}");
        }
    }

    #[test]
    fn an_import_that_hangs_is_late_and_not_over() {
        let failure =
            Failure::Late { call: "POST x".to_owned(), seconds: 60, last: "accepted".to_owned() };
        let error = explain(failure, "registry.k8s.io/pause:3.9");
        assert!(error.is("timeout") && error.hint_text().unwrap().contains("redirects"));
    }
}
