//! How a client came in, and so how the links in answers lead back to us.

/// In front of a host's name in a path: `/_host/mykeyvault.vault.azure.net/secrets`.
pub(crate) const HOST_PREFIX: &str = "_host";

/// How the client addresses the emulated hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By their own names, through the proxy.
    Names,
    /// By the emulator's own address, `https://127.0.0.1:PORT`; the host is in the path, or known by it.
    Base(String),
}

impl Origin {
    /// The URL of `path` (with its slash) on an emulated host.
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        match self {
            Self::Names => format!("https://{host}{path}"),
            Self::Base(base) if is_known_by_path(host) => format!("{base}{path}"),
            Self::Base(base) => format!("{base}/{HOST_PREFIX}/{host}{path}"),
        }
    }
}

/// Whether the paths of a host say whose they are, so that no prefix is needed.
fn is_known_by_path(host: &str) -> bool {
    use crate::net::host;
    [host::ARM, host::LOGIN, host::GRAPH].contains(&host)
}
