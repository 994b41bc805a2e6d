use azure::NoSecrets;

use super::loopback::{ACCESS, Azure, REFRESH, TOKEN, VALUE};
use super::*;
use crate::recorder::{TestRun, TestRunBuilder};
use crate::{AccessFlags, GrantText, RegistrySettings, SecretSource};

const APP: &str = "secret-of-the-application";

fn vault(vault: &str, name: &str) -> SecretSource {
    SecretSource::AzureKeyVault {
        vault: vault.to_owned(),
        name: name.to_owned(),
        version: None,
        identity: None,
    }
}

/// A run with the identity `prod`, whose vault has `pull-pwd`.
fn builder(azure: &Azure) -> TestRunBuilder {
    // Names of vaults are no names of the system's here: one place is all of them.
    let mut options = azure.options();
    options.endpoints.vault = Some(azure.url("127.0.0.1", ""));
    let identity = Identity::new(options).unwrap();
    TestRunBuilder::default().identity(identity).secret("app", APP, &[]).declare(
        "pull-pwd",
        vault("mykeyvault", "pull-pwd"),
        &[],
    )
}

fn uses(name: &str) -> GrantText {
    GrantText { secrets_use: vec![name.to_owned()], ..GrantText::default() }
}

fn says_nothing_secret(run: &TestRun, fault: Option<&Fault>) {
    let said = format!("{:?} {fault:?}", run.recorder.lines());
    for secret in [APP, TOKEN, REFRESH, ACCESS, VALUE] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn a_secret_of_a_vault_is_read_once_as_the_only_identity() {
    let azure = Azure::start().await;
    let run = builder(&azure).build();
    run.backends.secrets.learn().await;
    assert!(azure.seen().is_empty(), "a vault is asked only for what is used");
    let call = run.call(&uses("pull-pwd"));
    for _ in 0..2 {
        let handle = call.secrets.get("pull-pwd").await.unwrap();
        assert_eq!(handle.value().expose_text(), Some(VALUE));
    }
    // The identity's own secret is read meanwhile, which does not wait for this one.
    let seen = azure.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].body.contains(&format!("client_secret={APP}")));
    assert_eq!(run.backends.secrets.mask().apply(VALUE), "***");
    says_nothing_secret(&run, None);
}

#[tokio::test]
async fn a_vault_that_refuses_is_said_with_what_the_pipeline_calls_the_secret() {
    let azure = Azure::start().await;
    let run = builder(&azure)
        .declare("other", vault("mykeyvault", "other"), &[])
        .declare("empty", vault("mykeyvault", "empty"), &[])
        .declare("abroad", vault("https://evil.example", "x"), &[])
        .build();
    let get = async |name: &str| {
        let fault = run.call(&uses(name)).secrets.get(name).await.err().unwrap();
        says_nothing_secret(&run, Some(&fault));
        assert!(fault.to_string().contains(&format!("the pipeline calls it `{name}`")), "{fault}");
        fault
    };
    let fault = get("other").await;
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Unauthorized, "unauthorized.azure"));
    assert!(get("empty").await.message.contains("is empty"));
    let before = azure.seen().len();
    assert_eq!(get("abroad").await.kind, Kind::Invalid);
    assert_eq!(azure.seen().len(), before, "nobody was asked");
}

#[tokio::test]
async fn the_secret_of_an_identity_goes_nowhere_outside_its_only_to() {
    let azure = Azure::start().await;
    let run = builder(&azure).secret("app", APP, &["login.microsoftonline.com"]).build();
    let fault = run.call(&uses("pull-pwd")).secrets.get("pull-pwd").await.err().unwrap();
    assert_eq!(fault.code, "denied.secrets", "{fault}");
    assert!(azure.seen().is_empty());
}

#[tokio::test]
async fn an_identity_logs_in_to_its_registry() {
    let azure = Azure::start().await;
    let host = azure.address.to_string();
    let login = Some("prod".to_owned());
    let settings = RegistrySettings { login, ..RegistrySettings::default() };
    let run = builder(&azure).registry(&host, settings).build();
    let grant = GrantText { oci_pull: vec![format!("{host}/**")], ..GrantText::default() };
    let pull = AccessFlags { pull: true, ..AccessFlags::default() };
    let repository = run.call(&grant).oci.open(&format!("{host}/a"), pull).await.unwrap();
    repository.resolve("1").await.unwrap();
    let token = azure.seen().into_iter().find(|seen| seen.line.ends_with("/oauth2/token")).unwrap();
    let fields: Vec<&str> = token.body.split('&').collect();
    assert!(fields.contains(&"grant_type=refresh_token"), "{fields:?}");
    assert!(fields.contains(&format!("refresh_token={REFRESH}").as_str()), "{fields:?}");
    assert!(fields.contains(&"scope=repository%3Aa%3Apull"), "{fields:?}");
    says_nothing_secret(&run, None);
}

#[tokio::test]
async fn a_registry_that_is_none_of_azure_s_is_refused_before_anything_runs() {
    let azure = Azure::start().await;
    for (host, login, kind) in [
        ("docker.io", "prod", Kind::Denied),
        ("myregistry.azurecr.io.evil.example", "prod", Kind::Denied),
        ("127.0.0.1:1", "nobody", Kind::Unauthorized),
    ] {
        let run = builder(&azure).build();
        let login = Some(login.to_owned());
        let settings = RegistrySettings { login, ..RegistrySettings::default() };
        let made = crate::Oci::new(crate::OciOptions {
            client: ::oci::client::ClientOptions::default(),
            registries: BTreeMap::from([(host.to_owned(), settings)]),
            docker_configs: Vec::new(),
            helpers: crate::CredentialHelpers::default(),
            journal: None,
            budgets: ::oci::Budgets::default(),
            secrets: run.backends.secrets.clone(),
            workspace: run.workspace().to_owned(),
        });
        assert_eq!(made.err().unwrap().kind, kind, "{host}");
    }
    assert!(azure.seen().is_empty());
}

#[tokio::test]
async fn an_identity_is_named_or_the_only_one() {
    let azure = Azure::start().await;
    let named = |name: &str| {
        let mut options = azure.options();
        options.name = name.to_owned();
        Identity::new(options).unwrap()
    };
    let name = |identities: &Identities| match identities.usual() {
        Ok(identity) => identity.name().to_owned(),
        Err(fault) => fault.code,
    };
    assert_eq!(name(&Identities::default()), "unauthorized.identity");
    assert_eq!(name(&Identities::new([], Some(named("machine")))), "machine");
    assert_eq!(name(&Identities::new([named("a")], Some(named("machine")))), "a");
    let two = Identities::new([named("prod"), named("test")], None);
    assert_eq!(name(&two), "invalid.identity");
    assert_eq!(two.get("prd").err().unwrap().help.as_deref(), Some("did you mean `prod`?"));
    // Without secrets an identity that needs one says so.
    let token = two.get("prod").unwrap().token(&azure::Audience::Arm, &NoSecrets).await;
    assert!(token.err().unwrap().message.contains("there is no secret `app`"));
}
