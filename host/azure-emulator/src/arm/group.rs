//! Resource groups.

use serde_json::{Value, json};

use super::{Admitted, subscription};
use crate::answer::{Answer, Answered, Refusal};
use crate::world::Resource;

const KIND: &str = "Microsoft.Resources/resourceGroups";

pub(super) fn answer(admitted: &Admitted<'_>) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let (method, path) = call.route();
    let id = azure.group_id(call.segment(3));
    match (method, path.as_slice()) {
        ("GET", [_, _, "resourcegroups"]) => Ok(Answer::list(azure.store.read(|world| {
            admitted.list(world, world.children(&azure.subscription_id(), "resourceGroups"))
        }))),
        ("GET" | "HEAD", [_, _, "resourcegroups", _]) => {
            let found = azure.store.read(|world| world.resource(&id).map(|r| r.body.clone()));
            found.map(Answer::ok).ok_or_else(|| missing(call.segment(3)))
        }
        ("PUT", [_, _, "resourcegroups", name]) => put(admitted, name, &id),
        ("DELETE", [_, _, "resourcegroups", _]) => {
            azure.store.change(|world| match world.remove(&id) {
                true => Ok(Answer::empty(200)),
                false => Err(missing(call.segment(3))),
            })
        }
        ("GET", [_, _, "resourcegroups", _, "resources"]) => subscription::resources(admitted, &id),
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

fn missing(name: &str) -> Refusal {
    let message = format!("Resource group '{name}' could not be found.");
    Refusal::new(404, "ResourceGroupNotFound", message)
}

fn put(admitted: &Admitted<'_>, name: &str, id: &str) -> Answered {
    let fine = (1..=90).contains(&name.len())
        && name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c))
        && !name.ends_with('.');
    if !fine {
        let message = format!("The resource group name '{name}' is not valid.");
        return Err(Refusal::bad("InvalidResourceGroupName", message));
    }
    let document = admitted.call.object()?;
    let Some(location) = document.get("location").and_then(Value::as_str) else {
        let message = "The location property is required for this definition.";
        return Err(Refusal::bad("LocationRequired", message));
    };
    let tags = document.get("tags").cloned().unwrap_or_else(|| json!({}));
    let body = group(id, admitted.call.segment(3), location, tags);
    admitted.azure.store.change(|world| {
        let status = if world.resource(id).is_some() { 200 } else { 201 };
        world.put(Resource::new(body.clone()));
        Ok(Answer::json(status, body))
    })
}

/// The document of a group.
pub(super) fn group(id: &str, name: &str, location: &str, tags: Value) -> Value {
    json!({
        "id": id, "name": name, "type": KIND, "location": location, "tags": tags,
        "properties": { "provisioningState": "Succeeded" },
    })
}
