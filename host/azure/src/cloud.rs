//! Clouds, and which hosts are whose.

mod name;
mod place;

use std::fmt;

use url::Url;

use place::{
    base, is_below, is_registry_host, is_vault_host, is_vault_name, resource_of, suffix, with_slash,
};

pub use name::CloudName;
pub(crate) use place::authority;

/// Whom a token is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Azure Resource Manager.
    Arm,
    /// Microsoft Graph.
    Graph,
    /// The vault at this `host[:port]`.
    Vault(String),
    /// The registry at this `host[:port]`.
    Registry(String),
}

/// What is elsewhere than in the cloud that was named: Azure Stack, an emulator, a private gateway.
///
/// Where a base is given here, only what lies below it is the audience's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Where logins go: `https://login.example`.
    pub login: Option<String>,
    /// Azure Resource Manager: a URL.
    pub arm: Option<String>,
    /// The resource that tokens for it are asked for.
    pub arm_audience: Option<String>,
    /// Microsoft Graph: a URL.
    pub graph: Option<String>,
    /// Vaults: a URL, in which `{name}` stands for the vault's name.
    pub vault: Option<String>,
    /// What the hosts of vaults end with: `.vault.example`.
    pub vault_suffix: Option<String>,
    /// The one registry: a URL.
    pub registry: Option<String>,
    /// What the hosts of registries end with: `.azurecr.example`.
    pub registry_suffix: Option<String>,
}

/// A cloud: where it is, and what its tokens are for.
#[derive(Clone, Debug)]
pub struct Cloud {
    login: Url,
    arm: Url,
    arm_resource: String,
    graph: Url,
    graph_resource: String,
    vault: Option<VaultBase>,
    vault_suffix: String,
    vault_resource: &'static str,
    registry: Option<Url>,
    registry_suffix: String,
    registry_resource: String,
}

/// A URL of vaults, cut where the name stands; without a name it is one vault.
#[derive(Clone, Debug)]
struct VaultBase {
    text: String,
}

/// Why there is no such cloud or vault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct CloudError {
    why: String,
    /// What to write.
    pub help: String,
}

/// What stands for a vault's name in [`Endpoints::vault`].
const NAME: &str = "{name}";

/// Tokens for `/oauth2/exchange` of registries, in the public cloud. Elsewhere Azure Resource
/// Manager's do, which every registry takes by default.
const REGISTRY_RESOURCE: &str = "https://containerregistry.azure.net";

impl Cloud {
    /// The cloud `name`, with what `endpoints` has elsewhere.
    ///
    /// # Errors
    /// [`CloudError`] for what is no URL or no suffix, and for plain HTTP but on this machine.
    pub fn new(name: CloudName, endpoints: &Endpoints) -> Result<Self, CloudError> {
        let facts = name.facts();
        let base = |key: &str, own: &Option<String>, usual: &str| {
            own.as_deref().map_or_else(|| base("", usual), |own| base(key, own))
        };
        let suffix = |key: &str, own: &Option<String>, usual: &str| match own {
            None => Ok(usual.to_owned()),
            Some(own) => suffix(key, own),
        };
        let arm = base("arm", &endpoints.arm, facts.arm)?;
        let graph = base("graph", &endpoints.graph, facts.graph)?;
        let arm_resource = match (&endpoints.arm_audience, &endpoints.arm) {
            (Some(own), _) => own.clone(),
            (None, Some(_)) => resource_of(&arm),
            (None, None) => facts.arm.to_owned(),
        };
        let registry_resource = match (name, &endpoints.arm) {
            (CloudName::Public, None) => REGISTRY_RESOURCE.to_owned(),
            (CloudName::Public | CloudName::China | CloudName::UsGov, _) => arm_resource.clone(),
        };
        Ok(Self {
            login: base("login", &endpoints.login, facts.login)?,
            graph_resource: match endpoints.graph {
                Some(_) => resource_of(&graph),
                None => facts.graph.to_owned(),
            },
            vault: endpoints.vault.as_deref().map(VaultBase::parse).transpose()?,
            vault_suffix: suffix("vault-suffix", &endpoints.vault_suffix, facts.vault_suffix)?,
            vault_resource: facts.vault_resource,
            registry: match &endpoints.registry {
                None => None,
                own @ Some(_) => Some(base("registry", own, "")?),
            },
            registry_suffix: suffix(
                "registry-suffix",
                &endpoints.registry_suffix,
                facts.registry_suffix,
            )?,
            registry_resource,
            arm,
            arm_resource,
            graph,
        })
    }

    /// Whose own `url` is, if it is anybody's of this cloud.
    ///
    /// Nothing is anybody's over plain HTTP, at another port, below a name that only looks alike, or
    /// with a user in it; but what the endpoints name is, just as they name it.
    pub fn audience_of(&self, url: &Url) -> Option<Audience> {
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let authority = authority(url)?;
        let named = [
            is_below(&self.arm, url).then_some(Audience::Arm),
            is_below(&self.graph, url).then_some(Audience::Graph),
            self.vault
                .as_ref()
                .filter(|base| base.has(url))
                .map(|_| Audience::Vault(authority.clone())),
            self.registry
                .as_ref()
                .filter(|base| is_below(base, url))
                .map(|_| Audience::Registry(authority.clone())),
        ];
        let mut named = named.into_iter().flatten();
        if let Some(first) = named.next() {
            // An emulator may have them all at one address; then their paths tell them apart.
            let all = std::iter::once(first.clone()).chain(named);
            let several: Vec<Audience> = all.collect();
            let by_path = || several.iter().find(|audience| audience.has_path(url)).cloned();
            return Some(if several.len() == 1 { first } else { by_path().unwrap_or(first) });
        }
        if url.scheme() != "https" || url.port().is_some() {
            return None;
        }
        if self.vault.is_none() && is_vault_host(&authority, &self.vault_suffix) {
            return Some(Audience::Vault(authority));
        }
        if self.registry.is_none() && is_registry_host(&authority, &self.registry_suffix) {
            return Some(Audience::Registry(authority));
        }
        None
    }

    /// Where the registry at `host[:port]` answers, if it is this cloud's.
    pub fn registry_at(&self, host: &str) -> Option<Url> {
        let url = match &self.registry {
            Some(base) if authority(base)? == host => base.clone(),
            Some(_) => return None,
            None => Url::parse(&format!("https://{host}/")).ok()?,
        };
        let is_own = matches!(
            url.join("v2/").ok().and_then(|url| self.audience_of(&url)),
            Some(Audience::Registry(own)) if own == host
        );
        is_own.then_some(url)
    }

    /// The vault that `text` names: `mykeyvault`, or `https://mykeyvault.vault.azure.net`.
    ///
    /// # Errors
    /// [`CloudError`] if it is neither, or no vault of this cloud.
    pub fn vault(&self, text: &str) -> Result<Url, CloudError> {
        let url = if text.contains("://") {
            with_slash(base("vault", text)?)
        } else if is_vault_name(text) {
            let text = match &self.vault {
                Some(base) => base.text.replace(NAME, text),
                None => format!("https://{text}{}", self.vault_suffix),
            };
            with_slash(base("vault", &text)?)
        } else {
            return Err(CloudError {
                why: format!("`{text}` cannot be the name of a vault"),
                help:
                    "a vault's name has 3 to 24 letters, digits and single dashes, a letter first"
                        .to_owned(),
            });
        };
        match url.join("secrets/").ok().and_then(|url| self.audience_of(&url)) {
            Some(Audience::Vault(_)) => Ok(url),
            _ => Err(CloudError {
                why: format!("`{text}` is not a vault of this cloud"),
                help: format!(
                    "vaults of this cloud are `https://NAME{}`; another cloud is `cloud` of the \
                     identity, another place is `vault` of its `endpoints`",
                    self.vault_suffix
                ),
            }),
        }
    }

    /// Whether a vault at `host` may say that its tokens are for `resource`: the host lies in the
    /// resource's domain, so that nobody else's token is asked for.
    pub(crate) fn may_ask(&self, host: &str, resource: &Url) -> bool {
        let own = Url::parse(self.vault_resource).ok();
        if own.is_some_and(|own| own.origin() == resource.origin()) {
            return true;
        }
        let domain = resource.host_str().unwrap_or_default();
        resource.scheme() == "https"
            && !domain.is_empty()
            && self.vault_suffix.trim_start_matches('.') == domain
            && host.ends_with(&format!(".{domain}"))
    }

    /// What a token for `audience` is asked for.
    pub fn resource(&self, audience: &Audience) -> &str {
        match audience {
            Audience::Arm => &self.arm_resource,
            Audience::Graph => &self.graph_resource,
            Audience::Vault(_) => self.vault_resource,
            Audience::Registry(_) => &self.registry_resource,
        }
    }

    /// Where Azure Resource Manager has `path`, which begins with a slash.
    pub(crate) fn arm(&self, path: &str) -> Option<Url> {
        let mut url = self.arm.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(path.strip_prefix('/')?.split('/'));
        Some(url)
    }

    /// Where `tenant` logs in.
    pub(crate) fn token_url(&self, tenant: &str) -> Option<Url> {
        let mut url = self.login.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend([tenant, "oauth2", "v2.0", "token"]);
        Some(url)
    }

    /// The hosts whose certificates this cloud's own authority may sign: exact names, and suffixes
    /// with a dot first.
    pub fn hosts(&self) -> Vec<String> {
        let vault = self.vault.as_ref().and_then(|base| base.url("name"));
        let bases = [Some(&self.login), Some(&self.arm), Some(&self.graph), self.registry.as_ref()];
        let mut hosts: Vec<String> = bases
            .into_iter()
            .flatten()
            .chain(vault.as_ref())
            .filter_map(|url| url.host_str())
            .map(|host| host.trim_matches(['[', ']']).to_owned())
            .chain([self.vault_suffix.clone(), self.registry_suffix.clone()])
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

impl Audience {
    /// Whether `url` has a path as this audience's have.
    fn has_path(&self, url: &Url) -> bool {
        let has = |words: &[&str]| {
            url.path_segments().is_some_and(|mut parts| parts.any(|part| words.contains(&part)))
        };
        match self {
            Self::Arm => has(&["subscriptions", "providers", "tenants"]),
            Self::Graph => has(&["v1.0", "beta"]),
            Self::Vault(_) => has(&["secrets", "deletedsecrets"]),
            Self::Registry(_) => has(&["v2", "acr", "oauth2"]),
        }
    }

    /// The host that has to be named in a grant, for the audiences that have many.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Arm | Self::Graph => None,
            Self::Vault(host) | Self::Registry(host) => Some(host),
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arm => f.write_str("Azure Resource Manager"),
            Self::Graph => f.write_str("Microsoft Graph"),
            Self::Vault(host) => write!(f, "the vault `{host}`"),
            Self::Registry(host) => write!(f, "the registry `{host}`"),
        }
    }
}

impl VaultBase {
    fn parse(text: &str) -> Result<Self, CloudError> {
        // As the parser spells it, so that texts can be compared; the word is nobody's host.
        const WORD: &str = "windlass-name-of-a-vault";
        let url = base("vault", &text.replace(NAME, WORD))?;
        Ok(Self { text: url.as_str().trim_end_matches('/').replace(WORD, NAME) })
    }

    fn url(&self, name: &str) -> Option<Url> {
        Url::parse(&self.text.replace(NAME, name)).ok().map(with_slash)
    }

    /// Whether `url` lies below the base, for whatever vault.
    fn has(&self, url: &Url) -> bool {
        let Some((before, _)) = self.text.split_once(NAME) else {
            return self.url("").is_some_and(|base| is_below(&base, url));
        };
        let name = url.as_str().strip_prefix(before).map(|rest| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
            rest.split(|c| !is_part(c)).next().unwrap_or_default()
        });
        let name = name.filter(|name| is_vault_name(name));
        name.and_then(|name| self.url(name)).is_some_and(|base| is_below(&base, url))
    }
}

#[cfg(test)]
mod tests;
