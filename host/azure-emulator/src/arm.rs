//! Azure Resource Manager: what is common to all resources, and the way to those who know one kind.

pub(crate) mod authorization;
mod gate;
mod group;
pub(crate) mod metadata;
pub(crate) mod operation;
mod plain;
pub(crate) mod seed;
mod subscription;

use std::sync::Arc;

use serde_json::Value;

use crate::answer::{Answer, Answered, Refusal};
use crate::azure::Azure;
use crate::call::Call;
use crate::login::caller::Caller;
use crate::role::{self, Right};
use crate::world::{Resource, World};
use crate::{containers, registry, vault};

/// A request that was let in.
pub(crate) struct Admitted<'a> {
    pub(crate) azure: &'a Arc<Azure>,
    pub(crate) call: &'a Call,
    pub(crate) caller: Caller,
}

pub(crate) async fn answer(azure: &Arc<Azure>, call: &Call) -> Answered {
    let admitted = gate::admit(azure, call)?;
    let (method, path) = call.route();
    let headers =
        |answer: Answer| answer.with("cache-control", "no-cache").with("pragma", "no-cache");
    let answered = match path.as_slice() {
        [
            "subscriptions",
            _,
            "providers",
            _,
            "locations",
            _,
            "operations" | "operationresults",
            id,
        ]
        | [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            _,
            "locations",
            _,
            "operations",
            id,
        ] => azure.operations.answer(call, id),
        [scope @ .., "providers", "microsoft.authorization", kind] => {
            authorization::answer(&admitted, scope.len(), kind, None)
        }
        [scope @ .., "providers", "microsoft.authorization", kind, name] => {
            authorization::answer(&admitted, scope.len(), kind, Some(name))
        }
        ["tenants" | "subscriptions"]
        | ["subscriptions", _]
        | ["subscriptions", _, "resources"]
        | ["subscriptions", _, "providers", _]
        | ["subscriptions", _, "providers", _, "register"] => subscription::answer(&admitted),
        ["subscriptions", _, "resourcegroups"]
        | ["subscriptions", _, "resourcegroups", _]
        | ["subscriptions", _, "resourcegroups", _, "resources"] => group::answer(&admitted),
        ["subscriptions", _, "resourcegroups", group, "providers", ..]
            if !group_exists(azure, group) =>
        {
            let message = format!("Resource group '{}' could not be found.", call.segment(3));
            Err(Refusal::new(404, "ResourceGroupNotFound", message))
        }
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.containerregistry",
            ..,
        ]
        | ["subscriptions", _, "providers", "microsoft.containerregistry", ..] => {
            registry::control::answer(&admitted).await
        }
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.containerinstance",
            ..,
        ]
        | ["subscriptions", _, "providers", "microsoft.containerinstance", ..] => {
            containers::answer(&admitted).await
        }
        ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.keyvault", ..]
        | ["subscriptions", _, "providers", "microsoft.keyvault", ..] => {
            vault::control::answer(&admitted)
        }
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.network" | "microsoft.managedidentity",
            ..,
        ] => plain::answer(&admitted),
        _ => Err(Refusal::unknown(method, &call.path)),
    };
    answered.map(headers)
}

fn group_exists(azure: &Azure, group: &str) -> bool {
    azure.store.read(|world| world.resource(&azure.group_id(group)).is_some())
}

impl Azure {
    /// `/subscriptions/ID`
    pub(crate) fn subscription_id(&self) -> String {
        format!("/subscriptions/{}", self.config.names.subscription)
    }

    /// `/subscriptions/ID/resourceGroups/NAME`
    pub(crate) fn group_id(&self, group: &str) -> String {
        format!("{}/resourceGroups/{group}", self.subscription_id())
    }
}

impl Admitted<'_> {
    /// Whether the caller may, at a scope.
    pub(crate) fn may(&self, world: &World, right: Right<'_>, scope: &str) -> bool {
        role::allows(world, &self.caller.oid, right, scope)
    }

    /// A list of what the caller may read, as ARM shows lists.
    pub(crate) fn list<'r>(
        &self,
        world: &World,
        resources: impl Iterator<Item = &'r Resource>,
    ) -> Vec<Value> {
        let readable = |resource: &&Resource| {
            let action = format!("{}/read", resource.text("/type"));
            self.may(world, Right::Action(&action), resource.id())
        };
        resources.filter(readable).map(|resource| resource.body.clone()).collect()
    }

    /// The id of the resource that the path names, as it is written there.
    pub(crate) fn path_id(&self, segments: usize) -> String {
        let mut id = String::new();
        for segment in self.call.path.iter().take(segments) {
            id.push('/');
            id.push_str(segment);
        }
        id
    }
}

/// 404 for a resource: `kind` with its namespace, `name` below `group`.
pub(crate) fn not_found(kind: &str, name: &str, group: &str) -> Refusal {
    let message = format!(
        "The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    );
    Refusal::new(404, "ResourceNotFound", message).with("x-ms-failure-cause", "gateway")
}
