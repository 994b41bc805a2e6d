//! The base, and the folders that images are built from: the same bytes each time.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::case::{Case, Steps};
use crate::bench::copy::content::random;
use crate::bench::place::Place;
use crate::{files, shell, tools};

/// The tag of everything.
pub(super) const TAG: &str = "v1";
const BASE: &str = "base/busybox";
/// Raise it when a folder would have other files than before.
const VERSION: u32 = 1;

/// Pushes an image of Debian's static busybox; its name.
pub(super) fn push_base(source: &Place, folder: &Path) -> Result<String> {
    let busybox = tools::find("busybox")
        .context("there is no busybox for the base; Debian: apt-get install busybox-static")?;
    let root = folder.join("root");
    for below in ["bin", "etc", "tmp"] {
        files::make_folder(&root.join(below))?;
    }
    std::fs::copy(&busybox, root.join("bin/busybox")).context("busybox cannot be copied")?;
    let applets = shell::capture(Command::new(&busybox).arg("--list"))?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet))
            .context("no link can be made")?;
    }
    files::write(&root.join("etc/passwd"), b"root:x:0:0:root:/root:/bin/sh\n")?;
    files::write(&root.join("etc/group"), b"root:x:0:\n")?;
    let archive = folder.join("root.tar");
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-cf"]);
    shell::run(tar.arg(&archive).arg("-C").arg(&root).arg("."))?;
    source.registry.push_image(&files::read(&archive)?, BASE, TAG)?;
    Ok(format!("{}/{BASE}:{TAG}", source.registry.address))
}

/// Writes the Dockerfile of `case` on `base` into `folder`, and once, the files that it copies.
pub(super) fn write_context(case: &Case, base: &str, folder: &Path) -> Result<()> {
    let mut text = format!("FROM {base}\n");
    match case.steps {
        Steps::Copy { files, bytes } => {
            fill(&folder.join("data"), &folder.with_extension("filled"), files, bytes)?;
            text.push_str("COPY data /data\nENV A=b\nCMD [\"/bin/sh\"]\n");
        }
        Steps::Run(lines) => {
            for line in 1..=lines {
                writeln!(text, "RUN echo {line} > /f{line}")?;
            }
        }
    }
    files::write(&folder.join("Dockerfile"), text.as_bytes())
}

/// Files of which one half can be compressed.
fn fill(folder: &Path, stamp: &Path, count: usize, bytes: usize) -> Result<()> {
    let wanted = format!("version {VERSION}: {count} × {bytes}\n");
    if std::fs::read(stamp).is_ok_and(|found| found == wanted.as_bytes()) {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    for number in 0..count {
        let mut content = random(number as u64, bytes / 2);
        let lines =
            (0..).flat_map(|line: u32| format!("file {number}, line {line}\n").into_bytes());
        content.extend(lines.take(bytes - bytes / 2));
        let path = folder.join(format!("d{:02}/f{number:04}", number % 50));
        files::write(&path, &content)?;
    }
    files::write(stamp, wanted.as_bytes())
}
