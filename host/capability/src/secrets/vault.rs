//! `from = "azure-key-vault"`.

use azure::{Identity, SecretName, SecretReader};
use futures::future::BoxFuture;
use report::{Fault, Secret};
use url::{Host, Url};

use super::{Secrets, provider::unavailable};

/// Reads `name` of `vault`, as `identity`.
pub(super) async fn read(
    secrets: &Secrets,
    identity: &Identity,
    vault: &str,
    name: &str,
    version: Option<&str>,
) -> Result<Secret, Fault> {
    let name = SecretName::new(name, version)?;
    let found = identity.vault(vault)?.read(&name, secrets).await?;
    match found.value.is_empty() {
        true => Err(unavailable(format!("the secret of the vault `{vault}` is empty"))
            .cause(format!("in version {}", found.version))
            .help("an empty secret is almost always a mistake: set it again")),
        false => Ok(found.value),
    }
}

/// The secrets that identities log in with are those of the pipeline, `only-to` included.
impl SecretReader for Secrets {
    fn read<'a>(&'a self, name: &'a str, to: &'a Url) -> BoxFuture<'a, Result<Secret, Fault>> {
        Box::pin(async move {
            let handle = self.resolve(name).await?;
            let host = to.host().unwrap_or(Host::Domain(""));
            handle.may_go_to(&host, to.port_or_known_default().unwrap_or_default())?;
            Ok(handle.value().clone())
        })
    }
}
