//! Who is let in: a version is named, a token is shown, the subscription is ours, a role allows it.

use std::sync::Arc;

use super::Admitted;
use crate::answer::Refusal;
use crate::azure::Azure;
use crate::call::Call;
use crate::login::audience::For;
use crate::login::caller::{Caller, CallerError};
use crate::role::{self, Right};
use crate::token::TokenError;

pub(super) fn admit<'a>(azure: &'a Arc<Azure>, call: &'a Call) -> Result<Admitted<'a>, Refusal> {
    version(call)?;
    let caller = caller(azure, call)?;
    let (method, path) = call.route();
    if let ["subscriptions", id, rest @ ..] = path.as_slice()
        && !id.eq_ignore_ascii_case(&azure.config.names.subscription)
        && !is_elsewhere(azure, id, rest)
    {
        let message = format!("The subscription '{id}' could not be found.");
        return Err(Refusal::new(404, "SubscriptionNotFound", message));
    }
    if let Some((scope, action)) = needed(method, &path) {
        let scope_shown = format!("/{}", scope.join("/"));
        let allowed = azure
            .store
            .read(|world| role::allows(world, &caller.oid, Right::Action(&action), &scope_shown));
        if !allowed {
            let message = format!(
                "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope_shown}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
                caller.appid, caller.oid
            );
            return Err(Refusal::new(403, "AuthorizationFailed", message));
        }
    }
    Ok(Admitted { azure, call, caller })
}

/// Whether the rest of a path means something in another subscription: there are registries alone.
fn is_elsewhere(azure: &Azure, id: &str, rest: &[&str]) -> bool {
    let is_registry = matches!(
        rest,
        ["resources"] | ["resourcegroups", _, "providers", "microsoft.containerregistry", ..]
    );
    let below = crate::world::key(&format!("/subscriptions/{id}/resourcegroups/"));
    is_registry && azure.store.read(|world| world.resources.keys().any(|id| id.starts_with(&below)))
}

/// `2026-02-01` or `2026-02-01-preview`; which one makes no difference here.
fn version(call: &Call) -> Result<(), Refusal> {
    let Some(version) = call.query("api-version").filter(|version| !version.is_empty()) else {
        return Err(Refusal::bad(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    match is_version(version) {
        true => Ok(()),
        false => Err(Refusal::bad(
            "InvalidApiVersionParameter",
            format!(
                "The api-version '{version}' is invalid. The supported versions are dates, with or without '-preview'."
            ),
        )),
    }
}

fn is_version(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let mut parts = date.split('-');
    let digits = |part: Option<&str>, count: usize| {
        part.is_some_and(|part| part.len() == count && part.bytes().all(|b| b.is_ascii_digit()))
    };
    digits(parts.next(), 4)
        && digits(parts.next(), 2)
        && digits(parts.next(), 2)
        && parts.next().is_none()
}

fn caller(azure: &Azure, call: &Call) -> Result<Caller, Refusal> {
    let refuse = |code: &str, message: &str| {
        let tenant = &azure.config.names.tenant;
        let challenge = format!(
            "Bearer authorization_uri=\"https://login.windows.net/{tenant}\", error=\"invalid_token\", error_description=\"{message}\""
        );
        Refusal::new(401, code, message).with("www-authenticate", challenge)
    };
    let token = call.bearer().ok_or_else(|| {
        refuse(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        )
    })?;
    Caller::of(azure, token, For::Arm).map_err(|error| match error {
        CallerError::Token(TokenError::Expired) => {
            refuse("ExpiredAuthenticationToken", "The access token has expired.")
        }
        CallerError::Token(TokenError::Invalid) => {
            refuse("InvalidAuthenticationToken", "The access token is invalid.")
        }
        CallerError::Audience(audience) => refuse(
            "InvalidAuthenticationTokenAudience",
            &format!(
                "The access token has been obtained for wrong audience or resource '{audience}'."
            ),
        ),
    })
}

/// The action that a request is, and the scope at which a role has to allow it. None for what is
/// open to all (lists show what their reader may read; operations are known by their ids).
fn needed<'p>(method: &str, path: &[&'p str]) -> Option<(Vec<&'p str>, String)> {
    let is_list = |rest: &[&str]| method == "GET" && rest.len().is_multiple_of(2);
    let verb = match method {
        "GET" | "HEAD" => "read",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        _ => "action",
    };
    let at = path.iter().rposition(|segment| *segment == "providers");
    let Some(at) = at else {
        return match path {
            ["subscriptions", _, "resourcegroups", _] => Some((
                path.to_vec(),
                format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}"),
            )),
            _ => None,
        };
    };
    let (parent, rest) = (path.get(..at)?, path.get(at + 1..)?);
    let (namespace, kinds) = rest.split_first()?;
    if kinds.first() == Some(&"locations") || kinds.is_empty() || is_list(rest) {
        return None;
    }
    let types: Vec<&str> = kinds.iter().step_by(2).copied().collect();
    // `TYPE/NAME/verb`: what is left over is an action of the resource, or nothing but a type.
    let scope = match kinds.len().is_multiple_of(2) || kinds.len() == 1 {
        true => path.to_vec(),
        false => path.get(..path.len() - 1)?.to_vec(),
    };
    let scope = if *namespace == "microsoft.authorization" { parent.to_vec() } else { scope };
    Some((scope, format!("{namespace}/{}/{verb}", types.join("/"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(method: &str, path: &str) -> Option<(String, String)> {
        let path: Vec<&str> = path.split('/').skip(1).collect();
        needed(method, &path).map(|(scope, action)| (format!("/{}", scope.join("/")), action))
    }

    #[test]
    fn actions_are_read_from_paths() {
        let registry =
            "/subscriptions/s/resourcegroups/g/providers/microsoft.containerregistry/registries/r";
        let action = |verb: &str| {
            Some((registry.to_owned(), format!("microsoft.containerregistry/registries/{verb}")))
        };
        assert_eq!(needs("GET", registry), action("read"));
        assert_eq!(needs("PUT", registry), action("write"));
        assert_eq!(needs("POST", &format!("{registry}/importimage")), action("importimage/action"));
        assert_eq!(needs("GET", &format!("{registry}/runs")), None);
        let run = format!("{registry}/runs/x");
        assert_eq!(
            needs("POST", &format!("{run}/cancel")),
            Some((run, "microsoft.containerregistry/registries/runs/cancel/action".to_owned()))
        );
        assert_eq!(
            needs(
                "PUT",
                &format!("{registry}/providers/microsoft.authorization/roleassignments/x")
            ),
            Some((registry.to_owned(), "microsoft.authorization/roleassignments/write".to_owned()))
        );
    }

    #[test]
    fn versions_are_dates() {
        assert!(is_version("2026-02-01") && is_version("2025-03-01-preview"));
        for version in
            ["", "7.4", "2026-2-1", "2026-02-01-beta", "2026-02-01-", "2026-02-01-01", "٢٠٢٦-02-01"]
        {
            assert!(!is_version(version), "{version}");
        }
    }
}
