//! `cargo xtask test`: every test, with the real parts that they are held against.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::plugins::{self, Flavour};
use crate::repo::Repo;
use crate::shell::{self, For};
use crate::{binary, tools};

/// Fetches tools, builds plugins and guests, runs the tests; `arguments` go to the test runner.
pub(crate) fn all(repo: &Repo, arguments: &[String]) -> Result<()> {
    let tools = tools::ensure()?;
    plugins::build(repo, Flavour::Release)?;
    let mut runner = runner(repo);
    if let Some(folder) = &tools {
        runner.env(tools::VARIABLE, folder).env("PATH", in_front_of_path(folder)?);
    }
    shell::run(runner.args(arguments)).context("tests failed")?;
    if arguments.is_empty() { examples_in_documentation(repo) } else { Ok(()) }
}

/// nextest where it is installed, since it runs the tests of all crates at once; else cargo's own.
fn runner(repo: &Repo) -> Command {
    let mut nextest = shell::cargo(repo, For::Host);
    nextest.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    let has_nextest = nextest.status().is_ok_and(|status| status.success());
    let mut command = shell::cargo(repo, For::Host);
    if has_nextest {
        command.args(["nextest", "run", "--workspace"]);
        if std::env::var_os("CI").is_some() {
            command.args(["--no-fail-fast", "--status-level", "fail"]);
        }
    } else {
        eprintln!("tests: by cargo test; `cargo install --locked cargo-nextest` makes it quicker");
        command.args(["test", "--workspace", "--lib", "--bins", "--tests"]);
    }
    command
}

/// Runs the examples of those libraries that have not switched them off; nextest does not.
fn examples_in_documentation(repo: &Repo) -> Result<()> {
    let metadata = binary::metadata(repo)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
    let with_examples: Vec<&str> = packages
        .iter()
        .filter(|package| {
            let targets = package.get("targets").and_then(Value::as_array);
            targets.is_some_and(|all| all.iter().any(|t| t.get("doctest") == Some(&true.into())))
        })
        .filter_map(|package| package.get("name")?.as_str())
        .collect();
    if with_examples.is_empty() {
        return Ok(());
    }
    let mut command = shell::cargo(repo, For::Host);
    command.args(["test", "--doc"]);
    for name in with_examples {
        command.args(["--package", name]);
    }
    shell::run(&mut command).context("an example in the documentation failed")
}

fn in_front_of_path(folder: &std::path::Path) -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("a folder on PATH has a colon in its name")
}
