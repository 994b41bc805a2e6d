//! Secrets as handles: a step says where a secret goes and never sees it.
//!
//! [`Secrets`] is what the pipeline declared: each has a provider (environment, file, local store,
//! vault, standard input) and perhaps `only-to`, the hosts that it may go to. It is read once per
//! run, on first use, and the mask learns it before anyone can use it. [`GrantedSecrets`] is that,
//! seen through a step's grant.
//!
//! Bytes leave this room only into a socket (`http`), a cipher ([`LocalStore`]), a registry's login
//! (`oci`), or by [`GrantedSecrets::reveal`], which needs a grant of its own and is recorded.

mod granted;
mod handle;
mod local_store;
mod placeholder;
mod provider;
#[cfg(test)]
mod tests;
mod vault;

use std::{collections::BTreeMap, sync::Arc};

use report::{Fault, Kind, Mask, Secret, closest};
use tokio::sync::Mutex;
use url::Url;

use crate::{
    grant::{HostPattern, parse_only_to},
    identity::Identities,
};

pub use granted::{Alphabet, GrantedSecrets};
pub use handle::SecretHandle;
pub use local_store::LocalStore;
pub(crate) use placeholder::Placeholders;
use provider::unavailable;
pub use provider::{EnvProvider, FileProvider, Lookup, SecretProvider, is_readable_by_others};

/// A secret as `[secrets]` of a pipeline declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretText {
    /// Where it comes from.
    pub source: SecretSource,
    /// The hosts it may go to; empty: wherever a step that uses it may send something.
    pub only_to: Vec<String>,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// `from = "env"`.
    Env {
        /// The variable.
        name: String,
    },
    /// `from = "file"`.
    File {
        /// The path, relative to the pipeline file.
        path: String,
    },
    /// `from = "store"`.
    Store {
        /// The name in the local store.
        name: String,
    },
    /// `from = "azure-key-vault"`.
    AzureKeyVault {
        /// The vault: its name, or its URL.
        vault: String,
        /// The name there.
        name: String,
        /// The version; none: the newest.
        version: Option<String>,
        /// Who reads it, by name; none: see [`Identities::usual`].
        identity: Option<String>,
    },
    /// `from = "stdin"`: it is there once [`Secrets::give`] has given it.
    Stdin,
}

/// The backends that sources name.
#[derive(Clone)]
pub struct SecretProviders {
    /// For [`SecretSource::Env`].
    pub env: Arc<dyn SecretProvider>,
    /// For [`SecretSource::File`].
    pub file: Arc<dyn SecretProvider>,
    /// For [`SecretSource::Store`], and where `put` stores.
    pub store: LocalStore,
    /// For [`SecretSource::AzureKeyVault`].
    pub identities: Identities,
}

/// The secrets of one run. Clones share what was read.
#[derive(Clone)]
pub struct Secrets(Arc<Inner>);

struct Inner {
    declared: BTreeMap<String, Declared>,
    providers: SecretProviders,
    mask: Mask,
    /// One for each secret, held while its provider is asked, so that it is asked once. Reading one
    /// may need another: a vault is read by an identity, which has a secret of its own.
    known: BTreeMap<String, Mutex<Option<SecretHandle>>>,
}

struct Declared {
    source: SecretSource,
    only_to: Vec<HostPattern>,
}

impl Secrets {
    /// Takes what the pipeline declared; reads nothing yet. `mask` learns every value that is read.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an `only-to` that is no host.
    pub fn new(
        declared: &BTreeMap<String, SecretText>,
        providers: SecretProviders,
        mask: Mask,
    ) -> Result<Self, Fault> {
        let mut parsed = BTreeMap::new();
        for (name, text) in declared {
            let only_to = parse_only_to(&text.only_to)
                .map_err(|fault| fault.cause(format!("in `only-to` of the secret `{name}`")))?;
            parsed.insert(name.clone(), Declared { source: text.source.clone(), only_to });
        }
        let known = parsed.keys().map(|name| (name.clone(), Mutex::default())).collect();
        Ok(Self(Arc::new(Inner { declared: parsed, providers, mask, known })))
    }

    /// The mask that knows every secret of this run.
    pub fn mask(&self) -> &Mask {
        &self.0.mask
    }

    /// The identity that the pipeline calls `name`, or else the usual one, for what the host itself
    /// asks: [`Identities::get`], [`Identities::usual`].
    ///
    /// # Errors
    /// Theirs.
    pub fn identity(&self, name: Option<&str>) -> Result<&azure::Identity, Fault> {
        name.map_or_else(|| self.identities().usual(), |name| self.identities().get(name))
    }

    /// The identities, for whoever sends something as one.
    pub(crate) fn identities(&self) -> &Identities {
        &self.0.providers.identities
    }

    /// Lets the mask learn those that are on this machine already, before any is used: what is said
    /// and recorded until then may happen to hold one, such as an input that somebody typed. What
    /// cannot be read is said when it is used, and what is read then is read anew. A vault is asked
    /// only for what is used.
    pub async fn learn(&self) {
        let here =
            |declared: &&Declared| !matches!(declared.source, SecretSource::AzureKeyVault { .. });
        for declared in self.0.declared.values().filter(here) {
            if let Ok(value) = self.read(&declared.source).await {
                self.0.mask.learn(&value);
            }
        }
    }

    /// The secret that is from standard input, by name; the plan knows that there is one at most.
    pub fn from_stdin(&self) -> Option<&str> {
        let mut declared = self.0.declared.iter();
        let found = declared.find(|(_, declared)| declared.source == SecretSource::Stdin);
        found.map(|(name, _)| name.as_str())
    }

    /// Gives the secret `name` its value, for the rest of the run.
    ///
    /// # Errors
    /// `unauthorized.secrets` if the pipeline has no such secret.
    pub async fn give(&self, name: &str, value: Secret) -> Result<(), Fault> {
        let declared = self.0.declared.get(name).ok_or_else(|| self.undeclared(name))?;
        let slot = self.0.known.get(name).ok_or_else(|| self.undeclared(name))?;
        self.0.mask.learn(&value);
        *slot.lock().await = Some(SecretHandle::new(name, declared.only_to.clone(), value));
        Ok(())
    }

    async fn read(&self, source: &SecretSource) -> Result<Secret, Fault> {
        if let SecretSource::AzureKeyVault { vault, name, version, identity } = source {
            let identity = match identity {
                Some(identity) => self.identities().get(identity)?,
                None => self.identities().usual()?,
            };
            return vault::read(self, identity, vault, name, version.as_deref()).await;
        }
        let (providers, source) = (self.0.providers.clone(), source.clone());
        blocking(move || match &source {
            SecretSource::Env { name } => providers.env.read(name),
            SecretSource::File { path } => providers.file.read(path),
            SecretSource::Store { name } => SecretProvider::read(&providers.store, name),
            SecretSource::Stdin => Err(unavailable(
                "it is from standard input, which `windlass run` alone reads".to_owned(),
            )
            .help(
                "run it by hand, `… | windlass run FILE`; for runs that something starts, take it from \
                 elsewhere: `from = \"store\"`, or a vault",
            )),
            SecretSource::AzureKeyVault { .. } => {
                Err(Fault::new(Kind::Internal, "a vault is not read on a thread of its own"))
            }
        })
        .await
    }

    /// The value of the secret that the pipeline calls `name`, for what the host itself does with it:
    /// no step sees it.
    ///
    /// # Errors
    /// `unauthorized.secrets` if it is not declared, or not to be had.
    pub async fn value(&self, name: &str) -> Result<Secret, Fault> {
        Ok(self.resolve(name).await?.value().clone())
    }

    /// The secret that the pipeline calls `name`, whatever a step is granted.
    pub(crate) async fn resolve(&self, name: &str) -> Result<SecretHandle, Fault> {
        let declared = self.0.declared.get(name).ok_or_else(|| self.undeclared(name))?;
        let slot = self.0.known.get(name).ok_or_else(|| self.undeclared(name))?;
        let mut known = slot.lock().await;
        if let Some(handle) = &*known {
            return Ok(handle.clone());
        }
        let value = self
            .read(&declared.source)
            .await
            .map_err(|fault| fault.cause(format!("the pipeline calls it `{name}`")))?;
        self.0.mask.learn(&value);
        let handle = SecretHandle::new(name, declared.only_to.clone(), value);
        *known = Some(handle.clone());
        Ok(handle)
    }

    /// Stores `value` in the local store as `name`; who asks for it later in the run gets the new one.
    async fn store(&self, name: &str, value: Secret) -> Result<(), Fault> {
        let is_it = |declared: &Declared| matches!(&declared.source, SecretSource::Store { name: stored } if stored == name);
        let mut stale = Vec::new();
        for (declared, slot) in &self.0.known {
            if self.0.declared.get(declared).is_some_and(is_it) {
                stale.push(slot.lock().await);
            }
        }
        let (store, owned) = (self.0.providers.store.clone(), name.to_owned());
        blocking(move || store.set(&owned, &value)).await?;
        stale.iter_mut().for_each(|known| **known = None);
        Ok(())
    }

    /// Something has been changed at `url`: a secret of a vault that it may be is read anew when it is
    /// needed again. Only the name in the path is looked at, since vaults have gateways: to read one
    /// more often than need be costs a request, to keep a password that has been replaced costs a run.
    pub(crate) async fn forget(&self, url: &Url) {
        let mut path = url.path_segments().into_iter().flatten();
        let changed = path.find(|part| *part == "secrets").and_then(|_| path.next());
        let Some(changed) = changed else { return };
        for (declared, slot) in &self.0.known {
            let source = self.0.declared.get(declared).map(|declared| &declared.source);
            if let Some(SecretSource::AzureKeyVault { name, version: None, .. }) = source
                && name.eq_ignore_ascii_case(changed)
            {
                *slot.lock().await = None;
            }
        }
    }

    fn undeclared(&self, name: &str) -> Fault {
        let near = closest(name, self.0.declared.keys().map(String::as_str));
        let fault = Fault::new(Kind::Unauthorized, format!("the pipeline has no secret `{name}`"))
            .code("unauthorized.secrets");
        match near {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault
                .help(format!("declare it: [secrets] {name} = {{ from = \"env\", name = \"…\" }}")),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    crate::blocking(work).await
}
