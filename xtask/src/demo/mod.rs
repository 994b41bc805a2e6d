//! `cargo xtask demo`: what windlass is for, for real, on this machine alone.
//!
//! Two acts between two registries on loopback: `import` copies an image for three platforms, and
//! `rebuild` has an application built again by itself because its base image is another one. The
//! first registry is Debian's docker-registry where that is at hand, so that another program has
//! judged what we read; else both are the one that is part of windlass. All files are in target/demo,
//! and are gone at the end, like every process.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::binary::{self, Profile};
use crate::children::Children;
use crate::registry::Registry;
use crate::repo::Repo;
use crate::tools;

/// Prints a line; that nobody reads any more is an error like any other, and ends the demo.
macro_rules! say {
    ($($text:tt)*) => {
        writeln!(std::io::stdout(), $($text)*).context("cannot print")?
    };
}

mod image;
mod import;
mod rebuild;
mod root;

/// What both acts play on.
struct Stage<'a> {
    repo: &'a Repo,
    program: PathBuf,
    children: &'a Children,
    folder: PathBuf,
    source: Registry,
    target: Registry,
}

impl Stage<'_> {
    /// A call of windlass that keeps its files in the demo's folder.
    fn windlass(&self) -> Command {
        binary::at_home(&self.program, &self.folder)
    }
}

/// Shows both acts, with `binary` or a fresh build.
pub(crate) fn run(repo: &Repo, binary: Option<&Path>) -> Result<()> {
    let program = match binary {
        Some(path) => std::path::absolute(path)?,
        None => binary::build(repo, Profile::Dev)?,
    };
    let children = Children::new(repo.root().join("target/demo"))?;
    let folder = children.folder();
    let embedded = |name: &str| {
        let mut windlass = binary::at_home(&program, &folder);
        Registry::embedded(&children, &mut windlass, &folder.join(name))
    };

    title("Two registries on loopback")?;
    let (source, kind) = match tools::find("docker-registry") {
        Some(docker) => {
            (Registry::docker(&children, &docker, &folder.join("source"))?, "docker-registry")
        }
        None => (embedded("source")?, "windlass registry serve"),
    };
    let target = embedded("target")?;
    say!("  source  {}  ({kind})", source.address);
    say!("  target  {}  (windlass registry serve)", target.address);

    let stage = Stage { repo, program, children: &children, folder, source, target };
    import::show(&stage)?;
    rebuild::show(&stage)?;
    drop(stage);
    drop(children);
    say!("\nEverything is stopped and removed again.");
    Ok(())
}

fn title(text: &str) -> Result<()> {
    say!("\n── {text} ──");
    Ok(())
}
