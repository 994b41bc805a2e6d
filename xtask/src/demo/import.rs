//! The first act: `pipelines/import.toml` from the one registry to the other, and then a look into
//! the other by other means than ours.

use std::io::Write as _;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::image::Image;
use super::{Stage, title};
use crate::oci::digest;
use crate::registry::Registry;

/// What is imported.
const REPOSITORY: &str = "library/hello";
const TAG: &str = "1.0";
/// What it is called afterwards.
const IMPORTED: &str = "base/hello";

/// Shows it.
pub(super) fn show(stage: &Stage<'_>) -> Result<()> {
    let (source, target) = (&stage.source, &stage.target);
    title("An image for three platforms in the source")?;
    let image = Image::make();
    push(source, &image)?;
    say!("  {REPOSITORY}:{TAG}  {}", digest(&image.index));
    show_platforms(&image.index)?;

    title("windlass run pipelines/import.toml")?;
    let from = format!("source={}/{REPOSITORY}:{TAG}", source.address);
    let to = format!("target={}/{IMPORTED}:{TAG}", target.address);
    let mut command = stage.windlass();
    command.current_dir(stage.repo.root()).args(["run", "pipelines/import.toml"]);
    command.args(["--input", &from, "--input", &to]);
    say!("  $ windlass run pipelines/import.toml --input {from} --input {to}\n");
    let status = stage.children.run(&mut command)?;
    if !status.success() {
        bail!("windlass run: {status}; to repeat: cargo xtask demo");
    }

    title("What the target has now")?;
    say!("  tags of {IMPORTED}: {}", target.tags(IMPORTED)?.join(", "));
    let arrived = target.manifest(IMPORTED, TAG)?;
    say!("  {IMPORTED}:{TAG}  {}", digest(&arrived));
    ensure!(arrived == image.index, "the index in the target differs from the one in the source");
    for manifest in &image.manifests {
        let found = target.manifest(IMPORTED, &digest(manifest))?;
        ensure!(found == *manifest, "a platform's manifest differs");
    }
    show_platforms(&arrived)?;
    say!("  the same digest, every platform");
    Ok(())
}

/// Pushes `image` in the order that leaves nothing half done.
fn push(registry: &Registry, image: &Image) -> Result<()> {
    for blob in &image.blobs {
        registry.push_blob(blob, REPOSITORY)?;
    }
    for manifest in &image.manifests {
        registry.push_manifest(manifest, REPOSITORY, &digest(manifest))?;
    }
    registry.push_manifest(&image.index, REPOSITORY, TAG)
}

fn show_platforms(index: &[u8]) -> Result<()> {
    let index: Value = serde_json::from_slice(index)?;
    let entries = index.get("manifests").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let text = |path: &str| entry.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let variant = text("/platform/variant");
        let platform = format!(
            "{}/{}{}{variant}",
            text("/platform/os"),
            text("/platform/architecture"),
            if variant.is_empty() { "" } else { "/" },
        );
        say!("    {platform:<14} {}", text("/digest"));
    }
    Ok(())
}
