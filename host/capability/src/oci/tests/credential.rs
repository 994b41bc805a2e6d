//! Which credential goes where, and where it does not.

use super::super::credential::RegistryCredentials;
use super::*;

fn settings(password: &str) -> RegistrySettings {
    RegistrySettings {
        username: Some(TextOrSecret::Text("me".to_owned())),
        password: Some(password.to_owned()),
        ..RegistrySettings::default()
    }
}

#[tokio::test]
async fn the_pipelines_credentials_go_to_their_registry() {
    let registry = Registry::start(Some(&format!("me:{VALUE}"))).await;
    let run = TestRunBuilder::default()
        .secret("pwd", VALUE, &["localhost"])
        .registry(&registry.host(), settings("pwd"))
        .build();
    // No grant of the secret is needed: the plugin never holds it.
    let call = run.call(&everything(&registry));
    put_image(&call, &registry.at("a"), "1").await;
    assert!(!run.recorder.lines().join("").contains(VALUE));
    assert_eq!(run.backends.secrets.mask().apply(VALUE), "***");
}

#[tokio::test]
async fn a_password_goes_to_no_registry_outside_its_only_to() {
    let registry = Registry::start(Some(&format!("me:{VALUE}"))).await;
    let run = TestRunBuilder::default()
        .secret("pwd", VALUE, &["docker.io"])
        .registry(&registry.host(), settings("pwd"))
        .build();
    let call = run.call(&everything(&registry));
    let repository = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let fault = repository.resolve("1").await.unwrap_err();
    assert_eq!(fault.code, "denied.secrets", "{fault}");
    assert!(registry.seen.lock().unwrap().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_password_goes_to_no_token_service_outside_its_only_to() {
    let run =
        TestRunBuilder::default().secret("pwd", VALUE, &["docker.io", "auth.docker.io"]).build();
    let registry: ::oci::RegistryHost = "docker.io".parse().unwrap();
    let repository: ::oci::RepositoryName = "library/alpine".parse().unwrap();
    let credentials = RegistryCredentials {
        registries: BTreeMap::from([((registry.clone(), String::new()), settings("pwd"))]),
        docker_configs: Vec::new(),
        helpers: CredentialHelpers::default(),
        secrets: run.backends.secrets.clone(),
        docker: tokio::sync::OnceCell::new(),
    };
    let for_service = async |url: &str| {
        let url = url::Url::parse(url).unwrap();
        let found =
            ::oci::Credentials::credential(&credentials, &registry, &repository, Some(&url));
        found.await.map(|_| ()).map_err(|fault| fault.code)
    };
    assert_eq!(for_service("https://auth.docker.io/token").await, Ok(()));
    // The registry names its token service, and could name anybody's.
    let denied = for_service("https://auth.docker.io.evil.example/token").await;
    assert_eq!(denied, Err("denied.secrets".to_owned()));
}

#[tokio::test]
async fn dockers_configuration_is_asked_where_the_pipeline_says_nothing() {
    let registry = Registry::start(Some(&format!("me:{VALUE}"))).await;
    let run = TestRun::new();
    let auth = STANDARD.encode(format!("me:{VALUE}"));
    let config = format!("{{\"auths\":{{\"{}\":{{\"auth\":\"{auth}\"}}}}}}", registry.host());
    fs_err::write(run.folder.path().join("docker.json"), config).unwrap();
    let call = run.call(&everything(&registry));
    put_image(&call, &registry.at("a"), "1").await;
    assert_eq!(run.backends.secrets.mask().apply(VALUE), "***", "masked as any other secret");
}

#[tokio::test]
async fn the_longest_prefix_of_a_repository_has_its_own_credential() {
    let run = TestRun::new();
    let registry: ::oci::RegistryHost = "r.example:5000".parse().unwrap();
    let user = |name: &str| RegistrySettings {
        username: Some(TextOrSecret::Text(name.to_owned())),
        ..RegistrySettings::default()
    };
    let entries = [("", "all"), ("team", "team"), ("team/app", "app")];
    let credentials = RegistryCredentials {
        registries: BTreeMap::from(
            entries.map(|(prefix, name)| ((registry.clone(), prefix.to_owned()), user(name))),
        ),
        docker_configs: Vec::new(),
        helpers: CredentialHelpers::default(),
        secrets: run.backends.secrets,
        docker: tokio::sync::OnceCell::new(),
    };
    for (repository, expect) in [
        ("other", "all"),
        ("team/x", "team"),
        ("team/app", "app"),
        ("team/app/deep", "app"),
        ("teams/x", "all"),
    ] {
        let name = repository.parse().unwrap();
        let found = credentials.entry(&registry, &name).and_then(|found| found.username.clone());
        assert_eq!(found, Some(TextOrSecret::Text(expect.to_owned())), "{repository}");
    }
}

#[tokio::test]
async fn a_wrong_or_missing_credential_is_unauthorized_and_never_shown() {
    let registry = Registry::start(Some("me:something-else")).await;
    let run = TestRunBuilder::default()
        .secret("pwd", VALUE, &[])
        .registry(&registry.host(), settings("pwd"))
        .build();
    let call = run.call(&everything(&registry));
    let repository = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let fault = repository.resolve("1").await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Unauthorized, "oci.unauthorized"));
    let said = format!("{fault:?} {:?}", run.recorder.lines());
    assert!(
        !said.contains(VALUE) && !said.contains(&STANDARD.encode(format!("me:{VALUE}"))),
        "{said}"
    );
    let run = TestRunBuilder::default().registry(&registry.host(), settings("nowhere")).build();
    let repository =
        run.call(&everything(&registry)).oci.open(&registry.at("a"), PULL).await.unwrap();
    let fault = repository.resolve("1").await.unwrap_err();
    assert_eq!(fault.code, "unauthorized.secrets", "{fault}");
    let run = TestRun::new();
    fs_err::write(run.folder.path().join("docker.json"), "{ broken").unwrap();
    let repository =
        run.call(&everything(&registry)).oci.open(&registry.at("a"), PULL).await.unwrap();
    let fault = repository.resolve("1").await.unwrap_err();
    assert_eq!(fault.code, "invalid.oci", "{fault}");
}

#[tokio::test]
async fn a_registry_that_is_none_is_refused_before_anything_runs() {
    let fault = refused([("https://r.example", RegistrySettings::default())]);
    assert!(fault.help.unwrap().starts_with("write it as"));
}

#[tokio::test]
async fn a_client_certificate_that_could_not_be_shown_is_refused_before_anything_runs() {
    let with = |name: &str, insecure: Option<bool>| RegistrySettings {
        identity: Some(::oci::client::Identity {
            certificates: format!("{name}.pem").into(),
            key: format!("{name}.key").into(),
        }),
        insecure,
        ..RegistrySettings::default()
    };
    let fault = refused([("r.example", with("a", None)), ("r.example/team", with("b", None))]);
    assert_eq!(fault.message, "the registry `r.example` has two client certificates");
    let fault = refused([("r.example", with("a", Some(true)))]);
    assert!(fault.message.ends_with("is to be spoken to without TLS"), "{fault}");
}

/// Why there is no backend with these.
fn refused<const N: usize>(registries: [(&str, RegistrySettings); N]) -> Fault {
    let run = TestRun::new();
    let options = OciOptions {
        client: ::oci::client::ClientOptions::default(),
        registries: registries.map(|(host, settings)| (host.to_owned(), settings)).into(),
        docker_configs: Vec::new(),
        helpers: CredentialHelpers::default(),
        journal: None,
        budgets: ::oci::Budgets::default(),
        secrets: run.backends.secrets.clone(),
        workspace: run.workspace().to_owned(),
    };
    let fault = Oci::new(options).err().unwrap();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Invalid, "invalid.oci"));
    fault
}
