//! The programs that windlass is measured beside: found, or fetched into the user's cache folder.
//!
//! `make` and `crun` come from the system; `just` and `mise` are fetched from the npm registry at
//! fixed versions, and called as the native programs that those packages hold, not through node.
//! What cannot be had is left out, and the table says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::measure;
use crate::{files, shell, tools};

/// Versions of the npm packages, fixed so that figures can be compared over time.
const JUST: &str = "rust-just@1.57.0";
const MISE: &str = "@jdxcode/mise@2026.9.15";

/// A program with files to run `steps` no-op steps.
pub(crate) struct Peer {
    /// As it stands in the table.
    pub(crate) name: String,
    /// Writes the files for a number of steps, and makes the call that runs them.
    call: Box<dyn Fn(usize) -> Result<Command>>,
    /// What has to be started around it, uncounted; empty: nothing.
    pub(crate) around: &'static [&'static str],
}

/// crun refuses a machine that has control groups of both versions. A mount namespace of its own
/// shows it version 2 alone; that takes root.
const ONLY_CGROUP_2: &[&str] = &[
    "unshare",
    "--mount",
    "sh",
    "-c",
    r#"umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@""#,
    "sh",
];

impl Peer {
    /// The call that runs `count` steps; writes the files that it needs.
    pub(crate) fn call(&self, count: usize) -> Result<Command> {
        (self.call)(count)
    }
}

/// All peers that can be had, and a sentence for each that cannot.
pub(crate) fn all(folder: &Path) -> Result<(Vec<Peer>, Vec<String>)> {
    let folder = folder.to_owned();
    let mut found = Vec::new();
    let mut absent = Vec::new();
    match shell::find("make") {
        Some(program) => found.push(make(program, folder.join("make"))),
        None => absent.push("make: not available (Debian: apt-get install make)".to_owned()),
    }
    match npm() {
        Ok(modules) => {
            found.push(just(&modules, folder.join("just"))?);
            found.push(mise(&modules, folder.join("mise"))?);
        }
        Err(error) => absent.push(format!("just, mise: not available ({error:#})")),
    }
    match crun(folder.join("crun")) {
        Ok(peer) => found.push(peer),
        Err(error) => absent.push(format!("crun: not available ({error:#})")),
    }
    Ok((found, absent))
}

fn make(program: PathBuf, folder: PathBuf) -> Peer {
    let call = move |count: usize| {
        let mut text = String::from(".PHONY: all");
        for step in 1..=count {
            write!(text, " s{step}")?;
        }
        text.push_str("\nall:");
        for step in 1..=count {
            write!(text, " s{step}")?;
        }
        text.push('\n');
        for step in 1..=count {
            write!(text, "s{step}:\n\ttrue\n")?;
        }
        let file = folder.join(format!("{count}.mk"));
        files::write(&file, text.as_bytes())?;
        let mut command = Command::new(&program);
        command.arg("-f").arg(file);
        Ok(command)
    };
    Peer { name: "make".to_owned(), call: Box::new(call), around: &[] }
}

fn just(modules: &Path, folder: PathBuf) -> Result<Peer> {
    let program = modules.join(format!("rust-just-linux-{}/bin/just", npm_architecture()));
    let name = version(&program, "--version", "just", &folder)?;
    let call = move |count: usize| {
        let mut text = String::from("all:");
        for step in 1..=count {
            write!(text, " s{step}")?;
        }
        text.push('\n');
        for step in 1..=count {
            write!(text, "s{step}:\n    true\n")?;
        }
        let file = folder.join(format!("{count}.just"));
        files::write(&file, text.as_bytes())?;
        let mut command = Command::new(&program);
        command.arg("--justfile").arg(file);
        Ok(command)
    };
    Ok(Peer { name, call: Box::new(call), around: &[] })
}

fn mise(modules: &Path, folder: PathBuf) -> Result<Peer> {
    let program = modules.join("@jdxcode/mise/bin/mise");
    let name = version(&program, "--version", "mise", &folder.join("mise_cache_dir"))?;
    let call = move |count: usize| {
        // Each task depends on the one before it: one after the other, as in the other programs.
        let mut text = String::new();
        for step in 1..=count {
            write!(text, "[tasks.s{step}]\nrun = 'true'\n")?;
            if step > 1 {
                writeln!(text, "depends = ['s{}']", step - 1)?;
            }
        }
        let project = folder.join(count.to_string());
        files::write(&project.join("mise.toml"), text.as_bytes())?;
        let mut command = Command::new(&program);
        command.current_dir(&project).args(["run", &format!("s{count}")]);
        for name in ["HOME", "MISE_DATA_DIR", "MISE_CACHE_DIR", "MISE_STATE_DIR", "MISE_CONFIG_DIR"]
        {
            command.env(name, folder.join(name.to_lowercase()));
        }
        command.env("MISE_TRUSTED_CONFIG_PATHS", &folder).env("MISE_OFFLINE", "1");
        Ok(command)
    };
    Ok(Peer { name, call: Box::new(call), around: &[] })
}

/// An OCI runtime with a root file system that holds one static program.
fn crun(folder: PathBuf) -> Result<Peer> {
    let program = shell::find("crun").context("Debian: apt-get install crun")?;
    let root = folder.join("rootfs");
    files::make_folder(&root)?;
    let source = folder.join("true.c");
    files::write(&source, b"int main(void) { return 0; }\n")?;
    let mut compile = Command::new("cc");
    compile.args(["-static", "-O2", "-o"]).arg(root.join("true")).arg(&source);
    shell::run(&mut compile).context("cc makes no static program (Debian: apt-get install gcc)")?;
    std::fs::remove_file(folder.join("config.json")).ok();
    shell::run(Command::new(&program).arg("spec").current_dir(&folder))?;
    let path = folder.join("config.json");
    let mut settings: Value = serde_json::from_slice(&files::read(&path)?)?;
    let process = settings.get_mut("process").context("crun spec names no process")?;
    *process.get_mut("terminal").context("crun spec names no terminal")? = json!(false);
    *process.get_mut("args").context("crun spec names no arguments")? = json!(["/true"]);
    files::write(&path, settings.to_string().as_bytes())?;
    let name = version(&program, "--version", "crun", &folder)?;
    let call = move |count: usize| {
        let mut command = Command::new("sh");
        // As a runner would: one container after the other, each with a name of its own.
        let script = r#"i=0; while [ $i -lt "$2" ]; do i=$((i+1))
            "$1" --cgroup-manager=disabled run "windlass-bench-$$-$i" || exit; done"#;
        command
            .current_dir(&folder)
            .args(["-c", script, "sh"])
            .arg(&program)
            .arg(count.to_string());
        Ok(command)
    };
    let has_both = Path::new("/sys/fs/cgroup/unified").exists();
    let around = if has_both { ONLY_CGROUP_2 } else { &[] };
    let peer = Peer { name, call: Box::new(call), around };
    measure::once(&peer.call(1)?, None, around).context("no container starts here")?;
    Ok(peer)
}

/// Fetches the npm packages, unless they were; returns the folder that holds them.
fn npm() -> Result<PathBuf> {
    let folder = tools::user_cache()?.join("windlass-bench-peers");
    let wanted = format!("{JUST} {MISE}\n");
    let stamp = folder.join("fetched");
    if std::fs::read(&stamp).is_ok_and(|found| found == wanted.as_bytes()) {
        return Ok(folder.join("node_modules"));
    }
    let npm = shell::find("npm").context("Debian: apt-get install npm")?;
    files::make_folder(&folder)?;
    let mut install = Command::new(npm);
    install.args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel", "error"]);
    install.arg("--prefix").arg(&folder).args([JUST, MISE]);
    shell::run(install.stdin(Stdio::null()).stdout(Stdio::null())).context("npm install")?;
    files::write(&stamp, wanted.as_bytes())?;
    Ok(folder.join("node_modules"))
}

fn npm_architecture() -> &'static str {
    if std::env::consts::ARCH == "aarch64" { "arm64" } else { "x64" }
}

/// `name` with the version that `program` says it has.
pub(super) fn version(program: &Path, question: &str, name: &str, folder: &Path) -> Result<String> {
    let mut ask = Command::new(program);
    // mise would make a cache folder for that, and look for a newer version of itself.
    ask.arg(question).env("MISE_OFFLINE", "1").env("MISE_CACHE_DIR", folder);
    let said = shell::capture(&mut ask)?;
    let words = said.split_whitespace();
    let number = words.into_iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    Ok(format!("{name} {}", number.unwrap_or_default()).trim().to_owned())
}
