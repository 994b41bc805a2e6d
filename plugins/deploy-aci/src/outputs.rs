//! What later steps can refer to.

use std::collections::BTreeMap;

use serde::Serialize;
use windlass_plugin::Schema;

/// What has become of the group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, windlass_plugin::Outputs)]
#[serde(rename_all = "kebab-case")]
pub struct Outputs {
    /// The group's resource id.
    pub id: String,
    /// Whether anything was changed; in a dry run, would be.
    pub changed: bool,
    /// Whether it was deleted and made anew.
    pub replaced: bool,
    /// What was different: JSON pointers into the group.
    pub changes: Vec<String>,
    /// `Running`, `Succeeded`, `Stopped`, …; empty where it was not asked for.
    pub state: String,
    /// Its DNS name.
    pub fqdn: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// `http://FQDN[:PORT]` of its first port; `https` for port 443.
    pub url: Option<String>,
    /// Its containers.
    pub containers: Vec<ContainerState>,
    /// The digest of the first container's image, if it was asked for.
    pub digest: Option<String>,
    /// The digests of all images that were asked for, by what the inputs call them.
    pub digests: BTreeMap<String, String>,
    /// What containers have written, by container, with `action = "logs"`.
    pub logs: BTreeMap<String, String>,
}

/// A container as Azure sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct ContainerState {
    /// Its name.
    pub name: String,
    /// `Waiting`, `Running` or `Terminated`; empty where it was never started.
    pub state: String,
    /// How often it was restarted.
    pub restart_count: u64,
    /// What it ended with.
    pub exit_code: Option<i64>,
    /// More of its state, such as `CrashLoopBackOff`.
    pub detail: Option<String>,
}
