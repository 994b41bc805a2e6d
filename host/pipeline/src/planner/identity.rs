//! `[identity]`, and what names one: secrets of vaults, registries, grants.

use std::collections::{BTreeMap, BTreeSet};

use report::Span;

use super::Planner;
use crate::at::At;
use crate::plan::{IdentitySpec, TextOrSecret};
use crate::problem;
use crate::schema::{EndpointsSpec, IdentityEntry, SecretEntry, SecretProvider, SecretRef};

impl Planner<'_> {
    pub(super) fn identities(&mut self) -> BTreeMap<String, IdentitySpec> {
        let known: Vec<&str> = self.pipeline.secrets.names().collect();
        for (name, entry) in self.pipeline.identity.iter() {
            for (secret, span) in secrets_of(entry) {
                if !known.contains(&secret.secret.as_str()) {
                    let problem =
                        problem::unknown_secret(self.source, span, &secret.secret, &known);
                    self.problems.push(problem);
                } else if self.waits_for(&secret.secret, &name.value, &mut BTreeSet::new()) {
                    let (identity, secret) = (&name.value, &secret.secret);
                    self.report(problem::identity_needs_itself(
                        self.source,
                        span,
                        identity,
                        secret,
                    ));
                }
            }
        }
        for (name, entry) in self.pipeline.secrets.iter() {
            self.check_vault_secret(name, entry);
        }
        let entries = self.pipeline.identity.iter();
        entries.filter_map(|(name, entry)| Some((name.value.clone(), spec(entry)?))).collect()
    }

    /// The identity that is meant where none is named: there is no other.
    pub(super) fn only_identity(&self) -> Option<String> {
        let mut names = self.pipeline.identity.names();
        names.next().filter(|_| names.next().is_none()).map(str::to_owned)
    }

    /// Reports `identity` if there is none of this name.
    pub(super) fn named_identity(&mut self, identity: &str, span: Span) {
        if self.pipeline.identity.find(identity).is_some() {
            return;
        }
        let known: Vec<&str> = self.pipeline.identity.names().collect();
        let problem = problem::unknown_identity(self.source, span, identity, &known);
        if !self.problems.contains(&problem) {
            self.report(problem);
        }
    }

    /// Whether `secret` can be read by `identity` alone, or by one that needs it.
    fn waits_for<'p>(
        &'p self,
        secret: &'p str,
        identity: &str,
        seen: &mut BTreeSet<&'p str>,
    ) -> bool {
        let entry = self.pipeline.secrets.find(secret);
        let is_of_vault = |entry: &&SecretEntry| entry.from.value == SecretProvider::AzureKeyVault;
        let Some(entry) = entry.filter(is_of_vault) else { return false };
        if !seen.insert(secret) {
            return false;
        }
        let named = entry.identity.as_ref().map(|identity| identity.value.as_str());
        let only = || {
            let mut names = self.pipeline.identity.names();
            names.next().filter(|_| names.next().is_none())
        };
        let Some(reader) = named.or_else(only) else { return false };
        if reader == identity {
            return true;
        }
        let others = self.pipeline.identity.find(reader).map(secrets_of);
        others
            .into_iter()
            .flatten()
            .any(|(other, _)| self.waits_for(other.secret.as_str(), identity, seen))
    }

    fn check_vault_secret(&mut self, name: &At<String>, entry: &SecretEntry) {
        if entry.from.value != SecretProvider::AzureKeyVault {
            return;
        }
        let source = self.source;
        if let Some(vault) = entry.vault.as_ref().filter(|vault| !is_vault(&vault.value)) {
            self.report(problem::wrong_vault(source, vault));
        }
        let own = entry.name.as_ref().unwrap_or(name);
        if !is_vault_secret(&own.value) {
            self.report(problem::wrong_vault_secret(source, own.span, &own.value));
        }
        if let Some(version) = entry.version.as_ref().filter(|v| !is_version(&v.value)) {
            self.report(problem::wrong_vault_version(source, version));
        }
        match &entry.identity {
            Some(identity) => self.named_identity(&identity.value, identity.span),
            None => {
                let known: Vec<&str> = self.pipeline.identity.names().collect();
                if known.len() > 1 {
                    self.report(problem::which_identity(source, name, &known));
                }
            }
        }
    }
}

/// The secrets that an identity refers to.
fn secrets_of(entry: &IdentityEntry) -> impl Iterator<Item = (&SecretRef, Span)> {
    let certificate = entry.certificate.as_ref().and_then(|certificate| match &certificate.value {
        TextOrSecret::Secret(secret) => Some((secret, certificate.span)),
        TextOrSecret::Text(_) => None,
    });
    let secret = entry.client_secret.as_ref().map(|secret| (&secret.value, secret.span));
    secret.into_iter().chain(certificate)
}

fn spec(entry: &IdentityEntry) -> Option<IdentitySpec> {
    let text = |text: &Option<At<String>>| text.as_ref().map(|text| text.value.clone());
    Some(IdentitySpec {
        kind: entry.kind.as_ref()?.value,
        tenant: text(&entry.tenant),
        client_id: text(&entry.client_id),
        client_secret: entry.client_secret.as_ref().map(|secret| secret.value.clone()),
        certificate: entry.certificate.as_ref().map(|certificate| certificate.value.clone()),
        federated_token_file: text(&entry.federated_token_file),
        managed: entry.managed.as_ref().map(|managed| managed.value.clone()),
        use_: entry.use_.iter().map(|link| link.value).collect(),
        cloud: entry.cloud.as_ref().map(|cloud| cloud.value),
        endpoints: endpoints(&entry.endpoints),
        ca: text(&entry.ca),
    })
}

fn endpoints(spec: &EndpointsSpec) -> BTreeMap<&'static str, String> {
    let EndpointsSpec {
        login,
        arm,
        arm_audience,
        graph,
        vault,
        vault_suffix,
        registry,
        registry_suffix,
    } = spec;
    let all = [
        ("login", login),
        ("arm", arm),
        ("arm-audience", arm_audience),
        ("graph", graph),
        ("vault", vault),
        ("vault-suffix", vault_suffix),
        ("registry", registry),
        ("registry-suffix", registry_suffix),
    ];
    all.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?.value.clone()))).collect()
}

/// The name of a vault, or something that wants to be its URL; whether the URL is one of the
/// identity's cloud is known to whoever knows clouds.
fn is_vault(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.starts_with("https://")
        || text.starts_with("http://")
        || ((3..=24).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && !text.ends_with('-')
            && !text.contains("--")
            && text.bytes().all(is_part))
}

fn is_vault_secret(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=127).contains(&text.len()) && text.bytes().all(is_part)
}

fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
