//! Container Instances: groups, checked as the service checks them.
//!
//! Images are really looked for, with the credential that the group has. Where nothing can run a
//! container, the group says so in its events and logs.

pub(crate) mod alive;
mod check;
pub(crate) mod group;
mod image;
mod log;
pub(crate) mod runner;
pub(crate) mod runtime;
mod update;
mod view;

use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Refusal};
use crate::arm::{Admitted, not_found};
use crate::world::World;

/// The type of groups.
pub(crate) const KIND: &str = "Microsoft.ContainerInstance/containerGroups";

/// What logs and events say where nothing was run.
pub(crate) const EMULATED: &str = "emulated: there is no OCI runtime, so nothing was run";

pub(crate) async fn answer(admitted: &Admitted<'_>) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let (method, path) = call.route();
    let below_group = path.get(2) == Some(&"resourcegroups");
    let rest = path.get(if below_group { 6 } else { 4 }..).unwrap_or_default();
    let unknown = || Refusal::unknown(method, &call.path);
    match (method, rest) {
        ("GET", ["containergroups"]) => {
            let scope = admitted.path_id(if below_group { 4 } else { 2 });
            let mut found =
                azure.store.read(|world| admitted.list(world, World::of_type(world, &scope, KIND)));
            found.iter_mut().for_each(view::without);
            return Ok(Answer::list(found));
        }
        ("GET", ["locations", _, "usages"]) => return Ok(usages(admitted)),
        _ => {}
    }
    if !below_group {
        return Err(unknown());
    }
    let (id, name) = (admitted.path_id(8), call.segment(7));
    if let ("PUT", ["containergroups", _]) = (method, rest) {
        return group::put(admitted, &id, name).await;
    }
    let found = azure.store.read(|world| world.resource(&id).cloned());
    let group = match (method, found) {
        (_, Some(group)) => group,
        ("DELETE", None) => return Ok(Answer::empty(204)),
        (_, None) => return Err(not_found(KIND, name, call.segment(3))),
    };
    match (method, rest) {
        ("GET", [_, _]) => Ok(Answer::ok(group.body)),
        ("PATCH", [_, _]) => group::tag(admitted, &id),
        ("DELETE", [_, _]) => azure.store.change(|world| {
            azure.alive.stop(&id);
            world.remove(&id);
            Ok(Answer::ok(group.body))
        }),
        ("POST", [_, _, "restart"]) => group::restart(admitted, &id).await,
        ("POST", [_, _, "stop"]) => group::stop(admitted, &id),
        ("POST", [_, _, "start"]) => group::start(admitted, &id),
        ("GET", [_, _, "containers", container, "logs"]) => {
            group::logs(admitted, &group, container)
        }
        ("POST", [_, _, "containers", _, "exec" | "attach"]) => {
            Err(Refusal::bad("NotEmulated", "The emulator opens no terminals into containers."))
        }
        _ => Err(unknown()),
    }
}

fn usages(admitted: &Admitted<'_>) -> Answer {
    let scope = admitted.azure.subscription_id();
    let groups: Vec<f64> = admitted
        .azure
        .store
        .read(|world| world.of_type(&scope, KIND).map(|group| check::cores(&group.body)).collect());
    let usage = |name: &str, value: Value, limit: u32| {
        json!({
            "unit": "Count", "currentValue": value, "limit": limit,
            "name": { "value": name, "localizedValue": name },
        })
    };
    let cores: f64 = groups.iter().sum();
    Answer::list(vec![
        usage("ContainerGroups", json!(groups.len()), check::MOST_GROUPS),
        usage("StandardCores", json!(cores), check::MOST_CORES),
    ])
}
