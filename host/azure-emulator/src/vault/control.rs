//! Vaults as resources of ARM.

use serde_json::{Map, Value, json};

use super::{KIND, Vault, is_vault_name};
use crate::answer::{Answer, Answered, Refusal};
use crate::arm::{Admitted, not_found};
use crate::config::Config;
use crate::json::{at, object, set};
use crate::net::host;
use crate::world::Resource;

/// Days for which deleted secrets may be kept.
const RETENTION: std::ops::RangeInclusive<i64> = 7..=90;

/// How many, if nobody says it.
const USUAL_RETENTION: i64 = 90;

pub(crate) fn answer(admitted: &Admitted<'_>) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let (method, path) = call.route();
    let below_group = path.get(2) == Some(&"resourcegroups");
    let rest = path.get(if below_group { 6 } else { 4 }..).unwrap_or_default();
    match (method, rest) {
        ("GET", ["vaults"]) => {
            let scope = admitted.path_id(if below_group { 4 } else { 2 });
            let found =
                |world: &_| admitted.list(world, crate::world::World::of_type(world, &scope, KIND));
            Ok(Answer::list(azure.store.read(found)))
        }
        ("POST", ["checknameavailability"]) => check_name(admitted),
        ("GET", ["vaults", _]) if below_group => show(admitted),
        ("PUT", ["vaults", _]) if below_group => put(admitted),
        ("PATCH", ["vaults", _]) if below_group => patch(admitted),
        ("DELETE", ["vaults", _]) if below_group => delete(admitted),
        ("GET", ["deletedvaults"]) => {
            let kept = azure.store.read(|world| {
                let gone = world.resources.values().filter(|r| r.text("/type") == DELETED_KIND);
                admitted.list(world, gone)
            });
            Ok(Answer::list(kept))
        }
        ("GET", ["locations", _, "deletedvaults", name]) => {
            let id = deleted_id(admitted, name);
            let found = azure.store.read(|world| world.resource(&id).map(|r| r.body.clone()));
            found.map(Answer::ok).ok_or_else(|| no_deleted(name))
        }
        ("POST", ["locations", _, "deletedvaults", name, "purge"]) => purge(admitted, name),
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

const DELETED_KIND: &str = "Microsoft.KeyVault/deletedVaults";

fn deleted_id(admitted: &Admitted<'_>, name: &str) -> String {
    let azure = admitted.azure;
    let at = &azure.config.names.location;
    let scope = azure.subscription_id();
    format!("{scope}/providers/Microsoft.KeyVault/locations/{at}/deletedVaults/{name}")
}

fn no_deleted(name: &str) -> Refusal {
    let message = format!("The specified deleted vault '{name}' does not exist.");
    Refusal::new(404, "DeletedVaultNotFound", message)
}

/// The document of a vault that is there from the start.
pub(crate) fn seed(config: &Config, id: &str, name: &str) -> Value {
    json!({
        "id": id, "name": name, "type": KIND, "location": config.names.location, "tags": {},
        "properties": {
            "tenantId": config.names.tenant, "sku": { "name": "standard", "family": "A" },
            "accessPolicies": [], "enableRbacAuthorization": true, "enableSoftDelete": true,
            "softDeleteRetentionInDays": USUAL_RETENTION,
            "networkAcls": { "bypass": "AzureServices", "defaultAction": "Allow" },
            "vaultUri": format!("https://{}/", host::vault(name)),
            "provisioningState": "Succeeded",
        },
    })
}

fn id_and_name<'a>(admitted: &Admitted<'a>) -> (String, &'a str) {
    (admitted.path_id(8), admitted.call.segment(7))
}

/// A new vault registers its name first, which the first look still sees.
fn show(admitted: &Admitted<'_>) -> Answered {
    let (id, name) = id_and_name(admitted);
    let found = admitted.azure.store.read(|world| world.resource(&id).map(|r| r.body.clone()));
    let shown = found.ok_or_else(|| not_found(KIND, name, admitted.call.segment(3)))?;
    Ok(Answer::ok(shown))
}

fn bad_name(name: &str) -> Refusal {
    let message = format!(
        "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742"
    );
    Refusal::bad("VaultNameNotValid", message)
}

fn check_name(admitted: &Admitted<'_>) -> Answered {
    let document = admitted.call.object()?;
    let name = document.get("name").and_then(Value::as_str).unwrap_or_default();
    if !is_vault_name(name) {
        let message = at(&bad_name(name).error(), "/message").clone();
        let reason = "AccountNameInvalid";
        return Ok(Answer::ok(
            json!({ "nameAvailable": false, "reason": reason, "message": message }),
        ));
    }
    let taken = admitted.azure.store.read(|world| {
        world.vaults.contains_key(&name.to_ascii_lowercase())
            || world.resource(&deleted_id(admitted, name)).is_some()
    });
    Ok(Answer::ok(match taken {
        false => json!({ "nameAvailable": true }),
        true => json!({
            "nameAvailable": false, "reason": "AlreadyExists",
            "message": format!("The vault name '{name}' is already in use."),
        }),
    }))
}

/// What a vault's document may say, checked and completed.
fn properties(document: &Value, tenant: &str) -> Result<Map<String, Value>, Refusal> {
    let invalid = |message: &str| Refusal::bad("BadRequest", message);
    let given = document.get("properties").and_then(Value::as_object);
    let mut properties = given.cloned().ok_or_else(|| invalid("'properties' is required."))?;
    if properties.get("tenantId").and_then(Value::as_str) != Some(tenant) {
        return Err(invalid("The tenant ID in the request is not that of the subscription."));
    }
    let sku = properties.get("sku").and_then(|sku| at(sku, "/name").as_str()).unwrap_or_default();
    if !["standard", "premium"].contains(&sku.to_ascii_lowercase().as_str()) {
        return Err(invalid("'sku.name' must be 'standard' or 'premium'."));
    }
    let is_rbac = properties.get("enableRbacAuthorization").and_then(Value::as_bool);
    let policies = properties.get("accessPolicies").and_then(Value::as_array).cloned();
    if is_rbac == Some(false) && policies.is_none() {
        return Err(invalid("'accessPolicies' is required unless access is by roles."));
    }
    let days = properties.get("softDeleteRetentionInDays");
    let days = days.filter(|days| !days.is_null()).map_or(Some(USUAL_RETENTION), Value::as_i64);
    let days = days.filter(|days| RETENTION.contains(days)).ok_or_else(|| {
        invalid("The property \"softDeleteRetentionInDays\" has an invalid value: it must be between 7 and 90.")
    })?;
    if properties.get("enablePurgeProtection") == Some(&json!(false)) {
        return Err(invalid(
            "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.",
        ));
    }
    properties.retain(|name, value| !value.is_null() && name != "createMode");
    // Access by roles is the rule since the version of 2026-02-01.
    properties.insert("enableRbacAuthorization".to_owned(), json!(is_rbac.unwrap_or(true)));
    properties.insert("accessPolicies".to_owned(), json!(policies.unwrap_or_default()));
    properties.insert("enableSoftDelete".to_owned(), json!(true));
    properties.insert("softDeleteRetentionInDays".to_owned(), json!(days));
    Ok(properties)
}

fn put(admitted: &Admitted<'_>) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let (id, name) = id_and_name(admitted);
    if !is_vault_name(name) {
        return Err(bad_name(name));
    }
    let document = call.object()?;
    let mut properties = properties(&document, &azure.config.names.tenant)?;
    let location = document.get("location").and_then(Value::as_str);
    let location = location.ok_or_else(|| {
        Refusal::bad("LocationRequired", "The location property is required for this definition.")
    })?;
    let recovers =
        document.pointer("/properties/createMode").and_then(Value::as_str) == Some("recover");
    let uri = format!("https://{}", host::vault(name));
    let tags = document.get("tags").filter(|tags| tags.is_object()).cloned();
    let shown = |properties: Map<String, Value>| {
        json!({
            "id": id, "name": name, "type": KIND, "location": location,
            "tags": tags.clone().unwrap_or_else(|| json!({})), "properties": properties,
        })
    };
    let deleted = deleted_id(admitted, name);
    azure.store.change(|world| {
        let is_update = world.resource(&id).is_some();
        let key = name.to_ascii_lowercase();
        if !is_update && world.resource(&deleted).is_some() && !recovers {
            let message = format!("A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete. (vault '{name}')");
            return Err(Refusal::new(409, "ConflictError", message));
        }
        if !is_update && world.resource(&deleted).is_none() && world.vaults.contains_key(&key) {
            let message = format!("The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the name is already taken.");
            return Err(Refusal::new(409, "VaultAlreadyExists", message));
        }
        world.remove(&deleted);
        world.vaults.entry(key).or_default();
        let mut first = properties.clone();
        let state = if is_update { "Succeeded" } else { "RegisteringDns" };
        first.insert("vaultUri".to_owned(), json!(if is_update { format!("{uri}/") } else { uri.clone() }));
        first.insert("provisioningState".to_owned(), json!(state));
        properties.insert("vaultUri".to_owned(), json!(format!("{uri}/")));
        properties.insert("provisioningState".to_owned(), json!("Succeeded"));
        world.put(Resource::new(shown(properties)));
        let answer = Answer::ok(shown(first));
        Ok(if is_update { answer } else { answer.with("retry-after", "1") })
    })
}

fn patch(admitted: &Admitted<'_>) -> Answered {
    let (id, name) = id_and_name(admitted);
    let document = admitted.call.object()?;
    let group = admitted.call.segment(3);
    admitted.azure.store.change(|world| {
        let vault = world.resource_mut(&id).ok_or_else(|| not_found(KIND, name, group))?;
        let mut next = vault.body.clone();
        if let Some(tags) = document.get("tags").filter(|tags| tags.is_object()) {
            set(&mut next, "tags", tags.clone());
        }
        let given = document.get("properties").and_then(Value::as_object);
        object(&mut next, "properties").extend(given.cloned().unwrap_or_default());
        let tenant = &admitted.azure.config.names.tenant;
        let checked = properties(&next, tenant)?;
        set(&mut next, "properties", checked);
        vault.body = next.clone();
        Ok(Answer::ok(next))
    })
}

/// Its secrets stay, and its name is taken, until it is recovered or purged.
fn delete(admitted: &Admitted<'_>) -> Answered {
    let (id, name) = id_and_name(admitted);
    let azure = admitted.azure;
    let deleted = deleted_id(admitted, name);
    let now = azure.clock().now();
    azure.store.change(|world| {
        let Some(vault) = world.resource(&id) else { return Ok(Answer::empty(204)) };
        let days = at(&vault.body, "/properties/softDeleteRetentionInDays").as_i64();
        let purge = now + jiff::SignedDuration::from_hours(24 * days.unwrap_or(USUAL_RETENTION));
        let body = json!({
            "id": deleted, "name": name, "type": DELETED_KIND,
            "properties": {
                "vaultId": id, "location": at(&vault.body, "/location"), "tags": at(&vault.body, "/tags"),
                "deletionDate": crate::clock::zulu(now),
                "scheduledPurgeDate": crate::clock::zulu(purge),
            },
        });
        world.remove(&id);
        world.put(Resource::new(body));
        Ok(Answer::empty(200))
    })
}

fn purge(admitted: &Admitted<'_>, name: &str) -> Answered {
    let deleted = deleted_id(admitted, name);
    admitted.azure.store.change(|world| {
        if !world.remove(&deleted) {
            return Err(no_deleted(name));
        }
        world.vaults.remove(name);
        Ok(Answer::empty(200))
    })
}

impl Vault {
    /// The resource of a vault, by its name.
    pub(crate) fn resource<'w>(world: &'w crate::world::World, name: &str) -> Option<&'w Resource> {
        world.resources.values().find(|resource| {
            resource.text("/type") == KIND && resource.name().eq_ignore_ascii_case(name)
        })
    }
}
