use super::*;

/// `user:pw:with:colons`
const AUTH: &str = "dXNlcjpwdzp3aXRoOmNvbG9ucw==";

fn config(text: &str) -> DockerConfig {
    DockerConfig::parse(Path::new("config.json"), text.as_bytes()).unwrap()
}

fn find(config: &DockerConfig, registry: &str, repository: &str) -> String {
    let registry = registry.parse().unwrap();
    let text = |secret: &Secret| secret.expose_text().unwrap().to_owned();
    match config.find(&registry, &repository.parse().unwrap()) {
        None => "none".to_owned(),
        Some(Kept::ByHelper(helper)) => helper.not_enabled(&registry).message,
        Some(Kept::InFile(credential)) => match credential {
            Credential::Anonymous => "anonymous".to_owned(),
            Credential::Basic { username, password } => format!("{username} {}", text(&password)),
            Credential::IdentityToken(token) => format!("identity {}", text(&token)),
            Credential::Bearer(token) => format!("bearer {}", text(&token)),
        },
    }
}

#[test]
fn the_longest_prefix_counts() {
    let config = config(&format!(
        r#"{{"auths":{{
            "https://index.docker.io/v1/": {{"auth":"{AUTH}"}},
            "https://r.example/v2/": {{"username":"all","password":"1"}},
            "r.example/team": {{"username":"team","password":"2"}},
            "r.example/team/app": {{"username":"app","password":"3"}},
            "R2.example:5000": {{"identitytoken":"t"}},
            "acr.example": {{"auth":"MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOnRvaw==" }},
            "reg.example": {{"registrytoken":"r"}},
            "empty.example": {{}}
        }}, "HttpHeaders": {{"x": "y"}}}}"#
    ));
    assert_eq!(find(&config, "docker.io", "library/node"), "user pw:with:colons");
    assert_eq!(find(&config, "index.docker.io", "a/b"), "user pw:with:colons");
    assert_eq!(find(&config, "r.example", "other"), "all 1");
    assert_eq!(find(&config, "r.example", "team/x"), "team 2");
    assert_eq!(find(&config, "r.example", "team/app/deep"), "app 3");
    assert_eq!(find(&config, "r.example", "team/application"), "team 2");
    assert_eq!(find(&config, "r2.example:5000", "a"), "identity t");
    assert_eq!(find(&config, "acr.example", "a"), "identity tok");
    assert_eq!(find(&config, "reg.example", "a"), "bearer r");
    assert_eq!(find(&config, "empty.example", "a"), "none");
    assert_eq!(find(&config, "unknown.example", "a"), "none");
}

#[test]
fn a_helper_is_named_and_not_started() {
    let config = config(
        r#"{"auths":{"stored.example":{}},"credsStore":"desktop","credHelpers":{"ecr.example":"ecr-login"}}"#,
    );
    assert_eq!(
        find(&config, "ecr.example", "a"),
        "the credential for `ecr.example` is kept by the helper `docker-credential-ecr-login`, which is not enabled"
    );
    assert!(find(&config, "stored.example", "a").contains("docker-credential-desktop"));
    assert_eq!(find(&config, "other.example", "a"), "none");
}

#[test]
fn what_is_broken_is_said_without_showing_it() {
    let error = |text: &str| {
        DockerConfig::parse(Path::new("c.json"), text.as_bytes()).unwrap_err().to_string()
    };
    assert_eq!(
        error("{\n \"auths\": hunter2"),
        "`c.json` is not a docker `config.json`: line 2, column 11"
    );
    let wrong = error(r#"{"auths":{"r.example":{"auth":"hunter2!"}}}"#);
    assert_eq!(wrong, "`auth` of `r.example` in `c.json` is not base64 of `USER:PASSWORD`");
    let directory = tempfile::tempdir().unwrap();
    let none = DockerConfig::read(&directory.path().join("absent.json")).unwrap();
    assert_eq!(find(&none, "r.example", "a"), "none");
    assert!(matches!(DockerConfig::read(directory.path()), Err(DockerConfigError::Io(_))));
}
