//! Whom a token is for.

/// A service that takes tokens of the login service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    pub(crate) service: For,
    /// As the client wrote it; it comes back in the token.
    pub(crate) text: String,
}

/// The services that tokens are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    Arm,
    Vault,
    Graph,
    Registry,
    Storage,
    /// The emulator's own address, when it is a custom cloud: ARM and Graph at once.
    Own,
}

impl Audience {
    /// Of a scope, `RESOURCE/.default`, or of a resource. With several scopes the first counts, as
    /// no client here asks for more.
    pub(crate) fn of_scope(scope: &str) -> Option<Self> {
        let scope =
            scope.split_whitespace().find(|scope| scope.contains("://") || scope.len() > 20)?;
        let text = scope.strip_suffix("/.default").unwrap_or(scope);
        Self::of_resource(text)
    }

    /// Of a resource's URI.
    pub(crate) fn of_resource(text: &str) -> Option<Self> {
        let bare = text.trim_end_matches('/').to_ascii_lowercase();
        let host = bare.strip_prefix("https://")?;
        let service = match host {
            "management.azure.com"
            | "management.core.windows.net"
            | "management.emu.test"
            | "management.core.emu.test" => For::Arm,
            "vault.azure.net" => For::Vault,
            "graph.microsoft.com" => For::Graph,
            "containerregistry.azure.net" => For::Registry,
            "storage.azure.com" => For::Storage,
            host => match crate::net::host::without_port(host) {
                "127.0.0.1" | "localhost" => For::Own,
                _ => return None,
            },
        };
        Some(Self { service, text: text.to_owned() })
    }

    /// Whether a service takes it.
    pub(crate) fn is_for(&self, service: For) -> bool {
        self.service == service
            || (self.service == For::Own && matches!(service, For::Arm | For::Graph))
            // The registry takes tokens for ARM as well, unless its policy says otherwise.
            || (self.service == For::Arm && service == For::Registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_slashes_of_az_are_understood() {
        let arm = Audience::of_scope("https://management.core.windows.net//.default").unwrap();
        assert_eq!(
            (arm.service, arm.text.as_str()),
            (For::Arm, "https://management.core.windows.net/")
        );
        let vault = Audience::of_scope("https://vault.azure.net/.default openid").unwrap();
        assert_eq!(vault.service, For::Vault);
        assert!(vault.is_for(For::Vault) && !vault.is_for(For::Arm));
    }

    #[test]
    fn others_are_not() {
        for scope in
            ["", ".default", "http://vault.azure.net/.default", "https://evil.example/.default"]
        {
            assert_eq!(Audience::of_scope(scope), None, "{scope}");
        }
    }
}
