//! Fifty images, and the programs that a shell would ask for their digests with.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::bench::peers;
use crate::{files, shell, tools};

/// How many.
pub(super) const COUNT: usize = 50;

/// Who looks at them besides us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Peer {
    /// `skopeo inspect`, once for each: manifest, configuration and all tags.
    Skopeo,
    /// `skopeo inspect --no-tags`, once for each: manifest and configuration.
    SkopeoNoTags,
    /// `skopeo inspect --raw`, once for each: the manifest alone.
    SkopeoRaw,
    /// `crane digest`, once for each.
    Crane,
    /// A limit: one `curl --head` for all, one after the other; it remembers and compares nothing.
    Curl,
}

impl Peer {
    /// All of them, in the order of the table.
    pub(super) const ALL: &[Self] =
        &[Self::Skopeo, Self::SkopeoNoTags, Self::SkopeoRaw, Self::Crane, Self::Curl];

    /// As it stands in the table.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Skopeo => "skopeo inspect, in a loop",
            Self::SkopeoNoTags => "skopeo inspect --no-tags, in a loop",
            Self::SkopeoRaw => "skopeo inspect --raw, in a loop",
            Self::Crane => "crane digest, in a loop",
            Self::Curl => "limit: one curl --head",
        }
    }
}

/// The programs that were found.
pub(super) struct Programs {
    skopeo: PathBuf,
    crane: Option<PathBuf>,
    curl: Option<PathBuf>,
    folder: PathBuf,
}

impl Programs {
    /// Looks for them.
    ///
    /// # Errors
    /// There is no skopeo.
    pub(super) fn find(folder: &Path) -> Result<Self> {
        let skopeo = tools::find("skopeo")
            .context("there is no skopeo to compare with; Debian: apt-get install skopeo")?;
        files::write(&folder.join("auth.json"), b"{\"auths\": {}}\n")?;
        files::write(&folder.join("docker/config.json"), b"{}\n")?;
        let (crane, curl) = (shell::find("crane"), shell::find("curl"));
        Ok(Self { skopeo, crane, curl, folder: folder.to_owned() })
    }

    fn program(&self, peer: Peer) -> Option<&Path> {
        match peer {
            Peer::Skopeo | Peer::SkopeoNoTags | Peer::SkopeoRaw => Some(&self.skopeo),
            Peer::Crane => self.crane.as_deref(),
            Peer::Curl => self.curl.as_deref(),
        }
    }

    /// Those that are here.
    pub(super) fn peers(&self) -> Vec<Peer> {
        Peer::ALL.iter().copied().filter(|peer| self.program(*peer).is_some()).collect()
    }

    /// Names and versions of the programs that are here, and a sentence for each that is not.
    pub(super) fn versions(&self) -> Result<(Vec<String>, Vec<String>)> {
        let mut found = vec![peers::version(&self.skopeo, "--version", "skopeo", &self.folder)?];
        let mut absent = Vec::new();
        match &self.crane {
            Some(crane) => found.push(peers::version(crane, "version", "crane", &self.folder)?),
            None => absent.push("crane: not on PATH (see *Copying*)".to_owned()),
        }
        if self.curl.is_none() {
            absent.push("curl: not on PATH (Debian: apt-get install curl)".to_owned());
        }
        Ok((found, absent))
    }

    /// The call by which `peer` looks at `images`.
    pub(super) fn call(&self, peer: Peer, images: &[String]) -> Result<Command> {
        let program = self.program(peer).context("the program is not here")?;
        let each = |words: &str| {
            let script = format!("for image do \"$0\" {words} >/dev/null || exit 1; done");
            let mut command = Command::new("sh");
            command.args(["-c", &script]).arg(program).args(images);
            command
        };
        let mut command = match peer {
            Peer::Skopeo => each("inspect --tls-verify=false \"docker://$image\""),
            Peer::SkopeoNoTags => each("inspect --no-tags --tls-verify=false \"docker://$image\""),
            Peer::SkopeoRaw => each("inspect --raw --tls-verify=false \"docker://$image\""),
            Peer::Crane => each("digest --insecure \"$image\""),
            Peer::Curl => {
                let mut command = Command::new(program);
                command.args(["--silent", "--fail", "--head"]);
                // Else the registry answers with what docker had at first.
                command.args(["--header", "Accept: application/vnd.oci.image.manifest.v1+json"]);
                for image in images {
                    let (repository, tag) = image.rsplit_once(':').context("no tag")?;
                    let (host, name) = repository.split_once('/').context("no repository")?;
                    command.arg(format!("http://{host}/v2/{name}/manifests/{tag}"));
                }
                command
            }
        };
        command.env("REGISTRY_AUTH_FILE", self.folder.join("auth.json"));
        command.env("DOCKER_CONFIG", self.folder.join("docker"));
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        Ok(command)
    }
}
