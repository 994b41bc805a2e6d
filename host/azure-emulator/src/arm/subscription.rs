//! The tenant, the subscription, and what is registered in it.

use serde_json::{Value, json};

use super::Admitted;
use crate::answer::{Answer, Answered, Refusal};

/// The namespaces that this cloud has.
const PROVIDERS: [&str; 6] = [
    "Microsoft.Authorization",
    "Microsoft.ContainerInstance",
    "Microsoft.ContainerRegistry",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
];

pub(super) fn answer(admitted: &Admitted<'_>) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let (method, path) = call.route();
    match (method, path.as_slice()) {
        ("GET", ["subscriptions"]) => Ok(counted(vec![subscription(admitted)])),
        ("GET", ["tenants"]) => {
            let tenant = &azure.config.names.tenant;
            Ok(counted(vec![json!({
                "id": format!("/tenants/{tenant}"), "tenantId": tenant, "countryCode": "NL",
                "displayName": "emulated", "domains": ["emulated.example"],
                "tenantCategory": "Home", "defaultDomain": "emulated.example", "tenantType": "AAD",
            })]))
        }
        ("GET", ["subscriptions", _]) => Ok(Answer::ok(subscription(admitted))),
        ("GET", ["subscriptions", id, "resources"]) => {
            resources(admitted, &format!("/subscriptions/{id}"))
        }
        ("GET", ["subscriptions", _, "providers", name]) => provider(admitted, name),
        ("POST", ["subscriptions", _, "providers", name, "register"]) => provider(admitted, name),
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

fn counted(values: Vec<Value>) -> Answer {
    let count = values.len();
    Answer::ok(json!({ "value": values, "count": { "type": "Total", "value": count } }))
}

fn subscription(admitted: &Admitted<'_>) -> Value {
    let names = &admitted.azure.config.names;
    json!({
        "id": admitted.azure.subscription_id(), "authorizationSource": "RoleBased",
        "managedByTenants": [], "subscriptionId": names.subscription, "tenantId": names.tenant,
        "displayName": "emulated", "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

fn provider(admitted: &Admitted<'_>, name: &str) -> Answered {
    let Some(known) = PROVIDERS.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
        let message = format!("The resource namespace '{name}' is invalid.");
        return Err(Refusal::new(404, "InvalidResourceNamespace", message));
    };
    Ok(Answer::ok(json!({
        "id": format!("{}/providers/{known}", admitted.azure.subscription_id()),
        "namespace": known, "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered", "resourceTypes": [],
    })))
}

/// `GET SCOPE/resources?$filter=resourceType eq 'TYPE'`
pub(super) fn resources(admitted: &Admitted<'_>, scope: &str) -> Answered {
    let filter = admitted.call.query("$filter").unwrap_or_default();
    let wanted = crate::azure::equalities(filter).filter(|wanted| {
        wanted.keys().all(|key| ["resourcetype", "name", "location"].contains(&key.as_str()))
    });
    let wanted = wanted.ok_or_else(|| {
        let message =
            format!("Invalid filter clause: the emulator does not understand '{filter}'.");
        Refusal::bad("InvalidFilterInQueryString", message)
    })?;
    let fits = |body: &Value| {
        wanted.iter().all(|(name, value)| {
            let member = if name == "resourcetype" { "type" } else { name };
            body[member].as_str().is_some_and(|found| found.eq_ignore_ascii_case(value))
        })
    };
    let below = format!("{}/", crate::world::key(scope));
    let found = admitted.azure.store.read(|world| {
        let all = world.resources.iter().filter(|(id, resource)| {
            id.starts_with(&below) && is_listed(resource.text("/type")) && fits(&resource.body)
        });
        admitted.list(world, all.map(|(_, resource)| resource))
    });
    Ok(Answer::list(found.iter().map(short).collect()))
}

/// Children of resources, groups and assignments are not in the list of resources.
fn is_listed(kind: &str) -> bool {
    kind.matches('/').count() == 1
        && !kind.starts_with("Microsoft.Authorization")
        && !kind.starts_with("Microsoft.Resources")
}

/// What lists of resources show: not their properties.
fn short(body: &Value) -> Value {
    let mut shown = serde_json::Map::new();
    for name in ["id", "name", "type", "sku", "kind", "location", "tags", "identity"] {
        if let Some(value) = body.get(name) {
            shown.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(shown)
}
