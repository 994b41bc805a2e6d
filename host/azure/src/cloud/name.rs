//! The clouds that there are.

use url::Url;

/// One of Azure's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloudName {
    /// Azure itself.
    #[default]
    Public,
    /// Azure operated by 21Vianet.
    China,
    /// Azure Government.
    UsGov,
}

/// What the rows of a cloud are: see [`CloudName::facts`].
pub(super) struct Facts {
    pub(super) login: &'static str,
    pub(super) arm: &'static str,
    pub(super) graph: &'static str,
    pub(super) vault_suffix: &'static str,
    pub(super) vault_resource: &'static str,
    pub(super) registry_suffix: &'static str,
}

impl CloudName {
    /// Every cloud, with the word for it in pipeline files.
    pub const ALL: [(&str, Self); 3] =
        [("public", Self::Public), ("china", Self::China), ("us-gov", Self::UsGov)];

    /// As the Azure CLI has them (`azure/cli/core/cloud.py`, 2.91).
    pub(super) fn facts(self) -> Facts {
        match self {
            Self::Public => Facts {
                login: "https://login.microsoftonline.com",
                arm: "https://management.azure.com",
                graph: "https://graph.microsoft.com",
                vault_suffix: ".vault.azure.net",
                vault_resource: "https://vault.azure.net",
                registry_suffix: ".azurecr.io",
            },
            Self::China => Facts {
                login: "https://login.chinacloudapi.cn",
                arm: "https://management.chinacloudapi.cn",
                graph: "https://microsoftgraph.chinacloudapi.cn",
                vault_suffix: ".vault.azure.cn",
                vault_resource: "https://vault.azure.cn",
                registry_suffix: ".azurecr.cn",
            },
            Self::UsGov => Facts {
                login: "https://login.microsoftonline.us",
                arm: "https://management.usgovcloudapi.net",
                graph: "https://graph.microsoft.us",
                vault_suffix: ".vault.usgovcloudapi.net",
                vault_resource: "https://vault.usgovcloudapi.net",
                registry_suffix: ".azurecr.us",
            },
        }
    }

    /// The cloud whose logins go to `authority`, as `AZURE_AUTHORITY_HOST` has it.
    pub(crate) fn of_authority(authority: &Url) -> Option<Self> {
        let host = authority.host_str()?;
        let has = |name: &Self| name.facts().login.strip_prefix("https://") == Some(host);
        Self::ALL.into_iter().map(|(_, name)| name).find(has)
    }
}
