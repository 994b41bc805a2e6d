//! The layers of an image on a newer base.

use serde_json::Value;
use windlass_plugin::build::Builder;
use windlass_plugin::oci::{Access, Repository};
use windlass_plugin::{Error, Result};

use crate::inputs::Rebase;
use crate::outputs::{Base, Steps};
use crate::product::{Content, Product};

const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Moves the layers of `wanted.image`.
///
/// # Errors
/// `conflict.build` with the reason where that is not safe; `invalid.inputs` where nothing says what
/// the image stands on.
pub fn build(wanted: &Rebase, builder: &Builder) -> Result<Product> {
    let platform = builder.platform();
    let noted = match (&wanted.old_base, &wanted.new_base) {
        (Some(_), Some(_)) => None,
        _ => Some(annotations(&wanted.image)?),
    };
    let (name, digest) = noted.unwrap_or_default();
    let unknown = |key: &str| {
        Error::invalid(format!("`{}` does not say what it was built on", wanted.image))
            .hint(format!("name it with `{key}` under `rebase`"))
    };
    let old = match (&wanted.old_base, &name, &digest) {
        (Some(old), _, _) => old.clone(),
        (None, Some(name), Some(digest)) => format!("{name}@{digest}"),
        (None, _, _) => return Err(unknown("old-base")),
    };
    let new = match (&wanted.new_base, &name) {
        (Some(new), _) => new.clone(),
        (None, Some(name)) => name.clone(),
        (None, None) => return Err(unknown("new-base")),
    };
    let rebased = builder.rebase(&wanted.image, &old, &new)?;
    let base = builder.base(&new, None)?;
    let bases = crate::product::base_of(&base, &platform, true).into_iter();
    let bases: Vec<Base> = bases.collect();
    let config = rebased.config();
    let steps = match rebased.is_unchanged() {
        true => Steps { done: 0, cached: 1 },
        false => Steps { done: 1, cached: 0 },
    };
    Ok(Product { platform, content: Content::Rebased(rebased), config, bases, steps })
}

/// Name and digest of the base, as the image's manifest says; of an index, as the index says.
fn annotations(image: &str) -> Result<(Option<String>, Option<String>)> {
    let repository = Repository::open(image, Access::PULL)?;
    let manifest = repository.get_manifest(&repository.selector())?;
    let document: Value = serde_json::from_slice(&manifest.content).unwrap_or_default();
    let of = |key: &str| {
        let found = document.get("annotations").and_then(|all| all.get(key));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    Ok((of(BASE_NAME), of(BASE_DIGEST)))
}
