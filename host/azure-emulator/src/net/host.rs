//! Which service a host is.

use std::collections::BTreeMap;

/// Azure Resource Manager.
pub(crate) const ARM: &str = "management.azure.com";
/// The login service.
pub(crate) const LOGIN: &str = "login.microsoftonline.com";
/// Microsoft Graph.
pub(crate) const GRAPH: &str = "graph.microsoft.com";
/// Where contexts and logs of registry builds are.
pub(crate) const BLOB: &str = "acrtaskprod.blob.core.windows.net";
const VAULT_SUFFIX: &str = ".vault.azure.net";
const REGISTRY_SUFFIX: &str = ".azurecr.io";
const GROUP_SUFFIX: &str = ".azurecontainer.io";
const BLOB_SUFFIX: &str = ".blob.core.windows.net";

/// The service behind a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Arm,
    Login,
    Graph,
    /// A vault, by its name in lower case.
    Vault(String),
    /// A registry, by its name in lower case.
    Registry(String),
    /// A container group, by its whole name.
    Container(String),
    /// Storage; any account.
    Blob,
    /// Our own address: the path has to say what is meant.
    Own,
    /// A host of the outside that the configuration says the place of, by the name there.
    Outside(String),
}

/// The service behind `host`, which has no port; `None` for what is not emulated.
pub(crate) fn service(host: &str) -> Option<Service> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let label = |suffix: &str| {
        let label = host.strip_suffix(suffix)?;
        let fine = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (fine && !label.is_empty() && label.len() <= 63).then(|| label.to_owned())
    };
    match host.as_str() {
        ARM | "management.core.windows.net" => Some(Service::Arm),
        LOGIN | "login.microsoft.com" | "login.windows.net" | "sts.windows.net" => {
            Some(Service::Login)
        }
        GRAPH => Some(Service::Graph),
        "localhost" | "127.0.0.1" | "::1" => Some(Service::Own),
        name if is_group(name) => Some(Service::Container(host.clone())),
        _ => label(VAULT_SUFFIX)
            .map(Service::Vault)
            .or_else(|| label(REGISTRY_SUFFIX).map(Service::Registry))
            .or_else(|| label(BLOB_SUFFIX).map(|_| Service::Blob)),
    }
}

/// What Docker Hub is called in names of images, and the hosts that it answers at.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOSTS: [&str; 2] = ["registry-1.docker.io", "index.docker.io"];

/// The name that the configuration knows `host` by, if it knows it.
pub(crate) fn upstream<T>(upstreams: &BTreeMap<String, T>, host: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let name = if DOCKER_HUB_HOSTS.contains(&host.as_str()) { DOCKER_HUB } else { host.as_str() };
    upstreams.contains_key(name).then(|| name.to_owned())
}

/// `LABEL[.HASH].REGION.azurecontainer.io`
fn is_group(name: &str) -> bool {
    let Some(rest) = name.strip_suffix(GROUP_SUFFIX) else { return false };
    let fine = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    (2..=3).contains(&rest.split('.').count()) && rest.split('.').all(fine)
}

/// The host of a vault.
pub(crate) fn vault(name: &str) -> String {
    format!("{}{VAULT_SUFFIX}", name.to_ascii_lowercase())
}

/// The login server of a registry.
pub(crate) fn registry(name: &str) -> String {
    format!("{}{REGISTRY_SUFFIX}", name.to_ascii_lowercase())
}

/// The host of `HOST[:PORT]`, brackets of addresses taken off.
pub(crate) fn without_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_their_names() {
        assert_eq!(service("Management.Azure.com"), Some(Service::Arm));
        assert_eq!(service("MyVault.vault.azure.net"), Some(Service::Vault("myvault".to_owned())));
        assert_eq!(service("a.azurecr.io."), Some(Service::Registry("a".to_owned())));
        assert_eq!(service("127.0.0.1"), Some(Service::Own));
    }

    #[test]
    fn others_are_not() {
        for host in [
            "",
            "azure.com",
            ".azurecr.io",
            "a.b.azurecr.io",
            "a_b.azurecr.io",
            "evil.example",
            "management.azure.com.evil.example",
            "mcr.microsoft.com",
        ] {
            assert_eq!(service(host), None, "{host}");
        }
    }

    #[test]
    fn docker_hub_has_several_hosts() {
        let known = BTreeMap::from([("docker.io".to_owned(), ()), ("a.example".to_owned(), ())]);
        let name = |host: &str| upstream(&known, host);
        assert_eq!(name("registry-1.docker.io").as_deref(), Some("docker.io"));
        assert_eq!(name("A.example.").as_deref(), Some("a.example"));
        assert_eq!(name("auth.docker.io"), None);
        assert_eq!(upstream(&BTreeMap::<_, ()>::new(), "registry-1.docker.io"), None);
    }

    #[test]
    fn ports_and_brackets_come_off() {
        assert_eq!(without_port("a.example:443"), "a.example");
        assert_eq!(without_port("[::1]:443"), "::1");
        assert_eq!(without_port("[::1"), "::1");
        assert_eq!(without_port(""), "");
    }
}
