//! The real parts that tests are held against, or need: Debian's docker-registry, skopeo and
//! htpasswd; a static busybox to be the root file system of commands; newuidmap for their users; runc
//! for emulated container groups.
//!
//! What is on `PATH` is used. Of the rest: root on a machine without a running init (a container)
//! installs it by apt; everyone else has the packages unpacked into a cache folder, which needs no
//! root and changes nothing on the system. A running init is the reason not to install even as
//! root: the package of docker-registry enables and starts a service there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{files, shell};

/// Tells the tests where the unpacked programs are; unset when `PATH` has them all.
pub(crate) const VARIABLE: &str = "WINDLASS_TEST_TOOLS";

/// Part of the cache folder's name: raise it when its content would differ.
const LAYOUT: u32 = 1;

/// A program that tests start, and the Debian package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "docker-registry", package: "docker-registry" },
    Tool { program: "skopeo", package: "skopeo" },
    Tool { program: "htpasswd", package: "apache2-utils" },
    Tool { program: "busybox", package: "busybox-static" },
    Tool { program: "newuidmap", package: "uidmap" },
    Tool { program: "runc", package: "runc" },
    Tool { program: "buildah", package: "buildah" },
];

/// Finds or fetches the programs; returns the folder to put in front of `PATH`, if one is needed.
///
/// # Errors
/// Something is missing and cannot be had; the message has the command that installs it.
pub(crate) fn ensure() -> Result<Option<PathBuf>> {
    let missing: Vec<&Tool> = missing();
    if missing.is_empty() {
        return Ok(None);
    }
    let names = missing.iter().map(|tool| tool.program).collect::<Vec<_>>().join(", ");
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    let by_hand = format!("to install it by hand: apt-get install {}", packages.join(" "));
    for program in ["apt-get", "dpkg-deb"] {
        if shell::find(program).is_none() {
            bail!("tests need {names}, and this system has no {program} to fetch it; {by_hand}");
        }
    }
    let cache = cache()?;
    if is_complete(&cache, &missing) {
        return Ok(Some(cache.join("bin")));
    }
    if nix::unistd::geteuid().is_root() && !Path::new("/run/systemd/system").exists() {
        eprintln!("tools: installing {} by apt: root, and no init is running", packages.join(", "));
        match install(&packages) {
            Ok(()) if self::missing().is_empty() => return Ok(None),
            Ok(()) => eprintln!("tools: apt installed them, but PATH does not have them all"),
            Err(error) => eprintln!("tools: {error:#}"),
        }
    }
    eprintln!("tools: unpacking {} into {}", packages.join(", "), cache.display());
    unpack(&cache, &missing).with_context(|| format!("tests need {names}; {by_hand}"))?;
    Ok(Some(cache.join("bin")))
}

/// Where an earlier call unpacked the program `name`, or where `PATH` has it.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let unpacked = || Some(cache().ok()?.join("bin").join(name)).filter(|path| path.is_file());
    shell::find(name).or_else(unpacked)
}

fn missing() -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| shell::find(tool.program).is_none()).collect()
}

/// The folder of this user and this system release.
fn cache() -> Result<PathBuf> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |name: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or("unknown").trim_matches('"').to_owned()
    };
    let name =
        format!("{}-{}-{}-v{LAYOUT}", field("ID"), field("VERSION_ID"), std::env::consts::ARCH);
    Ok(user_cache()?.join("windlass-test-tools").join(name))
}

/// The user's cache folder, as the XDG base directory specification has it.
pub(crate) fn user_cache() -> Result<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    given.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set: nowhere to keep tools")
}

fn is_complete(cache: &Path, tools: &[&Tool]) -> bool {
    tools.iter().all(|tool| cache.join("bin").join(tool.program).is_file())
}

fn install(packages: &[&str]) -> Result<()> {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"]).args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        // Single-user mode, as invoke-rc.d sees it: no init script starts a service.
        command.env("RUNLEVEL", "1");
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        command
    };
    shell::run(&mut apt(&["update"]))?;
    shell::run(apt(&["install", "--no-install-recommends"]).args(packages))
}

/// Downloads the packages of `tools`, with the libraries that this machine lacks, and unpacks them.
fn unpack(cache: &Path, tools: &[&Tool]) -> Result<()> {
    let work = Folder::beside(cache)?;
    let apt = Apt::new(&work.0.join("apt"))?;
    // A third-party source that is down must not stop us: what counts is whether packages come.
    let _: Result<String> = shell::capture(apt.call("apt-get").args(["-qq", "update"]));
    let packages: Vec<&str> = tools.iter().map(|tool| tool.package).collect();
    let wanted = apt.closure(&packages)?;
    let debs = work.0.join("debs");
    files::make_folder(&debs)?;
    let mut download = apt.call("apt-get");
    shell::capture(download.current_dir(&debs).args(["-qq", "download"]).args(&wanted))
        .context("the packages cannot be downloaded")?;
    let made = work.0.join("made");
    let root = made.join("root");
    files::make_folder(&root)?;
    for entry in std::fs::read_dir(&debs).context("no packages")? {
        let mut extract = Command::new("dpkg-deb");
        shell::run(extract.arg("--extract").arg(entry?.path()).arg(&root))?;
    }
    for tool in tools {
        write_starter(&made, tool)?;
        let mut check = Command::new(made.join("bin").join(tool.program));
        let works = check.arg("--help").stdin(Stdio::null()).stdout(Stdio::null());
        // Whatever a program thinks of `--help`: 126 and 127 say that it did not start.
        let status = works.stderr(Stdio::null()).status()?;
        if matches!(status.code(), None | Some(126 | 127)) {
            bail!("{} was unpacked but does not start: {status}", tool.program);
        }
    }
    std::fs::remove_dir_all(cache).ok();
    std::fs::rename(&made, cache).with_context(|| format!("cannot make {}", cache.display()))
}

/// Writes the script that starts an unpacked program with its own libraries and settings, so that
/// neither leak into other programs.
fn write_starter(made: &Path, tool: &Tool) -> Result<()> {
    let found = ["usr/bin", "usr/sbin", "bin"]
        .iter()
        .map(|folder| Path::new(folder).join(tool.program))
        .find(|path| made.join("root").join(path).is_file())
        .with_context(|| format!("the package {} has no {}", tool.package, tool.program))?;
    // skopeo refuses to work without its signature policy, which it looks for in /etc alone.
    let own = match tool.program {
        "skopeo" => r#" --policy "$root/etc/containers/policy.json""#,
        _ => "",
    };
    let text = format!(
        r#"#!/bin/sh
# Starts {program} as unpacked beside this file by `cargo xtask test`.
root=$(cd "$(dirname "$0")/../root" && pwd)
for folder in "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu*; do
    [ ! -d "$folder" ] || LD_LIBRARY_PATH="$folder${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
done
export LD_LIBRARY_PATH
exec "$root/{found}"{own} "$@"
"#,
        program = tool.program,
        found = found.display(),
    );
    let path = made.join("bin").join(tool.program);
    files::write(&path, text.as_bytes())?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))
}

/// An apt client with its own lists and cache: it needs no root and leaves the system's alone.
struct Apt {
    state: PathBuf,
}

impl Apt {
    fn new(state: &Path) -> Result<Self> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            files::make_folder(&state.join(folder))?;
        }
        Ok(Self { state: state.to_owned() })
    }

    fn call(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = |name: &str, below: &str| format!("{name}={}", self.state.join(below).display());
        for option in [
            path("Dir::State::Lists", "lists"),
            path("Dir::Cache", "cache"),
            path("Dir::Log", ""),
            format!("APT::Sandbox::User={}", user()),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "Debug::NoLocking=1".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.stdin(Stdio::null());
        command
    }

    /// `packages` and what they need beyond what is installed.
    fn closure(&self, packages: &[&str]) -> Result<Vec<String>> {
        let mut command = self.call("apt-get");
        command.args(["-s", "install", "--reinstall", "--no-install-recommends"]).args(packages);
        let plan = shell::capture(&mut command).context("apt does not know the packages")?;
        let names = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
        Ok(names.map(str::to_owned).collect())
    }
}

fn user() -> String {
    let id = nix::unistd::geteuid();
    nix::unistd::User::from_uid(id).ok().flatten().map_or_else(|| id.to_string(), |user| user.name)
}

/// A folder that is removed when this value is dropped.
struct Folder(PathBuf);

impl Folder {
    /// A folder with a name of its own next to `path`.
    fn beside(path: &Path) -> Result<Self> {
        let folder = path.with_extension(format!("part-{}", std::process::id()));
        files::make_folder(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
