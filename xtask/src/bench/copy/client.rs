//! The programs that copy, and the calls that make them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::case::{Before, Case, Tags};
use super::content::{self, TAG};
use crate::bench::peers;
use crate::bench::place::Place;
use crate::{binary, files, shell, tools};

/// Who copies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Client {
    /// `windlass run`, told to copy what the others copy: the image alone.
    Windlass,
    /// The same as it comes, with signatures and SBOMs: it has to ask whether there are any.
    WithReferrers,
    /// `skopeo copy`, once for each tag.
    Skopeo,
    /// `skopeo sync`, all tags at once.
    SkopeoSync,
    /// `crane copy`; of many tags with `--all-tags`.
    Crane,
    /// `oras cp`, once for each tag.
    Oras,
    /// A limit: curl reads, curl writes, all layers at once, and nobody looks at digests.
    Curl,
    /// A limit: OpenSSL hashes the layers once, from the page cache.
    Hash,
}

impl Client {
    /// A word for paths.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Windlass => "windlass",
            Self::WithReferrers => "windlass-referrers",
            Self::Skopeo => "skopeo",
            Self::SkopeoSync => "skopeo-sync",
            Self::Crane => "crane",
            Self::Oras => "oras",
            Self::Curl => "curl",
            Self::Hash => "openssl",
        }
    }

    /// As it stands in the table.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Windlass => "**windlass run**",
            Self::WithReferrers => "with referrers",
            Self::Skopeo => "skopeo copy",
            Self::SkopeoSync => "skopeo sync",
            Self::Crane => "crane copy",
            Self::Oras => "oras cp",
            Self::Curl => "limit: curl to curl",
            Self::Hash => "limit: SHA-256",
        }
    }

    /// Whether it is somebody else's.
    pub(super) fn is_peer(self) -> bool {
        self.is_copier() && !matches!(self, Self::Windlass | Self::WithReferrers)
    }

    /// Whether it leaves an image in the target, or only shows a limit.
    pub(super) fn is_copier(self) -> bool {
        !matches!(self, Self::Curl | Self::Hash)
    }
}

/// The programs that were found, and the files that they need.
pub(super) struct Programs {
    windlass: PathBuf,
    skopeo: PathBuf,
    crane: Option<PathBuf>,
    oras: Option<PathBuf>,
    curl: Option<PathBuf>,
    openssl: Option<PathBuf>,
    folder: PathBuf,
}

/// One copy to be made.
pub(super) struct Job<'a> {
    pub(super) case: &'a Case,
    pub(super) source: &'a Place,
    pub(super) target: &'a Place,
    /// In the target.
    pub(super) repository: String,
}

impl Job<'_> {
    fn from(&self) -> String {
        format!("{}/{}", self.source.registry.address, self.case.repository)
    }

    fn to(&self) -> String {
        format!("{}/{}", self.target.registry.address, self.repository)
    }
}

impl Programs {
    /// Looks for them.
    ///
    /// # Errors
    /// There is no skopeo.
    pub(super) fn find(windlass: PathBuf, folder: &Path) -> Result<Self> {
        let skopeo = tools::find("skopeo")
            .context("there is no skopeo to compare with; Debian: apt-get install skopeo")?;
        files::write(&folder.join("auth.json"), b"{\"auths\": {}}\n")?;
        files::write(&folder.join("docker/config.json"), b"{}\n")?;
        Ok(Self {
            windlass,
            skopeo,
            crane: shell::find("crane"),
            oras: shell::find("oras"),
            curl: shell::find("curl"),
            openssl: shell::find("openssl"),
            folder: folder.to_owned(),
        })
    }

    /// Whether `client` is here.
    pub(super) fn has(&self, client: Client) -> bool {
        self.program(client).is_some()
    }

    fn program(&self, client: Client) -> Option<&Path> {
        match client {
            Client::Windlass | Client::WithReferrers => Some(&self.windlass),
            Client::Skopeo | Client::SkopeoSync => Some(&self.skopeo),
            Client::Crane => self.crane.as_deref(),
            Client::Oras => self.oras.as_deref(),
            Client::Curl => self.curl.as_deref(),
            Client::Hash => self.openssl.as_deref(),
        }
    }

    /// A sentence for each peer that is not here.
    pub(super) fn absent(&self) -> Vec<String> {
        let how = [
            (Client::Crane, "built from Debian's golang-github-google-go-containerregistry-dev"),
            (Client::Oras, "Debian trixie: apt-get install oras"),
            (Client::Curl, "Debian: apt-get install curl"),
            (Client::Hash, "Debian: apt-get install openssl"),
        ];
        let missing = how.into_iter().filter(|(client, _)| !self.has(*client));
        missing.map(|(client, how)| format!("{}: not on PATH ({how})", client.name())).collect()
    }

    /// Names and versions of the programs that are here.
    pub(super) fn versions(&self) -> Result<Vec<String>> {
        let mut all = vec![peers::version(&self.skopeo, "--version", "skopeo", &self.folder)?];
        if let Some(crane) = &self.crane {
            all.push(peers::version(crane, "version", "crane", &self.folder)?);
        }
        if let Some(oras) = &self.oras {
            all.push(peers::version(oras, "version", "oras", &self.folder)?);
        }
        Ok(all)
    }

    /// Forgets what skopeo remembers of registries.
    pub(super) fn forget(&self) -> Result<()> {
        let memory = self.skopeo_memory();
        if memory.exists() {
            std::fs::remove_dir_all(&memory).with_context(|| format!("{}", memory.display()))?;
        }
        Ok(())
    }

    fn skopeo_memory(&self) -> PathBuf {
        self.folder.join("skopeo")
    }

    /// The call that does `job`.
    pub(super) fn call(&self, client: Client, job: &Job<'_>) -> Result<Command> {
        let program = self.program(client).context("the program is not here")?;
        let (from, to) = (job.from(), job.to());
        let mut command = match (client, job.case.tags) {
            (Client::Windlass | Client::WithReferrers, _) => return self.windlass(client, job),
            (Client::Skopeo, Tags::One) => {
                let mut command = Command::new(program);
                command.args(["copy", "--all", "--quiet"]).args(SKOPEO_PLAIN);
                command.args([format!("docker://{from}:{TAG}"), format!("docker://{to}:{TAG}")]);
                command
            }
            (Client::Skopeo, Tags::All) => {
                let flags = SKOPEO_PLAIN.join(" ");
                let copy = format!("copy --all --quiet {flags} docker://$2:$tag docker://$3:$tag");
                each_tag(program, &copy, &from, &to)
            }
            (Client::SkopeoSync, _) => {
                // It writes the last word of the repository below the target that it is given.
                let above = to.rsplit_once('/').map_or(to.as_str(), |(above, _)| above);
                let mut command = Command::new(program);
                command.args(["sync", "--all", "--src", "docker", "--dest", "docker"]);
                command.args(SKOPEO_PLAIN).args([&from, above]);
                command
            }
            (Client::Crane, Tags::One) => {
                let mut command = Command::new(program);
                command.args(["copy", "--insecure"]);
                command.args([format!("{from}:{TAG}"), format!("{to}:{TAG}")]);
                command
            }
            (Client::Crane, Tags::All) => {
                let mut command = Command::new(program);
                command.args(["copy", "--insecure", "--all-tags", &from, &to]);
                command
            }
            (Client::Oras, Tags::One) => {
                let mut command = Command::new(program);
                command.args(["cp", "--from-plain-http", "--to-plain-http"]);
                command.args([format!("{from}:{TAG}"), format!("{to}:{TAG}")]);
                command
            }
            (Client::Oras, Tags::All) => {
                let copy = "cp --from-plain-http --to-plain-http $2:$tag $3:$tag";
                each_tag(program, copy, &from, &to)
            }
            (Client::Curl, _) => curl(program, job)?,
            (Client::Hash, _) => {
                let mut command = Command::new(program);
                command.args(["dgst", "-sha256"]);
                let layers = content::layers(&job.source.registry, job.case.repository)?;
                command.args(layers.iter().map(|layer| job.source.blob_file(layer)));
                command
            }
        };
        // Nobody's credentials, and a memory that can be wiped: as root skopeo has it in /var, for
        // anybody else, or who is taken for that, below XDG_DATA_HOME.
        command.env("REGISTRY_AUTH_FILE", self.folder.join("auth.json"));
        command.env("DOCKER_CONFIG", self.folder.join("docker"));
        command.env("_CONTAINERS_ROOTLESS_UID", "1").env("XDG_DATA_HOME", self.skopeo_memory());
        for name in UNSET {
            command.env_remove(name);
        }
        Ok(command)
    }

    fn windlass(&self, client: Client, job: &Job<'_>) -> Result<Command> {
        let what = match job.case.tags {
            Tags::One => "",
            Tags::All => ", all-tags = true",
        };
        let referrers = if client == Client::WithReferrers { "" } else { ", referrers = false" };
        // The others guess where in the target the blobs may be; ours wants to be told.
        let there = job.from().replace(&job.source.registry.address, &job.target.registry.address);
        let mount = match job.case.before {
            Before::Nothing | Before::Image => String::new(),
            Before::Elsewhere => format!(", mount-from = \"{there}\""),
        };
        let file = self.folder.join(format!("{}-{}.toml", client.name(), job.case.name));
        let text = format!(
            "schema = 1\n\n[pipeline]\nname = \"copy\"\n\n[inputs]\n\
             source = {{ type = \"string\" }}\ntarget = {{ type = \"string\" }}\n\n\
             [[step]]\nid = \"copy\"\nuses = \"import-image\"\n\
             with = {{ source = \"{{{{ inputs.source }}}}\", \
             target = \"{{{{ inputs.target }}}}\"{what}{referrers}{mount} }}\n"
        );
        files::write(&file, text.as_bytes())?;
        let tag = if job.case.tags == Tags::One { format!(":{TAG}") } else { String::new() };
        let (from, to) = (job.from() + &tag, job.to() + &tag);
        let mut command = binary::at_home(&self.windlass, &self.folder.join("windlass"));
        for name in UNSET {
            command.env_remove(name);
        }
        command.current_dir(&self.folder).arg("run").arg(file);
        command.args(["--input", &format!("source={from}")]);
        command.args(["--input", &format!("target={to}")]);
        Ok(command)
    }
}

/// Settings of the user that have nothing to do with the question.
const UNSET: &[&str] =
    &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"];

const SKOPEO_PLAIN: &[&str] = &["--src-tls-verify=false", "--dest-tls-verify=false"];

/// Calls `program` with the words of `copy`, in which `$2` and `$3` are `from` and `to`, once for
/// each `$tag`.
fn each_tag(program: &Path, copy: &str, from: &str, to: &str) -> Command {
    let mut tags = String::new();
    for number in 1..=content::TAG_COUNT {
        tags.extend([" ", content::tag(number).as_str()]);
    }
    let script = format!("for tag in{tags}; do \"$1\" {copy} || exit; done");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(program).args([from, to]);
    command
}

/// All layers at once: a `POST`, then what `GET` gives into a `PUT`.
fn curl(program: &Path, job: &Job<'_>) -> Result<Command> {
    let mut script = String::from(
        "blob() {\n\
         to=$(\"$1\" -sS -o /dev/null -w '%header{location}' -X POST -d '' \"http://$3/blobs/uploads/\")\n\
         \"$1\" -sSf \"http://$2/blobs/$4\" | \"$1\" -sSf -o /dev/null -T - \
         -H 'Content-Type: application/octet-stream' \"$to&digest=$4\"\n}\n",
    );
    for layer in content::layers(&job.source.registry, job.case.repository)? {
        writeln!(script, "blob \"$1\" \"$2\" \"$3\" {layer} &")?;
    }
    script.push_str("wait\n");
    let at =
        |place: &Place, repository: &str| format!("{}/v2/{repository}", place.registry.address);
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(program);
    command.args([at(job.source, job.case.repository), at(job.target, &job.repository)]);
    Ok(command)
}
