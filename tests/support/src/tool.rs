//! Programs that the tests need and do not build: found on `PATH`, or below the folder that
//! `WINDLASS_TEST_TOOLS` names, where `cargo xtask test` unpacks packages that it may not install.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where programs lie in an unpacked package.
const PROGRAMS: [&str; 4] = ["usr/bin", "usr/sbin", "bin", "."];

/// Where their libraries lie.
const LIBRARIES: [&str; 4] =
    ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib", "lib"];

/// A call of the program `name`, which the Debian package of the same name brings.
///
/// # Panics
/// It is nowhere; the message says what to type.
pub(crate) fn command(name: &str) -> Command {
    let unpacked = std::env::var_os("WINDLASS_TEST_TOOLS").map(PathBuf::from);
    if let Some(root) = &unpacked
        && let Some(program) = find(PROGRAMS.iter().map(|folder| root.join(folder)), name)
    {
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", library_path(root));
        return command;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    match find(std::env::split_paths(&path), name) {
        Some(program) => Command::new(program),
        None => panic!(
            "the program `{name}` is missing: run `cargo xtask test`, which fetches it, \
             or `apt-get install --no-install-recommends {name}`"
        ),
    }
}

/// The path of the program `name`, which the Debian package `package` brings.
///
/// # Panics
/// As [`command`].
pub(crate) fn file(name: &str, package: &str) -> PathBuf {
    let unpacked = std::env::var_os("WINDLASS_TEST_TOOLS").map(PathBuf::from);
    let unpacked = unpacked
        .iter()
        .flat_map(|root| PROGRAMS.iter().map(move |folder| root.join(folder)))
        .collect::<Vec<_>>();
    let path = std::env::var_os("PATH").unwrap_or_default();
    find(unpacked.into_iter().chain(std::env::split_paths(&path)), name).unwrap_or_else(|| {
        panic!(
            "the program `{name}` is missing: run `cargo xtask test`, which fetches it, \
             or `apt-get install --no-install-recommends {package}`"
        )
    })
}

/// The program that runs containers of the emulated Azure: `runc`.
///
/// # Panics
/// It is nowhere; the message says what to type.
pub fn oci_runtime() -> PathBuf {
    file("runc", "runc")
}

fn find(folders: impl IntoIterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn library_path(root: &Path) -> std::ffi::OsString {
    let own = LIBRARIES.iter().map(|folder| root.join(folder)).filter(|folder| folder.is_dir());
    let inherited = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let all: Vec<PathBuf> = own.chain(std::env::split_paths(&inherited)).collect();
    std::env::join_paths(all).expect("folders of a search path contain no colon")
}
