use super::*;

fn chosen(json: &str) -> Result<Way> {
    choose(&serde_json::from_str(json).expect("inputs"))
}

#[test]
fn this_machine_copies_unless_somebody_says_otherwise() {
    assert_eq!(chosen(r#"{"source": "a:1", "target": "b.azurecr.io/a"}"#), Ok(Way::Client(None)));
    for input in ["source-registry", "username", "password"] {
        let error = chosen(&format!(r#"{{"{input}": "x"}}"#)).expect_err(input);
        assert!(error.message().contains(input) && error.hint_text().is_some(), "{error}");
    }
}

const AZURE: &str = r#""identity": "prod", "target": "b.azurecr.io/a""#;

#[test]
fn azure_imports_what_it_can() {
    let rest = r#""source": "docker.io/library/a:1", "force": true, "untagged": false, "referrers": false"#;
    let way = chosen(&format!(r#"{{"mode": "server", {AZURE}, {rest}, "platforms": "all"}}"#));
    assert_eq!(way, Ok(Way::Server { may_fall_back: false }));
    let way = chosen(&format!(r#"{{"mode": "auto", {AZURE}, {rest}}}"#));
    assert_eq!(way, Ok(Way::Server { may_fall_back: true }));
    // Another cloud has other suffixes: it says by itself what its registries are.
    let other = r#"{"mode": "auto", "identity": "p", "source": "a.io/b", "target": "c.registry.example/d", "endpoint": "https://arm.example"}"#;
    assert_eq!(chosen(other), Ok(Way::Server { may_fall_back: true }));
    // The registry is named: whether its login server is near is nobody's business.
    let named =
        format!(r#"{{"mode": "server", {AZURE}, "source": "a:1", "source-registry": "src"}}"#);
    assert!(chosen(&named).is_ok());
}

#[test]
fn what_azure_cannot_do_is_refused_or_done_here() {
    for (more, word) in [
        (r#""source": "a.io/a", "platforms": ["linux/amd64"]"#, "platforms"),
        (r#""source": "a.io/a", "referrers": "always""#, "referrers"),
        (r#""source": "a.io/a", "referrers": ["a/b"]"#, "referrers"),
        (r#""source": "a.io/a", "foreign-layers": "include""#, "foreign-layers"),
        (r#""source": "a.io/a", "mount-from": "b.azurecr.io/c""#, "mount-from"),
        (r#""source": "a.io/a", "expect-digest": "sha256:aa""#, "expect-digest"),
        (r#""source": "oci-layout:a:1""#, "on this machine"),
        (r#""sources": ["a.io/a", "docker-archive:a.tar"]"#, "on this machine"),
        (r#""source": "localhost:5000/a""#, "not to be reached"),
        (r#""source": "10.0.0.1/a:1""#, "not to be reached"),
        (
            r#""source": "a.io/a", "targets": ["ghcr.io/a/b"]"#,
            "`ghcr.io/a/b` is no registry of Azure",
        ),
    ] {
        let error = chosen(&format!(r#"{{"mode": "server", {AZURE}, {more}}}"#)).expect_err(more);
        assert!(error.is("invalid") && error.message().contains(word), "{error}");
        assert!(error.hint_text().unwrap().contains("mode = \"client\""), "{error:?}");
        match chosen(&format!(r#"{{"mode": "auto", {AZURE}, {more}}}"#)) {
            Ok(Way::Client(Some(why))) => assert!(why.contains(word), "{why}"),
            other => panic!("{more}: {other:?}"),
        }
    }
    let error = chosen(r#"{"mode": "server", "source": "a.io/a", "target": "b.azurecr.io/a"}"#);
    assert!(error.unwrap_err().hint_text().unwrap().contains("identity = "));
}

#[test]
fn only_what_is_azures_trouble_is_tried_here() {
    for code in [
        "invalid.azure",
        "denied.azure",
        "azure.operation-failed",
        "not-found.azure",
        "oci.not-found",
    ] {
        assert!(is_azures(&Error::new(code, "")), "{code}");
    }
    for code in ["oci.conflict", "timeout.azure", "cancelled.azure", "invalid.inputs"] {
        assert!(!is_azures(&Error::new(code, "")), "{code}");
    }
}
