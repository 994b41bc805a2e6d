//! `[identity.NAME]`: who we are to a cloud.

use schemars::JsonSchema;

use super::{SecretRef, TextOrSecret};
use crate::at::At;

/// Who we are to a cloud. Without credentials of its own, an identity of Azure tries in this order:
/// a client secret, a certificate, GitHub Actions, a federated token, the machine's managed
/// identity, the Azure CLI; the environment variables are those of Microsoft's own libraries.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IdentityEntry {
    /// The cloud's kind.
    #[schemars(required)]
    pub kind: Option<At<IdentityKind>>,
    /// The tenant, by id or domain; `AZURE_TENANT_ID` by default.
    pub tenant: Option<At<String>>,
    /// The application's id; `AZURE_CLIENT_ID` by default.
    pub client_id: Option<At<String>>,
    /// `{ secret = "…" }`: the application's client secret.
    pub client_secret: Option<At<SecretRef>>,
    /// A file with the application's certificate and its private key (PEM), relative to the pipeline
    /// file, or `{ secret = "…" }`.
    #[schemars(schema_with = "crate::json_schema::optional_text_or_secret", default)]
    pub certificate: Option<At<TextOrSecret>>,
    /// A file with a token of whoever the application trusts, relative to the pipeline file; it is
    /// read anew for every login.
    pub federated_token_file: Option<At<String>>,
    /// The identity of the machine: `true` or `"system"` for its own, or a table with `client-id` or
    /// `resource-id` for one that was assigned to it.
    #[schemars(schema_with = "crate::json_schema::optional_managed", default)]
    pub managed: Option<At<ManagedSpec>>,
    /// The only ways to log in that are tried, in this order.
    #[schemars(rename = "use", default)]
    pub use_: Vec<At<LinkWord>>,
    /// Which of Azure's clouds; `public` by default.
    pub cloud: Option<At<CloudWord>>,
    /// What is elsewhere than in that cloud.
    #[schemars(default)]
    pub endpoints: EndpointsSpec,
    /// A file of certificates (PEM) to trust for the cloud's hosts besides the machine's own;
    /// relative to the pipeline file.
    pub ca: Option<At<String>>,
}

/// The kind of a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, serde::Serialize)]
#[schemars(rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKind {
    /// Microsoft Azure.
    Azure,
}

/// One way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, serde::Serialize)]
#[schemars(rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum LinkWord {
    /// A client secret.
    ClientSecret,
    /// A certificate.
    Certificate,
    /// The token of a job of GitHub Actions.
    Github,
    /// A file with a federated token.
    FederatedTokenFile,
    /// The machine's managed identity.
    Managed,
    /// Who is logged in with the Azure CLI.
    Cli,
}

/// One of Azure's clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, serde::Serialize)]
#[schemars(rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum CloudWord {
    /// Azure itself.
    Public,
    /// Azure operated by 21Vianet.
    China,
    /// Azure Government.
    UsGov,
}

/// Which identity of the machine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagedSpec {
    /// The machine's own.
    System,
    /// One that was assigned to it, by the id of its application.
    ClientId(String),
    /// The same, by the id of its resource.
    ResourceId(String),
}

/// An identity that was assigned to the machine.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AssignedSpec {
    /// The id of its application.
    pub client_id: Option<At<String>>,
    /// The id of its resource: `/subscriptions/…/userAssignedIdentities/NAME`.
    pub resource_id: Option<At<String>>,
}

/// What is elsewhere: URLs with `https`, or with `http` on this machine.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EndpointsSpec {
    /// Where logins go.
    pub login: Option<At<String>>,
    /// Azure Resource Manager.
    pub arm: Option<At<String>>,
    /// What tokens for Azure Resource Manager are asked for; `arm` itself by default.
    pub arm_audience: Option<At<String>>,
    /// Microsoft Graph.
    pub graph: Option<At<String>>,
    /// Vaults; `{name}` in it stands for the vault's name.
    pub vault: Option<At<String>>,
    /// What the hosts of vaults end with, such as `.vault.azure.net`.
    pub vault_suffix: Option<At<String>>,
    /// The one registry.
    pub registry: Option<At<String>>,
    /// What the hosts of registries end with, such as `.azurecr.io`.
    pub registry_suffix: Option<At<String>>,
}
