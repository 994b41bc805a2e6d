//! `cargo xtask verify-az`: the real az drives the emulated Azure.
//!
//! It is not among the tests: az is 300 MB of Python, and its commands take seconds each. It is
//! installed from PyPI into target/az, once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::shell::{self, For};

/// What was accepted when the requests were recorded; a newer one may ask otherwise.
const VERSION: &str = "azure-cli==2.91.0";

/// Runs the proof with `az`, or with one that is installed for it.
pub(crate) fn run(repo: &Repo, az: Option<&Path>) -> Result<()> {
    let az = program(repo, az)?;
    let mut proof = shell::cargo(repo, For::Host);
    proof.args(["run", "--quiet", "--package", "windlass-azure-emulator"]);
    shell::run(proof.args(["--example", "verify_az", "--"]).arg(az))
}

/// The one that is named, or one that is installed below target.
pub(crate) fn program(repo: &Repo, az: Option<&Path>) -> Result<PathBuf> {
    if let Some(az) = az {
        return Ok(std::path::absolute(az)?);
    }
    let folder = repo.root().join("target/az");
    let az = folder.join("bin/az");
    if !az.is_file() {
        let mut python = Command::new("python3");
        shell::run(python.args(["-m", "venv"]).arg(&folder))
            .context("no Python can be set up: `apt-get install python3-venv`")?;
        let mut pip = Command::new(folder.join("bin/pip"));
        shell::run(pip.args(["install", "--quiet", VERSION]))?;
    }
    Ok(az)
}
