//! Builds the `windlass` binary, plugins first: they are embedded in it; and calls it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::plugins::{self, Flavour};
use crate::repo::Repo;
use crate::shell::{self, For};

/// How the binary is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// For development and tests.
    Dev,
    /// As shipped, and as measured.
    Release,
}

/// Builds plugins and binary; returns where the binary is.
pub(crate) fn build(repo: &Repo, profile: Profile) -> Result<PathBuf> {
    plugins::build(repo, Flavour::Release)?;
    let mut command = shell::cargo(repo, For::Host);
    match profile {
        // With the features that tests use, so that their dependencies are the same and built once.
        Profile::Dev => command.args(["build", "--workspace", "--bin", "windlass"]),
        Profile::Release => command.args(["build", "--package", "windlass", "--release"]),
    };
    shell::run(&mut command).context("windlass did not build")?;
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    Ok(target_folder(repo)?.join(folder).join("windlass"))
}

/// A call of windlass that keeps its files below `folder` and sees no credentials of the user.
pub(crate) fn at_home(windlass: &Path, folder: &Path) -> Command {
    let mut command = Command::new(windlass);
    for (name, _) in std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("WINDLASS_") || name.to_lowercase().ends_with("_proxy")
    }) {
        command.env_remove(name);
    }
    for (name, below) in [
        ("WINDLASS_CACHE_DIR", "cache"),
        ("WINDLASS_STATE_DIR", "state"),
        ("WINDLASS_SECRETS_DIR", "secrets"),
        ("REGISTRY_AUTH_FILE", "no-credentials.json"),
    ] {
        command.env(name, folder.join(below));
    }
    command
}

/// Where cargo puts what it builds for this machine.
fn target_folder(repo: &Repo) -> Result<PathBuf> {
    let metadata = metadata(repo)?;
    let folder = metadata.get("target_directory").and_then(Value::as_str);
    Ok(folder.context("cargo metadata names no target folder")?.into())
}

/// What cargo knows of the workspace, without its dependencies.
pub(crate) fn metadata(repo: &Repo) -> Result<Value> {
    let mut command = shell::cargo(repo, For::Host);
    let text = shell::capture(command.args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}
