//! What `with` of a pipeline says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_plugin::{Request, Schema};

/// What is done with which task.
#[derive(Debug, Clone, Default, Deserialize, windlass_plugin::Inputs)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inputs {
    /// What is done: `create` (the default) makes the task, or changes it where it is another one;
    /// `show`, `run`, `list-runs`, `credential-add`, `cancel`, `delete`.
    #[serde(default)]
    pub action: Action,
    /// The registry, by login server or name.
    pub registry: String,
    /// The task: 5 to 50 letters, digits, `-` and `_`. `list-runs` without it lists all runs.
    pub name: Option<String>,
    /// The identity, a name in `[identity]`, that Azure is asked as.
    pub identity: Option<String>,
    /// The registry's subscription, by id; the only one that the identity sees if it is left out.
    pub subscription: Option<String>,
    /// The registry's resource group; it is looked for in the whole subscription if it is left out.
    pub resource_group: Option<String>,

    /// Where the context is: a git repository, `https://HOST/REPOSITORY.git[#BRANCH[:FOLDER]]`, or an
    /// artifact, `oci://…`. Of `run`: in place of the task's.
    pub context: Option<String>,
    /// The Dockerfile, or a task file that ends with `.yaml`; `Dockerfile` if nothing is said.
    pub file: Option<String>,
    /// The command that is run, in place of a file: an image and its arguments.
    pub command: Option<String>,
    /// What the image is called, each `REPOSITORY:TAG`; `{{.Run.ID}}` is Azure's to fill in.
    #[serde(default)]
    pub images: Vec<String>,
    /// Build arguments; of a task file or command its values.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// The same that are secrets, each the name of one in `[secrets]`.
    #[serde(default)]
    pub secret_args: BTreeMap<String, String>,
    /// The stage to build; the last one if nothing is said.
    pub target: Option<String>,
    /// For what: `linux/amd64` if nothing is said.
    pub platform: Option<String>,
    /// Do everything anew.
    #[serde(default)]
    pub no_cache: bool,
    /// A name in `[secrets]`: the token that Azure reads the repository with. With it commits trigger
    /// the task, unless `commit-trigger` says otherwise.
    pub git_token: Option<String>,
    /// Whether commits trigger it.
    pub commit_trigger: Option<bool>,
    /// Whether pull requests trigger it.
    #[serde(default)]
    pub pull_request_trigger: bool,
    /// When it is run, in UTC, each five fields as of cron, with a name before it or none:
    /// `nightly:0 21 * * *`.
    #[serde(default)]
    pub schedules: Vec<String>,
    /// Which base images trigger it.
    #[serde(default)]
    pub base_image_trigger: BaseTrigger,
    /// Who the task is: `[system]`, and ids of identities that are assigned to it.
    #[serde(default)]
    pub assign_identity: Vec<String>,
    /// As whom a run speaks with its own registry; registries with ABAC permissions need it.
    pub source_acr_auth_id: Option<String>,
    /// The pool of agents that runs it.
    pub agent_pool: Option<String>,
    /// How long a run may take, such as `2h`; an hour if nothing is said.
    pub run_timeout: Option<String>,
    /// Whether the task is there, but is not triggered.
    #[serde(default)]
    pub disabled: bool,
    /// Send the task although nothing is different: secrets cannot be compared.
    #[serde(default)]
    pub renew: bool,

    /// Of `run`: do not wait for the end.
    #[serde(default)]
    pub no_wait: bool,
    /// Of `list-runs`: only those of this status, such as `Succeeded`.
    pub status: Option<String>,
    /// Of `list-runs`: how many of the newest; 15 if nothing is said.
    pub top: Option<u32>,
    /// Of `cancel`: the run.
    pub run_id: Option<String>,
    /// Of `credential-add`: the registry that the task logs in to.
    pub login_server: Option<String>,
    /// Of `credential-add`: as which of its identities, `[system]` or a client id.
    pub use_identity: Option<String>,
    /// Of `credential-add`: as this user, with `password`.
    pub username: Option<String>,
    /// A name in `[secrets]`.
    pub password: Option<String>,

    /// Azure Resource Manager, where it is not that of the public cloud.
    pub endpoint: Option<String>,
    /// Where Azure keeps logs, where it is not `https://*.blob.core.windows.net`.
    pub storage: Option<String>,
}

/// What is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The task is made, or changed.
    #[default]
    Create,
    /// It is shown.
    Show,
    /// It is run.
    Run,
    /// Its runs are listed.
    ListRuns,
    /// It is given credentials of a registry.
    CredentialAdd,
    /// A run is ended.
    Cancel,
    /// It is deleted.
    Delete,
}

/// Which base images trigger a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum BaseTrigger {
    /// That of the last stage.
    #[default]
    Runtime,
    /// Those of all stages.
    All,
    /// None.
    None,
}

/// Azure Resource Manager; whoever names this machine means it.
const ENDPOINT: &str = "{{ 'https://management.azure.com' if not inputs.endpoint \
     else {'url': inputs.endpoint, 'private': true} if '//127.0.0.1' in inputs.endpoint \
     or '//localhost' in inputs.endpoint or '//[::1]' in inputs.endpoint else inputs.endpoint }}";

/// Where logs come from.
const STORAGE: &str = "{{ none if inputs.action != 'run' \
     else 'https://*.blob.core.windows.net' if not inputs.storage \
     else {'url': inputs.storage, 'private': true} if '//127.0.0.1' in inputs.storage \
     or '//localhost' in inputs.storage or '//[::1]' in inputs.storage else inputs.storage }}";

/// What the step will need.
#[must_use]
pub fn requests() -> Vec<Request> {
    vec![
        Request::new("identity", "{{ inputs.identity }}", "asks Azure"),
        Request::new("http", ENDPOINT, "asks Azure"),
        Request::new("http", STORAGE, "reads the log"),
        Request::new("secrets.use", "{{ inputs['git-token'] }}", "lets Azure read the repository"),
        Request::new("secrets.use", "{{ inputs.password }}", "lets the task log in"),
        Request::new(
            "secrets.use",
            "{{ inputs['secret-args'] | items | map('last') | list }}",
            "gives them to the build",
        ),
    ]
}
