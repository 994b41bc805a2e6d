//! What is stored: one secret, or the credentials of a service principal or a token.

use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::Inputs;
use crate::outputs::Outputs;
use crate::place::Place;
use crate::{principal, token, value};

/// Does what `inputs` say; tells what was done, for a person. In a dry run it only looks.
///
/// # Errors
/// `invalid.inputs`, and those of Azure and of the host.
pub fn store<H: Host>(inputs: &Inputs, dry_run: bool, host: &H) -> Result<(Outputs, String)> {
    let said = [
        ("secret", inputs.secret.is_some()),
        ("generate", inputs.generate.is_some()),
        ("service-principal", inputs.service_principal.is_some()),
        ("scope-map-token", inputs.scope_map_token.is_some()),
    ];
    let said: Vec<&str> =
        said.iter().filter(|(_, is_said)| *is_said).map(|(key, _)| *key).collect();
    if let [one, other, ..] = said.as_slice() {
        return Err(Error::invalid(format!("both `{one}` and `{other}` say what is stored"))
            .hint("say one of them in a step"));
    }
    let place = Place::of(inputs, host)?;
    if let Some(spec) = &inputs.service_principal {
        unnamed(inputs)?;
        return principal::ensure(spec, inputs, &place, host, dry_run);
    }
    if let Some(spec) = &inputs.scope_map_token {
        unnamed(inputs)?;
        return token::ensure(spec, inputs, &place, host, dry_run);
    }
    let (stored, summary) = value::set(inputs, &place, host, dry_run)?;
    let outputs = Outputs {
        changed: stored.changed,
        name: stored.name.clone(),
        id: stored.id.clone(),
        version: stored.version.clone(),
        expires: stored.expires.clone(),
        secrets: vec![stored],
        ..Outputs::default()
    };
    Ok((outputs, summary))
}

/// Credentials have names of their own, and end when they end.
fn unnamed(inputs: &Inputs) -> Result<()> {
    let said = [
        ("name", inputs.name.is_some(), "say `user-secret` and `password-secret`"),
        ("expires", inputs.expires.is_some(), "say `valid`"),
        ("not-before", inputs.not_before.is_some(), "leave it out: it is good at once"),
        ("enabled", inputs.enabled == Some(false), "leave it out"),
    ];
    match said.into_iter().find(|(_, is_said, _)| *is_said) {
        None => Ok(()),
        Some((key, _, hint)) => {
            Err(Error::invalid(format!("`{key}` is not for credentials that are made")).hint(hint))
        }
    }
}
