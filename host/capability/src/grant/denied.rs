//! A refusal: what, of which value, by whom, and what to type to allow it.

use report::{Fault, Kind, or_list};

/// What `denied.` goes before where a dry run refused.
const DRY_RUN: &str = "dry-run";

/// A grant, or a policy of the host, refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The key of the grant: `http`, `oci.pull`, …
    pub key: &'static str,
    /// The exact value that was asked for.
    pub value: String,
    /// Who refused.
    pub layer: Layer,
    /// The line that would allow it, to be put under `[step.grant]`; none where no line would.
    pub toml: Option<String>,
}

/// Who refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The step's grant says nothing of it.
    Grant {
        /// What the grant says instead; empty if nothing.
        granted: Vec<String>,
    },
    /// The plugin did not ask for the capability when it described itself.
    NeverAsked,
    /// The host's policy over addresses.
    Address {
        /// The address, and what it is.
        address: String,
        /// Such as "a loopback address".
        what: &'static str,
    },
    /// The secret's `only-to`.
    OnlyTo {
        /// The secret's name.
        secret: String,
        /// The hosts that it may go to.
        hosts: Vec<String>,
    },
    /// The call is a dry run, which changes nothing.
    DryRun,
    /// A link in the workspace leads out of what was granted.
    Link,
    /// A redirect would carry a secret of the body to another origin.
    SealedRedirect,
    /// The host says who the request is from, and the plugin said it too.
    OwnAuthorization {
        /// As whom the host sends it.
        identity: String,
    },
    /// Only a pattern allows the host, and a token goes to no host that nobody named.
    UnnamedHost {
        /// Whose token it would be.
        identity: String,
    },
}

impl Denied {
    /// The clause for a person.
    pub fn message(&self) -> String {
        let Self { key, value, layer, .. } = self;
        match layer {
            Layer::Grant { .. } => format!("the step is not granted `{key}` for `{value}`"),
            Layer::NeverAsked => {
                format!("the plugin never asked for `{key}` and may not use it for `{value}`")
            }
            Layer::Address { address, what } => {
                format!("the host refuses to connect to `{value}`: {address} is {what}")
            }
            Layer::OnlyTo { secret, hosts } if hosts.is_empty() => {
                format!("the secret `{secret}` names no host in `only-to`, which {value} needs")
            }
            Layer::OnlyTo { secret, .. } => format!("the secret `{secret}` may not go to {value}"),
            Layer::DryRun => format!("a dry run may not change anything: `{key}` for `{value}`"),
            Layer::Link => format!("a link leads `{value}` out of what the step is granted"),
            Layer::SealedRedirect => {
                format!("a redirect would carry a secret of the body to `{value}`")
            }
            Layer::OwnAuthorization { identity } => format!(
                "the host sends `{value}` as the identity `{identity}`, and the plugin has an \
                 `authorization` of its own"
            ),
            Layer::UnnamedHost { identity } => format!(
                "a token of the identity `{identity}` goes only where `http` names the host, and \
                 not to `{value}`"
            ),
        }
    }

    fn help(&self) -> Option<String> {
        match (&self.layer, &self.toml) {
            (Layer::NeverAsked, _) => Some(format!(
                "the plugin's author adds a request for `{}` to its `describe`",
                self.key
            )),
            (Layer::OnlyTo { secret, .. }, Some(toml)) => {
                Some(format!("in `[secrets]` give `{secret}` the key `{toml}`"))
            }
            (_, Some(toml)) => Some(format!("add to `[step.grant]` of the step: {toml}")),
            (Layer::DryRun, None) => {
                Some("look at `dry-run` of the context, and say what would be done".to_owned())
            }
            (Layer::SealedRedirect, None) => Some(
                "ask for redirects to be returned, and send the request there if it is right"
                    .to_owned(),
            ),
            (Layer::OwnAuthorization { .. }, None) => Some(
                "leave the header `authorization` away, or the identity out of the grant"
                    .to_owned(),
            ),
            (Layer::Address { .. }, None) => {
                Some("no name may lead there; only a rule that is the address itself".to_owned())
            }
            (_, None) => None,
        }
    }
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        // Told apart, because a plugin that did not expect a dry run is no plugin without a grant.
        let area = match denied.layer {
            Layer::DryRun => DRY_RUN,
            Layer::Grant { .. }
            | Layer::NeverAsked
            | Layer::Address { .. }
            | Layer::OnlyTo { .. }
            | Layer::Link
            | Layer::SealedRedirect
            | Layer::OwnAuthorization { .. }
            | Layer::UnnamedHost { .. } => denied.key.split('.').next().unwrap_or(denied.key),
        };
        let mut fault = Self::new(Kind::Denied, denied.message()).code(format!("denied.{area}"));
        match &denied.layer {
            Layer::Grant { granted } if !granted.is_empty() => {
                fault = fault.cause(format!("it is granted {}", or_list(granted)));
            }
            Layer::OnlyTo { hosts, .. } if !hosts.is_empty() => {
                fault = fault.cause(format!("its `only-to` names {}", or_list(hosts)));
            }
            Layer::Grant { .. }
            | Layer::NeverAsked
            | Layer::Address { .. }
            | Layer::OnlyTo { .. }
            | Layer::DryRun
            | Layer::Link
            | Layer::SealedRedirect
            | Layer::OwnAuthorization { .. }
            | Layer::UnnamedHost { .. } => {}
        }
        match denied.help() {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}

/// `text` as a TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => quoted.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
