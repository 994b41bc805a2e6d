//! What the inputs say of a group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_plugin::Schema;

use super::{SecretName, Text};

/// Declares enums of plain names, and how Azure writes them.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $azure:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$word_doc])* $word,)*
        }

        impl $name {
            /// As Azure writes it.
            #[must_use]
            pub fn azure(self) -> &'static str {
                match self {
                    $(Self::$word => $azure,)*
                }
            }
        }
    )*};
}

words! {
    /// The operating system.
    Os {
        /// Linux.
        #[default] Linux = "Linux",
        /// Windows.
        Windows = "Windows",
    }
    /// When a container that ended is started again.
    Restart {
        /// Always.
        #[default] Always = "Always",
        /// If it ended with another status than 0.
        OnFailure = "OnFailure",
        /// Never.
        Never = "Never",
    }
    /// The kind of address.
    Ip {
        /// One that everybody reaches.
        #[default] Public = "Public",
        /// One in a subnet.
        Private = "Private",
        /// None.
        None = "None",
    }
    /// Who may use a DNS label again.
    DnsScope {
        /// Whoever is first.
        #[default] Fixed = "Unsecure",
        /// The tenant.
        Tenant = "TenantReuse",
        /// The subscription.
        Subscription = "SubscriptionReuse",
        /// The resource group.
        ResourceGroup = "ResourceGroupReuse",
        /// Nobody.
        Nobody = "Noreuse",
    }
    /// The kind of group.
    Sku {
        /// The usual one.
        #[default] Standard = "Standard",
        /// On a machine of one's own.
        Dedicated = "Dedicated",
        /// In encrypted memory.
        Confidential = "Confidential",
    }
    /// What is logged.
    LogKind {
        /// Events and output.
        #[default] ContainerInsights = "ContainerInsights",
        /// Output.
        ContainerInstanceLogs = "ContainerInstanceLogs",
    }
}

/// Whether a group is deleted and made anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Replace {
    /// It is not.
    #[default]
    Never,
    /// Where it cannot be changed as it is.
    IfNeeded,
    /// Each time.
    Always,
}

/// When secrets are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateSecrets {
    /// When anything else changes.
    #[default]
    WithChanges,
    /// Each time.
    Always,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// All containers run, or have ended well.
    #[default]
    Healthy,
    /// All containers have ended well.
    Finished,
    /// Azure has taken it.
    Accepted,
}

/// What is done when the new state is not healthy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It stays.
    #[default]
    Keep,
    /// The former one is put again.
    Restore,
}

/// Credentials for a registry: a user and a password, or an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Registry {
    /// The registry, such as `myregistry.azurecr.io`.
    pub server: String,
    /// The user; a secret may hold it, as that of a service principal.
    pub username: Option<Text>,
    /// The password.
    pub password: Option<SecretName>,
    /// A user-assigned identity of the group, by resource id.
    pub identity: Option<String>,
}

/// A volume, of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Volume {
    /// An empty directory.
    #[serde(default)]
    pub empty_dir: bool,
    /// Files by name, with what is in them.
    pub secret: Option<BTreeMap<String, Text>>,
    /// A share of files.
    pub azure_file: Option<AzureFile>,
    /// A git repository.
    pub git: Option<Git>,
}

/// A share of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AzureFile {
    /// The share.
    pub share: String,
    /// The storage account.
    pub account: String,
    /// The account's key.
    pub key: SecretName,
    /// Whether nothing can be written there.
    #[serde(default)]
    pub read_only: bool,
}

/// A git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Git {
    /// Its URL.
    pub repository: String,
    /// The commit.
    pub revision: Option<String>,
    /// The directory in the volume; `.` for the volume itself.
    pub directory: Option<String>,
}

/// Name servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NameServers {
    /// Their addresses.
    pub servers: Vec<String>,
    /// Domains in which names are looked for, with blanks between them.
    pub search: Option<String>,
    /// As in `resolv.conf`.
    pub options: Option<String>,
}

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LogAnalytics {
    /// The workspace's id.
    pub workspace: String,
    /// Its key.
    pub key: SecretName,
    /// What is logged.
    pub kind: Option<LogKind>,
    /// What is written beside it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// What a confidential group is held to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Confidential {
    /// The policy of confidential computing, in base64.
    pub policy: String,
}

/// A key of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Encryption {
    /// The vault's URL.
    pub vault: String,
    /// The key's name.
    pub key: String,
    /// Its version.
    pub version: String,
    /// The identity that may use it.
    pub identity: Option<String>,
}

/// A request to the group's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Health {
    /// What is asked for.
    #[serde(default = "root")]
    pub path: String,
    /// Where.
    #[serde(default = "web")]
    pub port: u16,
    /// `http` or `https`.
    #[serde(default = "http")]
    pub scheme: String,
    /// The status that is wanted; any of 200 to 399 if nothing is said.
    pub status: Option<u16>,
    /// What the cloud's names of groups end with.
    #[serde(default = "suffix")]
    pub suffix: String,
    /// Whether the name may lead to an address that is not public.
    #[serde(default)]
    pub private: bool,
}

fn root() -> String {
    "/".to_owned()
}

fn web() -> u16 {
    80
}

fn http() -> String {
    "http".to_owned()
}

fn suffix() -> String {
    "azurecontainer.io".to_owned()
}
