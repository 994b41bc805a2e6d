//! What an identity is told, and whom it asks for secrets.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use oci::client::ClientOptions;
use report::{Fault, Mask, Secret};
use url::Url;

use crate::cloud::{CloudName, Endpoints};
use crate::error::Error;
use crate::link::Link;

/// How an environment variable is looked up; the only room that knows the environment hands it in.
pub type Environment = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// Seconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Reads the secrets that identities name.
pub trait SecretReader: Send + Sync {
    /// The secret `name`, which proves something to `to`.
    ///
    /// # Errors
    /// It is not there, or may not go there.
    fn read<'a>(&'a self, name: &'a str, to: &'a Url) -> BoxFuture<'a, Result<Secret, Fault>>;
}

/// Where no secrets are.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl SecretReader for NoSecrets {
    fn read<'a>(&'a self, name: &'a str, _: &'a Url) -> BoxFuture<'a, Result<Secret, Fault>> {
        let fault = Error::Setting(format!("there is no secret `{name}`")).into();
        Box::pin(std::future::ready(Err(fault)))
    }
}

/// Where a certificate and its key are, in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// In a secret, by name.
    Secret(String),
    /// In a file.
    File(PathBuf),
}

/// Which identity of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Managed {
    /// The one that the machine has of itself.
    #[default]
    System,
    /// One that was assigned to it, by the id of its application.
    ClientId(String),
    /// The same, by the id of its resource.
    ResourceId(String),
}

/// What an identity is told.
pub struct IdentityOptions {
    /// How the pipeline calls it.
    pub name: String,
    /// The tenant, by id or domain; unsaid: `AZURE_TENANT_ID`.
    pub tenant: Option<String>,
    /// The application, by id; unsaid: `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// Its secret, by name.
    pub client_secret: Option<String>,
    /// Its certificate.
    pub certificate: Option<Certificate>,
    /// A file with a token of whoever it trusts.
    pub federated_token_file: Option<PathBuf>,
    /// The identity of the machine.
    pub managed: Option<Managed>,
    /// The only links, in this order; none: those that something was said of, or else all.
    pub links: Vec<Link>,
    /// The cloud; unsaid: that of `AZURE_AUTHORITY_HOST`, else the public one.
    pub cloud: Option<CloudName>,
    /// What is elsewhere.
    pub endpoints: Endpoints,
    /// Roots, proxy, timeouts.
    pub client: ClientOptions,
    /// The environment.
    pub environment: Environment,
    /// The time.
    pub clock: Clock,
    /// Learns every token.
    pub mask: Mask,
    /// The Azure CLI, if it is installed.
    pub az: Option<PathBuf>,
}
