//! Registries.

use arm::{Arm, Http, ResourceId};
use serde_json::Value;
use windlass_plugin::{Error, Result};

use crate::{KIND, REGISTRIES};

/// The version of subscriptions that is spoken.
const SUBSCRIPTIONS: &str = "2022-12-01";

/// Names that are told where none fits.
const MOST_TOLD: usize = 10;

/// What the login servers of Azure's registries end with: public, China, US government.
const SUFFIXES: [&str; 3] = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];

/// Whether `host` looks like a registry of Azure. Only for guesses: which registry has which login
/// server Azure says.
#[must_use]
pub fn is_login_server(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    SUFFIXES.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|name| !name.is_empty()))
}

/// Where registries are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The subscription's id; the only one that the identity sees if there is none.
    pub subscription: Option<String>,
    /// The resource group; all of the subscription if there is none.
    pub group: Option<String>,
}

/// A registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Its id.
    pub id: ResourceId,
    /// The host that images are pulled from, in lower case.
    pub login_server: String,
    /// Where it is, such as `westeurope`.
    pub location: String,
    /// Whether permissions are given for each repository: AcrPull and AcrPush mean nothing then.
    pub is_abac: bool,
}

/// The registries of a subscription or resource group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registries {
    subscription: ResourceId,
    scope: ResourceId,
    all: Vec<Registry>,
}

impl Registry {
    /// Its name: the last word of its id.
    #[must_use]
    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// What Azure says of a registry; none if it says no id or no login server.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let mode = text("/properties/roleAssignmentMode").unwrap_or_default();
        Some(Self {
            id: text("/id")?.parse().ok().filter(|id: &ResourceId| id.is_a(KIND))?,
            login_server: text("/properties/loginServer")?.to_ascii_lowercase(),
            location: text("/location").unwrap_or_default().to_owned(),
            is_abac: mode.eq_ignore_ascii_case("AbacRepositoryPermissions"),
        })
    }

    fn is_called(&self, word: &str) -> bool {
        self.name().eq_ignore_ascii_case(word) || self.login_server.eq_ignore_ascii_case(word)
    }
}

impl Registries {
    /// Those in `scope`: one request, and one more where the scope names no subscription.
    ///
    /// # Errors
    /// Those of Azure; `invalid.inputs` for a scope that is none, or where the identity sees several
    /// subscriptions and the scope names none.
    pub fn read<H: Http>(arm: &Arm<'_, H>, scope: &Scope) -> Result<Self> {
        let subscription = match &scope.subscription {
            Some(id) => ResourceId::subscription(id)?,
            None => only_subscription(arm)?,
        };
        let scope = match &scope.group {
            Some(group) => subscription.resource_group(group)?,
            None => subscription.clone(),
        };
        Self::of(arm, subscription, scope)
    }

    /// Those of the whole subscription; the same ones if all of it was read already.
    ///
    /// # Errors
    /// Those of Azure.
    pub fn whole<H: Http>(&self, arm: &Arm<'_, H>) -> Result<Self> {
        match self.scope == self.subscription {
            true => Ok(self.clone()),
            false => Self::of(arm, self.subscription.clone(), self.subscription.clone()),
        }
    }

    fn of<H: Http>(arm: &Arm<'_, H>, subscription: ResourceId, scope: ResourceId) -> Result<Self> {
        let listed = arm.list(format!("{scope}/providers/{KIND}"), REGISTRIES)?;
        let all = listed.iter().filter_map(Registry::read).collect();
        Ok(Self { subscription, scope, all })
    }

    /// The registry of this name or login server, if it is among them.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<&Registry> {
        self.all.iter().find(|registry| registry.is_called(word))
    }

    /// As [`Registries::find`], for one that must be there.
    ///
    /// # Errors
    /// `not-found.azure`, with the names of those that are there.
    pub fn expect(&self, word: &str) -> Result<&Registry> {
        self.find(word).ok_or_else(|| {
            let servers = self.all.iter().map(|registry| registry.login_server.as_str());
            let told: Vec<&str> = servers.take(MOST_TOLD).collect();
            let seen = match told.as_slice() {
                [] => "the identity sees no registry there: give it the role `Reader` on the \
                       registry, or name another `subscription`"
                    .to_owned(),
                told => format!(
                    "the identity sees {} there; name another `subscription` or `resource-group` \
                     if it is elsewhere",
                    told.join(", ")
                ),
            };
            Error::new(
                "not-found.azure",
                format!("there is no registry `{word}` in {}", self.scope),
            )
            .hint(seen)
        })
    }
}

/// The only subscription that the identity sees.
fn only_subscription<H: Http>(arm: &Arm<'_, H>) -> Result<ResourceId> {
    let listed = arm.list("/subscriptions", SUBSCRIPTIONS)?;
    let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let enabled = listed.iter().filter(|item| {
        text(item, "state").is_none_or(|state| !state.eq_ignore_ascii_case("Disabled"))
    });
    let ids: Vec<String> = enabled.filter_map(|item| text(item, "subscriptionId")).collect();
    match ids.as_slice() {
        [id] => Ok(ResourceId::subscription(id)?),
        [] => Err(Error::new("not-found.azure", "the identity sees no subscription")
            .hint("give it a role in one, such as `Reader` on the registry")),
        [_, ..] => {
            let told: Vec<&str> = ids.iter().take(MOST_TOLD).map(String::as_str).collect();
            Err(Error::invalid(format!("the identity sees {} subscriptions", ids.len()))
                .hint(format!("say which with `subscription`: {}", told.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests;
