//! Who somebody is to a registry, and what that person may do there.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use report::Secret;
use serde::{Deserialize, Serialize};

use super::scope::Scope;
use crate::azure::Azure;
use crate::json::{at, text};
use crate::login::audience::{Audience, For};
use crate::login::caller::Caller;
use crate::registry::source::Login;
use crate::registry::{child, control};
use crate::role::{self, Right};
use crate::world::{Resource, World};

/// The user name that says: the password is a token.
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

/// Who holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Holder {
    /// A service principal or managed identity, by its object id.
    Principal(String),
    /// The admin user.
    Admin,
    /// A token of the registry, by its id.
    Token(String),
    /// Nobody.
    Anonymous,
}

/// The claims of a refresh token.
#[derive(Serialize, Deserialize)]
pub(super) struct Refresh {
    pub(super) aud: String,
    pub(super) grant_type: String,
    pub(super) holder: Holder,
}

/// Whether a login may do something with a repository.
pub(crate) fn allows(
    azure: &Azure,
    registry: &Resource,
    login: &Login,
    repository: &str,
    action: &str,
) -> bool {
    let password = login.password.expose_text().unwrap_or_default();
    let holder = Holder::of_login(azure, registry, &login.username, password);
    let wanted = Scope::new(repository, &[action]);
    holder.is_some_and(|holder| holder.granted(azure, registry, &wanted).covers(&wanted))
}

/// The name and password of a `Basic` header.
pub(super) fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), Secret::new(password)))
}

impl Holder {
    pub(super) fn of_login(
        azure: &Azure,
        registry: &Resource,
        username: &str,
        password: &str,
    ) -> Option<Self> {
        if username.is_empty() && password.is_empty() {
            let open = at(&registry.body, "/properties/anonymousPullEnabled").as_bool();
            return (open == Some(true)).then_some(Self::Anonymous);
        }
        if username == TOKEN_USER || username.is_empty() {
            let server = registry.text("/properties/loginServer");
            return Self::of_refresh_token(azure, server, password)
                .or_else(|| Self::of_entra_token(azure, registry, password));
        }
        let matches =
            |name: &str| registry.hidden.0.get(name).and_then(|v| v.as_str()) == Some(password);
        if username.eq_ignore_ascii_case(registry.name()) {
            let is_on = at(&registry.body, "/properties/adminUserEnabled").as_bool() == Some(true);
            let matches = matches("password") || matches("password2");
            return (is_on && matches).then_some(Self::Admin);
        }
        let now = azure.clock().now();
        azure.store.read(|world| {
            if let Some(app) = world.application(username) {
                let known = app.passwords.iter().find(|known| known.is(password))?;
                let principal = world.principal_of(username).filter(|p| p.enabled)?;
                return (known.end > now.as_second())
                    .then(|| Self::Principal(principal.id.clone()));
            }
            let token = world.resource(&format!("{}/tokens/{username}", registry.id()))?;
            let known = ["password1", "password2"].iter().any(|name| {
                let Some(kept) = token.hidden.0.get(*name) else { return false };
                let end = text(kept, "/expiry").parse::<jiff::Timestamp>();
                text(kept, "/value") == password && end.map_or(true, |end| end > now)
            });
            let enabled = token.text("/properties/status") == "enabled";
            (known && enabled).then(|| Self::Token(token.id().to_owned()))
        })
    }

    pub(super) fn of_refresh_token(azure: &Azure, server: &str, token: &str) -> Option<Self> {
        let refresh: Refresh = azure.keys.verify(token, azure.clock().seconds()).ok()?;
        (refresh.aud == server && refresh.grant_type == "refresh_token").then_some(refresh.holder)
    }

    /// A token of the login service, for the registry or (unless the policy says no) for ARM.
    pub(super) fn of_entra_token(azure: &Azure, registry: &Resource, token: &str) -> Option<Self> {
        let caller = Caller::of(azure, token, For::Registry).ok()?;
        let policy = "/properties/policies/azureADAuthenticationAsArmPolicy/status";
        let own = Audience::of_resource(&caller.aud).is_some_and(|a| a.service == For::Registry);
        let fine = own || registry.text(policy) != "disabled";
        fine.then_some(Self::Principal(caller.oid))
    }

    /// As much of what is wanted as the holder may.
    pub(super) fn granted(&self, azure: &Azure, registry: &Resource, wanted: &Scope) -> Scope {
        let may = |action: &&String| azure.store.read(|w| self.may(w, registry, wanted, action));
        let actions = wanted.actions.iter().filter(may).cloned().collect();
        Scope { actions, ..wanted.clone() }
    }

    /// Whether there is anything that the holder may.
    pub(super) fn is_known(&self, azure: &Azure, registry: &Resource) -> bool {
        let Self::Principal(id) = self else { return true };
        let id_of = registry.id();
        azure.store.read(|world| match control::is_abac(registry) {
            true => role::has_data_rights(world, id, id_of),
            false => [role::PULL, role::PUSH, role::DELETE]
                .iter()
                .any(|action| role::allows(world, id, Right::Action(action), id_of)),
        })
    }

    fn may(&self, world: &World, registry: &Resource, wanted: &Scope, action: &str) -> bool {
        match self {
            Self::Admin => true,
            Self::Anonymous => ["pull", "metadata_read"].contains(&action),
            Self::Token(id) => {
                let map = world.resource(id).map(|token| token.text("/properties/scopeMapId"));
                let allowed = map.and_then(|map| child::actions(world, registry.id(), map));
                let wanted_right = right_of(action);
                allowed.is_some_and(|allowed| {
                    allowed.iter().any(|allowed| {
                        let Some((name, right)) = split(allowed) else { return false };
                        right == wanted_right && (name == "*" || name == wanted.name)
                    })
                })
            }
            Self::Principal(id) => principal_may(world, registry, id, wanted, action),
        }
    }
}

/// The word of scope maps for an action.
fn right_of(action: &str) -> &'static str {
    match action {
        "pull" => "content/read",
        "push" => "content/write",
        "delete" => "content/delete",
        "metadata_read" => "metadata/read",
        "metadata_write" => "metadata/write",
        _ => "",
    }
}

/// `repositories/NAME/content/read` as name and right.
fn split(action: &str) -> Option<(&str, &str)> {
    let rest = action.strip_prefix("repositories/")?;
    let (head, last) = rest.rsplit_once('/')?;
    let (name, kind) = head.rsplit_once('/')?;
    rest.get(rest.len() - kind.len() - last.len() - 1..).map(|right| (name, right))
}

fn principal_may(
    world: &World,
    registry: &Resource,
    principal: &str,
    wanted: &Scope,
    action: &str,
) -> bool {
    let id = registry.id();
    if !control::is_abac(registry) {
        let right = match action {
            "pull" | "metadata_read" | "*" => role::PULL,
            "push" | "metadata_write" => role::PUSH,
            "delete" => role::DELETE,
            _ => return false,
        };
        return role::allows(world, principal, Right::Action(right), id);
    }
    let right = match action {
        "*" if wanted.is_catalog() => role::CATALOG,
        "pull" => role::CONTENT_READ,
        "push" => role::CONTENT_WRITE,
        "delete" => role::CONTENT_DELETE,
        "metadata_read" => role::METADATA_READ,
        "metadata_write" => role::METADATA_WRITE,
        _ => return false,
    };
    role::allows_in(world, principal, Right::Data(right), id, Some(&wanted.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_slashes_have_rights_too() {
        assert_eq!(split("repositories/a/b/content/read"), Some(("a/b", "content/read")));
        assert_eq!(split("repositories/*/metadata/write"), Some(("*", "metadata/write")));
        assert_eq!(split("repositories/x"), None);
        assert_eq!(split(""), None);
    }

    #[test]
    fn basic_is_a_name_and_a_password_with_colons() {
        let (name, password) = basic("Basic YTpiOmM=").unwrap();
        assert_eq!((name.as_str(), password.expose()), ("a", b"b:c".as_slice()));
        for header in ["", "Basic", "Basic %", "Bearer YTpi", "Basic YQ=="] {
            assert!(basic(header).is_none(), "{header}");
        }
    }
}
