//! What is for one builder, and not for the other.

use windlass_plugin::{Error, Result};

use super::is_remote;
use crate::inputs::{Compression, Format, Inputs};

/// What ACR Tasks do not do is no input of theirs.
pub(super) fn refuse_local(inputs: &Inputs) -> Result<()> {
    if inputs.identity.is_none() {
        return Err(Error::invalid("`builder = \"acr-tasks\"` needs an identity").hint(
            "say as whom, `identity = \"NAME\"` of an `[identity.NAME]`; or build here with \
             `builder = \"local\"`",
        ));
    }
    let said = [
        ("image", inputs.image.is_some()),
        ("rebase", inputs.rebase.is_some()),
        ("secrets", !inputs.secrets.is_empty()),
        ("sbom", inputs.sbom.is_some()),
        ("provenance", inputs.provenance),
        ("labels", !inputs.labels.is_empty()),
        ("annotations", !inputs.annotations.is_empty()),
        ("cache-from", !inputs.cache_from.is_empty()),
        ("cache-to", inputs.cache_to.is_some()),
        ("source-date-epoch", inputs.source_date_epoch.is_some()),
        ("format", inputs.format != Format::default()),
        ("compression", inputs.compression != Compression::default()),
        ("dockerfile", inputs.dockerfile.is_some() && is_remote(&inputs.context)),
    ];
    match said.iter().find(|(_, is_said)| *is_said) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Error::invalid(format!("ACR Tasks know nothing of `{name}`")).hint(match *name {
                "secrets" => {
                    "`secret-args` gives secrets as build arguments; `RUN --mount=type=secret` \
                     needs `builder = \"local\"`"
                }
                "dockerfile" => "a context that Azure fetches has its own: name it with `file`",
                _ => "leave it away, or build here with `builder = \"local\"`",
            }))
        }
    }
}

/// What only ACR Tasks understand would silently mean nothing.
///
/// # Errors
/// `invalid.inputs` that names it.
pub fn refuse_azure(inputs: &Inputs) -> Result<()> {
    let said = [
        ("secret-args", !inputs.secret_args.is_empty()),
        ("registry", inputs.registry.is_some()),
        ("agent-pool", inputs.agent_pool.is_some()),
        ("source-acr-auth-id", inputs.source_acr_auth_id.is_some()),
        ("run-timeout", inputs.run_timeout.is_some()),
    ];
    match said.iter().find(|(_, is_said)| *is_said) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Error::invalid(format!("`{name}` is for ACR Tasks, and this machine builds"))
                .hint("say `builder = \"acr-tasks\"`, or leave it away"))
        }
    }
}
