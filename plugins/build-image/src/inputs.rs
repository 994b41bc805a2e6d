//! What `with` of a pipeline says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_plugin::schema::Shape;
use windlass_plugin::{OneOrMany, Request, Schema};

/// What is built, from what, and where it goes.
///
/// One of three: a Dockerfile (the usual), `image` (files on a base, without a Dockerfile), or
/// `rebase` (the layers of an image on a newer base).
#[derive(Debug, Clone, Deserialize, windlass_plugin::Inputs)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inputs {
    /// The files that may be copied: a directory or a tar of the workspace, or a git repository,
    /// `https://HOST/REPOSITORY.git[#REF[:SUBDIRECTORY]]`.
    #[serde(default = "here")]
    pub context: String,
    /// The Dockerfile, relative to the context.
    #[serde(default = "dockerfile")]
    pub file: String,
    /// The Dockerfile itself, as text, in place of `file`.
    pub dockerfile: Option<String>,
    /// Files on a base, without a Dockerfile.
    pub image: Option<Image>,
    /// Moves the layers of an image from the base it was built on to a newer one, without building.
    pub rebase: Option<Rebase>,
    /// Build arguments: `ARG` of the Dockerfile.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// The stage to build; the last one if nothing is said.
    pub target: Option<String>,
    /// For which platforms, such as `["linux/amd64", "linux/arm64"]`; `"system"` for that of this
    /// machine, as when nothing is said. Several make an index.
    #[serde(default)]
    pub platforms: OneOrMany,
    /// Where it goes, each `HOST/REPOSITORY[:TAG]`, `oci-layout:PATH[:TAG]`,
    /// `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:REPOSITORY[:TAG]]`; nowhere if there is
    /// none.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Repositories that bases may come from, as patterns; and those of `tags` always.
    #[serde(default = "bases")]
    pub bases: Vec<String>,
    /// Where `ADD` may fetch from, such as `["https://example.com"]`; a table with `url` and
    /// `private = true` for a host of this machine or of a private network.
    #[serde(default)]
    pub hosts: Vec<Host>,
    /// Who builds.
    #[serde(default)]
    pub builder: Backend,
    /// What the commands of `RUN` may reach: `none`, or with `host` the network of this machine.
    #[serde(default)]
    pub network: Network,
    /// Secrets of the pipeline for `RUN --mount=type=secret,id=NAME`.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// The format of manifest and configuration.
    #[serde(default)]
    pub format: Format,
    /// How new layers are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// The latest time that a new file may have: seconds since 1970, `"commit"` for that of the
    /// context's commit, `"context"` for the latest of its files. If nothing is said the
    /// build argument `SOURCE_DATE_EPOCH`, or the variable of that name where the run is started, or
    /// 1980-01-01, the same for everybody. The same inputs and time give the same digest.
    pub source_date_epoch: Option<Epoch>,
    /// Labels of the image.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations of its manifests.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Do everything anew.
    #[serde(default)]
    pub no_cache: bool,
    /// Repositories with what was built elsewhere.
    #[serde(default)]
    pub cache_from: Vec<String>,
    /// A repository that keeps what is built here.
    pub cache_to: Option<String>,
    /// Attach a bill of materials to each image in `tags`: the packages that its databases list.
    pub sbom: Option<Bill>,
    /// Attach a statement of how it was built (SLSA provenance v1).
    #[serde(default)]
    pub provenance: bool,
    /// Build arguments that are secrets, each the name of one in `[secrets]`; ACR Tasks only.
    #[serde(default)]
    pub secret_args: BTreeMap<String, String>,
    /// The identity, a name in `[identity]`, that ACR Tasks are asked as.
    pub identity: Option<String>,
    /// The registry that ACR Tasks build in, by login server or name; that of `tags` if it is left
    /// out.
    pub registry: Option<String>,
    /// The registry's subscription, by id; the only one that the identity sees if it is left out.
    pub subscription: Option<String>,
    /// The registry's resource group; it is looked for in the whole subscription if it is left out.
    pub resource_group: Option<String>,
    /// The pool of agents that builds, of the registry.
    pub agent_pool: Option<String>,
    /// As whom the run speaks with its own registry: `[caller]`, or an identity. Registries with ABAC
    /// permissions need it.
    pub source_acr_auth_id: Option<String>,
    /// How long Azure lets it run, such as `2h`; an hour if it is left out.
    pub run_timeout: Option<String>,
    /// Azure Resource Manager, where it is not that of the public cloud, such as
    /// `https://management.chinacloudapi.cn`.
    pub endpoint: Option<String>,
    /// Where Azure keeps contexts and logs, where it is not `https://*.blob.core.windows.net`.
    pub storage: Option<String>,
}

/// Where `ADD` may fetch from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Host {
    /// Scheme, host, and if need be port.
    Url(String),
    /// The same, which may be no public address.
    Rule(HostRule),
}

/// A host that may be no public one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HostRule {
    /// Scheme, host, and if need be port.
    pub url: String,
    /// Whether its address may be of this machine or of a private network.
    #[serde(default)]
    pub private: bool,
}

/// Files on a base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Image {
    /// What it stands on, such as `docker.io/library/alpine:3.20`; on nothing without one.
    pub base: Option<String>,
    /// What is copied into it, each a layer.
    #[serde(default)]
    pub files: Vec<Files>,
    /// What is started.
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments.
    pub cmd: Option<Vec<String>>,
    /// As whom: `USER[:GROUP]`.
    pub user: Option<String>,
    /// Where.
    pub working_dir: Option<String>,
    /// Variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Ports that it listens on, such as `["8080/tcp"]`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Directories with data of their own.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// The signal that ends it.
    pub stop_signal: Option<String>,
}

/// Files that are copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Files {
    /// A path or pattern in the context. `{os}`, `{arch}` and `{variant}` stand for the platform's.
    pub from: String,
    /// Where to; a directory if it ends with `/`.
    pub to: String,
    /// Permission bits, octal (`"755"`) or symbolic (`"u=rwX,go=rX"`).
    pub mode: Option<String>,
    /// `USER[:GROUP]`; `0:0` if nothing is said.
    pub owner: Option<String>,
}

/// The layers of an image on another base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rebase {
    /// The image.
    pub image: String,
    /// What it was built on; taken from its annotations if nothing is said.
    pub old_base: Option<String>,
    /// What it shall stand on; the same name as the old base if nothing is said.
    pub new_base: Option<String>,
}

/// Who builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// This machine.
    #[default]
    Local,
    /// Azure Container Registry, which is sent the context.
    AcrTasks,
}

/// What commands may reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Themselves.
    #[default]
    None,
    /// What this machine reaches.
    Host,
}

/// The format of manifest and configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// OCI's.
    #[default]
    Oci,
    /// Docker's version 2, schema 2.
    Docker,
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// What everything can read.
    #[default]
    Gzip,
    /// Quicker and smaller.
    Zstd,
    /// Not at all.
    None,
}

/// How a bill of materials is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Bill {
    /// SPDX 2.3.
    Spdx,
    /// CycloneDX 1.6.
    Cyclonedx,
}

/// The latest time that a new file may have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Epoch {
    /// Seconds since 1970.
    Seconds(u64),
    /// `commit` or `context`.
    Word(String),
}

impl Schema for Host {
    fn shape() -> Shape {
        Shape::Either(vec![Shape::String, HostRule::shape()])
    }
}

impl Schema for Epoch {
    fn shape() -> Shape {
        Shape::Either(vec![u64::shape(), Shape::OneOf(vec!["commit", "context"])])
    }
}

fn here() -> String {
    ".".to_owned()
}

fn dockerfile() -> String {
    "Dockerfile".to_owned()
}

fn bases() -> Vec<String> {
    vec!["docker.io/**".to_owned()]
}

/// The context, if it is in the workspace; of `file:REPOSITORY#REF:FOLDER` the repository.
const FOLDER: &str = "{{ (inputs.context[5:] | split('#') | first) if inputs.context[:5] == 'file:' \
     else none if '://' in inputs.context else inputs.context }}";

/// The host of the context, if it is a repository elsewhere; Azure fetches by itself.
const REMOTE: &str = "{{ (inputs.context | split('/') | list)[:3] | join('/') \
     if '://' in inputs.context and inputs.context[:5] != 'file:' and inputs.builder == 'local' \
     else none }}";

/// Azure Resource Manager, where it builds; whoever names this machine means it.
const ENDPOINT: &str = "{{ none if inputs.builder == 'local' \
     else 'https://management.azure.com' if not inputs.endpoint \
     else {'url': inputs.endpoint, 'private': true} if '//127.0.0.1' in inputs.endpoint \
     or '//localhost' in inputs.endpoint or '//[::1]' in inputs.endpoint else inputs.endpoint }}";

/// Where contexts go to and logs come from, where Azure builds.
const STORAGE: &str = "{{ none if inputs.builder == 'local' \
     else 'https://*.blob.core.windows.net' if not inputs.storage \
     else {'url': inputs.storage, 'private': true} if '//127.0.0.1' in inputs.storage \
     or '//localhost' in inputs.storage or '//[::1]' in inputs.storage else inputs.storage }}";

/// What only a build on this machine needs.
macro_rules! local {
    ($expression:literal) => {
        concat!("{{ ", $expression, " if inputs.builder == 'local' else none }}")
    };
}

/// What the step will need.
#[must_use]
pub fn requests() -> Vec<Request> {
    vec![
        Request::new("workspace.read", FOLDER, "copies files of the context"),
        Request::new("http", REMOTE, "fetches the context"),
        Request::new("http", local!("inputs.hosts"), "fetches what `ADD` names"),
        Request::new("oci.pull", local!("inputs.bases"), "reads bases"),
        Request::new("oci.pull", local!("inputs.tags"), "sees what is there already"),
        Request::new("oci.pull", "{{ inputs['cache-from'] }}", "reads what was built elsewhere"),
        Request::new("oci.pull", "{{ inputs['cache-to'] }}", "sees what is kept already"),
        Request::new("oci.push", local!("inputs.tags"), "writes the image"),
        Request::new("oci.push", "{{ inputs['cache-to'] }}", "keeps what is built"),
        Request::new("secrets.use", "{{ inputs.secrets }}", "gives them to commands"),
        Request::new("exec.run", local!("true"), "runs the commands of `RUN`, each in a sandbox"),
        Request::new(
            "exec.network",
            "{{ inputs.network == 'host' and inputs.builder == 'local' }}",
            "lets them use the network",
        ),
        Request::new("identity", "{{ inputs.identity }}", "has Azure build"),
        Request::new("http", ENDPOINT, "has Azure build"),
        Request::new("http", STORAGE, "sends the context and reads the log"),
        Request::new(
            "secrets.use",
            "{{ inputs['secret-args'] | items | map('last') | list }}",
            "gives them to Azure's build",
        ),
    ]
}

#[cfg(test)]
mod tests;
