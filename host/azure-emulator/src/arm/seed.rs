//! What there is when the emulator starts for the first time.

use serde_json::json;

use super::authorization::ASSIGNMENT;
use super::{group, plain};
use crate::clock;
use crate::config::{Config, Place};
use crate::graph::{Application, Password, Principal};
use crate::role::{OWNER, SECRETS_OFFICER};
use crate::world::{Resource, World};
use crate::{registry, vault};

/// How long the first application's secret counts.
const TEN_YEARS: i64 = 10 * 365 * 24 * 3600;

pub(crate) fn world(config: &Config) -> World {
    let names = &config.names;
    let now = config.clock.seconds();
    let subscription = format!("/subscriptions/{}", names.subscription);
    let group = format!("{subscription}/resourceGroups/{}", names.resource_group);
    let mut world = World::default();
    let body = group::group(&group, &names.resource_group, &names.location, json!({}));
    world.put(Resource::new(body));

    let secret = names.secret.expose_text().unwrap_or_default();
    let life = (now, now + TEN_YEARS);
    let password = Password::new(names.application.clone(), None, secret, life);
    world.applications.push(Application {
        id: uuid::Uuid::new_v4().to_string(),
        app_id: names.application.clone(),
        name: "emulated-ci".to_owned(),
        created: now,
        passwords: vec![password],
        ..Application::default()
    });
    world.principals.push(Principal {
        id: names.principal.clone(),
        app_id: names.application.clone(),
        name: "emulated-ci".to_owned(),
        enabled: true,
        resource: None,
    });
    assign(&mut world, config, &subscription, &names.principal, OWNER);
    assign(&mut world, config, &group, &names.principal, SECRETS_OFFICER);

    let kind = "Microsoft.ManagedIdentity/userAssignedIdentities";
    let id = format!("{group}/providers/{kind}/{}", names.identity_name);
    let mut identity = Principal::of_resource(&names.identity_name, &id);
    identity.app_id.clone_from(&names.identity);
    assign(&mut world, config, &subscription, &identity.id, OWNER);
    assign(&mut world, config, &group, &identity.id, SECRETS_OFFICER);
    world.put(Resource::new(json!({
        "id": id, "name": names.identity_name, "type": kind, "location": names.location,
        "tags": {}, "properties": plain::identity(&names.tenant, &identity),
    })));
    world.principals.push(identity);

    for Place { subscription: other, group, name } in
        names.registries.iter().filter_map(|entry| names.place_of(entry))
    {
        let other = format!("/subscriptions/{other}");
        if other != subscription {
            assign(&mut world, config, &other, &names.principal, OWNER);
        }
        let id = format!("{other}/resourceGroups/{group}/providers/{}/{name}", registry::KIND);
        world.put(registry::control::seed(config, &id, name));
    }
    for name in &names.vaults {
        let id = format!("{group}/providers/{}/{name}", vault::KIND);
        world.put(Resource::new(vault::control::seed(config, &id, name)));
        world.vaults.insert(name.to_ascii_lowercase(), vault::Vault::default());
    }
    world
}

fn assign(world: &mut World, config: &Config, scope: &str, principal: &str, role: &str) {
    let name = uuid::Uuid::new_v4().to_string();
    let now = clock::arm(config.clock.now());
    world.put(Resource::new(json!({
        "properties": {
            "roleDefinitionId":
                format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": principal, "principalType": "ServicePrincipal", "scope": scope,
            "condition": null, "conditionVersion": null, "createdOn": now, "updatedOn": now,
            "createdBy": null, "updatedBy": principal,
            "delegatedManagedIdentityResourceId": null, "description": null,
        },
        "id": format!("{scope}/providers/{ASSIGNMENT}/{name}"), "type": ASSIGNMENT, "name": name,
    })));
}
