//! The plan: what will run, with nothing left to find out but what steps themselves find out.
//!
//! Every name is resolved, every plugin pinned to a digest, every template compiled, the order
//! fixed. What depends on outputs of other steps is resolved by [`Step::applies`],
//! [`Step::combinations`] and [`Step::resolve`] at the moment the step starts.
//!
//! The serialized plan is for reading and reviewing (`windlass plan --format json`): durations are
//! integers of milliseconds, templates that wait for a step are shown as they were written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use report::{Diagnostic, Kind, Source, Span};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cron::{Cron, Zone};
pub use crate::schema::{
    CloudWord, Concurrency, FirstSeen, IdentityKind, LinkWord, ManagedSpec, Missed, Proof,
    SecretRef, Sender, TextOrSecret,
};

use crate::check::Plugin;
use crate::grant::GrantTemplate;
use crate::matrix::Matrix;
use crate::name::StepId;
use crate::template::{Condition, Place, Template};

/// What a run is given besides the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Values of inputs, by name.
    pub inputs: BTreeMap<String, InputText>,
}

/// The value of an input as text, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputText {
    /// The text, converted by the input's type.
    pub text: String,
    /// Who gave it, for errors: `--input registry=localhost:5000`.
    pub origin: String,
}

/// What will run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The file it was made from.
    pub source: Source,
    /// Inputs with their values, in the order of the file.
    pub inputs: Map<String, Value>,
    /// Who we are to clouds.
    pub identities: BTreeMap<String, IdentitySpec>,
    /// Where each secret comes from and where it may go.
    pub secrets: BTreeMap<String, SecretSpec>,
    /// How to reach registries, by host.
    pub registries: BTreeMap<String, RegistrySpec>,
    /// The steps: each after all that it needs or follows, otherwise in the order of the file.
    pub steps: Vec<Step>,
    /// What starts runs by itself.
    pub triggers: Vec<Trigger>,
    /// What becomes of a run that is to start while another one is under way.
    pub concurrency: Concurrency,
    /// The longest that a run may take.
    pub timeout: Option<Duration>,
    /// Whether the first failed step keeps the others from beginning.
    pub fail_fast: bool,
    /// What is probably not as meant.
    pub warnings: Vec<Diagnostic>,
}

/// Something that starts runs by itself.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its kind, and its place among those of its kind.
    pub name: String,
    /// What it looks at, for people.
    pub watches: String,
    /// When a run is due.
    pub rule: Rule,
}

/// When a run is due.
#[derive(Clone, Debug)]
pub enum Rule {
    /// When an image is another one than before.
    Images {
        /// What looks, and says what has changed.
        look: Box<Step>,
        /// When it looks.
        pace: Pace,
    },
    /// At times of day.
    Schedule {
        /// Which.
        cron: Cron,
        /// Where.
        zone: Zone,
        /// What becomes of those at which nobody looked.
        missed: Missed,
    },
    /// When a branch has another commit than before.
    Git {
        /// The repository: a URL, or a folder relative to the file.
        repository: String,
        /// The branch; that which the repository itself points at if none is named.
        branch: Option<String>,
        /// Whether the first look starts a run.
        first_seen: FirstSeen,
        /// When to look.
        pace: Pace,
    },
    /// When somebody tells it.
    Webhook {
        /// The last part of its address.
        name: String,
        /// Who tells it.
        from: Sender,
        /// The secret that proves it, by its name in `[secrets]`.
        secret: String,
        /// How it is proved; as `from` usually does if nothing is said.
        check: Option<Proof>,
        /// The header with the proof; that which `from` usually sends if nothing is said.
        header: Option<String>,
        /// Patterns of images, tags and branches; all if there is none.
        images: Vec<String>,
        /// See `images`.
        tags: Vec<String>,
        /// See `images`.
        branches: Vec<String>,
    },
}

/// How often to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time between two looks.
    pub every: Duration,
    /// Up to so much is added to it, by chance.
    pub jitter: Duration,
}

/// Where a secret comes from and where it may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSpec {
    /// Where it comes from.
    pub from: SecretFrom,
    /// The hosts that it may be sent to; empty: wherever a grant allows it.
    pub only_to: Vec<String>,
    /// Where the file says so.
    pub span: Span,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    /// An environment variable.
    Env {
        /// The variable.
        name: String,
    },
    /// A file.
    File {
        /// Its path, relative to the pipeline file.
        path: String,
    },
    /// The local encrypted store.
    Store {
        /// The name there.
        name: String,
    },
    /// Azure Key Vault.
    AzureKeyVault {
        /// The vault: its name, or its URL.
        vault: String,
        /// The name there.
        name: String,
        /// The version; none: the newest.
        version: Option<String>,
        /// Who reads it; none: whoever this machine is to Azure.
        identity: Option<String>,
    },
    /// The standard input of the run.
    Stdin,
}

/// Who we are to a cloud, as the file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct IdentitySpec {
    /// The cloud's kind.
    pub kind: IdentityKind,
    /// The tenant.
    pub tenant: Option<String>,
    /// The application.
    pub client_id: Option<String>,
    /// Its secret, by name.
    pub client_secret: Option<SecretRef>,
    /// Its certificate: a path, or a secret.
    pub certificate: Option<TextOrSecret>,
    /// A file with a federated token.
    pub federated_token_file: Option<String>,
    /// The machine's identity.
    pub managed: Option<ManagedSpec>,
    /// The only ways to log in; none: all.
    #[serde(rename = "use")]
    pub use_: Vec<LinkWord>,
    /// The cloud.
    pub cloud: Option<CloudWord>,
    /// What is elsewhere, by key.
    pub endpoints: BTreeMap<&'static str, String>,
    /// A file of certificates to trust.
    pub ca: Option<String>,
}

/// How to reach a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrySpec {
    /// Who logs in.
    pub username: Option<TextOrSecret>,
    /// The password, by name.
    pub password: Option<SecretRef>,
    /// A bearer token, by name.
    pub token: Option<SecretRef>,
    /// Who logs in.
    pub identity: Option<String>,
    /// Whether plain HTTP is allowed.
    pub insecure: bool,
    /// A file of certificates (PEM) to trust besides the machine's own; relative to the pipeline
    /// file.
    pub ca: Option<String>,
    /// The chain of certificates (PEM) that we show the registry; relative to the pipeline file.
    pub cert: Option<String>,
    /// Its private key (PEM), wherever there is a `cert`; relative to the pipeline file.
    pub key: Option<String>,
    /// Where the file says so.
    pub span: Span,
}

/// One use of one plugin.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// What people read instead of the id.
    pub name: Option<String>,
    /// Where the file says so: the value of `id`.
    pub span: Span,
    /// The plugin, pinned.
    pub plugin: PluginRef,
    /// The steps that come first, and without which this one does not run: named by `needs`, or
    /// referred to.
    pub needs: Vec<StepId>,
    /// The step before it in the file, which it comes after without needing it: that one may be
    /// skipped, but not fail.
    pub follows: Option<StepId>,
    /// Whether to run at all.
    pub when: Option<Condition>,
    /// The combinations to run for.
    pub matrix: Option<Matrix>,
    /// The inputs, before what waits for other steps is rendered.
    pub with: Template,
    /// What it may do, before it is rendered.
    pub grant: GrantTemplate,
    /// Which failures are tried again.
    pub retry: Retry,
    /// The longest that the step may take: all its attempts, and the pauses between them.
    pub timeout: Option<Duration>,
    /// Whether the run goes on, and succeeds, if this step fails.
    pub continue_on_error: bool,
    /// Whether it runs even if the run fails or is cancelled.
    pub always: bool,
    /// Whether it changes nothing, and says what it would change.
    pub dry_run: bool,
    /// At most one step of a group runs at a time.
    pub concurrency: Option<String>,
    /// The plugin's schemas, compiled.
    pub(crate) facts: Arc<Plugin>,
    /// Where `with` stands, or the step if there is none.
    pub(crate) place: Place,
    /// The steps that its templates speak of, and the outputs these declare.
    pub(crate) sees: BTreeMap<StepId, Arc<Plugin>>,
}

/// A plugin, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PluginRef {
    /// What the file says.
    pub uses: String,
    /// The plugin's own name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of the component.
    pub digest: String,
    /// Whether it came with the binary.
    pub builtin: bool,
}

/// Which failures are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often the step is tried in all; at least 1.
    pub attempts: u32,
    /// The kinds of failure that are tried again.
    pub on: Vec<Kind>,
    /// The pause after the first failure, doubled after each.
    pub backoff: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 1, on: vec![Kind::Transient], backoff: Duration::from_secs(1) }
    }
}

impl Plan {
    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id.as_str() == id)
    }
}

/// What templates can see when a step starts.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The plan's inputs.
    pub inputs: Map<String, Value>,
    /// The run.
    pub run: RunFacts,
    /// Steps that are done, by id.
    pub steps: BTreeMap<StepId, StepFacts>,
    /// The combination, for a step with a matrix.
    pub matrix: Option<Map<String, Value>>,
}

/// What templates can see of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunFacts {
    /// The run's id.
    pub id: String,
    /// The day the run began, `2025-11-30`.
    pub date: String,
    /// The moment the run began, `2025-11-30T08:15:00Z`.
    pub started: String,
    /// The same, fit for a tag: `20251130-081500z`.
    pub stamp: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// What started it: `manual`, `commit`, `image-update`, `timer` or `webhook`.
    pub trigger: String,
    /// The operating system that the runner is on, `linux`.
    pub os: String,
    /// Its processor, as images name it: `amd64`.
    pub arch: String,
}

impl RunFacts {
    /// What templates call each of them.
    pub const NAMES: [&str; 8] =
        ["id", "date", "started", "stamp", "pipeline", "trigger", "os", "arch"];

    /// The values, in the order of [`Self::NAMES`].
    pub(crate) fn values(&self) -> [&str; 8] {
        let Self { id, date, started, stamp, pipeline, trigger, os, arch } = self;
        [id, date, started, stamp, pipeline, trigger, os, arch]
    }
}

/// What templates can see of a step that is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepFacts {
    /// How it ended: `succeeded`, `failed`, `denied`, `timed-out`, `cancelled` or `skipped`.
    pub outcome: String,
    /// Its outputs: an object.
    pub outputs: Value,
}

impl StepFacts {
    /// The facts of a matrix step: each output is the list of its values over the combinations,
    /// null where one has no such output.
    pub fn of_matrix(outcome: impl Into<String>, outputs: &[Value]) -> Self {
        let objects = || outputs.iter().map(Value::as_object);
        let keys: BTreeSet<&String> = objects().flatten().flat_map(Map::keys).collect();
        let list = |key: &String| -> Value {
            objects().map(|object| object.and_then(|fields| fields.get(key)).cloned()).collect()
        };
        let outputs = keys.into_iter().map(|key| (key.clone(), list(key))).collect();
        Self { outcome: outcome.into(), outputs: Value::Object(outputs) }
    }
}

/// A step ready to be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The inputs: an object that conforms to the plugin's schema, defaults filled in.
    pub inputs: Value,
    /// What the step may do.
    pub grant: crate::Grant,
}
