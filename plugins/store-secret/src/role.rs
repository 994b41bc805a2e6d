//! Roles, and their assignments.

use arm::{Arm, Body, ResourceId};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use windlass_plugin::{Error, Result};

use crate::explain;
use crate::graph::{filter, replicated};
use crate::host::Host;

/// The version of role definitions, as az sends it.
const DEFINITIONS: &str = "2022-05-01-preview";

/// The version of role assignments, as az sends it.
const ASSIGNMENTS: &str = "2022-04-01";

/// The version of registries, as az sends it.
pub const REGISTRIES: &str = "2026-09-01-preview";

/// The kind of a registry.
pub const REGISTRY: &str = "Microsoft.ContainerRegistry/registries";

/// Roles of registries: by name; the one that does the same where permissions are for each repository.
const OF_REGISTRIES: [(&str, &str); 2] = [
    ("AcrPull", "Container Registry Repository Reader"),
    ("AcrPush", "Container Registry Repository Writer"),
];

/// Definitions that are the same in each tenant, so that nobody has to ask.
const KNOWN: [(&str, &str); 4] = [
    ("AcrPull", "7f951dda-4ed3-4680-a7ca-43fe172d538d"),
    ("AcrPush", "8311e382-0749-4cb8-b61a-304f252e45ec"),
    ("Container Registry Repository Reader", "b93aa761-3e63-49ed-ac28-beffa264f7ac"),
    ("Container Registry Repository Writer", "2a1e307c-b015-4ebd-883e-5b7698a07328"),
];

/// What names of assignments are derived in.
const NAMES: Uuid = Uuid::from_u128(0x6f0e_6a1c_52b4_5c8e_9d3b_77a2_0c1e_9f54);

/// What has come of an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Its id; none where it is somebody else's.
    pub id: Option<String>,
    /// Whether it was made.
    pub changed: bool,
}

/// The role that is meant on `scope`: a registry whose permissions are for each repository has roles of
/// its own, and heeds no other.
///
/// # Errors
/// Those of Azure.
pub fn meant<H: Host>(
    arm: &Arm<'_, H>,
    host: &H,
    scope: &ResourceId,
    role: &str,
) -> Result<String> {
    let known = OF_REGISTRIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(role));
    let Some((_, instead)) = known.filter(|_| scope.is_a(REGISTRY)) else {
        return Ok(role.to_owned());
    };
    let registry = arm.get(scope, REGISTRIES)?;
    let mode = registry.pointer("/properties/roleAssignmentMode").and_then(Json::as_str);
    if mode != Some("AbacRepositoryPermissions") {
        return Ok(role.to_owned());
    }
    host.say(&format!(
        "`{}` has permissions for each repository: {instead} stands for {role}",
        scope.name()
    ));
    Ok((*instead).to_owned())
}

/// The id of a role definition: known, asked for by name, or given.
///
/// # Errors
/// Those of Azure; `not-found.azure` if there is no such role.
pub fn definition<H: Host>(arm: &Arm<'_, H>, scope: &ResourceId, role: &str) -> Result<String> {
    let of = |guid: &str| {
        let subscription = scope.subscription_id();
        format!(
            "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{guid}"
        )
    };
    if let Some((_, guid)) = KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(role)) {
        return Ok(of(guid));
    }
    if let Ok(guid) = Uuid::try_parse(role) {
        return Ok(of(&guid.to_string()));
    }
    if role.starts_with('/') {
        return Ok(role.to_owned());
    }
    let filter = filter("roleName", role);
    let path =
        format!("{scope}/providers/Microsoft.Authorization/roleDefinitions?$filter={filter}");
    let found = arm.list(path, DEFINITIONS)?;
    let id = found.first().and_then(|found| found.get("id")).and_then(Json::as_str);
    id.map(str::to_owned).ok_or_else(|| {
        Error::new("not-found.azure", format!("there is no role `{role}` at `{scope}`"))
            .hint("`az role definition list --query [].roleName` has all of them")
    })
}

/// Whether the principal has the role on `scope`, or on what it is in.
///
/// # Errors
/// Those of Azure.
pub fn find<H: Host>(
    arm: &Arm<'_, H>,
    scope: &ResourceId,
    principal: &str,
    definition: &str,
) -> Result<Option<String>> {
    let filter = filter("principalId", principal);
    let path =
        format!("{scope}/providers/Microsoft.Authorization/roleAssignments?$filter={filter}");
    let last = |id: &str| id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let scope = scope.to_string().to_ascii_lowercase();
    let found = arm.list(path, ASSIGNMENTS)?.into_iter().find(|found| {
        let text = |key: &str| found.pointer(key).and_then(Json::as_str).unwrap_or_default();
        let above = text("/properties/scope").to_ascii_lowercase();
        let is_in = scope == above
            || scope
                .strip_prefix(above.trim_end_matches('/'))
                .is_some_and(|it| it.starts_with('/'));
        // One with a condition may not be for all of it.
        let is_whole = found.pointer("/properties/condition").is_none_or(Json::is_null);
        last(text("/properties/roleDefinitionId")) == last(definition)
            && text("/properties/principalId").eq_ignore_ascii_case(principal)
            && is_in
            && is_whole
    });
    Ok(found.map(|found| found.get("id").and_then(Json::as_str).unwrap_or_default().to_owned()))
}

/// Gives the role to the principal. Its name is the same in each run, so that no run makes a second one.
///
/// # Errors
/// Those of Azure.
pub fn assign<H: Host>(
    arm: &Arm<'_, H>,
    host: &H,
    scope: &ResourceId,
    principal: &str,
    definition: &str,
) -> Result<Assigned> {
    let name = name(scope, principal, definition);
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let body = Body::from(json!({ "properties": {
        "principalType": "ServicePrincipal",
        "principalId": principal,
        "roleDefinitionId": definition,
    } }));
    let put = || arm.put(&path, ASSIGNMENTS, &body);
    let is_early = |failure: &arm::Failure| failure.azure_code() == Some("PrincipalNotFound");
    match replicated(host, "the service principal", put, is_early) {
        Ok(_) => Ok(Assigned { id: Some(path), changed: true }),
        Err(failure) if failure.azure_code() == Some("RoleAssignmentExists") => {
            Ok(Assigned { id: None, changed: false })
        }
        Err(failure) => Err(explain::role_assignment(failure, &scope.to_string())),
    }
}

/// The name of an assignment: a UUID of scope, principal and role.
#[must_use]
pub fn name(scope: &ResourceId, principal: &str, definition: &str) -> Uuid {
    let role = definition.rsplit('/').next().unwrap_or_default();
    let text = format!("{scope}\n{principal}\n{role}").to_ascii_lowercase();
    Uuid::new_v5(&NAMES, text.as_bytes())
}
