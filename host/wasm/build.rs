//! Compiles the builtin plugins ahead of time and embeds the code.
//!
//! The components are made by `cargo xtask plugins`, since they need another target.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts through the environment"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[allow(dead_code, unreachable_pub, reason = "a file of the library, used here for one function")]
#[path = "src/config.rs"]
mod config;

fn main() {
    if let Err(problem) = embed() {
        println!("cargo::error={problem}");
    }
}

fn embed() -> Result<(), String> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    println!("cargo::rerun-if-changed=src/config.rs");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", plugins.display());
    let components = components(&plugins)?;
    if components.is_empty() {
        return Err("the builtin plugins are not there yet; run `cargo xtask plugins` first".into());
    }
    let target = std::env::var("TARGET").map_err(|error| error.to_string())?;
    let mut config = config::config();
    // Naming the target turns off what only this machine's processor can do.
    config.target(&target).map_err(|error| format!("{error:#}"))?;
    let engine = wasmtime::Engine::new(&config).map_err(|error| format!("{error:#}"))?;
    let out = PathBuf::from(std::env::var("OUT_DIR").map_err(|error| error.to_string())?);
    let mut table = String::from("pub(crate) static BUILTINS: &[Builtin] = &[\n");
    for path in components {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let component =
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let code = engine
            .precompile_component(&component)
            .map_err(|error| format!("{}: {error:#}", path.display()))?;
        let code_path = out.join(format!("{name}.cwasm"));
        std::fs::write(&code_path, code).map_err(|error| error.to_string())?;
        let digest: String =
            sha2::Sha256::digest(&component).iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
        let _ = writeln!(
            table,
            "    Builtin {{ name: {name:?}, digest: \"sha256:{digest}\", code: include_bytes!({code_path:?}) }},"
        );
    }
    table.push_str("];\n");
    std::fs::write(out.join("builtins.rs"), table).map_err(|error| error.to_string())
}

use sha2::Digest as _;

fn components(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", directory.display())),
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    found.sort();
    Ok(found)
}
