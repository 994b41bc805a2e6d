//! What the inputs say of a container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_plugin::Schema;

use super::{Port, Text};

/// A container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Container {
    /// Its name: 1 to 63 lower-case letters, digits and dashes.
    pub name: String,
    /// The image.
    pub image: String,
    /// CPUs.
    #[serde(default = "cpu")]
    pub cpu: f64,
    /// GB of memory.
    #[serde(default = "memory")]
    pub memory: f64,
    /// The most that it gets where the machine has more.
    pub limits: Option<Limits>,
    /// GPUs.
    pub gpu: Option<Gpu>,
    /// What it runs, in place of what its image says.
    #[serde(default)]
    pub command: Vec<String>,
    /// Ports, such as `80` or `"53/udp"`.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// Variables.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// Where volumes stand, by volume.
    #[serde(default)]
    pub mounts: BTreeMap<String, Mount>,
    /// When it is started again.
    pub liveness: Option<Probe>,
    /// When it gets requests.
    pub readiness: Option<Probe>,
    /// Users and capabilities.
    pub security: Option<Security>,
}

/// A container that runs, and ends, before the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Init {
    /// Its name: 1 to 63 lower-case letters, digits and dashes.
    pub name: String,
    /// The image.
    pub image: String,
    /// What it runs, in place of what its image says.
    #[serde(default)]
    pub command: Vec<String>,
    /// Variables.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// Where volumes stand, by volume.
    #[serde(default)]
    pub mounts: BTreeMap<String, Mount>,
    /// Users and capabilities.
    pub security: Option<Security>,
}

/// The most that a container gets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// CPUs.
    pub cpu: Option<f64>,
    /// GB of memory.
    pub memory: Option<f64>,
}

/// GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Gpu {
    /// How many.
    pub count: u32,
    /// Which: `K80`, `P100`, `V100`.
    pub sku: String,
}

/// Where a volume stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mount {
    /// The directory in the container.
    pub path: String,
    /// Whether nothing can be written there.
    #[serde(default)]
    pub read_only: bool,
}

/// A look at a container: `command` or a request to `port`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Probe {
    /// What must end with 0.
    #[serde(default)]
    pub command: Vec<String>,
    /// Where the request goes.
    pub port: Option<u16>,
    /// What it asks for.
    pub path: Option<String>,
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// Its headers.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// Seconds before the first look.
    pub initial_delay: Option<u32>,
    /// Seconds between looks.
    pub period: Option<u32>,
    /// How many looks must fail.
    pub failures: Option<u32>,
    /// How many looks must succeed.
    pub successes: Option<u32>,
    /// Seconds that a look may take.
    pub timeout: Option<u32>,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Users and capabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Security {
    /// All rights; of confidential groups only.
    pub privileged: Option<bool>,
    /// Whether a program may get more rights than who starts it.
    pub privilege_escalation: Option<bool>,
    /// Capabilities of Linux.
    pub capabilities: Option<Capabilities>,
    /// The user's number.
    pub user: Option<u32>,
    /// The group's number.
    pub group: Option<u32>,
    /// A profile of seccomp, in base64.
    pub seccomp: Option<String>,
}

/// Capabilities of Linux.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Capabilities {
    /// Those that it gets.
    #[serde(default)]
    pub add: Vec<String>,
    /// Those that it loses.
    #[serde(default)]
    pub drop: Vec<String>,
}

/// What Azure's own tools gave before they asked.
pub(super) fn cpu() -> f64 {
    1.0
}

/// What Azure's own tools gave before they asked.
pub(super) fn memory() -> f64 {
    1.5
}
