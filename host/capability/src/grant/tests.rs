use report::{Fault, Kind};
use snapbox::{assert_data_eq, str};

use super::*;

fn http(rules: &[&str]) -> GrantText {
    let rule = |url: &&str| HttpText { url: (*url).to_owned(), ..HttpText::default() };
    GrantText { http: rules.iter().map(rule).collect(), ..GrantText::default() }
}

fn grant(text: &GrantText) -> Grant {
    Grant::compile(text).unwrap()
}

fn allows_get(grant: &Grant, url: &str) -> bool {
    let url = Url::parse(url).unwrap();
    grant.allows(&Want::Http { url: &url, method: &Method::GET }).is_ok()
}

fn repository(text: &str) -> RepositoryId {
    RepositoryId::parse(text).unwrap()
}

fn refusal(text: &GrantText, want: &Want<'_>) -> Denied {
    grant(text).allows(want).unwrap_err()
}

/// Message, causes and help as a person reads them.
fn shown(fault: &Fault) -> String {
    let help = fault.help.as_deref().unwrap_or("(none)");
    format!("{}\n{fault}\nhelp: {help}\n", fault.code)
}

#[test]
fn a_rule_is_scheme_host_and_port() {
    let check = |rule: &str, yes: &[&str], no: &[&str]| {
        let grant = grant(&http(&[rule]));
        yes.iter().for_each(|url| assert!(allows_get(&grant, url), "{rule} allows {url}"));
        no.iter().for_each(|url| assert!(!allows_get(&grant, url), "{rule} refuses {url}"));
    };
    check(
        "https://example.com",
        &["https://example.com/", "https://EXAMPLE.com:443/a?b", "https://example.com./"],
        &[
            "http://example.com/",
            "https://example.com:8443/",
            "https://a.example.com/",
            "https://example.com.evil.org/",
            "https://notexample.com/",
        ],
    );
    check("http://example.com:8080/", &["http://example.com:8080/"], &["http://example.com/"]);
    check(
        "https://*.example.com",
        &["https://a.example.com/", "https://a.b.example.com/"],
        &["https://example.com/", "https://evilexample.com/", "https://.example.com/"],
    );
    check("https://[::1]:8443", &["https://[0:0::1]:8443/"], &["https://[::2]:8443/"]);
    check("http://127.0.0.1", &["http://127.0.0.1/", "http://2130706433/"], &["http://127.0.0.2/"]);
    check(
        "https://bücher.example",
        &["https://xn--bcher-kva.example/"],
        &["https://bucher.example/"],
    );
}

#[test]
fn methods_narrow_a_rule() {
    let mut text = http(&["https://example.com"]);
    text.http[0].methods = vec!["get".to_owned(), "HEAD".to_owned()];
    let grant = grant(&text);
    let url = Url::parse("https://example.com/").unwrap();
    assert!(grant.allows(&Want::Http { url: &url, method: &Method::HEAD }).is_ok());
    let denied = grant.allows(&Want::Http { url: &url, method: &Method::DELETE }).unwrap_err();
    assert_data_eq!(
        shown(&denied.into()),
        str![[r#"
denied.http
the step is not granted `http` for `DELETE https://example.com`: it is granted `GET HEAD https://example.com`
help: add to `[step.grant]` of the step: { url = "https://example.com", methods = ["DELETE"] } in the list of `http`

"#]]
    );
}

#[test]
fn rules_that_make_no_sense_are_refused_with_what_to_write() {
    let check = |rule: &str, expected: &str| {
        let fault = Grant::compile(&http(&[rule])).unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Invalid, "invalid.grant"));
        let help = fault.help.unwrap();
        assert!(help.contains(expected), "{rule}: {} / {help}", fault.message);
    };
    check("*", "https://*.example.com");
    check("https://*", "*.example.com");
    check("example.com", "write `https://example.com`");
    check("localhost", "write `https://localhost`");
    check("ftp://example.com", "write `https://example.com`");
    check("https://example.com/v1", "write `https://example.com`");
    check("https://example.com?x", "write `https://example.com`");
    check("https://good@evil.example", "write `good`");
    check("https://a.*.example.com", "write `*.example.com`");
    check("https://exa*mple.com", "write `*.example.com`");
    check("https://*.10.0.0.1", "one rule for each address");
    check("https://example.com:0", "example.com:8443");
    check("https://example.com:99999", "example.com:8443");
    check("https://", "example.com");
    check("https://exa mple.com", "write `exa mple.com`");
    let mut text = http(&["https://example.com"]);
    text.http[0].methods = vec!["*".to_owned()];
    assert!(Grant::compile(&text).unwrap_err().help.unwrap().contains("leave `methods` out"));
}

#[test]
fn all_problems_of_a_grant_are_said_at_once() {
    let text = GrantText {
        http: http(&["*"]).http,
        secrets_use: vec!["a b".to_owned()],
        oci_push: vec!["**".to_owned()],
        workspace_read: vec!["../etc".to_owned()],
        ..GrantText::default()
    };
    let fault = Grant::compile(&text).unwrap_err();
    assert_data_eq!(
        format!("{}\n{}", fault.message, fault.causes.join("\n")),
        str![[r#"
the grant has 4 problems
`http`: `*` is not a rule: the scheme is missing; name each host as `https://example.com`, or a domain as `https://*.example.com`
`secrets.use`: `a b` is not the name of a secret; write the name from `[secrets]`, such as `pull-pwd`, or a pattern such as `deploy-*`
`oci.push`: `**` would be every repository of every registry; name the registry, such as `registry.example/**`
`workspace.read`: `../etc` is not a path in the workspace: it has a `..`; write a path relative to the pipeline file, with `/`, such as `app/src`
"#]]
    );
}

#[test]
fn patterns_of_repositories_match_segment_by_segment() {
    let check = |pattern: &str, yes: &[&str], no: &[&str]| {
        let text = GrantText { oci_pull: vec![pattern.to_owned()], ..GrantText::default() };
        let grant = grant(&text);
        let allows = |place: &str| grant.allows(&Want::Pull(&repository(place))).is_ok();
        yes.iter().for_each(|place| assert!(allows(place), "{pattern} allows {place}"));
        no.iter().for_each(|place| assert!(!allows(place), "{pattern} refuses {place}"));
    };
    check("node", &["docker.io/library/node", "index.docker.io/node:9"], &["node2", "me/node"]);
    check("docker.io/library/*", &["node", "library/alpine"], &["me/app", "ghcr.io/library/node"]);
    check("r.example/base/*", &["r.example/base/a"], &["r.example/base/a/b", "r.example/base2/a"]);
    check("r.example/**", &["r.example/a", "r.example/a/b/c"], &["r.example:5000/a"]);
    check("r.example/a/**/z", &["r.example/a/z", "r.example/a/b/c/z"], &["r.example/a/b"]);
    check("r.example/**/b/**/d", &["r.example/b/a/b/c/d"], &["r.example/a/d/b"]);
    check("r.example/team-*/app", &["r.example/team-a/app"], &["r.example/team-a/b/app"]);
    check("localhost:5000/**", &["localhost:5000/a"], &["localhost:5001/a", "localhost/a"]);
    check(
        "*.azurecr.io/base/*",
        &["x.azurecr.io/base/a"],
        &["azurecr.io/base/a", "xazurecr.io/base/a"],
    );
    // A whole reference is narrowed to its repository.
    let digest = format!("r.example:5000/a/b:1.2@sha256:{}", "0".repeat(64));
    check(&digest, &["r.example:5000/a/b", "r.example:5000/a/b:other"], &["r.example:5000/a"]);
    check(
        "oci-layout:out/*",
        &["oci-layout:out/img:1", "oci-layout:./out//img"],
        &["oci-layout:out", "out/img"],
    );
    check("oci-layout:out", &["oci-layout:out:v1"], &["oci-layout:out/deeper"]);
    check("oci-layout:a@b", &["oci-layout:a@b"], &["oci-layout:a"]);
}

#[test]
fn a_pattern_of_an_archive_is_its_file() {
    let check = |pattern: &str, yes: &[&str], no: &[&str]| {
        let text = GrantText { oci_pull: vec![pattern.to_owned()], ..GrantText::default() };
        let grant = grant(&text);
        let allows = |id: &RepositoryId| grant.allows(&Want::Pull(id)).is_ok();
        yes.iter().for_each(|id| assert!(allows(&repository(id)), "{pattern} allows {id}"));
        no.iter().for_each(|id| assert!(!allows(&repository(id)), "{pattern} refuses {id}"));
    };
    let digest = format!("@sha256:{}", "0".repeat(64));
    check(
        "oci-archive:out/*.tar",
        &["oci-archive:out/a.tar:v1", &format!("oci-archive:./out//a.tar{digest}")],
        &["oci-layout:out/a.tar", "docker-archive:out/a.tar", "oci-archive:out/b/a.tar"],
    );
    check(
        "docker-archive:a.tar",
        &["docker-archive:a.tar:localhost:5000/t/app", &format!("docker-archive:a.tar{digest}")],
        &["oci-archive:a.tar", "docker-archive:a", "docker-archive:b.tar:a.tar"],
    );
    check(
        "docker-archive:a.tar:t/app:v1",
        &["docker-archive:a.tar", "docker-archive:a.tar:t/other"],
        &["docker-archive:a.tar/t/app"],
    );
    check("docker-archive:a@b.tar", &["docker-archive:a@b.tar:x"], &["docker-archive:a"]);
}

#[test]
fn patterns_of_repositories_that_make_no_sense_are_refused() {
    for pattern in [
        "*",
        "**",
        "*/*",
        "",
        "https://r.example/a",
        "r.example/",
        "r.example//a",
        "r*.example/a",
        "a.*.example/x",
        "oci-layout:../x",
        "oci-layout:/x",
        "oci-layout:",
        "oci-archive:../x.tar",
        "oci-archive:.",
        "docker-archive:/x.tar",
        "docker-archive::x",
        "r.example/a b",
        "localhost:5000",
    ] {
        let text = GrantText { oci_push: vec![pattern.to_owned()], ..GrantText::default() };
        let fault = Grant::compile(&text).expect_err(pattern);
        assert!(fault.help.is_some(), "{pattern}");
    }
}

#[test]
fn names_of_secrets_match_with_stars() {
    let text = GrantText {
        secrets_use: vec!["deploy-*".to_owned(), "a*b*c".to_owned(), "x".to_owned()],
        ..GrantText::default()
    };
    let grant = grant(&text);
    let allows = |name: &str| grant.allows(&Want::UseSecret(name)).is_ok();
    assert!(["deploy-", "deploy-key", "abc", "a-b-b-c", "x"].iter().all(|name| allows(name)));
    assert!(!["deploy", "xdeploy-key", "ab", "acb", "xx", ""].iter().any(|name| allows(name)));
    assert!(grant.allows(&Want::RevealSecret("x")).is_err(), "use is not reveal");
    assert!(grant.allows(&Want::WriteSecret("x")).is_err(), "use is not write");
}

#[test]
fn folders_match_by_whole_names_and_writing_includes_reading() {
    let text = GrantText {
        workspace_read: vec!["app/src".to_owned()],
        workspace_write: vec!["./out/".to_owned()],
        ..GrantText::default()
    };
    let grant = grant(&text);
    let reads = |path: &str| grant.allows(&Want::Read(path)).is_ok();
    let writes = |path: &str| grant.allows(&Want::Write(path)).is_ok();
    assert!(["app/src", "app/src/a/b", "out", "out/x"].iter().all(|path| reads(path)));
    assert!(!["app", "app/src2", "", "outer/x"].iter().any(|path| reads(path)));
    assert!(writes("out/x") && !writes("app/src/a"));
    let all =
        Grant::compile(&GrantText { workspace_read: vec![".".to_owned()], ..GrantText::default() });
    assert!(all.unwrap().allows(&Want::Read("any/thing")).is_ok());
}

#[test]
fn an_empty_grant_allows_nothing() {
    let url = Url::parse("https://example.com").unwrap();
    let place = repository("a");
    let wants = [
        Want::Http { url: &url, method: &Method::GET },
        Want::Identity("a"),
        Want::UseSecret("a"),
        Want::RevealSecret("a"),
        Want::WriteSecret("a"),
        Want::Pull(&place),
        Want::Push(&place),
        Want::Delete(&place),
        Want::State,
        Want::Read(""),
        Want::Write("a"),
        Want::Exec("RUN true"),
        Want::ExecNetwork("RUN true"),
    ];
    assert_eq!(wants.map(|want| want.key()), crate::GRANT_KEYS);
    for want in &wants {
        assert!(Grant::default().allows(want).is_err(), "{want:?}");
    }
}

#[test]
fn the_line_of_a_refusal_allows_just_what_was_refused() {
    let url = Url::parse("https://example.com:8443/a/b?c").unwrap();
    let v6 = Url::parse("http://[::1]/").unwrap();
    let place = repository("ghcr.io/acme/app:1.2");
    let layout = repository("oci-layout:out/img");
    for want in [
        Want::Http { url: &url, method: &Method::POST },
        Want::Http { url: &v6, method: &Method::GET },
        Want::Identity("prod"),
        Want::UseSecret("pull-pwd"),
        Want::RevealSecret("pull-pwd"),
        Want::WriteSecret("pull-pwd"),
        Want::Pull(&place),
        Want::Push(&layout),
        Want::Delete(&place),
        Want::State,
        Want::Read("app/src"),
        Want::Write(""),
    ] {
        let denied = Grant::default().allows(&want).unwrap_err();
        let line = denied.toml.unwrap();
        let allowing = grant(&from_toml(&line));
        assert!(allowing.allows(&want).is_ok(), "{line}");
        assert_eq!(line.matches('\n').count(), 0, "{line}");
    }
}

#[test]
fn a_refusal_names_value_layer_and_line() {
    let text =
        GrantText { oci_pull: vec!["docker.io/library/*".to_owned()], ..GrantText::default() };
    let place = repository("ghcr.io/acme/app:1.2");
    assert_data_eq!(
        shown(&refusal(&text, &Want::Pull(&place)).into()),
        str![[r#"
denied.oci
the step is not granted `oci.pull` for `ghcr.io/acme/app`: it is granted `docker.io/library/*`
help: add to `[step.grant]` of the step: "ghcr.io/acme/app" in the list of `oci.pull`

"#]]
    );
    assert_data_eq!(
        shown(&refusal(&text, &Want::Push(&place)).into()),
        str![[r#"
denied.oci
the step is not granted `oci.push` for `ghcr.io/acme/app`
help: add to `[step.grant]` of the step: oci.push = ["ghcr.io/acme/app"]

"#]]
    );
    assert_data_eq!(
        shown(&refusal(&text, &Want::State).into()),
        str![[r#"
denied.state
the step is not granted `state` for `this step`
help: add to `[step.grant]` of the step: state = true

"#]]
    );
    let url = Url::parse("https://user:pw@api.example/x?token=1").unwrap();
    assert_data_eq!(
        shown(&refusal(&text, &Want::Http { url: &url, method: &Method::PUT }).into()),
        str![[r#"
denied.http
the step is not granted `http` for `PUT https://api.example`
help: add to `[step.grant]` of the step: http = [{ url = "https://api.example", methods = ["PUT"] }]

"#]]
    );
}

#[test]
fn a_plugin_may_use_only_what_it_asked_for() {
    let text = GrantText { state: true, secrets_use: vec!["*".to_owned()], ..GrantText::default() };
    let grant = grant(&text).asked(["secrets.use".to_owned()]);
    assert!(grant.allows(&Want::UseSecret("a")).is_ok());
    let denied = grant.allows(&Want::State).unwrap_err();
    assert_eq!(denied.layer, Layer::NeverAsked);
    assert_data_eq!(
        shown(&denied.into()),
        str![[r#"
denied.state
the plugin never asked for `state` and may not use it for `this step`
help: the plugin's author adds a request for `state` to its `describe`

"#]]
    );
}

#[test]
fn a_name_with_quotes_or_controls_stays_one_toml_string() {
    let line = quoted("a\"b\\c\n\u{7f}");
    let table: toml::Table = format!("x = {line}").parse().unwrap();
    assert_eq!(table["x"].as_str(), Some("a\"b\\c\n\u{7f}"));
}

/// What stands under `[step.grant]`.
fn from_toml(line: &str) -> GrantText {
    let table: toml::Table = line.parse().expect(line);
    let list = |area: &str, key: &str| -> Vec<String> {
        let values = table.get(area).and_then(|area| area.get(key));
        let values = values.and_then(toml::Value::as_array).into_iter().flatten();
        values.map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let flag = |area: &str, key: &str| {
        let value = table.get(area).and_then(|area| area.get(key));
        value.and_then(toml::Value::as_bool).unwrap_or_default()
    };
    let rules = table.get("http").and_then(toml::Value::as_array).into_iter().flatten();
    GrantText {
        http: rules
            .map(|rule| HttpText {
                url: rule["url"].as_str().unwrap().to_owned(),
                methods: rule["methods"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|method| method.as_str().unwrap().to_owned())
                    .collect(),
                private: false,
            })
            .collect(),
        identity: {
            let names = table.get("identity").and_then(toml::Value::as_array);
            names.into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
        },
        exec_run: flag("exec", "run"),
        exec_network: flag("exec", "network"),
        secrets_use: list("secrets", "use"),
        secrets_reveal: list("secrets", "reveal"),
        secrets_write: list("secrets", "write"),
        oci_pull: list("oci", "pull"),
        oci_push: list("oci", "push"),
        oci_delete: list("oci", "delete"),
        state: table.get("state").and_then(toml::Value::as_bool).unwrap_or_default(),
        workspace_read: list("workspace", "read"),
        workspace_write: list("workspace", "write"),
    }
}

/// The definition of `*`, without any cleverness.
fn naive_wildcard(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| naive_wildcard(rest, &text[taken..])),
        Some((first, rest)) => {
            text.split_first().is_some_and(|(c, text)| c == first && naive_wildcard(rest, text))
        }
    }
}

/// The definition of `*` and `**` over segments.
fn naive_path(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((&"**", rest)) => (0..=path.len()).any(|taken| naive_path(rest, &path[taken..])),
        Some((first, rest)) => path.split_first().is_some_and(|(segment, path)| {
            let (first, segment): (Vec<char>, Vec<char>) =
                (first.chars().collect(), segment.chars().collect());
            naive_wildcard(&first, &segment) && naive_path(rest, path)
        }),
    }
}

proptest::proptest! {
    #[test]
    fn stars_match_as_they_are_defined(pattern in "[ab*]{0,8}", text in "[ab]{0,8}") {
        let (own, chars): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        proptest::prop_assert_eq!(matches_wildcard(&pattern, &text), naive_wildcard(&own, &chars));
    }

    #[test]
    fn patterns_of_segments_match_as_they_are_defined(
        pattern in "([ab*]|\\*\\*|a\\*)(/([ab*]|\\*\\*|a\\*)){0,5}",
        path in "[ab]{1,2}(/[ab]{1,2}){0,5}",
    ) {
        let (own, segments): (Vec<&str>, Vec<&str>) =
            (pattern.split('/').collect(), path.split('/').collect());
        let matches = repository::matches_path(&pattern, &path);
        proptest::prop_assert_eq!(matches, naive_path(&own, &segments));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,40}") {
        let list = vec![text.clone()];
        let _ = Grant::compile(&GrantText {
            http: http(&[&text]).http,
            secrets_use: list.clone(),
            oci_pull: list.clone(),
            workspace_read: list,
            ..GrantText::default()
        });
        let _ = RepositoryId::parse(&text);
    }
}
