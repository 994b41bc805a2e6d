//! What an emulator is told at its start.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::jwk::JwkSet;
use report::Secret;
use url::Url;

use crate::clock::Clock;
use crate::containers::runner::Runner;
use crate::error::EmulatorError;
use crate::net::AccessLog;
use crate::tasks::builder::Builder;

/// What an emulator is told.
#[derive(Clone)]
pub struct Config {
    /// Its folder: certificates, keys, state, images. Made if it is not there.
    pub state: PathBuf,
    /// Where it listens; port 0 for one that is free. Only loopback: who reaches it is trusted to
    /// plan faults.
    pub listen: SocketAddr,
    /// What there is in the cloud when it starts for the first time.
    pub names: Names,
    /// Where registries of the outside really are, by the host that an image names (`docker.io`,
    /// `mcr.microsoft.com`). Others are not reached.
    pub upstreams: BTreeMap<String, Url>,
    /// The keys of outside token issuers, by `iss`, for federated credentials.
    pub issuers: BTreeMap<String, JwkSet>,
    /// Who builds images for ACR Tasks; without anybody, tasks are not permitted.
    pub builder: Option<Arc<dyn Builder>>,
    /// Who runs containers; without anybody, groups say that they are emulated.
    pub runner: Option<Arc<dyn Runner>>,
    /// Who is told of each request.
    pub log: Option<Arc<dyn AccessLog>>,
    /// What time it is.
    pub clock: Clock,
}

/// What there is in an emulated cloud when it starts for the first time.
#[derive(Clone)]
pub struct Names {
    /// The subscription's id.
    pub subscription: String,
    /// The tenant's id.
    pub tenant: String,
    /// The id of the application that may do everything.
    pub application: String,
    /// The object id of its service principal.
    pub principal: String,
    /// Its client secret.
    pub secret: Secret,
    /// The resource group.
    pub resource_group: String,
    /// Where that is.
    pub location: String,
    /// Registries of the `Standard` kind: names of those in it, and whole ids of those in other
    /// subscriptions, where the application is `Owner` too.
    pub registries: Vec<String>,
    /// Vaults in it, with access by roles.
    pub vaults: Vec<String>,
    /// The client id of the machine's managed identity, which is user-assigned too.
    pub identity: String,
    /// The name of that identity.
    pub identity_name: String,
}

impl Config {
    /// The usual cloud, kept in `state`, on a free port of loopback.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            names: Names::default(),
            upstreams: BTreeMap::new(),
            issuers: BTreeMap::new(),
            builder: None,
            runner: None,
            log: None,
            clock: Clock::system(),
        }
    }

    /// # Errors
    /// [`EmulatorError::Name`] for a name that Azure would refuse.
    pub(crate) fn check(&self) -> Result<(), EmulatorError> {
        let names = &self.names;
        let ids = [
            ("subscription", &names.subscription),
            ("tenant", &names.tenant),
            ("application", &names.application),
            ("principal", &names.principal),
            ("identity", &names.identity),
        ];
        for (what, id) in ids {
            if uuid::Uuid::try_parse(id).is_err() {
                let why = "it has to be a GUID";
                return Err(EmulatorError::Name { what, name: id.clone(), why });
            }
        }
        let is_known = |entry: &&String| names.place_of(entry).is_some();
        if let Some(name) = names.registries.iter().find(|entry| !is_known(entry)) {
            let why = "5 to 50 letters and digits, or the whole id of a registry that is called so";
            return Err(EmulatorError::Name { what: "registry", name: name.clone(), why });
        }
        if let Some(name) = names.vaults.iter().find(|name| !crate::vault::is_vault_name(name)) {
            let why = "3 to 24 letters, digits and single hyphens, a letter first";
            return Err(EmulatorError::Name { what: "vault", name: name.clone(), why });
        }
        Ok(())
    }
}

/// Where a registry is that was named.
pub(crate) struct Place<'a> {
    pub(crate) subscription: &'a str,
    pub(crate) group: &'a str,
    pub(crate) name: &'a str,
}

impl Names {
    /// Where the registry is that `entry` names or whose id it is; none if it is neither.
    pub(crate) fn place_of<'a>(&'a self, entry: &'a str) -> Option<Place<'a>> {
        let place = match entry.split('/').collect::<Vec<_>>().as_slice() {
            [name] => Place { subscription: &self.subscription, group: &self.resource_group, name },
            [
                "",
                "subscriptions",
                subscription,
                "resourceGroups",
                group,
                "providers",
                space,
                kind,
                name,
            ] if format!("{space}/{kind}") == crate::registry::KIND && !group.is_empty() => {
                uuid::Uuid::try_parse(subscription).ok()?;
                Place { subscription, group, name }
            }
            _ => return None,
        };
        is_registry_name(place.name).then_some(place)
    }
}

/// The rule for registries.
pub(crate) fn is_registry_name(name: &str) -> bool {
    (5..=50).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl Default for Names {
    fn default() -> Self {
        Self {
            subscription: "11111111-1111-1111-1111-111111111111".to_owned(),
            tenant: "22222222-2222-2222-2222-222222222222".to_owned(),
            application: "33333333-3333-3333-3333-333333333333".to_owned(),
            principal: "44444444-4444-4444-4444-444444444444".to_owned(),
            secret: Secret::new("s3cr3t"),
            resource_group: "rg1".to_owned(),
            location: "westeurope".to_owned(),
            registries: vec!["myregistry".to_owned()],
            vaults: vec!["mykeyvault".to_owned()],
            identity: "66666666-6666-6666-6666-666666666666".to_owned(),
            identity_name: "uami1".to_owned(),
        }
    }
}
