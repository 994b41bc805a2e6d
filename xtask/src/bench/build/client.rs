//! The programs that build, and the calls that make them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::case::Case;
use super::content::TAG;
use super::docker::Docker;
use crate::bench::peers;
use crate::bench::place::Place;
use crate::children::Children;
use crate::{binary, files, shell, tools};

/// Who builds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Client {
    /// `windlass run` of a pipeline with one `build-image` step.
    Windlass,
    /// `buildah bud`, then `buildah push`.
    Buildah,
    /// `docker build` by `BuildKit`, then `docker push`.
    Docker,
}

/// What is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// The target is empty and nothing of the image was built.
    Cold,
    /// The same image was built and pushed just before.
    Cached,
}

impl Client {
    /// All of them, in the order of the table.
    pub(super) const ALL: &[Self] = &[Self::Windlass, Self::Buildah, Self::Docker];

    /// As it stands in the table.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Windlass => "**windlass run**",
            Self::Buildah => "buildah",
            Self::Docker => "docker (BuildKit)",
        }
    }
}

impl State {
    /// As it stands in the table.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Cached => "cached",
        }
    }
}

/// `buildah` and `dockerd` leave mounts behind, which are to end with them.
pub(super) const OWN_MOUNTS: &[&str] = &["unshare", "--mount"];

/// The programs that were found, and where they keep what they build.
pub(super) struct Programs {
    windlass: PathBuf,
    buildah: Option<PathBuf>,
    docker: Option<Docker>,
    absent: Vec<String>,
    folder: PathBuf,
    contexts: PathBuf,
    base: String,
}

impl Programs {
    /// Looks for them, starts those that need a daemon, and gives the base to those that keep it.
    pub(super) fn find(
        windlass: PathBuf,
        folder: &Path,
        contexts: &Path,
        base: &str,
        children: &Children,
        alone: bool,
    ) -> Result<Self> {
        let mut programs = Self {
            windlass,
            buildah: None,
            docker: None,
            absent: Vec::new(),
            folder: folder.to_owned(),
            contexts: contexts.to_owned(),
            base: base.to_owned(),
        };
        files::write(&folder.join("auth.json"), b"{\"auths\": {}}\n")?;
        if alone {
            return Ok(programs);
        }
        match tools::find("buildah") {
            Some(program) => {
                programs.buildah = Some(program);
                let pull = ["pull", "-q", "--tls-verify=false", base];
                programs.ask_buildah(&pull).context("buildah cannot pull the base")?;
            }
            None => programs.absent.push("buildah: Debian: apt-get install buildah".to_owned()),
        }
        match Docker::start(&folder.join("docker"), children, base) {
            Ok(docker) => programs.docker = Some(docker),
            Err(error) => programs.absent.push(format!("docker: not available ({error:#})")),
        }
        Ok(programs)
    }

    /// Whether `client` is here and takes part in `case`.
    pub(super) fn has(&self, client: Client, case: &Case) -> bool {
        match client {
            Client::Windlass => true,
            Client::Buildah => case.is_pushed && self.buildah.is_some(),
            Client::Docker => case.is_pushed && self.docker.is_some(),
        }
    }

    /// A sentence for each that is not here.
    pub(super) fn absent(&self) -> &[String] {
        &self.absent
    }

    /// Names and versions of the others.
    pub(super) fn versions(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        if let Some(buildah) = &self.buildah {
            all.push(peers::version(buildah, "--version", "buildah", &self.folder)?);
        }
        if let Some(docker) = &self.docker {
            all.push(docker.version()?);
        }
        Ok(all)
    }

    /// Takes away what `client` built. Ours loses the base too; the others keep it.
    pub(super) fn forget(&self, client: Client) -> Result<()> {
        match client {
            Client::Windlass => {
                let mut prune = binary::at_home(&self.windlass, &self.folder.join("windlass"));
                prune.env("WINDLASS_BUILD_DIR", self.built()).args(["cache", "--prune"]);
                shell::capture(&mut prune).map(drop)
            }
            Client::Buildah => {
                // Images without a name are what an earlier cold build left behind.
                self.ask_buildah(&["rmi", "--prune"])
            }
            Client::Docker => self.docker()?.forget(),
        }
    }

    /// The call that builds `case` and pushes it to `target`.
    pub(super) fn call(
        &self,
        client: Client,
        case: &Case,
        state: State,
        target: &Place,
    ) -> Result<Command> {
        let context = self.contexts.join(case.name);
        let name = format!("{}/{}:{TAG}", target.registry.address, case.repository());
        match client {
            Client::Windlass => self.windlass(case, &context, &name),
            Client::Buildah => {
                let again = if state == State::Cold { "--no-cache " } else { "" };
                let script = format!(
                    "\"$@\" bud --isolation chroot --network host --layers {again}--pull-never -q \
                     -t {name} '{context}' && \"$@\" push -q --tls-verify=false {name}",
                    context = context.display()
                );
                let buildah = self.buildah()?;
                let mut command = Command::new("sh");
                command.args(["-c", &script, "sh"]).arg(buildah.get_program());
                command.args(buildah.get_args());
                self.plain(&mut command);
                Ok(command)
            }
            Client::Docker => Ok(self.docker()?.call(&context, &name, state)),
        }
    }

    fn docker(&self) -> Result<&Docker> {
        self.docker.as_ref().context("docker is not here")
    }

    fn built(&self) -> PathBuf {
        self.folder.join("windlass/build")
    }

    /// What is started around `client`, uncounted.
    pub(super) fn around(client: Client) -> &'static [&'static str] {
        match client {
            Client::Buildah => OWN_MOUNTS,
            Client::Windlass | Client::Docker => &[],
        }
    }

    fn ask_buildah(&self, arguments: &[&str]) -> Result<()> {
        let buildah = self.buildah()?;
        let (unshare, rest) = OWN_MOUNTS.split_first().context("no program")?;
        let mut command = Command::new(unshare);
        command.args(rest).arg(buildah.get_program()).args(buildah.get_args()).args(arguments);
        self.plain(&mut command);
        shell::capture(&mut command).map(drop)
    }

    /// With a store of its own.
    fn buildah(&self) -> Result<Command> {
        let mut command = Command::new(self.buildah.as_ref().context("buildah is not here")?);
        let store = self.folder.join("buildah");
        command.arg("--root").arg(store.join("root"));
        command.arg("--runroot").arg(store.join("run"));
        self.plain(&mut command);
        Ok(command)
    }

    /// Nobody's credentials and no proxies.
    fn plain(&self, command: &mut Command) {
        command.env("REGISTRY_AUTH_FILE", self.folder.join("auth.json"));
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
    }

    fn windlass(&self, case: &Case, context: &Path, name: &str) -> Result<Command> {
        let tags = if case.is_pushed { format!("tags = [\"{name}\"]\n") } else { String::new() };
        let bases = self.base.rsplit_once(':').map_or(self.base.as_str(), |(bases, _)| bases);
        // A step reads below the folder that its pipeline lies in.
        let file = context.join("pipeline.toml");
        let text = format!(
            "schema = 1\n\n[pipeline]\nname = \"build\"\n\n[[step]]\nid = \"build\"\n\
             uses = \"build-image\"\n\n[step.with]\ncontext = \".\"\nbases = [\"{bases}\"]\n{tags}"
        );
        files::write_if_changed(&file, text.as_bytes())?;
        let mut command = binary::at_home(&self.windlass, &self.folder.join("windlass"));
        command.env("WINDLASS_BUILD_DIR", self.built());
        self.plain(&mut command);
        command.current_dir(context).arg("run").arg(file);
        Ok(command)
    }
}
