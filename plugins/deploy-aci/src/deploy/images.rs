//! Asks registries for the images before Azure does.

use std::collections::BTreeMap;

use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::Inputs;

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Its digest.
    pub(super) digest: String,
    /// The reference that is deployed.
    pub(super) deployed: String,
}

/// The images by what the inputs call them; empty if nobody wants to know. This sees that the image is
/// there and may be read with the credentials of the pipeline; not whether Azure can reach the
/// registry, nor whether there is one for the group's platform.
pub(super) fn look<H: Host>(inputs: &Inputs, host: &H) -> Result<BTreeMap<String, Image>> {
    let mut images = BTreeMap::new();
    if !(inputs.pin || inputs.preflight) {
        return Ok(images);
    }
    let containers = inputs.all_containers();
    let first = inputs.init_containers.iter().map(|it| &it.image);
    for image in containers.iter().map(|it| &it.image).chain(first) {
        if images.contains_key(image) {
            continue;
        }
        let found = host.resolve(image).map_err(|error| {
            let is_refused = error.is("unauthorized");
            let error = error.during(format!("before `{image}` is deployed"));
            match is_refused {
                true => error.hint(
                    "say in `[registries.\"HOST\"]` of the pipeline the credential that Azure gets in \
                     `registries` of the step; or leave the look out: `pin = false`, `preflight = false`",
                ),
                false => error,
            }
        })?;
        let Some((repository, digest)) = found else {
            let text = format!("there is no image `{image}`");
            return Err(Error::new("not-found.image", text).hint("push it first, or check its tag"));
        };
        let deployed = match inputs.pin {
            true => format!("{repository}@{digest}"),
            false => image.clone(),
        };
        images.insert(image.clone(), Image { digest, deployed });
    }
    Ok(images)
}
