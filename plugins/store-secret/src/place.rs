//! Where secrets go.

use std::collections::BTreeMap;

use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::{Inputs, To};
use crate::local::{self, Local};
use crate::outputs::Stored;
use crate::vault::Vault;
use crate::wish::Facts;

/// Where secrets go.
#[derive(Debug)]
pub enum Place<'h, H: Host> {
    /// A vault of Azure.
    Vault(Vault<'h, H>),
    /// The store of this machine.
    Local(Local<'h, H>),
}

/// What is stored.
#[derive(Debug)]
pub enum Value<S> {
    /// What is no secret, such as the id of an application.
    Text(String),
    /// A secret.
    Secret(S),
}

/// What is there.
#[derive(Debug)]
pub struct Present<S> {
    /// The value; none of one that was not asked for, or may not be read now.
    pub value: Option<S>,
    /// Its id, with the version.
    pub id: Option<String>,
    /// Its content type.
    pub content_type: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// From when it is good.
    pub not_before: Option<u64>,
    /// Until when it is good.
    pub expires: Option<u64>,
    /// Why the value may not be read: `SecretDisabled`.
    pub closed: Option<String>,
}

impl<'h, H: Host> Place<'h, H> {
    /// The place that `inputs` name.
    ///
    /// # Errors
    /// `invalid.inputs` if they name none, or what the store of this machine does not have.
    pub fn of(inputs: &Inputs, host: &'h H) -> Result<Self> {
        match (inputs.to, &inputs.vault) {
            (Some(To::AzureKeyVault) | None, Some(vault)) => {
                Ok(Self::Vault(Vault::new(host, vault, inputs.deleted)?))
            }
            (Some(To::Local), None) => {
                local::checked(inputs)?;
                Ok(Self::Local(Local::new(host)))
            }
            (Some(To::Local), Some(_)) => {
                Err(Error::invalid("it goes into the local store, and into a vault")
                    .hint("leave out `vault`, or `to`"))
            }
            (_, None) => Err(Error::invalid("it is not said where the secret goes")
                .hint("say `vault = \"NAME\"`, or `to = \"local\"`")),
        }
    }

    /// Checks that a secret can be called `name` there.
    ///
    /// # Errors
    /// `invalid.inputs` if not.
    pub fn checked(&self, name: &str) -> Result<()> {
        let (is_name, rule) = match self {
            Self::Vault(_) => (
                is_vault_secret(name),
                "a secret of a vault is called by 1 to 127 letters, digits and dashes",
            ),
            Self::Local(_) => (
                is_local_secret(name),
                "a secret of the local store is called by 1 to 128 letters, digits, `-`, `_` and `.`, a \
                 letter or digit first",
            ),
        };
        match is_name {
            true => Ok(()),
            false => Err(Error::invalid(format!("no secret can be called `{name}`")).hint(rule)),
        }
    }

    /// What is there under `name`.
    ///
    /// # Errors
    /// Those of the place.
    pub fn read(&self, name: &str) -> Result<Option<Present<H::Secret>>> {
        match self {
            Self::Vault(vault) => vault.read(name),
            Self::Local(local) => local.read(name),
        }
    }

    /// What stands beside the value of `name`, which is not needed.
    ///
    /// # Errors
    /// Those of the place.
    pub fn describe(&self, name: &str) -> Result<Option<Present<H::Secret>>> {
        match self {
            Self::Vault(vault) => vault.describe(name),
            Self::Local(local) => local.read(name),
        }
    }

    /// Stores `value` under `name`. Tags that `present` has stay.
    ///
    /// # Errors
    /// Those of the place.
    pub fn write(
        &self,
        name: &str,
        value: Value<H::Secret>,
        facts: &Facts,
        present: Option<&Present<H::Secret>>,
    ) -> Result<Stored> {
        let none = BTreeMap::new();
        let tags = present.map_or(&none, |present| &present.tags);
        match self {
            Self::Vault(vault) => vault.write(name, value, facts, tags),
            Self::Local(local) => local.write(name, &value, facts),
        }
    }

    /// Where it is, for a person.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Vault(vault) => format!("`{}`", vault.url()),
            Self::Local(_) => "the local store".to_owned(),
        }
    }

    /// Whether it takes nothing but secrets.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

impl<S> Present<S> {
    /// As what is stored and was not written.
    #[must_use]
    pub fn stored(&self, name: &str) -> Stored {
        Stored {
            name: name.to_owned(),
            id: self.id.clone(),
            version: self.id.as_deref().and_then(version).map(str::to_owned),
            changed: false,
            expires: self.expires.map(crate::wish::time),
        }
    }

    /// The tag `name`.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(String::as_str)
    }
}

/// The version at the end of an id.
#[must_use]
pub fn version(id: &str) -> Option<&str> {
    let (_, version) = id.split_once("/secrets/")?.1.split_once('/')?;
    Some(version).filter(|version| !version.is_empty())
}

fn is_vault_secret(name: &str) -> bool {
    (1..=127).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn is_local_secret(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
