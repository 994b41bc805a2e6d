//! What `with` of a pipeline says.

mod container;
mod group;
mod text;

pub use container::{Capabilities, Container, Gpu, Header, Init, Limits, Mount, Probe, Security};
pub use group::{
    AzureFile, Confidential, DnsScope, Encryption, Git, Health, Ip, LogAnalytics, LogKind,
    NameServers, OnFailure, Os, Registry, Replace, Restart, Sku, UpdateSecrets, Volume, WaitFor,
};
pub use text::{Port, SecretName, Text};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_plugin::{Request, Schema};

/// A container group of Azure Container Instances, and what is done with it.
///
/// `image` and what stands beside it is the group's first container, called like the group;
/// `containers` are further ones, or all. A secret is written `{ secret = "NAME" }`.
#[derive(Debug, Clone, Deserialize, windlass_plugin::Inputs)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inputs {
    /// `deploy`, the default; `logs`, `stop`, `start`, `restart` or `delete` of a group that is there.
    #[serde(default)]
    pub action: Action,
    /// Which `[identity.NAME]` of the pipeline Azure is asked as.
    pub identity: Option<String>,
    /// Azure Resource Manager of another cloud, `https://HOST[:PORT]`; that of the public cloud if
    /// nothing is said.
    pub endpoint: Option<String>,
    /// The subscription's id.
    pub subscription: String,
    /// The resource group, which must be there.
    pub resource_group: String,
    /// The container group: 1 to 63 lower-case letters, digits and dashes.
    pub name: String,
    /// The region, such as `westeurope`; that of the group if it is there, else of the resource group.
    pub location: Option<String>,
    /// The image of the first container.
    pub image: Option<String>,
    /// CPUs of the first container.
    #[serde(default = "container::cpu")]
    pub cpu: f64,
    /// GB of memory of the first container.
    #[serde(default = "container::memory")]
    pub memory: f64,
    /// The most that the first container gets where the machine has more.
    pub limits: Option<Limits>,
    /// GPUs of the first container. Azure has retired them in most regions.
    pub gpu: Option<Gpu>,
    /// What the first container runs, in place of what its image says.
    #[serde(default)]
    pub command: Vec<String>,
    /// Ports of the first container, such as `80` or `"53/udp"`. 80 where there is an address and
    /// nothing is said.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// Variables of the first container.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// Where volumes stand in the first container, by volume.
    #[serde(default)]
    pub mounts: BTreeMap<String, Mount>,
    /// When the first container is started again.
    pub liveness: Option<Probe>,
    /// When the first container gets requests.
    pub readiness: Option<Probe>,
    /// Users and capabilities of the first container.
    pub security: Option<Security>,
    /// Further containers, or all.
    #[serde(default)]
    pub containers: Vec<Container>,
    /// What runs before them, one after the other.
    #[serde(default)]
    pub init_containers: Vec<Init>,
    /// `linux`, the default, or `windows`.
    #[serde(default)]
    pub os: Os,
    /// `always`, the default, `on-failure` or `never`.
    #[serde(default)]
    pub restart: Restart,
    /// `public`, `private` or `none`. Public with `dns-label`, private with `subnets`, else none.
    pub ip: Option<Ip>,
    /// The DNS name: `LABEL.REGION.azurecontainer.io`.
    pub dns_label: Option<String>,
    /// Adds a random suffix to `dns-label`, which the group keeps while it is there.
    #[serde(default)]
    pub dns_random: bool,
    /// Who may use the label again: `fixed`, the default, gives it to whoever is first; with
    /// `tenant`, `subscription`, `resource-group` and `nobody` Azure adds a hash.
    #[serde(default)]
    pub dns_scope: DnsScope,
    /// Credentials to pull images with.
    #[serde(default)]
    pub registries: Vec<Registry>,
    /// User-assigned identities of the group, by resource id.
    #[serde(default)]
    pub identities: Vec<String>,
    /// Gives the group an identity of its own. It cannot pull images.
    #[serde(default)]
    pub system_identity: bool,
    /// Volumes by name.
    #[serde(default)]
    pub volumes: BTreeMap<String, Volume>,
    /// Subnets, by resource id, that are delegated to container groups.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Name servers, in a subnet.
    pub dns: Option<NameServers>,
    /// Where the containers' output goes.
    pub log_analytics: Option<LogAnalytics>,
    /// Runs on spare capacity that Azure may take away.
    #[serde(default)]
    pub spot: bool,
    /// `standard`, the default, `dedicated` or `confidential`.
    #[serde(default)]
    pub sku: Sku,
    /// The policy of a confidential group.
    pub confidential: Option<Confidential>,
    /// A key of one's own for what Azure stores.
    pub encryption: Option<Encryption>,
    /// Availability zones, such as `["1"]`.
    #[serde(default)]
    pub zones: Vec<String>,
    /// Tags of the group.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Deploys images by the digest that they have now.
    #[serde(default = "yes")]
    pub pin: bool,
    /// Asks registries for the images first, with the credentials of `[registries]` of the pipeline.
    #[serde(default = "yes")]
    pub preflight: bool,
    /// What cannot be changed in a group that is there needs a new one: `never`, the default, is an
    /// error; `if-needed` deletes and creates; `always` does so each time.
    #[serde(default)]
    pub replace: Replace,
    /// Azure never tells secrets: `with-changes`, the default, sends them when anything else changes;
    /// `always` with every run.
    #[serde(default)]
    pub update_secrets: UpdateSecrets,
    /// What is waited for: `healthy`, the default; `finished`, of jobs; `accepted`, by Azure.
    #[serde(default)]
    pub wait_for: WaitFor,
    /// How long, such as `15m`.
    #[serde(default = "half_an_hour")]
    pub within: String,
    /// How often a container may have been restarted and still counts as healthy.
    #[serde(default = "few")]
    pub max_restarts: u32,
    /// A request to the group's name that must succeed.
    pub health: Option<Health>,
    /// What is done when the new state is not healthy: `keep` it, the default, or `restore` the former
    /// one, as far as its secrets are those of the inputs.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Writes an ARM template to this file of the workspace, and calls nothing.
    pub template: Option<String>,
    /// The container whose output `logs` shows; all if nothing is said.
    pub container: Option<String>,
    /// Lines of output that are shown, by `logs` and of containers that failed.
    #[serde(default = "tail")]
    pub tail: u32,
}

/// What is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The group is made what the inputs say.
    #[default]
    Deploy,
    /// Its output is shown.
    Logs,
    /// It is stopped, and keeps its definition.
    Stop,
    /// It is started again.
    Start,
    /// Its containers are restarted.
    Restart,
    /// It is deleted.
    Delete,
}

impl Inputs {
    /// All containers.
    #[must_use]
    pub fn all_containers(&self) -> Vec<Container> {
        let first = self.image.as_ref().map(|image| Container {
            name: self.name.clone(),
            image: image.clone(),
            cpu: self.cpu,
            memory: self.memory,
            limits: self.limits,
            gpu: self.gpu.clone(),
            command: self.command.clone(),
            ports: self.ports.clone(),
            env: self.env.clone(),
            mounts: self.mounts.clone(),
            liveness: self.liveness.clone(),
            readiness: self.readiness.clone(),
            security: self.security.clone(),
        });
        first.into_iter().chain(self.containers.iter().cloned()).collect()
    }

    /// The kind of address, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<Ip> {
        let default = match (&self.dns_label, self.subnets.as_slice()) {
            (Some(_), _) => Ip::Public,
            (None, [_, ..]) => Ip::Private,
            (None, []) => Ip::None,
        };
        Some(self.ip.unwrap_or(default)).filter(|ip| *ip != Ip::None)
    }
}

fn yes() -> bool {
    true
}

/// What Azure itself gives a container group to come up.
fn half_an_hour() -> String {
    "30m".to_owned()
}

fn few() -> u32 {
    3
}

fn tail() -> u32 {
    100
}

/// Resource Manager.
const ENDPOINT: &str = "{{ none if inputs.template is not none \
     else [{'url': inputs.endpoint, 'private': true}] if inputs.endpoint is not none \
     else ['https://management.azure.com'] }}";

/// The names of all secrets, wherever they stand: in JSON the quotes of a text are escaped, so what is
/// found is no text. The schema holds `{ secret = … }` to that one key.
const SECRETS: &str = "{{ none if inputs.template is not none or inputs.action != 'deploy' \
     else (inputs | tojson | replace('\": \"', '\":\"') | split('{\"secret\":\"') | list)[1:] \
     | map('split', '\"') | map('first') | list | unique }}";

/// Images whose digests are asked for.
const IMAGE: &str = "{{ none if inputs.template is not none or inputs.action != 'deploy' \
     or not (inputs.pin or inputs.preflight) else inputs.image }}";
const IMAGES: &str = "{{ [] if inputs.template is not none or inputs.action != 'deploy' \
     or not (inputs.pin or inputs.preflight) \
     else (inputs.containers | map(attribute='image') | list) \
     + (inputs['init-containers'] | map(attribute='image') | list) }}";

/// Where the group answers.
const NAME: &str = "{{ none if inputs.health is none or inputs.action != 'deploy' \
     or inputs.template is not none \
     else [{'url': inputs.health.scheme ~ '://*.' ~ inputs.health.suffix ~ ':' ~ inputs.health.port, \
     'methods': ['GET'], 'private': inputs.health.private}] }}";

/// What the step will need.
#[must_use]
pub fn requests() -> Vec<Request> {
    vec![
        Request::new("identity", "{{ inputs.identity }}", "asks Azure as this identity"),
        Request::new("http", ENDPOINT, "speaks with Azure Resource Manager"),
        Request::new("http", NAME, "sees whether the group answers"),
        Request::new("oci.pull", IMAGE, "asks for the image's digest"),
        Request::new("oci.pull", IMAGES, "asks for the images' digests"),
        Request::new("secrets.use", SECRETS, "puts them into the group"),
        Request::new("workspace.write", "{{ inputs.template }}", "writes the template"),
    ]
}

#[cfg(test)]
mod tests;
