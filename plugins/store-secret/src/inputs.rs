//! What `with` of a pipeline says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_plugin::{OneOrMany, Request, Schema};

/// A secret, and where it is put.
///
/// What is put there is one of these: `secret`, `generate`, `service-principal`, `scope-map-token`.
#[derive(Debug, Clone, Deserialize, windlass_plugin::Inputs)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inputs {
    /// Where it is put: `azure-key-vault`, as when `vault` is said; or `local`, the encrypted store of
    /// this machine.
    pub to: Option<To>,
    /// The vault: its name, or its URL in other clouds than the public one.
    pub vault: Option<String>,
    /// What it is called there.
    pub name: Option<String>,
    /// The value: a name in `[secrets]`.
    pub secret: Option<String>,
    /// The value: a random one, if there is none yet.
    pub generate: Option<Generate>,
    /// Make a new value, password or credential although there is a good one.
    #[serde(default)]
    pub rotate: bool,
    /// The value: the password of a service principal, which is made where it is not there, and given
    /// a role.
    pub service_principal: Option<ServicePrincipal>,
    /// The value: the password of a token of a registry, for some of its repositories.
    pub scope_map_token: Option<ScopeMapToken>,
    /// What kind of value it is, such as `text/plain`.
    pub content_type: Option<String>,
    /// Tags. Those that others have set stay.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// From when it is good: a time such as `2026-01-01T00:00:00Z`, or a duration from now.
    pub not_before: Option<String>,
    /// Until when it is good: a time, or a duration from now such as `90d`.
    pub expires: Option<String>,
    /// Whether it may be read.
    pub enabled: Option<bool>,
    /// Write nothing if the same value is there already; it is compared by the host.
    #[serde(default = "yes")]
    pub only_if_changed: bool,
    /// What is done if a deleted secret still has the name: `explain`, an error that says what can be
    /// done; `recover`, it gets a new version; `purge`, it is lost for good first.
    #[serde(default)]
    pub deleted: Deleted,
    /// Who does it: a name in `[identity]`.
    pub identity: Option<String>,
    /// Azure Resource Manager, in other clouds than the public one.
    #[serde(default = "arm_endpoint")]
    pub arm_endpoint: String,
    /// Microsoft Graph, in other clouds than the public one.
    #[serde(default = "graph_endpoint")]
    pub graph_endpoint: String,
}

/// Where a secret is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum To {
    /// Azure Key Vault.
    AzureKeyVault,
    /// The encrypted store of this machine.
    Local,
}

/// A random value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Generate {
    /// How many characters, 8 to 1024.
    #[serde(default = "length")]
    pub length: u32,
    /// Which characters: `alphanumeric`, `hex`, or `printable`, all of ASCII but space, quotes and
    /// backslash.
    #[serde(default)]
    pub alphabet: Alphabet,
}

/// The characters of a random value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Alphabet {
    /// `A-Z a-z 0-9`.
    #[default]
    Alphanumeric,
    /// `0-9 a-f`.
    Hex,
    /// All printable ASCII but space, quotes and backslash.
    Printable,
}

/// What is done with a name that a deleted secret still has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Deleted {
    /// An error says what can be done.
    #[default]
    Explain,
    /// It is recovered, and gets a new version.
    Recover,
    /// It is purged, and cannot be recovered any more.
    Purge,
}

/// A service principal with a role, and where its credentials are put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServicePrincipal {
    /// The application's name; that of the registry with `-pull` or `-push` behind it if nothing is
    /// said.
    pub name: Option<String>,
    /// The application's id, where several have the name.
    pub app_id: Option<String>,
    /// What it has the role on: resource ids, mostly that of a registry.
    pub scope: OneOrMany,
    /// The role: by name, or a role definition's id. `AcrPull` and `AcrPush` stand for Container
    /// Registry Repository Reader and Writer where a registry has permissions for each repository.
    #[serde(default = "role")]
    pub role: String,
    /// How long a password is good.
    #[serde(default = "year")]
    pub valid: String,
    /// How long before its end a new one is made; a third of `valid`, and at most 30 days, if nothing
    /// is said.
    pub renew_before: Option<String>,
    /// The secret that holds the application's id; `REGISTRY-pull-usr` or `REGISTRY-push-usr` if
    /// nothing is said.
    pub user_secret: Option<String>,
    /// The secret that holds the password; `REGISTRY-pull-pwd` or `REGISTRY-push-pwd` if nothing is
    /// said.
    pub password_secret: Option<String>,
    /// Leave earlier passwords until they end by themselves; else those that this step has made are
    /// removed once the new one is stored.
    #[serde(default = "yes")]
    pub keep_previous: bool,
}

/// A token of a registry, and where its credentials are put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScopeMapToken {
    /// The registry's resource id.
    pub registry: String,
    /// The token's name, which is also the user's.
    pub name: String,
    /// A scope map that is there, by name, such as `_repositories_pull`; in place of `repositories`.
    pub scope_map: Option<String>,
    /// The repositories; a scope map `NAME-map` is made for them.
    #[serde(default)]
    pub repositories: Vec<String>,
    /// What is allowed in them.
    #[serde(default = "actions")]
    pub actions: Vec<String>,
    /// How long a password is good.
    #[serde(default = "year")]
    pub valid: String,
    /// How long before its end a new one is made; a third of `valid`, and at most 30 days, if nothing
    /// is said.
    pub renew_before: Option<String>,
    /// The secret that holds the token's name; `TOKEN-usr` if nothing is said.
    pub user_secret: Option<String>,
    /// The secret that holds the password; `TOKEN-pwd` if nothing is said.
    pub password_secret: Option<String>,
}

fn yes() -> bool {
    true
}

fn length() -> u32 {
    32
}

fn role() -> String {
    "AcrPull".to_owned()
}

fn year() -> String {
    "365d".to_owned()
}

fn actions() -> Vec<String> {
    ["content/read", "metadata/read"].map(str::to_owned).into()
}

fn arm_endpoint() -> String {
    arm::PUBLIC.to_owned()
}

fn graph_endpoint() -> String {
    "https://graph.microsoft.com".to_owned()
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            to: None,
            vault: None,
            name: None,
            secret: None,
            generate: None,
            rotate: false,
            service_principal: None,
            scope_map_token: None,
            content_type: None,
            tags: BTreeMap::new(),
            not_before: None,
            expires: None,
            enabled: None,
            only_if_changed: yes(),
            deleted: Deleted::default(),
            identity: None,
            arm_endpoint: arm_endpoint(),
            graph_endpoint: graph_endpoint(),
        }
    }
}

/// The vault, by URL.
const VAULT: &str = "(inputs.vault if '://' in inputs.vault \
     else 'https://' ~ inputs.vault ~ '.vault.azure.net')";

/// A rule of `http` for the origin of `url`, unless `absent`. What is said to be on this machine is
/// meant to be there.
fn rule(absent: &str, url: &str) -> String {
    let host = format!("(({url} | split('/'))[2:3] | join | split(':'))[:1] | join");
    format!(
        "{{{{ none if {absent} else {{'url': ({url} | split('/'))[:3] | join('/'), \
         'private': ({host}) in ['127.0.0.1', 'localhost', '[']}} }}}}"
    )
}

/// Nothing has roles or tokens.
const NO_ARM: &str = "inputs['service-principal'] is none and inputs['scope-map-token'] is none";

/// There is no service principal.
const NO_GRAPH: &str = "inputs['service-principal'] is none";

/// What is stored on this machine.
const LOCAL: &str = "{{ none if inputs.to != 'local' \
     else [inputs.name, (inputs['service-principal'] or inputs['scope-map-token'] or {})['user-secret'], \
     (inputs['service-principal'] or inputs['scope-map-token'] or {})['password-secret']] | select | list }}";

/// What the step will need.
#[must_use]
pub fn requests() -> Vec<Request> {
    vec![
        Request::new("identity", "{{ inputs.identity }}", "logs in to Azure"),
        Request::new("http", &rule("inputs.vault is none", VAULT), "puts secrets into the vault"),
        Request::new(
            "http",
            &rule(NO_ARM, "inputs['arm-endpoint']"),
            "assigns roles, makes tokens",
        ),
        Request::new(
            "http",
            &rule(NO_GRAPH, "inputs['graph-endpoint']"),
            "makes the service principal and its password",
        ),
        Request::new("secrets.use", "{{ inputs.secret }}", "is what is stored"),
        Request::new("secrets.use", LOCAL, "compares with what is there"),
        Request::new("secrets.write", LOCAL, "stores it on this machine"),
        Request::new("state", "{{ inputs.to == 'local' }}", "knows what it has stored"),
    ]
}
