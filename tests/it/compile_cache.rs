//! Compiled plugins are kept: privately, and never trusted blindly.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use support::TestHost;

/// A user who is not the one who runs the tests.
const SOMEBODY: u32 = 12_345;

/// A world with a compile cache of its own.
fn host() -> TestHost {
    let host = crate::host_with("noop", "");
    let cache = host.path(".home/cache");
    host.env("WINDLASS_CACHE_DIR", cache)
}

fn files(host: &TestHost) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![host.path(".home/cache")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Whether a run, which must succeed, compiled something.
fn compiles(host: &TestHost) -> bool {
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(0);
    ran.stderr.contains("compiled `")
}

#[test]
fn a_plugin_is_compiled_once() {
    let host = host();
    assert!(compiles(&host));
    assert!(!compiles(&host));
    assert!(!files(&host).is_empty());
    let mode = std::fs::metadata(host.path(".home/cache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "{mode:o}");
}

#[test]
fn a_damaged_or_missing_file_is_compiled_anew() {
    let host = host();
    assert!(compiles(&host));
    for file in files(&host) {
        let bytes = std::fs::read(&file).unwrap();
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        std::fs::write(&file, damaged).unwrap();
        assert!(compiles(&host), "{} was damaged", file.display());
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        assert!(compiles(&host), "{} was cut", file.display());
        std::fs::remove_file(&file).unwrap();
        assert!(compiles(&host), "{} was missing", file.display());
        assert!(!compiles(&host));
    }
}

#[test]
fn code_of_another_component_is_not_taken_for_this_one() {
    let host = host();
    assert!(compiles(&host));
    let noop = files(&host);
    host.write("p.toml", crate::one_step("echo", ""));
    assert!(compiles(&host));
    let echo: Vec<PathBuf> = files(&host).into_iter().filter(|file| !noop.contains(file)).collect();
    assert_eq!(noop.len(), echo.len());
    assert!(!noop.is_empty());
}

#[test]
fn two_runs_at_once_share_an_empty_cache() {
    let host = host();
    let arguments = ["run", "p.toml"];
    let both = [host.spawn(&arguments, b""), host.spawn(&arguments, b"")];
    for running in both {
        host.finish(running, &arguments).exits(0);
    }
    assert!(!compiles(&host));
}

#[test]
fn a_cache_that_others_can_write_is_not_used() {
    let host = host();
    let cache = host.path(".home/cache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(0).stderr_says(&["others may write", "WINDLASS_CACHE_DIR"]);
    assert!(files(&host).is_empty(), "{}", ran.account());
}

#[test]
fn a_folder_of_the_cache_that_others_can_write_is_not_used() {
    let host = host();
    assert!(compiles(&host));
    let folder = files(&host)[0].parent().unwrap().to_owned();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o770)).unwrap();
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(0).stderr_says(&["others may write", "WINDLASS_CACHE_DIR", "compiled `"]);
}

#[test]
fn a_cache_that_belongs_to_somebody_else_is_not_used() {
    let host = host();
    assert!(compiles(&host));
    let folder = files(&host)[0].parent().unwrap().to_owned();
    if std::os::unix::fs::chown(&folder, Some(SOMEBODY), None).is_err() {
        eprintln!("skipped: only root can give a folder away");
        return;
    }
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(0).stderr_says(&["belongs to", "WINDLASS_CACHE_DIR", "compiled `"]);
}

#[test]
fn a_cache_on_a_full_disk_costs_only_time() {
    let host = host();
    std::fs::create_dir(host.path(".home/cache")).unwrap();
    // A disk of one page, in a world of mounts of its own.
    let disk = host.path(".home/cache").display().to_string();
    let script = format!(
        "mount -t tmpfs -o size=4k,mode=0700 none {disk} || exit 99; exec \"$0\" run p.toml"
    );
    let ran = host.run_beside(&["unshare", "--mount", "--map-root-user", "/bin/sh", "-c", &script]);
    if ran.code == Some(99) || ran.stderr.contains("unshare") {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    ran.exits(0).stderr_says(&["the compiled plugin is not kept", "No space left on device"]);
}
