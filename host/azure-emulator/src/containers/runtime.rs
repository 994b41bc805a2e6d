//! Containers by an OCI runtime: `crun` or `runc`, whichever the machine has.
//!
//! An image is unpacked once into the container's folder. The container has namespaces of its own
//! but for the network, so its ports are the machine's: what is to be tried there must be free.

mod bundle;
mod unpack;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures::future::BoxFuture;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use self::bundle::Rootless;
use super::runner::{Container, Runner};

/// A line of a container's output; longer ones are cut.
const LONGEST_LINE: usize = 64 * 1024;

/// Runs containers by a program that follows the OCI runtime specification.
#[derive(Clone, Debug)]
pub struct OciRuntime {
    program: PathBuf,
}

impl OciRuntime {
    /// By `program`, if it answers; whether this machine lets it run anything, the first container
    /// shows.
    pub async fn find(program: impl Into<PathBuf>) -> Option<Self> {
        let found = Self { program: program.into() };
        let mut command = found.command();
        let answer = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        answer.await.is_ok_and(|status| status.success()).then_some(found)
    }

    #[expect(clippy::disallowed_methods, reason = "an OCI runtime is a program")]
    fn command(&self) -> Command {
        Command::from(std::process::Command::new(&self.program))
    }

    /// With the options that every call has.
    fn with_state(&self, state: &Path) -> Command {
        let mut command = self.command();
        command.arg("--root").arg(state);
        // Without limits there is no need for control groups, which few may make.
        let is = |name: &str| self.program.file_name().is_some_and(|own| own == name);
        if is("crun") {
            command.arg("--cgroup-manager=disabled");
        } else if is("runc") {
            command.args(["--rootless", "true"]);
        }
        command.kill_on_drop(true);
        command
    }
}

impl Runner for OciRuntime {
    fn run<'a>(&'a self, container: &'a Container) -> BoxFuture<'a, Result<i32, String>> {
        Box::pin(async move {
            let bundle = container.folder.join("bundle");
            let config = unpack::image(container, &bundle.join("rootfs")).await?;
            let spec = bundle::spec(
                container,
                &config,
                &bundle.join("rootfs"),
                Rootless::of_this_process(),
            )?;
            let written = fs_err::write(bundle.join("config.json"), spec.to_string());
            written.map_err(|error| error.to_string())?;
            let state = container.folder.join("runtime");
            let id = format!("windlass-{}", uuid::Uuid::new_v4().simple());
            let _guard = Guard { runtime: self, state: &state, id: &id };
            let mut command = self.with_state(&state);
            command.arg("run").arg("--bundle").arg(&bundle).arg(&id);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().map_err(|error| {
                format!("`{}` could not be started: {error}", self.program.display())
            })?;
            for port in &container.ports {
                container.listens(*port, SocketAddr::from((Ipv4Addr::LOCALHOST, *port)));
            }
            let (out, err) = (child.stdout.take(), child.stderr.take());
            let (status, (), ()) =
                tokio::join!(child.wait(), listen(container, out), listen(container, err));
            let status = status.map_err(|error| error.to_string())?;
            Ok(status.code().unwrap_or(-1))
        })
    }
}

/// Writes what a container says into its log, line by line.
async fn listen(container: &Container, from: Option<impl AsyncRead + Unpin>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        line.truncate(LONGEST_LINE);
        container.log(&String::from_utf8_lossy(&line));
        line.clear();
    }
}

/// Ends a container, whatever the reason why nobody waits for it any more.
struct Guard<'a> {
    runtime: &'a OciRuntime,
    state: &'a Path,
    id: &'a str,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut command = self.runtime.with_state(self.state);
        command.args(["delete", "--force", self.id]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = command.as_std_mut().status() {
            tracing::debug!(%error, "a container could not be ended");
        }
    }
}
