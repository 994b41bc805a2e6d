//! The life of a group.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{EMULATED, KIND, alive, check, image, log, update, view};
use crate::answer::{Answer, Answered, Refusal};
use crate::arm::operation::RETRY_AFTER;
use crate::arm::{Admitted, not_found};
use crate::azure::Azure;
use crate::faults::Fault;
use crate::json::{as_object, at, object, set, text};
use crate::world::{Resource, World, key};

/// The version that URLs of the service's operations carry, whatever the client's is.
const OPERATION_VERSION: &str = "2018-06-01";

/// Addresses that lead nowhere: those that documentation is written with.
const PUBLIC: &str = "203.0.113";
const PRIVATE: &str = "10.0.0";

pub(super) async fn put(admitted: &Admitted<'_>, id: &str, name: &str) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let document = call.object()?;
    check::group(name, &document)?;
    let old = azure.store.read(|world| world.resource(id).cloned());
    if let Some(old) = &old {
        if old.text("/properties/provisioningState") == "Pending" {
            let message =
                format!("The container group '{name}' is still transitioning, please retry later.");
            return Err(Refusal::new(409, "ContainerGroupTransitioning", message));
        }
        update::check(name, &old.body, &document)?;
    }
    azure.store.read(|world| subnets(world, name, &document))?;
    image::check(azure, name, &document).await?;
    let address = address(azure, id, name, &document)?;
    let mut body = document.clone();
    conceal(&mut body);
    for (member, value) in [("id", id), ("name", name), ("type", KIND)] {
        set(&mut body, member, value);
    }
    if !at(&body, "/tags").is_object() {
        set(&mut body, "tags", json!({}));
    }
    let properties = object(&mut body, "properties");
    properties.retain(|_, value| !value.is_null());
    properties.entry("sku").or_insert_with(|| json!("Standard"));
    properties.insert("provisioningState".to_owned(), json!("Pending"));
    properties.insert("instanceView".to_owned(), json!({ "events": [], "state": "Pending" }));
    if let Some(address) = address {
        properties.insert("ipAddress".to_owned(), address);
    }
    let mut resource = Resource::new(body.clone());
    resource.hidden.0.insert("full".to_owned(), document);
    azure.store.change(|world| {
        world.put(resource);
        Ok(())
    })?;
    let answer = Answer::json(if old.is_some() { 200 } else { 201 }, body);
    Ok(begin(admitted, id, answer))
}

/// Brings a group up after the answer, which gets the headers of a long operation.
fn begin(admitted: &Admitted<'_>, id: &str, answer: Answer) -> Answer {
    let Admitted { azure, call, .. } = admitted;
    let place =
        azure.store.read(|world| world.resource(id).map(|g| g.text("/location").to_owned()));
    let at = format!(
        "{}/providers/Microsoft.ContainerInstance/locations/{}/operations",
        azure.subscription_id(),
        place.unwrap_or_default()
    );
    let operation = uuid::Uuid::new_v4().to_string();
    let ticket = azure.operations.begin(azure, call, id, operation, &at, OPERATION_VERSION);
    let answer =
        answer.with("azure-asyncoperation", ticket.url.clone()).with("retry-after", RETRY_AFTER);
    let (worker, id) = (Arc::clone(azure), id.to_owned());
    azure.work(async move {
        let come_up = up(&worker, &id).await;
        let failed = come_up.is_err() | worker.operations.end(&worker, &ticket, come_up);
        let done = match failed {
            false => view::group(&worker, &id, "Succeeded", "Running"),
            true => {
                worker.alive.stop(&id);
                view::group(&worker, &id, "Failed", "Failed")
            }
        };
        if done.is_err() {
            tracing::warn!("the state of a container group could not be written");
        }
    });
    answer
}

/// Takes out what the service never shows again.
fn conceal(body: &mut Value) {
    let properties = object(body, "properties");
    let list = |properties: &mut serde_json::Map<String, Value>, name: &str| -> Vec<Value> {
        properties.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    for name in ["containers", "initContainers"] {
        let mut containers = list(properties, name);
        for container in &mut containers {
            let inner = object(container, "properties");
            let variables = inner.get_mut("environmentVariables").and_then(Value::as_array_mut);
            for variable in variables.into_iter().flatten() {
                as_object(variable).remove("secureValue");
            }
        }
        if !containers.is_empty() {
            properties.insert(name.to_owned(), Value::Array(containers));
        }
    }
    let mut credentials = list(properties, "imageRegistryCredentials");
    for credential in &mut credentials {
        as_object(credential).remove("password");
    }
    if !credentials.is_empty() {
        properties.insert("imageRegistryCredentials".to_owned(), Value::Array(credentials));
    }
    let mut volumes = list(properties, "volumes");
    for volume in &mut volumes {
        if at(volume, "/secret").is_object() {
            set(volume, "secret", json!({}));
        }
        if at(volume, "/azureFile").is_object() {
            object(volume, "azureFile").remove("storageAccountKey");
        }
    }
    if !volumes.is_empty() {
        properties.insert("volumes".to_owned(), Value::Array(volumes));
    }
    if at(&Value::Object(properties.clone()), "/diagnostics/logAnalytics").is_object()
        && let Some(diagnostics) = properties.get_mut("diagnostics")
    {
        object(diagnostics, "logAnalytics").remove("workspaceKey");
    }
}

fn subnets(world: &World, name: &str, document: &Value) -> Result<(), Refusal> {
    for subnet in at(document, "/properties/subnetIds").as_array().into_iter().flatten() {
        let id = text(subnet, "/id");
        let Some(found) = world.resource(id) else {
            let message = format!("The subnet '{id}' of container group '{name}' was not found.");
            return Err(Refusal::bad("SubnetNotFound", message));
        };
        let delegations = at(&found.body, "/properties/delegations").as_array();
        let ours = |d: &Value| text(d, "/properties/serviceName").eq_ignore_ascii_case(KIND);
        if !delegations.is_some_and(|all| all.iter().any(ours)) {
            let message = format!("The subnet '{id}' is not delegated to '{KIND}'.");
            return Err(Refusal::bad("SubnetDelegationsCannotChange", message));
        }
    }
    Ok(())
}

/// The address of a group with what the service adds; the label must be free.
fn address(
    azure: &Azure,
    id: &str,
    name: &str,
    document: &Value,
) -> Result<Option<Value>, Refusal> {
    let asked = at(document, "/properties/ipAddress");
    if !asked.is_object() {
        return Ok(None);
    }
    let mut address = asked.clone();
    let number = oci::Digest::of(key(id).as_bytes()).hex();
    let number = u8::from_str_radix(number.get(..2).unwrap_or("1"), 16).unwrap_or(1) % 250 + 1;
    let net = if text(asked, "/type") == "Private" { PRIVATE } else { PUBLIC };
    set(&mut address, "ip", format!("{net}.{number}"));
    let label = text(asked, "/dnsNameLabel");
    if label.is_empty() {
        return Ok(Some(address));
    }
    let place = text(document, "/location").to_ascii_lowercase();
    let names = &azure.config.names;
    let reuse =
        match text(asked, "/autoGeneratedDomainNameLabelScope").to_ascii_lowercase().as_str() {
            "" | "unsecure" => None,
            "tenantreuse" => Some(names.tenant.clone()),
            "subscriptionreuse" => Some(names.subscription.clone()),
            "resourcegroupreuse" => Some(id.split('/').take(5).collect::<Vec<_>>().join("/")),
            _ => Some(uuid::Uuid::new_v4().to_string()),
        };
    let fqdn = match reuse {
        None => format!("{label}.{place}.azurecontainer.io"),
        Some(of) => {
            let hash: String = oci::Digest::of(of.as_bytes()).hex().chars().take(16).collect();
            format!("{label}.{hash}.{place}.azurecontainer.io")
        }
    };
    let taken = azure.store.read(|world| {
        world.resources.iter().any(|(other, group)| {
            *other != key(id) && group.text("/properties/ipAddress/fqdn") == fqdn
        })
    });
    if taken || azure.faults.strikes(label, &Fault::LabelTaken) {
        let message = format!(
            "The DNS name label '{label}' in container group '{name}' not available. Try using a different label."
        );
        return Err(Refusal::bad("DnsNameLabelNotAvailable", message));
    }
    set(&mut address, "fqdn", fqdn);
    Ok(Some(address))
}

/// Brings the containers up: really, or in their views alone.
pub(crate) async fn up(azure: &Arc<Azure>, id: &str) -> Result<(), Refusal> {
    match azure.config.runner.clone() {
        Some(runner) => alive::start(azure, runner, id).await,
        None => view::all(azure, id, "Running", &format!("Started container ({EMULATED})")),
    }
}

pub(super) fn tag(admitted: &Admitted<'_>, id: &str) -> Answered {
    let document = admitted.call.object()?;
    admitted.azure.store.change(|world| {
        let group = world.resource_mut(id).ok_or_else(Refusal::internal)?;
        if let Some(tags) = document.get("tags").filter(|tags| tags.is_object()) {
            set(&mut group.body, "tags", tags.clone());
        }
        Ok(Answer::ok(group.body.clone()))
    })
}

pub(super) fn stop(admitted: &Admitted<'_>, id: &str) -> Answered {
    admitted.azure.alive.stop(id);
    view::all(admitted.azure, id, "Terminated", "")?;
    view::group(admitted.azure, id, "Succeeded", "Stopped")?;
    Ok(Answer::empty(204))
}

pub(super) async fn restart(admitted: &Admitted<'_>, id: &str) -> Answered {
    up(admitted.azure, id).await?;
    view::group(admitted.azure, id, "Succeeded", "Running")?;
    Ok(Answer::empty(204))
}

pub(super) fn start(admitted: &Admitted<'_>, id: &str) -> Answered {
    Ok(begin(admitted, id, Answer::empty(202)))
}

/// `?tail=N`, `?timestamps=true`
pub(super) fn logs(admitted: &Admitted<'_>, group: &Resource, container: &str) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let containers = at(&group.body, "/properties/containers").as_array();
    let found = containers.into_iter().flatten().find(|c| text(c, "/name") == container);
    let found = found
        .ok_or_else(|| not_found(&format!("{KIND}/containers"), container, call.segment(3)))?;
    let tail = call.query("tail").map(str::parse::<usize>).transpose();
    let tail = tail.map_err(|_| Refusal::bad("InvalidTail", "'tail' has to be a number."))?;
    let started = text(found, "/properties/instanceView/currentState/startTime");
    let timed = call.query("timestamps").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let content = match azure.config.runner {
        Some(_) => fs_err::read_to_string(log::file(&alive::folder(azure, group.id(), container)))
            .unwrap_or_default(),
        None if started.is_empty() => String::new(),
        None if timed => format!("{started} {EMULATED}\n"),
        None => format!("{EMULATED}\n"),
    };
    Ok(Answer::ok(json!({ "content": log::tail(&content, tail) })))
}
