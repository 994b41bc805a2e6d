//! Makes a group what the inputs say.

mod images;
mod job;

use std::cell::Cell;

use arm::{Arm, Body, ResourceId};
use serde_json::Value;
use windlass_plugin::{Error, Result};

use crate::check::{SUFFIX, check};
use crate::diff::{Difference, differ};
use crate::host::Host;
use crate::inputs::{Inputs, Replace, UpdateSecrets};
use crate::outputs::Outputs;
use crate::spec::{Facts, VERSION, spec};
use crate::state::Group;
use crate::template::template;
use job::Job;

/// The version of the API for resource groups, as az has it.
const GROUPS_VERSION: &str = "2024-11-01";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Move {
    /// There is none.
    Create,
    /// There is one that is as wanted.
    Nothing,
    /// Only tags are missing, which are changed without a restart.
    Tag,
    /// It is changed as it is.
    Update,
    /// It is deleted and made anew.
    Replace,
}

/// Makes the group what `inputs` say; its outputs, and one line of what was done.
///
/// # Errors
/// `invalid.inputs`, those of Azure, of registries and of the host; `azure.unhealthy`.
pub fn deploy<H: Host>(inputs: &Inputs, dry_run: bool, host: &H) -> Result<(Outputs, String)> {
    let id = check(inputs)?;
    if let Some(path) = &inputs.template {
        return write(inputs, &id, path, dry_run, host);
    }
    let arm = Arm::new(host, inputs.endpoint.as_deref())?;
    let found = arm.find(&id, VERSION)?;
    let digests = images::look(inputs, host)?;
    let facts = Facts {
        location: location(inputs, &arm, &id, found.as_ref())?,
        label: label(inputs, host, found.as_ref()),
        images: digests.iter().map(|(image, it)| (image.clone(), it.deployed.clone())).collect(),
    };
    let wanted = merged(spec(inputs, &facts), found.as_ref());
    let difference = found.as_ref().map(|found| differ(found, &wanted)).unwrap_or_default();
    let planned = plan(inputs, found.as_ref(), &difference, &wanted)?;
    let mut outputs = Outputs {
        id: id.to_string(),
        changed: planned != Move::Nothing,
        replaced: planned == Move::Replace,
        changes: difference.changes.clone(),
        digests: digests.iter().map(|(image, it)| (image.clone(), it.digest.clone())).collect(),
        ..Outputs::default()
    };
    let first = inputs.all_containers();
    outputs.digest = first.first().and_then(|it| outputs.digests.get(&it.image).cloned());
    let seen = found.as_ref().map(Group::read);
    if dry_run {
        seen.unwrap_or_default().tell(&mut outputs);
        return Ok((outputs, forecast(inputs, &planned, &difference)));
    }
    let is_gone = Cell::new(false);
    let job = Job { inputs, host, arm: &arm, id: &id, wanted: &wanted, is_gone };
    let group = match job.run(&planned, seen) {
        Ok((group, replaced)) => {
            outputs.replaced = replaced;
            group
        }
        Err(unwell) => return Err(job.fail(unwell, &planned, found.as_ref())),
    };
    group.tell(&mut outputs);
    let at = outputs.url.as_ref().or(outputs.ip.as_ref());
    let at = at.map_or(String::new(), |at| format!(" at {at}"));
    let done = match (&planned, outputs.replaced) {
        (Move::Nothing, _) => "is as it should be",
        (Move::Create, _) => "is created",
        (_, true) => "is made anew",
        (Move::Tag, _) => "has its tags",
        (Move::Update | Move::Replace, _) => "is updated",
    };
    Ok((outputs, format!("`{}` {done}: {}{at}", inputs.name, group.state)))
}

/// Writes the template; calls nobody.
fn write<H: Host>(
    inputs: &Inputs,
    id: &ResourceId,
    path: &str,
    dry_run: bool,
    host: &H,
) -> Result<(Outputs, String)> {
    let facts = Facts {
        location: inputs.location.clone().unwrap_or_default(),
        label: inputs.dns_label.clone(),
        ..Facts::default()
    };
    if inputs.dns_random {
        return Err(Error::invalid(
            "a template is written once: `dns-random` has no meaning there",
        ));
    }
    let text = template(&inputs.name, &spec(inputs, &facts));
    if !dry_run {
        host.write(path, &text)?;
    }
    let outputs = Outputs { id: id.to_string(), changed: true, ..Outputs::default() };
    Ok((outputs, format!("the template of `{}` is in `{path}`", inputs.name)))
}

fn location<H: Host>(
    inputs: &Inputs,
    arm: &Arm<'_, H>,
    id: &ResourceId,
    found: Option<&Value>,
) -> Result<String> {
    let of = |value: &Value| value.get("location").and_then(Value::as_str).map(str::to_owned);
    if let Some(said) = inputs.location.clone().or_else(|| found.and_then(of)) {
        return Ok(said);
    }
    let subscription = ResourceId::subscription(id.subscription_id())?;
    let group = arm.get(subscription.resource_group(&inputs.resource_group)?, GROUPS_VERSION)?;
    of(&group).ok_or_else(|| {
        Error::failed("Azure does not say where the resource group is").hint("say `location`")
    })
}

/// The DNS label; a random suffix is that of the group that is there.
fn label<H: Host>(inputs: &Inputs, host: &H, found: Option<&Value>) -> Option<String> {
    let label = inputs.dns_label.as_ref()?;
    if !inputs.dns_random {
        return Some(label.clone());
    }
    let has = found.and_then(|it| it.pointer("/properties/ipAddress/dnsNameLabel")?.as_str());
    let kept = has.filter(|has| {
        has.len() == label.len() + SUFFIX
            && has.strip_prefix(label.as_str()).is_some_and(|rest| rest.starts_with('-'))
    });
    Some(kept.map_or_else(|| format!("{label}-{:06x}", host.random() & 0x00ff_ffff), str::to_owned))
}

/// With the tags that only Azure has.
fn merged(mut wanted: Body<String>, found: Option<&Value>) -> Body<String> {
    let has = found.and_then(|found| found.get("tags")?.as_object());
    if let (Some(has), Some(Value::Object(tags))) = (has, wanted.value.get_mut("tags")) {
        for (key, value) in has {
            if !tags.contains_key(key) {
                tags.insert(key.clone(), value.clone());
            }
        }
    }
    wanted
}

fn plan(
    inputs: &Inputs,
    found: Option<&Value>,
    difference: &Difference,
    wanted: &Body<String>,
) -> Result<Move> {
    let sends = inputs.update_secrets == UpdateSecrets::Always && !wanted.holes.is_empty();
    Ok(match (found, inputs.replace) {
        (None, _) => Move::Create,
        (Some(_), Replace::Always) => Move::Replace,
        (Some(_), Replace::IfNeeded) if !difference.fixed.is_empty() => Move::Replace,
        (Some(_), Replace::Never) if !difference.fixed.is_empty() => {
            let text = format!(
                "container group `{}` cannot be changed as it is: {}",
                inputs.name,
                difference.fixed.join(", ")
            );
            return Err(Error::new("conflict.azure", text).hint(
                "say `replace = \"if-needed\"`: it is deleted and made anew, with another address",
            ));
        }
        (Some(_), _) if !difference.changes.is_empty() || sends => Move::Update,
        (Some(_), _) if difference.tags => Move::Tag,
        (Some(_), _) => Move::Nothing,
    })
}

fn forecast(inputs: &Inputs, planned: &Move, difference: &Difference) -> String {
    let name = &inputs.name;
    let changes = difference.changes.join(", ");
    match planned {
        Move::Create => format!("`{name}` would be created"),
        Move::Nothing => format!("`{name}` is as it should be"),
        Move::Tag => format!("`{name}` would get its tags"),
        Move::Update if changes.is_empty() => format!("`{name}` would get its secrets"),
        Move::Update => format!("`{name}` would be updated: {changes}"),
        Move::Replace if changes.is_empty() => format!("`{name}` would be made anew"),
        Move::Replace => format!("`{name}` would be made anew: {changes}"),
    }
}

#[cfg(test)]
mod tests;
