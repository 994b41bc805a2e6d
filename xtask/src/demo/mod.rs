//! `cargo xtask demo`: the main job, for real, on this machine alone.
//!
//! Two registries on loopback, an image for three platforms in the first, `pipelines/import.toml`
//! from the first to the second, and then a look into the second by other means than ours. The
//! first is Debian's docker-registry where that is at hand, so that another program has judged
//! what we read; else both are the one that is part of windlass. All files are in target/demo, and
//! are gone at the end, like every process.

mod image;

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use self::image::Image;
use crate::binary::{self, Profile};
use crate::children::Children;
use crate::oci::digest;
use crate::registry::Registry;
use crate::repo::Repo;
use crate::tools;

/// Prints a line; that nobody reads any more is an error like any other, and ends the demo.
macro_rules! say {
    ($($text:tt)*) => {
        writeln!(std::io::stdout(), $($text)*).context("cannot print")?
    };
}

/// What is imported.
const REPOSITORY: &str = "library/hello";
const TAG: &str = "1.0";
/// What it is called afterwards.
const IMPORTED: &str = "base/hello";

/// Shows the main job, with `binary` or a fresh build.
pub(crate) fn run(repo: &Repo, binary: Option<&Path>) -> Result<()> {
    let windlass = match binary {
        Some(path) => std::path::absolute(path)?,
        None => binary::build(repo, Profile::Dev)?,
    };
    let children = Children::new(repo.root().join("target/demo"))?;
    let folder = children.folder();
    let windlass = || binary::at_home(&windlass, &folder);

    title("Two registries on loopback")?;
    let docker = tools::find("docker-registry");
    let (source, kind) = match &docker {
        Some(program) => {
            (Registry::docker(&children, program, &folder.join("source"))?, "docker-registry")
        }
        None => (
            Registry::embedded(&children, &mut windlass(), &folder.join("source"))?,
            "windlass registry serve",
        ),
    };
    let target = Registry::embedded(&children, &mut windlass(), &folder.join("target"))?;
    say!("  source  {}  ({kind})", source.address);
    say!("  target  {}  (windlass registry serve)", target.address);

    title("An image for three platforms in the source")?;
    let image = Image::make();
    push(&source, &image)?;
    say!("  {REPOSITORY}:{TAG}  {}", digest(&image.index));
    show_platforms(&image.index, "  ")?;

    title("windlass run pipelines/import.toml")?;
    let from = format!("source={}/{REPOSITORY}:{TAG}", source.address);
    let to = format!("target={}/{IMPORTED}:{TAG}", target.address);
    let mut command = windlass();
    command.current_dir(repo.root()).args(["run", "pipelines/import.toml"]);
    command.args(["--input", &from, "--input", &to]);
    say!("  $ windlass run pipelines/import.toml --input {from} --input {to}\n");
    let status = children.run(&mut command)?;
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
    show_platforms(&arrived, "  ")?;
    drop(children);
    say!("\nSame digest, every platform. Everything is stopped and removed again.");
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

fn title(text: &str) -> Result<()> {
    say!("\n── {text} ──");
    Ok(())
}

fn show_platforms(index: &[u8], indent: &str) -> Result<()> {
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
        say!("{indent}  {platform:<14} {}", text("/digest"));
    }
    Ok(())
}
