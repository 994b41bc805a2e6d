//! A docker daemon of our own, for its `BuildKit`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::client::{OWN_MOUNTS, State};
use crate::children::Children;
use crate::{files, shell};

/// How long the daemon may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(50);

/// The daemon, and the program that speaks to it.
pub(super) struct Docker {
    program: PathBuf,
    daemon: PathBuf,
    folder: PathBuf,
}

impl Docker {
    /// Starts the daemon, without networks of its own, and lets it build once.
    pub(super) fn start(folder: &Path, children: &Children, base: &str) -> Result<Self> {
        let daemon = shell::find("dockerd").context("Debian: apt-get install docker.io")?;
        if !nix::unistd::geteuid().is_root() {
            bail!("a daemon of our own takes root");
        }
        files::make_folder(folder)?;
        files::write(&folder.join("config/config.json"), b"{}\n")?;
        files::write(&folder.join("try/Dockerfile"), format!("FROM {base}\n").as_bytes())?;
        // One that has no BuildKit in it may come first on PATH.
        let mut docker = Self { program: PathBuf::new(), daemon, folder: folder.to_owned() };
        docker.go(children)?;
        let paths = std::env::var_os("PATH").unwrap_or_default();
        for program in std::env::split_paths(&paths).map(|folder| folder.join("docker")) {
            if !program.is_file() {
                continue;
            }
            docker.program = program;
            let built = docker
                .command()
                .arg("build")
                .args(["-q", "--network", "host"])
                .arg(folder.join("try"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if built.is_ok_and(|status| status.success()) {
                return Ok(docker);
            }
        }
        bail!("no docker on PATH builds with BuildKit")
    }

    fn go(&self, children: &Children) -> Result<()> {
        let log = std::fs::File::create(self.folder.join("daemon.log"))?;
        let socket = self.socket();
        let (unshare, rest) = OWN_MOUNTS.split_first().context("no program")?;
        let mut command = Command::new(unshare);
        command.args(rest).arg(&self.daemon);
        command.arg("--data-root").arg(self.folder.join("data"));
        command.arg("--exec-root").arg(self.folder.join("exec"));
        command.arg("--pidfile").arg(self.folder.join("pid"));
        command.arg("--host").arg(format!("unix://{}", socket.display()));
        command.args(["--iptables=false", "--ip6tables=false", "--ip-masq=false"]);
        command.arg("--bridge=none").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let id = children.start(&mut command)?.id;
        let deadline = Instant::now() + PATIENCE;
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            if Instant::now() > deadline || !Path::new(&format!("/proc/{id}")).exists() {
                bail!("dockerd does not answer: {}", shell::show(&command));
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        self.settle(&mut command);
        command
    }

    fn settle(&self, command: &mut Command) {
        command.env("DOCKER_HOST", format!("unix://{}", self.socket().display()));
        command.env("DOCKER_CONFIG", self.folder.join("config")).env("DOCKER_BUILDKIT", "1");
        command.env_remove("DOCKER_CONTEXT");
    }

    /// Its name and version.
    pub(super) fn version(&self) -> Result<String> {
        let said = shell::capture(self.command().args([
            "version",
            "--format",
            "docker {{.Client.Version}} (daemon {{.Server.Version}})",
        ]))?;
        Ok(said.trim().to_owned())
    }

    /// Takes away what was built; the base stays, and the files of contexts that were sent before.
    pub(super) fn forget(&self) -> Result<()> {
        shell::capture(self.command().args(["image", "prune", "-f"])).map(drop)
    }

    /// The call that builds `context` and pushes it as `name`.
    pub(super) fn call(&self, context: &Path, name: &str, state: State) -> Command {
        let again = if state == State::Cold { "--no-cache " } else { "" };
        let script = format!(
            "\"$1\" build --network host {again}-q -t {name} '{context}' && \"$1\" push -q {name}",
            context = context.display()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(&self.program);
        self.settle(&mut command);
        command
    }
}
