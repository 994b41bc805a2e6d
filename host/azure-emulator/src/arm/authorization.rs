//! Who may do what where: role definitions and assignments.

use serde_json::{Value, json};

use super::Admitted;
use crate::answer::{Answer, Answered, Refusal};
use crate::clock;
use crate::faults::Fault;
use crate::role::{ROLES, Role};
use crate::world::Resource;

/// The type of assignments.
pub(crate) const ASSIGNMENT: &str = "Microsoft.Authorization/roleAssignments";

pub(super) fn answer(
    admitted: &Admitted<'_>,
    scope: usize,
    kind: &str,
    name: Option<&str>,
) -> Answered {
    let call = admitted.call;
    let scope = admitted.path_id(scope);
    match (call.method.as_str(), kind, name) {
        ("GET", "roledefinitions", None) => definitions(admitted),
        ("GET", "roledefinitions", Some(id)) => {
            let found = ROLES.iter().find(|role| role.id == id);
            let found = found.map(|role| Answer::ok(definition(admitted, role)));
            found.ok_or_else(|| unknown_role(id))
        }
        ("GET", "roleassignments", None) => list(admitted, &scope),
        ("GET", "roleassignments", Some(name)) => {
            let id = assignment_id(&scope, name);
            let found = admitted.azure.store.read(|w| w.resource(&id).map(|r| r.body.clone()));
            found.map(Answer::ok).ok_or_else(|| missing(name))
        }
        ("PUT", "roleassignments", Some(name)) => assign(admitted, &scope, name),
        ("DELETE", "roleassignments", Some(name)) => {
            let id = assignment_id(&scope, name);
            admitted.azure.store.change(|world| {
                let shown = world.resource(&id).map(|r| r.body.clone());
                world.remove(&id);
                Ok(shown.map_or_else(|| Answer::empty(204), Answer::ok))
            })
        }
        (method, ..) => Err(Refusal::unknown(method, &call.path)),
    }
}

fn assignment_id(scope: &str, name: &str) -> String {
    format!("{scope}/providers/{ASSIGNMENT}/{name}")
}

fn missing(name: &str) -> Refusal {
    let message = format!("The role assignment '{name}' is not found.");
    Refusal::new(404, "RoleAssignmentNotFound", message)
}

fn unknown_role(id: &str) -> Refusal {
    let message = format!("The specified role definition with ID '{id}' does not exist.");
    Refusal::new(404, "RoleDefinitionDoesNotExist", message)
}

fn definition(admitted: &Admitted<'_>, role: &Role) -> Value {
    let scope = admitted.azure.subscription_id();
    json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{}", role.id),
        "name": role.id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.name, "type": "BuiltInRole", "description": "",
            "assignableScopes": ["/"],
            "permissions": [{
                "actions": role.actions, "notActions": role.not_actions,
                "dataActions": role.data_actions, "notDataActions": [],
            }],
        },
    })
}

fn definitions(admitted: &Admitted<'_>) -> Answered {
    let filter = admitted.call.query("$filter").unwrap_or_default();
    let wanted = crate::azure::equalities(filter).ok_or_else(|| unknown_filter(filter))?;
    let fits = |role: &&Role| {
        wanted.iter().all(|(name, value)| match name.as_str() {
            "rolename" => role.name.eq_ignore_ascii_case(value),
            "type" => value.eq_ignore_ascii_case("BuiltInRole"),
            _ => false,
        })
    };
    Ok(Answer::list(ROLES.iter().filter(fits).map(|role| definition(admitted, role)).collect()))
}

fn unknown_filter(filter: &str) -> Refusal {
    let message = format!("The filter '{filter}' is not supported by the emulator.");
    Refusal::bad("UnsupportedQuery", message)
}

/// Assignments at the scope, above it and below it, as Azure lists them; `atScope()` leaves out those
/// below.
fn list(admitted: &Admitted<'_>, scope: &str) -> Answered {
    let filter = admitted.call.query("$filter").unwrap_or_default();
    let at_scope = filter.contains("atScope()");
    let rest: Vec<&str> =
        filter.split(" and ").filter(|part| !part.is_empty() && *part != "atScope()").collect();
    let rest = rest.join(" and ").replace("assignedTo(", "principalId eq ").replace(')', "");
    let wanted = crate::azure::equalities(&rest).ok_or_else(|| unknown_filter(filter))?;
    let scope = crate::world::key(scope);
    let found = admitted.azure.store.read(|world| {
        let fits = |assignment: &&Resource| {
            let of = crate::world::key(assignment.text("/properties/scope"));
            let principal = wanted.get("principalid");
            let above = scope.starts_with(&of);
            (above || (!at_scope && of.starts_with(&scope)))
                && principal.is_none_or(|wanted| {
                    assignment.text("/properties/principalId").eq_ignore_ascii_case(wanted)
                })
        };
        let all = world.resources.values().filter(|resource| resource.text("/type") == ASSIGNMENT);
        admitted.list(world, all.filter(fits))
    });
    Ok(Answer::list(found))
}

fn assign(admitted: &Admitted<'_>, scope: &str, name: &str) -> Answered {
    let Admitted { azure, call, caller } = admitted;
    if uuid::Uuid::try_parse(name).is_err() {
        let message = format!(
            "The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
        );
        return Err(Refusal::bad("InvalidRoleAssignmentId", message));
    }
    let document = call.object()?;
    let text = |name: &str| {
        let value = document.pointer(&format!("/properties/{name}"));
        value.and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    let (Some(role), Some(principal)) = (text("roleDefinitionId"), text("principalId")) else {
        let message = "The request to create role assignment '{}' is not valid. Role definition id and principal id are required.";
        return Err(Refusal::bad("InvalidCreateRoleAssignmentRequest", message));
    };
    let role_id = role.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    if !ROLES.iter().any(|known| known.id == role_id) {
        return Err(unknown_role(&role_id));
    }
    let known = azure.store.read(|world| world.principal(principal).map(|p| p.name.clone()));
    let slow = known.as_ref().is_some_and(|name| {
        azure.faults.strikes(&format!("{name} {principal}"), &Fault::SlowPrincipal)
    });
    if known.is_none() || slow {
        let message = format!(
            "Principal {} does not exist in the directory {}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
            principal.replace('-', ""),
            azure.config.names.tenant
        );
        return Err(Refusal::bad("PrincipalNotFound", message));
    }
    let now = clock::arm(azure.clock().now());
    let body = json!({
        "properties": {
            "roleDefinitionId": role, "principalId": principal,
            "principalType": text("principalType").unwrap_or("ServicePrincipal"), "scope": scope,
            "condition": text("condition"), "conditionVersion": text("conditionVersion"),
            "createdOn": now, "updatedOn": now, "createdBy": null, "updatedBy": caller.oid,
            "delegatedManagedIdentityResourceId": null, "description": text("description"),
        },
        "id": assignment_id(scope, name), "type": ASSIGNMENT, "name": name,
    });
    azure.store.change(|world| {
        let same = world.resources.values().find(|other| {
            other.text("/type") == ASSIGNMENT
                && other.text("/properties/principalId").eq_ignore_ascii_case(principal)
                && other.text("/properties/scope").eq_ignore_ascii_case(scope)
                && other.text("/properties/roleDefinitionId").to_ascii_lowercase().ends_with(&role_id)
        });
        if let Some(same) = same {
            let id = same.name().replace('-', "");
            let message = format!("The role assignment already exists. The ID of the existing role assignment is {id}.");
            return Err(Refusal::new(409, "RoleAssignmentExists", message));
        }
        if world.resource(&assignment_id(scope, name)).is_some() {
            let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
            return Err(Refusal::new(409, "RoleAssignmentUpdateNotPermitted", message));
        }
        world.put(Resource::new(body.clone()));
        Ok(Answer::json(201, body))
    })
}
