//! The same Dockerfiles built by us and by buildah: the same files, and the same configuration.
//!
//! Times are not compared: ours are cut off, so that the same inputs give the same digest.

mod cases;

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use support::{Buildah, Tree, image_of_layout};

use super::Workshop;
use cases::{CASES, Case};

/// What is compared of a configuration.
const SETTINGS: [&str; 11] = [
    "Env",
    "Cmd",
    "Entrypoint",
    "User",
    "WorkingDir",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "StopSignal",
    "Shell",
    "OnBuild",
];

/// Files that every context has besides its own.
fn write_context(folder: &Path, case: &Case, base: &str) {
    let write = |name: &str, content: &str, mode: u32| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write("one", "1\n", 0o644);
    write("two", "2\n", 0o640);
    write("run.sh", "#!/bin/sh\necho run\n", 0o755);
    write("dir/a.txt", "a\n", 0o644);
    write("dir/b.md", "b\n", 0o600);
    write("dir/deep/c.txt", "c\n", 0o644);
    write("Dockerfile", &case.dockerfile.replace("BASE", base), 0o644);
    for (name, mode) in [("dir/deep", 0o750), ("dir", 0o755)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.join(name), mode).unwrap();
    }
    std::os::unix::fs::symlink("a.txt", folder.join("dir/link")).unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.join("dir/dangling")).unwrap();
    if !case.ignore.is_empty() {
        write(".dockerignore", case.ignore, 0o644);
    }
    let mut tar = std::process::Command::new("tar");
    tar.args(["--owner=3:4", "-czf"]).arg(folder.join("in.tar.gz")).arg("-C").arg(folder);
    assert!(tar.args(["dir", "one"]).status().unwrap().success());
}

/// A line for each difference, `ours` against `theirs`.
fn differences(
    case: &Case,
    (our, our_config): &(Tree, Value),
    (their, their_config): &(Tree, Value),
) -> Vec<String> {
    let mut found = Vec::new();
    let paths = our.keys().chain(their.keys()).collect::<std::collections::BTreeSet<_>>();
    let of = |tree: &Tree, path: &String| tree.get(path).map_or("nothing", |text| text).to_owned();
    for path in paths {
        let (our, their) = (of(our, path), of(their, path));
        if our != their {
            found.push(format!("/{path}: {our}, buildah: {their}"));
        }
    }
    for name in SETTINGS {
        let (our, their) = (setting(our_config, name), setting(their_config, name));
        if our != their {
            found.push(format!("{name}: {our}, buildah: {their}"));
        }
    }
    let is_allowed = |line: &String| {
        let mut allowed = cases::EVERYWHERE.iter().chain(case.allowed);
        allowed.any(|difference| line.starts_with(difference.begins))
    };
    found.retain(|line| !is_allowed(line));
    found
}

/// A setting; what is empty is as if it were not there.
fn setting(config: &Value, name: &str) -> Value {
    let mut value = config["config"][name].clone();
    if let (Value::Object(labels), "Labels") = (&mut value, name) {
        // Buildah signs what it builds.
        labels.remove("io.buildah.version");
    }
    let is_empty = match &value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    if is_empty { Value::Null } else { value }
}

#[test]
fn images_have_the_files_and_the_configuration_that_buildah_gives_them() {
    let shop = Workshop::new();
    let buildah = Buildah::new();
    let mut told = String::new();
    for (number, case) in CASES.iter().enumerate() {
        let context = format!("case-{number}");
        write_context(&shop.host.path(&context), case, &shop.base());
        let image = |by: &str| image_of_layout(&shop.host.path(by), &number.to_string());
        let with = format!("context = {context:?}\ntags = [\"oci-layout:ours:{number}\"]");
        let ours = shop.try_build(&with);
        let place = format!("oci:{}:{number}", shop.host.path("theirs").display());
        let theirs = buildah.build(&shop.host.path(&context), &place);
        let lines = match (ours.code, theirs) {
            (Some(0), Ok(())) => differences(case, &image("ours"), &image("theirs")),
            (_, Err(said)) => vec![said],
            (_, Ok(())) => vec![ours.account()],
        };
        if !lines.is_empty() {
            let _ = writeln!(told, "{}\n    {}", case.name, lines.join("\n    "));
        }
    }
    assert!(CASES.len() >= 25 && told.is_empty(), "{told}");
}

/// Instructions, each in an image of its own.
const HEALTH_CHECKS: [&str; 7] = [
    "HEALTHCHECK CMD true && false",
    "HEALTHCHECK CMD [\"/bin/true\", \"a b\"]",
    "HEALTHCHECK --interval=5s --timeout=1m30s --start-period=2h --retries=4 CMD true",
    "HEALTHCHECK --interval=1.5s CMD true",
    "HEALTHCHECK CMD true\nHEALTHCHECK --retries=2 CMD false",
    "HEALTHCHECK CMD true\nHEALTHCHECK NONE",
    "ENV A=1\nHEALTHCHECK CMD echo $A",
];

#[test]
fn health_checks_are_those_that_buildah_writes() {
    let shop = Workshop::new();
    let buildah = Buildah::new();
    for (number, check) in HEALTH_CHECKS.iter().enumerate() {
        let context = format!("check-{number}");
        let dockerfile = format!("FROM {}\n{check}\n", shop.base());
        shop.host.write(&format!("{context}/Dockerfile"), dockerfile);
        shop.build(&format!("context = {context:?}\ntags = [\"oci-layout:checks:{number}\"]"));
        let (_, ours) = image_of_layout(&shop.host.path("checks"), &number.to_string());
        let theirs = buildah.docker_config(&shop.host.path(&context)).unwrap();
        let (ours, theirs) = (setting(&ours, "Healthcheck"), setting(&theirs, "Healthcheck"));
        assert_eq!(ours, theirs, "{check}");
        assert_ne!(ours, Value::Null, "{check}");
    }
}
