//! What else is done with a group that is there.

use arm::{Arm, Failure, ResourceId};
use serde_json::Value;
use windlass_plugin::{Error, Result};

use crate::check::check;
use crate::host::Host;
use crate::inputs::{Action, Inputs};
use crate::outputs::Outputs;
use crate::spec::VERSION;
use crate::state::Group;

/// The most of a container's output that becomes an output of the step: outputs are recorded.
const MOST_OUTPUT: usize = 64 * 1024;

/// Does `inputs.action`, any but `deploy`.
///
/// # Errors
/// `invalid.inputs`, those of Azure and of the host.
pub fn manage<H: Host>(inputs: &Inputs, dry_run: bool, host: &H) -> Result<(Outputs, String)> {
    let id = check(inputs)?;
    let arm = Arm::new(host, inputs.endpoint.as_deref())?;
    let mut outputs = Outputs { id: id.to_string(), ..Outputs::default() };
    let name = &inputs.name;
    let (word, done) = match inputs.action {
        Action::Logs => {
            let count = logs(inputs, &arm, &id, host, &mut outputs)?;
            return Ok((outputs, format!("{count} lines of `{name}`")));
        }
        Action::Delete => ("", "deleted"),
        Action::Stop => ("stop", "stopped"),
        Action::Start => ("start", "started"),
        Action::Restart | Action::Deploy => ("restart", "restarted"),
    };
    outputs.changed = true;
    if dry_run {
        return Ok((outputs, format!("`{name}` would be {done}")));
    }
    if inputs.action == Action::Delete {
        outputs.changed = delete(&arm, &id)?;
        let text = if outputs.changed { "is deleted" } else { "was not there" };
        return Ok((outputs, format!("`{name}` {text}")));
    }
    let answer = arm.post(format!("{id}/{word}"), VERSION, None)?;
    arm.finish(answer, &arm::Wait { limit: crate::check::within(inputs)?, ..Default::default() })?;
    Ok((outputs, format!("`{name}` is {done}")))
}

/// Deletes the group; whether there was one.
///
/// # Errors
/// Those of Azure.
pub fn delete<H: Host>(arm: &Arm<'_, H>, id: &ResourceId) -> Result<bool, Failure> {
    let answer = match arm.delete(id, VERSION) {
        Err(failure) if failure.azure_code() == Some("ResourceNotFound") => return Ok(false),
        other => other?,
    };
    let was_there = answer.status != 204;
    arm.finish(answer, &arm::Wait::default())?;
    Ok(was_there)
}

/// What a container has written, at most `tail` lines.
///
/// # Errors
/// Those of Azure.
pub fn output<H: Host>(
    arm: &Arm<'_, H>,
    id: &ResourceId,
    container: &str,
    tail: u32,
) -> Result<String, Failure> {
    let path = format!("{id}/containers/{container}/logs?tail={tail}");
    let answer = arm.get(path, VERSION)?;
    // It is null of a container that has written nothing.
    let text = answer.get("content").and_then(Value::as_str).unwrap_or_default();
    Ok(text.to_owned())
}

/// Shows what a container has written, line by line.
pub fn show<H: Host>(host: &H, container: &str, text: &str) {
    for line in text.lines() {
        host.say(&format!("{container} | {line}"));
    }
}

fn logs<H: Host>(
    inputs: &Inputs,
    arm: &Arm<'_, H>,
    id: &ResourceId,
    host: &H,
    outputs: &mut Outputs,
) -> Result<usize> {
    let names = match &inputs.container {
        Some(name) => vec![name.clone()],
        None => {
            let found = arm.find(id, VERSION)?.ok_or_else(|| {
                let text = format!("there is no container group `{}`", inputs.name);
                Error::new("not-found.azure", text)
                    .hint("check `name`, `resource-group` and `subscription`")
            })?;
            let group = Group::read(&found);
            group.tell(outputs);
            group.containers.into_iter().map(|it| it.name).collect()
        }
    };
    let mut count = 0;
    for name in names {
        let text = output(arm, id, &name, inputs.tail)?;
        count += text.lines().count();
        show(host, &name, &text);
        outputs.logs.insert(name, last(&text).to_owned());
    }
    Ok(count)
}

/// The end of `text`, as far as it is an output.
fn last(text: &str) -> &str {
    let mut from = text.len().saturating_sub(MOST_OUTPUT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
