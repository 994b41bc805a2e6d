//! What a step may do: the grant of a pipeline, compiled, and the one question that is asked of it.
//!
//! A [`GrantText`] is what the pipeline says, after its templates were rendered. [`Grant::compile`]
//! turns it into something that cannot be wrong; [`Grant::allows`] is pure, and every capability asks
//! it before anything else. A refusal is a [`Denied`], which knows the line that would allow it.
//!
//! Layers: the grant decides on names. What a name leads to (an address, a link) is decided where it
//! is followed, and refused there with a [`Denied`] too.

mod denied;
pub(crate) mod folder;
mod host;
mod http_rule;
mod name;
mod repository;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use http::Method;
use report::{Fault, Kind, plural};
use url::Url;

use denied::quoted;
pub use denied::{Denied, Layer};
pub(crate) use folder::Folder;
pub use host::HostPattern;
pub(crate) use http_rule::HttpRule;
use name::NamePattern;
pub(crate) use name::is_secret_name;
pub use name::matches_wildcard;
pub use repository::{ArchiveFormat, RepositoryId};
use repository::{Repositories, RepositoryPattern};

/// A grant as the pipeline says it, in plain text; the same shape as `[step.grant]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantText {
    /// `http`.
    pub http: Vec<HttpText>,
    /// `identity`: names.
    pub identity: Vec<String>,
    /// `secrets.use`: names or patterns.
    pub secrets_use: Vec<String>,
    /// `secrets.reveal`.
    pub secrets_reveal: Vec<String>,
    /// `secrets.write`.
    pub secrets_write: Vec<String>,
    /// `oci.pull`: patterns of repositories.
    pub oci_pull: Vec<String>,
    /// `oci.push`.
    pub oci_push: Vec<String>,
    /// `oci.delete`.
    pub oci_delete: Vec<String>,
    /// `state`.
    pub state: bool,
    /// `workspace.read`: folders or files relative to the pipeline file.
    pub workspace_read: Vec<String>,
    /// `workspace.write`.
    pub workspace_write: Vec<String>,
    /// `exec.run`.
    pub exec_run: bool,
    /// `exec.network`.
    pub exec_network: bool,
}

/// One rule of `http`, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpText {
    /// `scheme://host[:port]`; the host may be `*.suffix`.
    pub url: String,
    /// Empty for all methods.
    pub methods: Vec<String>,
    /// Whether addresses of this machine and of private networks may be reached too.
    pub private: bool,
}

/// What a step may do.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    http: Vec<HttpRule>,
    identity: Vec<String>,
    secrets_use: Vec<NamePattern>,
    secrets_reveal: Vec<NamePattern>,
    secrets_write: Vec<NamePattern>,
    oci_pull: Repositories,
    oci_push: Repositories,
    oci_delete: Repositories,
    state: bool,
    workspace_read: Vec<Folder>,
    workspace_write: Vec<Folder>,
    exec_run: bool,
    exec_network: bool,
    /// What was written, for refusals.
    text: GrantText,
    /// The keys that the plugin asked for; none: not known, and not held against it.
    asked: Option<BTreeSet<String>>,
}

/// What a step wants to do.
#[derive(Clone, Copy, Debug)]
pub enum Want<'a> {
    /// Send a request.
    Http {
        /// Where to.
        url: &'a Url,
        /// Which.
        method: &'a Method,
    },
    /// Send requests as an identity.
    Identity(&'a str),
    /// Use a secret without seeing it.
    UseSecret(&'a str),
    /// See a secret.
    RevealSecret(&'a str),
    /// Store a secret.
    WriteSecret(&'a str),
    /// Read a repository.
    Pull(&'a RepositoryId),
    /// Write a repository.
    Push(&'a RepositoryId),
    /// Delete from a repository.
    Delete(&'a RepositoryId),
    /// Remember.
    State,
    /// Read a path of the workspace, normalized.
    Read(&'a str),
    /// Write a path of the workspace, normalized.
    Write(&'a str),
    /// Run a command in a sandbox; its title.
    Exec(&'a str),
    /// Let such a command use the network.
    ExecNetwork(&'a str),
}

/// How far a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Also this machine and private networks.
    pub(crate) private: bool,
    /// The rule names the very address.
    pub(crate) literal: bool,
}

/// Why a text is no rule, pattern, name or path; and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct GrantError {
    why: String,
    help: String,
}

impl GrantError {
    fn new(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self { why: why.into(), help: help.into() }
    }

    /// The fault of `area` (`grant`, `oci`, `secrets`) that this is.
    pub(crate) fn into_fault(self, area: &str) -> Fault {
        Fault::new(Kind::Invalid, self.why).code(format!("invalid.{area}")).help(self.help)
    }
}

impl Grant {
    /// Compiles what a pipeline says.
    ///
    /// # Errors
    /// [`Kind::Invalid`], code `invalid.grant`: all problems at once, with what to write for each.
    pub fn compile(text: &GrantText) -> Result<Self, Fault> {
        let mut problems = Vec::new();
        let grant = Self {
            http: each("http", &text.http, HttpRule::parse, &mut problems),
            identity: text.identity.clone(),
            secrets_use: names("secrets.use", &text.secrets_use, &mut problems),
            secrets_reveal: names("secrets.reveal", &text.secrets_reveal, &mut problems),
            secrets_write: names("secrets.write", &text.secrets_write, &mut problems),
            oci_pull: repositories("oci.pull", &text.oci_pull, &mut problems),
            oci_push: repositories("oci.push", &text.oci_push, &mut problems),
            oci_delete: repositories("oci.delete", &text.oci_delete, &mut problems),
            state: text.state,
            workspace_read: folders("workspace.read", &text.workspace_read, &mut problems),
            workspace_write: folders("workspace.write", &text.workspace_write, &mut problems),
            exec_run: text.exec_run,
            exec_network: text.exec_network,
            text: text.clone(),
            asked: None,
        };
        match problems.as_slice() {
            [] => Ok(grant),
            [(key, only)] => {
                Err(Fault::new(Kind::Invalid, format!("{} (in `{key}` of the grant)", only.why))
                    .code("invalid.grant")
                    .help(&only.help))
            }
            several => {
                let message = format!("the grant has {}", plural(several.len(), "problem"));
                let fault = Fault::new(Kind::Invalid, message).code("invalid.grant");
                Err(several.iter().fold(fault, |fault, (key, problem)| {
                    fault.cause(format!("`{key}`: {}; {}", problem.why, problem.help))
                }))
            }
        }
    }

    /// Also holds every use against `keys`, the capabilities that the plugin asked for when it
    /// described itself (the keys of its requests: `http`, `oci.pull`, …).
    #[must_use]
    pub fn asked<I: IntoIterator<Item = String>>(mut self, keys: I) -> Self {
        self.asked = Some(keys.into_iter().collect());
        self
    }

    /// Whether the step may do what it wants.
    ///
    /// # Errors
    /// [`Denied`], by the grant or because the plugin never asked.
    pub fn allows(&self, want: &Want<'_>) -> Result<(), Denied> {
        let key = want.key();
        if self.asked.as_ref().is_some_and(|asked| !asked.contains(key)) {
            let layer = Layer::NeverAsked;
            return Err(Denied { key, value: want.value(), layer, toml: None });
        }
        let granted = match want {
            Want::Http { url, method } => {
                self.http.iter().any(|rule| rule.is_for(url) && rule.takes(method))
            }
            Want::Identity(name) => self.identity.iter().any(|own| own == name),
            Want::UseSecret(name) => any_name(&self.secrets_use, name),
            Want::RevealSecret(name) => any_name(&self.secrets_reveal, name),
            Want::WriteSecret(name) => any_name(&self.secrets_write, name),
            Want::Pull(place) => self.oci_pull.have(place),
            Want::Push(place) => self.oci_push.have(place),
            Want::Delete(place) => self.oci_delete.have(place),
            Want::State => self.state,
            // What may be written may be read: otherwise nothing could be replaced with care.
            Want::Read(path) => {
                any_folder(&self.workspace_read, path) || any_folder(&self.workspace_write, path)
            }
            Want::Write(path) => any_folder(&self.workspace_write, path),
            Want::Exec(_) => self.exec_run,
            Want::ExecNetwork(_) => self.exec_network,
        };
        match granted {
            true => Ok(()),
            false => Err(self.denied(want)),
        }
    }

    /// How far a request that is allowed may go.
    pub(crate) fn reach(&self, url: &Url, method: &Method) -> Reach {
        let rules = self.http.iter().filter(|rule| rule.is_for(url) && rule.takes(method));
        rules.fold(Reach { private: false, literal: false }, |reach, rule| Reach {
            private: reach.private || rule.is_private(),
            literal: reach.literal || (rule.is_private() && rule.names_an_address()),
        })
    }

    /// The identities that requests may be sent as, by name.
    pub(crate) fn identities(&self) -> impl Iterator<Item = &str> {
        let names = self.identity.iter().map(String::as_str);
        names.filter(|name| self.allows(&Want::Identity(name)).is_ok())
    }

    /// Whether a rule that allows the request names its very host: a pattern may have a host in it
    /// that nobody thought of.
    pub(crate) fn names_host(&self, url: &Url, method: &Method) -> bool {
        let mut rules = self.http.iter().filter(|rule| rule.is_for(url) && rule.takes(method));
        rules.any(HttpRule::names_a_host)
    }

    /// The refusal of the address policy: the same rule with `private = true` would allow it.
    pub(crate) fn denied_address(
        &self,
        url: &Url,
        method: &Method,
        address: String,
        what: &'static str,
        may_be_granted: bool,
    ) -> Denied {
        let toml = may_be_granted
            .then(|| format!("http = [{{ url = {}, private = true }}]", quoted(&origin(url))));
        let want = Want::Http { url, method };
        let layer = Layer::Address { address, what };
        Denied { key: want.key(), value: origin(url), layer, toml }
    }

    /// The granted folders, for reading and for writing.
    pub(crate) fn folders(&self) -> (&[Folder], &[Folder]) {
        (&self.workspace_read, &self.workspace_write)
    }

    fn denied(&self, want: &Want<'_>) -> Denied {
        let key = want.key();
        let value = want.value();
        let text = &self.text;
        let (present, item) = match want {
            Want::Http { url, method } => {
                let rules = self.http.iter().zip(&text.http);
                let same: Vec<String> = rules
                    .filter(|(rule, _)| rule.is_for(url))
                    .map(|(rule, text)| {
                        let methods: Vec<&str> =
                            rule.methods().iter().map(Method::as_str).collect();
                        format!("{} {}", methods.join(" "), text.url)
                    })
                    .collect();
                let all = text.http.iter().map(|rule| rule.url.clone()).collect();
                let private = if is_plainly_private(url) { ", private = true" } else { "" };
                let item = format!(
                    "{{ url = {}, methods = [{}]{private} }}",
                    quoted(&origin(url)),
                    quoted(method.as_str())
                );
                (if same.is_empty() { all } else { same }, item)
            }
            Want::Identity(name) => (text.identity.clone(), quoted(name)),
            Want::UseSecret(name) => (text.secrets_use.clone(), quoted(name)),
            Want::RevealSecret(name) => (text.secrets_reveal.clone(), quoted(name)),
            Want::WriteSecret(name) => (text.secrets_write.clone(), quoted(name)),
            Want::Pull(place) => (text.oci_pull.clone(), quoted(&place.to_string())),
            Want::Push(place) => (text.oci_push.clone(), quoted(&place.to_string())),
            Want::Delete(place) => (text.oci_delete.clone(), quoted(&place.to_string())),
            Want::State | Want::Exec(_) | Want::ExecNetwork(_) => (Vec::new(), String::new()),
            Want::Read(_) => (text.workspace_read.clone(), quoted(&value)),
            Want::Write(_) => (text.workspace_write.clone(), quoted(&value)),
        };
        let toml = match (want, present.is_empty()) {
            (Want::State | Want::Exec(_) | Want::ExecNetwork(_), _) => format!("{key} = true"),
            (_, true) => format!("{key} = [{item}]"),
            // A second `key =` would be a duplicate key.
            (_, false) => format!("{item} in the list of `{key}`"),
        };
        Denied { key, value, layer: Layer::Grant { granted: present }, toml: Some(toml) }
    }
}

/// Whether the address policy would refuse `url` next, as far as its text tells: then the rule to add
/// says so at once.
fn is_plainly_private(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
        Some(url::Host::Ipv6(address)) => address.is_loopback() || address.is_unique_local(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

impl Want<'_> {
    /// The key of the grant that it needs.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Identity(_) => "identity",
            Self::UseSecret(_) => "secrets.use",
            Self::RevealSecret(_) => "secrets.reveal",
            Self::WriteSecret(_) => "secrets.write",
            Self::Pull(_) => "oci.pull",
            Self::Push(_) => "oci.push",
            Self::Delete(_) => "oci.delete",
            Self::State => "state",
            Self::Read(_) => "workspace.read",
            Self::Write(_) => "workspace.write",
            Self::Exec(_) => "exec.run",
            Self::ExecNetwork(_) => "exec.network",
        }
    }

    /// The exact value, as people are shown it.
    pub(crate) fn value(&self) -> String {
        match self {
            Self::Http { url, method } => format!("{method} {}", origin(url)),
            Self::Identity(name)
            | Self::UseSecret(name)
            | Self::RevealSecret(name)
            | Self::WriteSecret(name) => (*name).to_owned(),
            Self::Pull(place) | Self::Push(place) | Self::Delete(place) => place.to_string(),
            Self::State => "this step".to_owned(),
            Self::Exec(title) | Self::ExecNetwork(title) => (*title).to_owned(),
            Self::Read(path) | Self::Write(path) => match path.is_empty() {
                true => ".".to_owned(),
                false => (*path).to_owned(),
            },
        }
    }

    /// The refusal of a change in a dry run.
    pub(crate) fn denied_in_dry_run(&self) -> Denied {
        Denied { key: self.key(), value: self.value(), layer: Layer::DryRun, toml: None }
    }
}

/// `scheme://host[:port]`, the port only where it is not the usual one.
pub(crate) fn origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// The hosts of a secret's `only-to`.
///
/// # Errors
/// [`Kind::Invalid`], code `invalid.secrets`.
pub fn parse_only_to(hosts: &[String]) -> Result<Vec<HostPattern>, Fault> {
    hosts
        .iter()
        .map(|text| HostPattern::parse(text).map_err(|problem| problem.into_fault("secrets")))
        .collect()
}

type Problems = Vec<(&'static str, GrantError)>;

fn each<S, T>(
    key: &'static str,
    texts: &[S],
    parse: impl Fn(&S) -> Result<T, GrantError>,
    problems: &mut Problems,
) -> Vec<T> {
    let mut parsed = Vec::with_capacity(texts.len());
    for text in texts {
        match parse(text) {
            Ok(one) => parsed.push(one),
            Err(problem) => problems.push((key, problem)),
        }
    }
    parsed
}

fn names(key: &'static str, texts: &[String], problems: &mut Problems) -> Vec<NamePattern> {
    each(key, texts, |text| NamePattern::parse(text), problems)
}

fn repositories(key: &'static str, texts: &[String], problems: &mut Problems) -> Repositories {
    each(key, texts, |text| RepositoryPattern::parse(text), problems).into_iter().collect()
}

fn folders(key: &'static str, texts: &[String], problems: &mut Problems) -> Vec<Folder> {
    let parse = |text: &String| {
        folder::normalize(text).map(Folder::new).map_err(|why| {
            GrantError::new(format!("`{text}` is not a path in the workspace: {why}"), folder::HELP)
        })
    };
    each(key, texts, parse, problems)
}

fn any_name(patterns: &[NamePattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

fn any_folder(folders: &[Folder], path: &str) -> bool {
    folders.iter().any(|folder| folder.strip(path).is_some())
}
