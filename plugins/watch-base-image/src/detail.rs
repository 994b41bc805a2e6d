//! What exactly is different, where somebody wants to know.

use std::collections::BTreeMap;

use images::Delta;

use crate::host::Host;
use crate::look;
use crate::outputs::{Edit, Image, Layer, Layers};

/// Adds to `image` how its layers, labels and variables differ. What cannot be found out any more is
/// left out, and said: that the image has changed is true all the same.
pub fn add(image: &mut Image, repository: &str, host: &dyn Host) {
    let Some(old) = image.old.clone() else { return };
    match between(repository, &old, &image.new, host) {
        Ok(Some(delta)) => {
            let layers = |list: Vec<images::Layer>| {
                let layer = |layer: images::Layer| Layer { digest: layer.digest, size: layer.size };
                list.into_iter().map(layer).collect()
            };
            image.layers =
                Some(Layers { added: layers(delta.added), removed: layers(delta.removed) });
            image.labels = Some(edits(delta.labels));
            image.env = Some(edits(delta.env));
        }
        Ok(None) => host.say(&format!(
            "what has changed in `{}` cannot be told: {old} is gone, or no image",
            image.image
        )),
        Err(error) => {
            host.warn(&format!("what has changed in `{}` cannot be told: {error}", image.image));
        }
    }
}

fn between(
    repository: &str,
    old: &str,
    new: &str,
    host: &dyn Host,
) -> windlass_plugin::Result<Option<Delta>> {
    let Some(old) = look::parts(repository, old, host)? else { return Ok(None) };
    let Some(new) = look::parts(repository, new, host)? else { return Ok(None) };
    let [old_manifest, old_file] = &old;
    let [new_manifest, new_file] = &new;
    Ok(Some(Delta::between([old_manifest, old_file], [new_manifest, new_file])?))
}

fn edits(from: BTreeMap<String, images::Edit>) -> BTreeMap<String, Edit> {
    let edit = |(name, edit): (String, images::Edit)| (name, Edit { old: edit.old, new: edit.new });
    from.into_iter().map(edit).collect()
}
