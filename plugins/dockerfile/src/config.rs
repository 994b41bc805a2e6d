//! What a Dockerfile can say about how an image is run.

use std::collections::{BTreeMap, BTreeSet};

use crate::instruction::HealthcheckOptions;

/// The parts of an image's config that instructions read and write.
///
/// Goes in as what the base image says and comes out as what the stage makes of it; the steps of a
/// [`StageRun`](crate::StageRun) change it, so nobody else has to. History, layers, platform and
/// times are the builder's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `Env`, in order.
    pub env: Vec<(String, String)>,
    /// `Entrypoint`
    pub entrypoint: Option<Vec<String>>,
    /// `Cmd`
    pub cmd: Option<Vec<String>>,
    /// `WorkingDir`; empty if not set.
    pub working_dir: String,
    /// `User`; empty if not set.
    pub user: String,
    /// `Labels`
    pub labels: BTreeMap<String, String>,
    /// `ExposedPorts`: `80/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// `Volumes`
    pub volumes: BTreeSet<String>,
    /// `StopSignal`
    pub stop_signal: Option<String>,
    /// `Healthcheck`
    pub healthcheck: Option<Healthcheck>,
    /// `Shell`
    pub shell: Option<Vec<String>>,
    /// `OnBuild`
    pub on_build: Vec<String>,
    /// `author` of the image itself.
    pub author: Option<String>,
}

/// `Healthcheck` of a config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", text]`.
    pub test: Vec<String>,
    /// Intervals and retries; 0 is left out of the config.
    pub options: HealthcheckOptions,
}

impl Config {
    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
