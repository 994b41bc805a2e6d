//! What the service refuses before it does anything.

mod address;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::answer::Refusal;
use crate::json::{at, text};

/// Groups and cores of a subscription in a region, as a usual one has them.
pub(super) const MOST_GROUPS: u32 = 100;
pub(super) const MOST_CORES: u32 = 100;
/// Of one group.
const MOST_CONTAINERS: usize = 60;
const MOST_VOLUMES: usize = 20;
/// Of one container.
const MOST_CPU: f64 = 31.0;
const MOST_MEMORY: f64 = 240.0;

fn invalid(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::bad(code, message)
}

/// Letters in lower case, digits and hyphens; no hyphen at an end.
fn is_label(name: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The cores that a group asks for.
pub(super) fn cores(group: &Value) -> f64 {
    let containers = at(group, "/properties/containers").as_array();
    let cpu = |container: &Value| at(container, "/properties/resources/requests/cpu").as_f64();
    containers.into_iter().flatten().filter_map(cpu).sum()
}

/// Checks a group's document.
pub(super) fn group(name: &str, document: &Value) -> Result<(), Refusal> {
    let properties = at(document, "/properties");
    if !is_label(name, 1..=63) {
        return Err(invalid(
            "InvalidContainerGroupName",
            format!(
                "The container group name '{name}' is invalid: it has 1 to 63 lower case letters, digits and hyphens."
            ),
        ));
    }
    if text(document, "/location").is_empty() {
        return Err(invalid(
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    }
    let os = at(properties, "/osType");
    if !os
        .as_str()
        .is_some_and(|os| ["windows", "linux"].contains(&os.to_ascii_lowercase().as_str()))
    {
        // The service says `<null>` for the name of the group as well.
        return Err(invalid(
            "InvalidOsType",
            "The 'osType' for container group '<null>' is invalid. The value must be one of 'Windows,Linux'.",
        ));
    }
    few(
        properties,
        "restartPolicy",
        &["Always", "OnFailure", "Never"],
        "InvalidRestartPolicy",
        name,
    )?;
    few(properties, "sku", &["Standard", "Dedicated", "Confidential"], "InvalidSku", name)?;
    few(properties, "priority", &["Regular", "Spot"], "InvalidPriority", name)?;
    let mut names = BTreeSet::new();
    let containers =
        at(properties, "/containers").as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() || containers.len() > MOST_CONTAINERS {
        return Err(invalid(
            "InvalidContainerCount",
            format!("The container group '{name}' has to have 1 to {MOST_CONTAINERS} containers."),
        ));
    }
    let volumes = volumes(name, properties)?;
    for each in containers {
        container(name, each, &mut names, &volumes)?;
        requests(name, each, text(document, "/location"))?;
    }
    for each in at(properties, "/initContainers").as_array().into_iter().flatten() {
        container(name, each, &mut names, &volumes)?;
    }
    credentials(name, document)?;
    address::check(name, properties, containers)
}

/// A member that has one of a few values, whatever their case, or none.
fn few(of: &Value, member: &str, values: &[&str], code: &str, group: &str) -> Result<(), Refusal> {
    let value = at(of, &format!("/{member}"));
    let fits = |text: &str| values.iter().any(|known| known.eq_ignore_ascii_case(text));
    match value.is_null() || value.as_str().is_some_and(fits) {
        true => Ok(()),
        false => Err(invalid(
            code,
            format!(
                "The '{member}' for container group '{group}' is invalid. The value must be one of '{}'.",
                values.join(",")
            ),
        )),
    }
}

fn container<'v>(
    group: &str,
    container: &'v Value,
    names: &mut BTreeSet<&'v str>,
    volumes: &BTreeSet<&str>,
) -> Result<(), Refusal> {
    let name = text(container, "/name");
    if !is_label(name, 1..=63) {
        return Err(invalid(
            "InvalidContainerName",
            format!(
                "The container name '{name}' in container group '{group}' is invalid: it has 1 to 63 lower case letters, digits and hyphens."
            ),
        ));
    }
    if !names.insert(name) {
        return Err(invalid(
            "DuplicateContainerName",
            format!(
                "The container name '{name}' is used more than once in container group '{group}'."
            ),
        ));
    }
    let properties = at(container, "/properties");
    if text(properties, "/image").is_empty() {
        return Err(invalid(
            "InvalidContainerImage",
            format!(
                "The image of container '{name}' in container group '{group}' is not specified."
            ),
        ));
    }
    for variable in at(properties, "/environmentVariables").as_array().into_iter().flatten() {
        let key = text(variable, "/name");
        let fine = (1..=63).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !key.starts_with(|c: char| c.is_ascii_digit());
        if !fine {
            return Err(invalid(
                "InvalidEnvironmentVariableName",
                format!(
                    "The environment variable name '{key}' of container '{name}' in container group '{group}' is invalid."
                ),
            ));
        }
    }
    for mount in at(properties, "/volumeMounts").as_array().into_iter().flatten() {
        let volume = text(mount, "/name");
        if !volumes.contains(volume) || text(mount, "/mountPath").is_empty() {
            return Err(invalid(
                "VolumeMountNotFound",
                format!(
                    "The volume '{volume}' of container '{name}' in container group '{group}' is not declared, or has no path."
                ),
            ));
        }
    }
    Ok(())
}

fn requests(group: &str, container: &Value, location: &str) -> Result<(), Refusal> {
    let name = text(container, "/name");
    let requests = at(container, "/properties/resources/requests");
    if !requests.is_object() {
        return Err(invalid(
            "ResourceRequestsNotSpecified",
            format!(
                "The resource requests are not specified for container '{name}' in container group '{group}'."
            ),
        ));
    }
    let number = |member: &str| at(requests, member).as_f64().filter(|n| *n > 0.0);
    let (Some(cpu), Some(memory)) = (number("/cpu"), number("/memoryInGB")) else {
        return Err(invalid(
            "ResourceSomeRequestsNotSpecified",
            format!(
                "The resource requests 'cpu' and 'memoryInGB' of container '{name}' in container group '{group}' have to be specified."
            ),
        ));
    };
    if cpu > MOST_CPU || memory > MOST_MEMORY {
        return Err(Refusal::new(
            409,
            "ServiceUnavailable",
            format!(
                "The requested resource is not available in the location '{location}' at this moment. Please retry with a different resource request or in another location. Resource requested: '{cpu}' CPU '{memory}' GB memory 'Linux' OS"
            ),
        ));
    }
    Ok(())
}

fn volumes<'v>(group: &str, properties: &'v Value) -> Result<BTreeSet<&'v str>, Refusal> {
    let volumes = at(properties, "/volumes").as_array().map(Vec::as_slice).unwrap_or_default();
    if volumes.len() > MOST_VOLUMES {
        return Err(invalid(
            "TooManyVolumes",
            format!("The container group '{group}' has more than {MOST_VOLUMES} volumes."),
        ));
    }
    let mut names = BTreeSet::new();
    for volume in volumes {
        let name = text(volume, "/name");
        let kinds = ["azureFile", "emptyDir", "gitRepo", "secret"];
        let given =
            kinds.iter().filter(|kind| volume.get(**kind).is_some_and(|v| !v.is_null())).count();
        if !is_label(name, 5..=63) || given != 1 || !names.insert(name) {
            return Err(invalid(
                "InvalidVolume",
                format!(
                    "The volume '{name}' in container group '{group}' is invalid: a name of 5 to 63 characters, used once, and one kind."
                ),
            ));
        }
    }
    Ok(names)
}

fn credentials(group: &str, document: &Value) -> Result<(), Refusal> {
    let mut servers = BTreeSet::new();
    for credential in
        at(document, "/properties/imageRegistryCredentials").as_array().into_iter().flatten()
    {
        let server = text(credential, "/server");
        let wrong = |why: &str| {
            invalid(
                "InvalidImageRegistryCredential",
                format!(
                    "The image registry credential for '{server}' in container group '{group}' is invalid: {why}."
                ),
            )
        };
        if server.is_empty() || server.contains('/') || !servers.insert(server) {
            return Err(wrong("a server without scheme and path has to be given, once"));
        }
        let (user, password, identity) = (
            text(credential, "/username"),
            text(credential, "/password"),
            text(credential, "/identity"),
        );
        match (user.is_empty(), password.is_empty(), identity.is_empty()) {
            (false, false, true) => {}
            (true, true, false) => {
                let known = at(document, "/identity/userAssignedIdentities").as_object();
                let wanted = crate::world::key(identity);
                if !known
                    .is_some_and(|known| known.keys().any(|id| crate::world::key(id) == wanted))
                {
                    return Err(wrong("the identity is not one of the group's own"));
                }
            }
            _ => return Err(wrong("a user name and a password, or an identity, is needed")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
