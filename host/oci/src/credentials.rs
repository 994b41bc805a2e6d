//! Who we are to a registry.
//!
//! This room only asks. Where credentials come from (the pipeline file, docker's configuration, a
//! cloud) is known to whoever implements [`Credentials`].

use futures::future::BoxFuture;
use report::{Fault, Secret};
use url::Url;

use crate::{RegistryHost, RepositoryName};

/// Finds the credential for a repository.
pub trait Credentials: Send + Sync {
    /// Asked at the first request that a registry refuses, and again when a token has expired.
    ///
    /// `service` is the token service that the registry names, if it names one: names, passwords
    /// and identity tokens are sent there, a bearer token to the registry itself. The registry
    /// chooses it, so whoever knows where a secret may go has to check it.
    ///
    /// # Errors
    /// A credential is configured and cannot be had; none at all is [`Credential::Anonymous`].
    fn credential<'a>(
        &'a self,
        registry: &'a RegistryHost,
        repository: &'a RepositoryName,
        service: Option<&'a Url>,
    ) -> BoxFuture<'a, Result<Credential, Fault>>;
}

/// What proves who we are to a registry.
#[derive(Clone)]
pub enum Credential {
    /// Nothing.
    Anonymous,
    /// A name and a password, or a token in the place of one.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token, which the registry's token service exchanges (docker's `identitytoken`).
    IdentityToken(Secret),
    /// A token that the registry takes as it is.
    Bearer(Secret),
}

/// Nobody anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

impl Credentials for Anonymous {
    fn credential<'a>(
        &'a self,
        _registry: &'a RegistryHost,
        _repository: &'a RepositoryName,
        _service: Option<&'a Url>,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(async { Ok(Credential::Anonymous) })
    }
}
