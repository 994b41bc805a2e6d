//! Finds (or has made) a Rust that builds components, and remembers the answer.
//!
//! The work is done by the script `xtask/ensure-wasm-target`, whose head tells the order of what
//! it tries. It proves each candidate by linking a probe, which takes a second; so its answer is
//! kept in `target/wasm/toolchain.json` and holds as long as the active rustc, the script and the
//! settings that it reads are the same and the target's standard library is still there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::files;
use crate::repo::Repo;
use crate::shell::{self, For};

/// What plugins are compiled for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Environment variables that the script reads (see its head).
const SETTINGS: &[&str] =
    &["WASM_MIN_RUST", "WASM_SKIP", "WASM_TOOLCHAIN_DIR", "RUSTUP_TOOLCHAIN", "XDG_CACHE_HOME"];

/// A Rust that builds components.
pub(crate) struct Toolchain {
    /// The compiler to name to cargo; `None`: cargo's own.
    rustc: Option<PathBuf>,
    /// The cargo to call; `None`: the one that everything else is built with.
    cargo: Option<PathBuf>,
}

impl Toolchain {
    /// Finds the toolchain and says in one line which one it is and why.
    pub(crate) fn find(repo: &Repo) -> Result<Self> {
        let path = repo.wasm_target().join("toolchain.json");
        let key = key(repo)?;
        let known = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
            .filter(|known| known.get("key") == Some(&json!(key)) && still_there(known));
        let answer = match known {
            Some(known) => known,
            None => {
                let made = probe(repo, &key)?;
                let text = serde_json::to_string_pretty(&made)?;
                files::write(&path, format!("{text}\n").as_bytes())?;
                made
            }
        };
        eprintln!("wasm: {}", text(&answer, "line"));
        let path_of = |name| Some(text(&answer, name)).filter(|p| !p.is_empty()).map(Into::into);
        Ok(Self { rustc: path_of("rustc"), cargo: path_of("cargo") })
    }

    /// A cargo call in the clone that compiles with this toolchain.
    pub(crate) fn cargo(&self, repo: &Repo) -> Command {
        let mut command = match &self.cargo {
            None => shell::cargo(repo, For::Sandbox),
            Some(cargo) => {
                let mut command = Command::new(cargo);
                command.current_dir(repo.root());
                shell::clean(&mut command, repo, For::Sandbox);
                command
            }
        };
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc);
        }
        command
    }
}

/// What the answer depends on, as one digest.
fn key(repo: &Repo) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(files::read(&script(repo))?);
    for name in SETTINGS {
        hash.update(format!("{name}={:?}\n", std::env::var_os(name)));
    }
    // No rustc on PATH is an answer too: the script can unpack one.
    hash.update(rustc(repo, None, &["-vV"]).unwrap_or_default());
    Ok(hex::encode(hash.finalize()))
}

fn script(repo: &Repo) -> PathBuf {
    repo.root().join("xtask/ensure-wasm-target")
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn still_there(answer: &Value) -> bool {
    let rustc = text(answer, "rustc");
    Path::new(text(answer, "std")).is_dir() && (rustc.is_empty() || Path::new(rustc).is_file())
}

fn rustc(repo: &Repo, path: Option<&str>, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(path.unwrap_or("rustc"));
    shell::clean(&mut command, repo, For::Sandbox);
    shell::capture(command.args(arguments)).map(|text| text.trim().to_owned())
}

/// Asks the script, which may take a minute once.
fn probe(repo: &Repo, key: &str) -> Result<Value> {
    let mut command = Command::new("bash");
    command.arg(script(repo));
    shell::clean(&mut command, repo, For::Sandbox);
    let answer = shell::capture(&mut command)
        .context("no Rust here can build plugins, and none could be fetched")?;
    let field = |name: &str| {
        let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| value.trim_matches('\'').to_owned()).unwrap_or_default()
    };
    let own = Some(field("WASM_RUSTC")).filter(|rustc| rustc != "rustc");
    // WASM_CARGO is `cargo` or `env RUSTC=... CARGO`; only a path of its own is worth keeping.
    let cargo = field("WASM_CARGO");
    let cargo = cargo.rsplit(' ').next().filter(|cargo| cargo.contains('/'));
    let std = rustc(repo, own.as_deref(), &["--print", "target-libdir", "--target", TARGET])?;
    let version = rustc(repo, own.as_deref(), &["--version"])?;
    let version = version.split(" (").next().unwrap_or(&version);
    let place = own.as_deref().map(|path| format!(" in {}", home_as_tilde(path)));
    let line = format!("{version}{}: {}", place.unwrap_or_default(), field("WASM_WHY"));
    Ok(json!({ "key": key, "line": line, "rustc": own, "cargo": cargo, "std": std }))
}

/// `path` below the home folder as people write it; without the `/bin/rustc` at its end.
fn home_as_tilde(path: &str) -> String {
    let path = path.strip_suffix("/bin/rustc").unwrap_or(path);
    match std::env::var("HOME").ok().and_then(|home| path.strip_prefix(&home).map(str::to_owned)) {
        Some(rest) => format!("~{rest}"),
        None => path.to_owned(),
    }
}
