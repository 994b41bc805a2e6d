//! Child processes: how they are started, shown, and how their failure is reported.
//!
//! A cargo that starts this program leaves its own settings in the environment. What would change
//! the meaning of another cargo call is taken away here, in one place.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::repo::Repo;

/// Set by cargo for the program it runs; wrong for any other program.
const LEFT_BY_CARGO: &[&str] = &["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Meant for the host's code; they would break or needlessly rebuild code for the sandbox.
const ONLY_FOR_HOST: &[&str] = &[
    "CARGO_BUILD_",
    "CARGO_ENCODED_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "RUSTC",
    "RUSTDOC",
    "RUSTFLAGS",
];

/// Who compiles: decides which settings of the environment a cargo may see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Programs of this machine: the user's own settings hold.
    Host,
    /// Components: only what this program sets.
    Sandbox,
}

/// A cargo call in the clone.
pub(crate) fn cargo(repo: &Repo, whom: For) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(repo.root());
    clean(&mut command, repo, whom);
    command
}

/// Takes away from `command` what a cargo above this program left in the environment.
pub(crate) fn clean(command: &mut Command, repo: &Repo, whom: For) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        if starts(LEFT_BY_CARGO) || (whom == For::Sandbox && starts(ONLY_FOR_HOST)) {
            command.env_remove(&name);
        }
    }
    command.env_remove("CARGO").env_remove("OUT_DIR");
    match library_path(repo) {
        Some(path) => command.env("LD_LIBRARY_PATH", path),
        None => command.env_remove("LD_LIBRARY_PATH"),
    };
}

/// `LD_LIBRARY_PATH` without what `cargo run` put in front: target folders and its own libraries.
fn library_path(repo: &Repo) -> Option<std::ffi::OsString> {
    let paths = std::env::var_os("LD_LIBRARY_PATH")?;
    let here = std::env::current_exe().unwrap_or_default();
    let own = here.parent().unwrap_or(repo.root());
    let kept: Vec<PathBuf> = std::env::split_paths(&paths)
        .filter(|path| !path.starts_with(own) && !path.ends_with("lib/rustlib"))
        .filter(|path| !path.join("rustlib").is_dir() && !path.as_os_str().is_empty())
        .collect();
    if kept.is_empty() { None } else { std::env::join_paths(kept).ok() }
}

/// Runs `command` to its end with this program's terminal.
///
/// # Errors
/// It cannot be started, or it fails; the message ends with the command to repeat.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if status.success() {
        return Ok(());
    }
    bail!("{status}; to repeat: {}", show(command))
}

/// Runs `command` and returns what it printed to its standard output; its standard error goes to
/// ours.
///
/// # Errors
/// As for [`run`], or the output is not UTF-8.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("{}; to repeat: {}", output.status, show(command));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| anyhow!("{} printed what is not UTF-8", show(command)))
}

/// Where on `PATH` the program `name` is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().to_string_lossy())
}

/// `command` as it would be typed, with the variables that it sets.
pub(crate) fn show(command: &Command) -> String {
    let set = command
        .get_envs()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .filter(|(name, _)| *name != "LD_LIBRARY_PATH" && *name != "PATH")
        .map(|(name, value)| format!("{}={}", name.to_string_lossy(), quote(value)));
    let program = match Path::new(command.get_program()).file_name() {
        // An absolute path to cargo is an accident of how this program was started.
        Some(name) if name == "cargo" => name,
        _ => command.get_program(),
    };
    let words = std::iter::once(program).chain(command.get_args()).map(quote);
    set.chain(words).collect::<Vec<_>>().join(" ")
}

fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+=./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["test", "--", "a b", "it's", ""]).env("RUSTDOCFLAGS", "-D warnings");
        let expected = r#"RUSTDOCFLAGS='-D warnings' cargo test -- 'a b' 'it'\''s' ''"#;
        assert_eq!(show(&command), expected);
    }

    #[test]
    fn a_failure_names_the_command_to_repeat() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "exit status: 3; to repeat: sh -c 'exit 3'");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start no-such-program");
    }
}
