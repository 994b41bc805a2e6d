//! Resources of which only the document matters: networks, and identities that users assign.

use serde_json::{Value, json};

use super::{Admitted, not_found};
use crate::answer::{Answer, Answered, Refusal};
use crate::graph::Principal;
use crate::json::{as_object, at, object, set};
use crate::world::Resource;

/// The kinds there are, with how many segments are in front of the name and behind the group.
const KINDS: [&str; 3] = [
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
];

const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

pub(super) fn answer(admitted: &Admitted<'_>) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let (method, path) = call.route();
    let unknown = || Refusal::unknown(method, &call.path);
    let kind = match path.get(5..) {
        Some([namespace, outer, _]) => format!("{namespace}/{outer}"),
        Some([namespace, outer, _, inner, _]) => format!("{namespace}/{outer}/{inner}"),
        _ => return Err(unknown()),
    };
    let kind = KINDS.iter().find(|known| known.eq_ignore_ascii_case(&kind)).ok_or_else(unknown)?;
    let id = admitted.path_id(path.len());
    let name = call.path.last().map(String::as_str).unwrap_or_default();
    match method {
        "GET" => {
            let found = azure.store.read(|world| world.resource(&id).map(|r| r.body.clone()));
            found.map(Answer::ok).ok_or_else(|| not_found(kind, name, call.segment(3)))
        }
        "PUT" => put(admitted, kind, &id, name),
        "DELETE" => azure.store.change(|world| {
            let gone = world.remove(&id);
            let key = crate::world::key(&id);
            world
                .principals
                .retain(|p| p.resource.as_deref().map(crate::world::key) != Some(key.clone()));
            Ok(Answer::empty(if gone { 200 } else { 204 }))
        }),
        _ => Err(unknown()),
    }
}

fn put(admitted: &Admitted<'_>, kind: &str, id: &str, name: &str) -> Answered {
    let mut body = admitted.call.object()?;
    for (member, value) in [("id", id), ("name", name), ("type", kind)] {
        as_object(&mut body).insert(member.to_owned(), json!(value));
    }
    object(&mut body, "properties").insert("provisioningState".to_owned(), json!("Succeeded"));
    admitted.azure.store.change(|world| {
        let old = world.resource(id).map(|resource| resource.body.clone());
        if kind == IDENTITY {
            let tenant = &admitted.azure.config.names.tenant;
            let properties = match &old {
                Some(old) => at(old, "/properties").clone(),
                None => {
                    let principal = Principal::of_resource(name, id);
                    let shown = identity(tenant, &principal);
                    world.principals.push(principal);
                    shown
                }
            };
            set(&mut body, "properties", properties);
        }
        world.put(Resource::new(body.clone()));
        Ok(Answer::json(if old.is_some() { 200 } else { 201 }, body))
    })
}

/// The properties of a user-assigned identity.
pub(super) fn identity(tenant: &str, principal: &Principal) -> Value {
    json!({ "tenantId": tenant, "principalId": principal.id, "clientId": principal.app_id })
}
