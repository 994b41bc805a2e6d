//! `[identity]` of a pipeline becomes identities of `azure`. Conversions only.

use std::path::Path;
use std::sync::Arc;

use azure::{Certificate, CloudName, Endpoints, Identity, IdentityOptions, Link, Managed};
use capability::Identities;
use oci::client::{CaFile, ClientOptions};
use pipeline::schema::{
    CloudWord, EndpointsSpec, IdentityEntry, IdentityKind, LinkWord, ManagedSpec, TextOrSecret,
};
use pipeline::{At, Pipeline};
use report::{Fault, Mask};

use crate::settings::Settings;

/// What people read of the identity that nobody declared.
const UNDECLARED: &str = "azure";

/// The identities of `pipeline`, and what their hosts are trusted by: `ca` counts for the hosts of
/// that cloud, for every client.
pub(super) fn identities(
    pipeline: Option<&Pipeline>,
    base: &Path,
    settings: &Settings,
    mask: &Mask,
    client: &mut ClientOptions,
) -> Result<Identities, Fault> {
    let usual = client.clone();
    let mut declared = Vec::new();
    for (name, entry) in pipeline.iter().flat_map(|pipeline| pipeline.identity.iter()) {
        let mut options = options(&name.value, settings, mask, usual.clone());
        apply(&mut options, entry, base);
        let identity = Identity::new(options)?;
        if let Some(ca) = &entry.ca {
            let trust = |host| CaFile { path: base.join(&ca.value), only_for: Some(host) };
            client.ca_files.extend(identity.cloud().hosts().into_iter().map(trust));
        }
        declared.push(identity);
    }
    let default = match declared.is_empty() {
        true => Some(Identity::new(options(UNDECLARED, settings, mask, usual))?),
        false => None,
    };
    Ok(Identities::new(declared, default))
}

/// An identity of which nothing is said.
fn options(name: &str, settings: &Settings, mask: &Mask, client: ClientOptions) -> IdentityOptions {
    let clock = || {
        let now = run::Clock::now(&run::SystemClock).as_millis() / 1000;
        i64::try_from(now).unwrap_or(i64::MAX)
    };
    IdentityOptions {
        name: name.to_owned(),
        tenant: None,
        client_id: None,
        client_secret: None,
        certificate: None,
        federated_token_file: None,
        managed: None,
        links: Vec::new(),
        cloud: None,
        endpoints: Endpoints::default(),
        client,
        environment: Arc::new(Settings::credential_variable),
        clock: Arc::new(clock),
        mask: mask.clone(),
        az: settings.program("az"),
    }
}

fn apply(options: &mut IdentityOptions, entry: &IdentityEntry, base: &Path) {
    // A file without a kind has not been planned; there is one kind.
    match entry.kind.as_ref().map_or(IdentityKind::Azure, |kind| kind.value) {
        IdentityKind::Azure => {}
    }
    options.tenant = text(&entry.tenant);
    options.client_id = text(&entry.client_id);
    options.client_secret = entry.client_secret.as_ref().map(|own| own.value.secret.clone());
    options.certificate = entry.certificate.as_ref().map(|own| match &own.value {
        TextOrSecret::Text(path) => Certificate::File(base.join(path)),
        TextOrSecret::Secret(secret) => Certificate::Secret(secret.secret.clone()),
    });
    options.federated_token_file =
        entry.federated_token_file.as_ref().map(|path| base.join(&path.value));
    options.managed = entry.managed.as_ref().map(|managed| match &managed.value {
        ManagedSpec::System => Managed::System,
        ManagedSpec::ClientId(id) => Managed::ClientId(id.clone()),
        ManagedSpec::ResourceId(id) => Managed::ResourceId(id.clone()),
    });
    options.links = entry.use_.iter().map(|word| link(word.value)).collect();
    options.cloud = entry.cloud.as_ref().map(|cloud| match cloud.value {
        CloudWord::Public => CloudName::Public,
        CloudWord::China => CloudName::China,
        CloudWord::UsGov => CloudName::UsGov,
    });
    options.endpoints = endpoints(&entry.endpoints);
    if let Some(ca) = &entry.ca {
        let ca = CaFile { path: base.join(&ca.value), only_for: None };
        options.client.ca_files.push(ca);
    }
}

fn link(word: LinkWord) -> Link {
    match word {
        LinkWord::ClientSecret => Link::ClientSecret,
        LinkWord::Certificate => Link::Certificate,
        LinkWord::Github => Link::GitHub,
        LinkWord::FederatedTokenFile => Link::FederatedToken,
        LinkWord::Managed => Link::Managed,
        LinkWord::Cli => Link::Cli,
    }
}

fn endpoints(spec: &EndpointsSpec) -> Endpoints {
    Endpoints {
        login: text(&spec.login),
        arm: text(&spec.arm),
        arm_audience: text(&spec.arm_audience),
        graph: text(&spec.graph),
        vault: text(&spec.vault),
        vault_suffix: text(&spec.vault_suffix),
        registry: text(&spec.registry),
        registry_suffix: text(&spec.registry_suffix),
    }
}

fn text(text: &Option<At<String>>) -> Option<String> {
    text.as_ref().map(|text| text.value.clone())
}
