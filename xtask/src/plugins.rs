//! Builds what runs in the sandbox: `plugins/*` and `tests/guests/*`, as components.
//!
//! Neighbours: `toolchain` says with what; host/wasm embeds `target/plugins/*.wasm` and the tests
//! load `target/guests/*.wasm`. A result is copied there only if its bytes changed, so that
//! nothing that depends on it is built again for nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::repo::Repo;
use crate::toolchain::{TARGET, Toolchain};
use crate::{binary, files, shell};

/// The profile in the root manifest; its name is also the folder that cargo writes to.
const PROFILE: &str = "plugin";

/// How the plugins are compiled; the guests of the tests are always `Dev`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// As shipped: link-time optimisation over the whole program.
    Release,
    /// Without it: some kilobytes larger, several times quicker to build.
    Dev,
}

/// A package that becomes a component.
struct Component {
    /// What cargo calls the package.
    package: String,
    /// The name of its folder, and of the finished file.
    name: String,
    /// What cargo calls the file that it makes.
    artifact: String,
}

/// Builds all components and puts them where they are looked for.
pub(crate) fn build(repo: &Repo, flavour: Flavour) -> Result<()> {
    let start = Instant::now();
    let toolchain = Toolchain::find(repo)?;
    let (plugins, guests) = discover(repo)?;
    let mut changed = build_all(repo, &toolchain, flavour, &plugins, &repo.plugins())?;
    changed += build_all(repo, &toolchain, Flavour::Dev, &guests, &repo.guests())?;
    eprintln!(
        "plugins: {} in target/plugins, {} guests in target/guests, {changed} changed, {:.1} s",
        plugins.len(),
        guests.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The components of the workspace: (plugins, guests), each in the order of their names.
fn discover(repo: &Repo) -> Result<(Vec<Component>, Vec<Component>)> {
    let metadata = binary::metadata(repo)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
    let (mut plugins, mut guests) = (BTreeMap::new(), BTreeMap::new());
    for package in packages {
        let path = package.get("manifest_path").and_then(Value::as_str).unwrap_or_default();
        let Some(folder) = Path::new(path).parent() else { continue };
        let Some(component) = component(package, folder) else { continue };
        let above = folder.parent().and_then(|above| above.strip_prefix(repo.root()).ok());
        if above == Some(Path::new("plugins")) {
            plugins.insert(component.name.clone(), component);
        } else if above == Some(Path::new("tests/guests")) {
            guests.insert(component.name.clone(), component);
        }
    }
    Ok((plugins.into_values().collect(), guests.into_values().collect()))
}

/// The component that `package` is made into, if it is one: it has a `cdylib` or a program.
fn component(package: &Value, folder: &Path) -> Option<Component> {
    let artifact = package.get("targets")?.as_array()?.iter().find_map(|target| {
        let name = target.get("name")?.as_str()?;
        let kinds = target.get("crate_types")?.as_array()?;
        let has = |kind: &str| kinds.iter().any(|found| found == kind);
        let is_program = target.get("kind")?.as_array()?.iter().any(|kind| kind == "bin");
        if has("cdylib") {
            Some(format!("{}.wasm", name.replace('-', "_")))
        } else if is_program {
            Some(format!("{name}.wasm"))
        } else {
            None
        }
    })?;
    let name = folder.file_name()?.to_str()?.to_owned();
    Some(Component { package: package.get("name")?.as_str()?.to_owned(), name, artifact })
}

/// Builds `components` in one cargo call and copies them to `into`; says how many changed.
fn build_all(
    repo: &Repo,
    toolchain: &Toolchain,
    flavour: Flavour,
    components: &[Component],
    into: &Path,
) -> Result<usize> {
    files::make_folder(into)?;
    for call in calls(repo, toolchain, flavour, components) {
        shell::run(&mut { call }).context("the plugins did not build")?;
    }
    let made = repo.wasm_target().join(TARGET).join(PROFILE);
    let mut changed = 0;
    for component in components {
        let bytes = files::read(&made.join(&component.artifact))?;
        if !bytes.starts_with(COMPONENT) {
            bail!("{} is no component: does its crate export a world?", component.artifact);
        }
        let target = into.join(format!("{}.wasm", component.name));
        changed += usize::from(files::write_if_changed(&target, &bytes)?);
    }
    changed += remove_others(components, into)?;
    Ok(changed)
}

/// The cargo calls that build `components`: one for all, or one for each with its own linking.
fn calls(
    repo: &Repo,
    toolchain: &Toolchain,
    flavour: Flavour,
    components: &[Component],
) -> Vec<Command> {
    let flags = flags(repo);
    let call = |verb: &str, components: &[Component]| {
        let mut command = toolchain.cargo(repo);
        command.args([verb, "--profile", PROFILE, "--target", TARGET, "--target-dir"]);
        command.arg(repo.wasm_target()).args(["--config", &flags]);
        if std::env::var_os("CI").is_some() {
            command.arg("--quiet");
        }
        for component in components {
            command.args(["--package", &component.package]);
        }
        command
    };
    match flavour {
        Flavour::Dev if components.is_empty() => Vec::new(),
        Flavour::Dev => vec![call("build", components)],
        Flavour::Release => components
            .chunks(1)
            .map(|one| {
                let mut command = call("rustc", one);
                command.args(["--", "-Clto=fat", "-Ccodegen-units=1"]);
                command
            })
            .collect(),
    }
}

/// Settings of rustc for everything in the sandbox, as a setting of cargo.
///
/// Dependencies carry what link-time optimisation needs, also where it is not used, so that they
/// are compiled once for both. Paths of this machine are rewritten: the messages of panics hold
/// them, and the same sources should make the same bytes, and digests, in every clone.
fn flags(repo: &Repo) -> String {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let mut flags = vec!["-Cembed-bitcode=yes".to_owned()];
    flags.push(format!("--remap-path-prefix={}=/windlass", repo.root().display()));
    if let Some(cargo) = cargo {
        flags.push(format!("--remap-path-prefix={}=/cargo", cargo.display()));
    }
    format!("target.{TARGET}.rustflags={}", serde_json::json!(flags))
}

/// How a component begins; a core module has `01 00 00 00` after the name.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Removes what was made of packages that are no longer there.
fn remove_others(components: &[Component], folder: &Path) -> Result<usize> {
    let mut removed = 0;
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .collect::<Result<Vec<_>, _>>()?;
    for path in entries.iter().map(std::fs::DirEntry::path) {
        let is_wasm = path.extension().is_some_and(|extension| extension == "wasm");
        let is_ours = components.iter().any(|found| path.file_stem() == Some(found.name.as_ref()));
        if is_wasm && !is_ours {
            files::remove(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Where the finished component `name` lies among the guests.
pub(crate) fn guest(repo: &Repo, name: &str) -> PathBuf {
    repo.guests().join(format!("{name}.wasm"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(kind: &str) -> Value {
        let target = json!({ "name": "guest-a", "kind": [kind], "crate_types": [kind] });
        json!({ "name": "guest-a", "targets": [target] })
    }

    #[test]
    fn a_library_for_others_to_link_is_no_component() {
        assert!(component(&package("lib"), Path::new("/x/a")).is_none());
        assert!(component(&package("proc-macro"), Path::new("/x/a")).is_none());
    }

    #[test]
    fn a_component_is_named_after_its_folder_and_found_under_the_name_of_its_crate() {
        let of = |kind| component(&package(kind), Path::new("/x/a")).unwrap();
        assert_eq!(
            (of("cdylib").name.as_str(), of("cdylib").artifact.as_str()),
            ("a", "guest_a.wasm")
        );
        assert_eq!(of("bin").artifact, "guest-a.wasm");
    }
}
