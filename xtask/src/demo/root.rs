//! What the base image of the demo stands on, in place of an image from the network: the shell of
//! this machine and the libraries that it needs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::registry::Registry;
use crate::{files, shell};

const SHELL: &str = "/bin/sh";
const REPOSITORY: &str = "library/shell";
const TAG: &str = "1";

/// Pushes it, and says how it is named.
pub(super) fn push(registry: &Registry, folder: &Path) -> Result<String> {
    let archive = folder.join("root.tar");
    let mut tar = Command::new("tar");
    // Links are followed: /bin is one on most machines, and so is the shell.
    tar.args(["--dereference", "--sort=name", "--mtime=@0", "--numeric-owner", "--owner=0"]);
    tar.args(["--group=0", "--create", "--directory=/", "--file"]).arg(&archive);
    tar.args(parts()?.iter().map(|path| path.trim_start_matches('/')));
    shell::run(&mut tar).context("the root of the base image was not made")?;
    registry.push_image(&files::read(&archive)?, REPOSITORY, TAG)?;
    Ok(format!("{}/{REPOSITORY}:{TAG}", registry.address))
}

/// The shell, its loader and its libraries.
fn parts() -> Result<Vec<String>> {
    let mut ldd = Command::new("ldd");
    let said = ldd.arg(SHELL).output().context("cannot start ldd")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut parts = vec![SHELL.to_owned()];
    parts.extend(libraries(&said));
    ensure!(parts.iter().all(|part| Path::new(part).exists()), "`ldd {SHELL}` says: {said}");
    Ok(parts)
}

/// The files in what ldd says; none of a program without libraries.
fn libraries(said: &str) -> impl Iterator<Item = String> {
    let path =
        |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(str::to_owned);
    // What is told of the program itself ends with a colon.
    said.lines().filter_map(path).filter(|path| !path.ends_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_taken_from_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007ffc)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let files = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries(said).collect::<Vec<_>>(), files);
        assert_eq!(libraries("\tnot a dynamic executable\n").count(), 0);
        assert_eq!(libraries("/bin/sh:\n\tstatically linked\n").count(), 0);
    }

    #[test]
    fn the_shell_of_this_machine_has_parts() {
        assert!(!parts().unwrap().is_empty());
    }
}
