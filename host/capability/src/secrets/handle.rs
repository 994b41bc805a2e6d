//! A secret as a step holds it.

use std::{fmt, sync::Arc};

use report::Secret;
use url::Host;

use crate::grant::{Denied, HostPattern, Layer};

/// The name of a secret that was made and not read.
pub(super) const GENERATED: &str = "generated";

/// A secret value that its holder cannot see: a name, where it may go, and the bytes.
///
/// Cheap to clone; shows nothing but its name.
#[derive(Clone)]
pub struct SecretHandle(Arc<Inner>);

struct Inner {
    name: String,
    /// Empty: wherever the step may send something.
    only_to: Vec<HostPattern>,
    value: Secret,
}

impl SecretHandle {
    pub(crate) fn new(name: &str, only_to: Vec<HostPattern>, value: Secret) -> Self {
        Self(Arc::new(Inner { name: name.to_owned(), only_to, value }))
    }

    /// The name under which the pipeline knows it; `generated` for a generated one.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The bytes, for the last stage before a socket, a cipher or a mask.
    pub(crate) fn value(&self) -> &Secret {
        &self.0.value
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.value.is_empty()
    }

    /// Whether its `only-to` names any host.
    pub(crate) fn is_bound(&self) -> bool {
        !self.0.only_to.is_empty()
    }

    /// Whether its `only-to` names `host`. A secret without `only-to` names none.
    pub(crate) fn names(&self, host: &Host<&str>, port: u16) -> bool {
        self.0.only_to.iter().any(|pattern| pattern.matches(host, port))
    }

    /// Whether it may be sent to `host`.
    pub(crate) fn may_go_to(&self, host: &Host<&str>, port: u16) -> Result<(), Denied> {
        match !self.is_bound() || self.names(host, port) {
            true => Ok(()),
            false => Err(self.denied(format!("`{host}`"), Some(&host.to_string()))),
        }
    }

    /// The refusal by `only-to`; `host` is what would have to stand there.
    pub(crate) fn denied(&self, value: String, host: Option<&str>) -> Denied {
        let hosts: Vec<String> = self.0.only_to.iter().map(HostPattern::to_string).collect();
        let toml = host.map(|host| {
            let mut all: Vec<String> = hosts.iter().map(|host| format!("{host:?}")).collect();
            all.push(format!("{host:?}"));
            format!("only-to = [{}]", all.join(", "))
        });
        let secret = self.name().to_owned();
        Denied { key: "secrets.use", value, layer: Layer::OnlyTo { secret, hosts }, toml }
    }
}

impl fmt::Debug for SecretHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHandle({})", self.0.name)
    }
}
