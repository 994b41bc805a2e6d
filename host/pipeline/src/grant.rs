//! What a step may do, as data.
//!
//! A builtin plugin gets what its `describe` requests, derived from the inputs; any other plugin
//! gets exactly `[step.grant]`, and nothing without one. A `[step.grant]` on a builtin replaces its
//! requests altogether: what is written is what is granted, for every plugin alike.
//!
//! This room computes grants and never judges with them: the capability room compiles the strings
//! and refuses what they do not allow.

use std::collections::BTreeSet;
use std::sync::Arc;

use report::{Fault, Kind, Source, Span};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog::CapabilityRequest;
use crate::matrix::kind_of;
use crate::template::{Context, Node, Place, Text};

/// What a step may do. Nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Grant {
    /// Where requests may go.
    pub http: Vec<HttpRule>,
    /// The identities whose tokens the host sends along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<String>,
    /// Which secrets may be used, read or written.
    pub secrets: SecretsRule,
    /// Which repositories may be pulled, pushed or deleted from.
    pub oci: OciRule,
    /// Whether the step has a small durable store.
    pub state: bool,
    /// Which folders of the workspace the step sees.
    pub workspace: WorkspaceRule,
    /// Whether the step may run commands, in a sandbox of their own.
    pub exec: ExecRule,
}

/// One place that requests may go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HttpRule {
    /// Scheme, host, and if need be port: `https://api.example.com:8443`.
    pub url: String,
    /// The methods allowed, upper case; empty means all.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Whether the host may resolve to an address that is not public.
    #[serde(default)]
    pub private: bool,
}

/// Secrets by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SecretsRule {
    /// May be sent, by the host, where the secret's `only-to` allows.
    #[serde(rename = "use")]
    pub use_: Vec<String>,
    /// The plugin may see the value.
    pub reveal: Vec<String>,
    /// The plugin may store a new value.
    pub write: Vec<String>,
}

/// Repositories by pattern: `docker.io/library/*`, `localhost:5000/**`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct OciRule {
    /// May be read.
    pub pull: Vec<String>,
    /// May be written.
    pub push: Vec<String>,
    /// May be deleted from.
    pub delete: Vec<String>,
}

/// Folders relative to the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct WorkspaceRule {
    /// May be read.
    pub read: Vec<String>,
    /// May be read and written.
    pub write: Vec<String>,
}

/// Commands of a build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ExecRule {
    /// May be run, in namespaces of their own.
    pub run: bool,
    /// May use the network of this machine.
    pub network: bool,
}

/// The keys that a plugin's request may name, in the order of the documentation.
pub const KEYS: [&str; 13] = [
    "http",
    "identity",
    "secrets.use",
    "secrets.reveal",
    "secrets.write",
    "oci.pull",
    "oci.push",
    "oci.delete",
    "state",
    "workspace.read",
    "workspace.write",
    "exec.run",
    "exec.network",
];

/// A grant before its templates are rendered.
#[derive(Clone, Debug)]
pub enum GrantTemplate {
    /// `[step.grant]`; empty, and so nothing, if a third-party step has none.
    Written(Arc<WrittenGrant>),
    /// The requests of a builtin plugin: templates over its inputs.
    Requested(Arc<[Request]>),
}

/// `[step.grant]` with its strings compiled.
#[derive(Debug, Default)]
pub struct WrittenGrant {
    pub(crate) http: Vec<(Node, Vec<String>, bool)>,
    /// The key of a list in [`KEYS`], and what is written there.
    pub(crate) lists: Vec<(&'static str, Vec<Node>)>,
    pub(crate) state: bool,
    pub(crate) exec: ExecRule,
}

/// One request of a plugin, compiled.
#[derive(Debug)]
pub struct Request {
    key: &'static str,
    value: Text,
}

impl Request {
    /// Compiles `request` of the plugin called `plugin`; the error is a clause about the plugin.
    pub(crate) fn compile(plugin: &str, request: &CapabilityRequest) -> Result<Self, String> {
        let key = KEYS.into_iter().find(|key| *key == request.capability).ok_or_else(|| {
            format!("it requests `{}`, which is not a capability", request.capability)
        })?;
        let source = Source::new(format!("request `{key}` of plugin `{plugin}`"), &*request.value);
        let span = Span::new(0, request.value.len());
        let value = Text::compile(&request.value, Place { source, span })
            .map_err(|error| format!("its request `{key}` is not a template: {error}"))?;
        Ok(Self { key, value })
    }
}

impl GrantTemplate {
    /// The grant in `context`, for the plugin's `inputs`.
    pub(crate) fn render(&self, context: &Context, inputs: &Context) -> Result<Grant, Fault> {
        let mut grant = Grant::default();
        match self {
            Self::Written(written) => {
                for (node, methods, private) in &written.http {
                    for url in texts(node.render(context)?)? {
                        let (methods, private) = (methods.clone(), *private);
                        grant.http.push(HttpRule { url, methods, private });
                    }
                }
                for (key, nodes) in &written.lists {
                    for node in nodes {
                        grant.extend(key, node.render(context)?)?;
                    }
                }
                grant.state = written.state;
                grant.exec = written.exec;
            }
            Self::Requested(requests) => {
                for request in requests.iter() {
                    let value = request.value.evaluate(inputs);
                    let value = value.map_err(|error| request.value.fault(&error))?;
                    grant.extend(request.key, value)?;
                }
            }
        }
        Ok(grant)
    }

    /// The grant as far as it is known, with templates as they were written.
    pub(crate) fn preview(&self, inputs: &Context) -> Grant {
        let mut grant = Grant::default();
        match self {
            Self::Written(written) => {
                let text = |node: &Node| texts(node.preview()).unwrap_or_default();
                for (node, methods, private) in &written.http {
                    let rule = |url| HttpRule { url, methods: methods.clone(), private: *private };
                    grant.http.extend(text(node).into_iter().map(rule));
                }
                for (key, nodes) in &written.lists {
                    let list = nodes.iter().flat_map(text).map(Value::String).collect();
                    // A list of texts always extends a list of texts.
                    grant.extend(key, list).unwrap_or_default();
                }
                grant.state = written.state;
                grant.exec = written.exec;
            }
            Self::Requested(requests) => {
                for request in requests.iter() {
                    let written = || Value::String(request.value.text.to_string());
                    let value = request.value.evaluate(inputs).unwrap_or_else(|_| written());
                    if grant.extend(request.key, value).is_err() {
                        grant.extend(request.key, written()).unwrap_or_default();
                    }
                }
            }
        }
        grant
    }
}

impl Grant {
    /// Whether it allows nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what `value` says of the capability `key`: text, a list, or null for nothing.
    fn extend(&mut self, key: &str, value: Value) -> Result<(), Fault> {
        let list = match key {
            "http" => {
                self.http.extend(http_rules(value)?);
                return Ok(());
            }
            "state" | "exec.run" | "exec.network" => {
                let flag = match key {
                    "state" => &mut self.state,
                    "exec.run" => &mut self.exec.run,
                    _ => &mut self.exec.network,
                };
                *flag |= !matches!(value, Value::Null | Value::Bool(false))
                    && value.as_str().is_none_or(|text| !matches!(text, "" | "false"));
                return Ok(());
            }
            "identity" => &mut self.identity,
            "secrets.use" => &mut self.secrets.use_,
            "secrets.reveal" => &mut self.secrets.reveal,
            "secrets.write" => &mut self.secrets.write,
            "oci.pull" => &mut self.oci.pull,
            "oci.push" => &mut self.oci.push,
            "oci.delete" => &mut self.oci.delete,
            "workspace.read" => &mut self.workspace.read,
            "workspace.write" => &mut self.workspace.write,
            other => {
                let message = format!("there is no capability `{other}`");
                return Err(Fault::new(Kind::Internal, message));
            }
        };
        // A trigger may name thousands of images.
        let mut known: BTreeSet<String> = list.iter().cloned().collect();
        list.extend(texts(value)?.into_iter().filter(|text| known.insert(text.clone())));
        Ok(())
    }
}

/// URLs, or tables with `url`, `methods` and `private`.
fn http_rules(value: Value) -> Result<Vec<HttpRule>, Fault> {
    let items = match value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            vec![other]
        }
    };
    let rule = |item: Value| match item {
        Value::String(url) => Ok(HttpRule { url, methods: Vec::new(), private: false }),
        Value::Object(_) => serde_json::from_value(item)
            .map_err(|error| wrong("a table without a `url`").cause(error)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
            Err(wrong(kind_of(&other)))
        }
    };
    items.into_iter().map(rule).collect()
}

/// The texts of a value: text itself, each of a list, none for null.
fn texts(value: Value) -> Result<Vec<String>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) => items.into_iter().try_fold(Vec::new(), |mut all, item| {
            match item {
                Value::String(text) => all.push(text),
                Value::Null => {}
                other
                @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                    return Err(wrong(kind_of(&other)));
                }
            }
            Ok(all)
        }),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(wrong(kind_of(&other)))
        }
    }
}

fn wrong(found: &str) -> Fault {
    Fault::new(Kind::Invalid, format!("a grant is made of text, found {found}"))
        .code("invalid.grant")
}

#[cfg(test)]
mod tests;
