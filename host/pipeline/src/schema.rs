//! The pipeline file, exactly as written: schema 1.
//!
//! One field for each key, one type for each table, every value with its place. Nothing is judged
//! here and nothing has a meaning yet; [`crate::plan()`] gives it one. The JSON Schema that editors
//! use is generated from these types, and a test holds it against [`crate::parse()`].
//!
//! A key is added here first; the doc comment of its field is what an editor shows.

use std::time::Duration;

use report::{Kind, Source};
use schemars::JsonSchema;

use crate::at::{At, Entries};

mod identity;
pub(crate) mod on;

pub use identity::{
    AssignedSpec, CloudWord, EndpointsSpec, IdentityEntry, IdentityKind, LinkWord, ManagedSpec,
};
pub use on::{
    Concurrency, FirstSeen, Git, ImageUpdate, Missed, On, Outline, Proof, Schedule, Sender, Webhook,
};

/// The version of the pipeline file that this version reads.
pub const SCHEMA: i64 = 1;

/// A Windlass pipeline: steps of sandboxed plugins, and what each may do.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, title = "Windlass pipeline")]
pub struct Pipeline {
    /// The version of this format: 1.
    #[schemars(schema_with = "crate::json_schema::version")]
    pub schema: At<i64>,
    /// The pipeline as a whole.
    pub pipeline: Header,
    /// Values given from outside: `--input name=value`.
    #[schemars(default)]
    pub inputs: Entries<InputSpec>,
    /// Where secrets come from and where they may go.
    #[schemars(default)]
    pub secrets: Entries<SecretEntry>,
    /// Who we are to clouds, by name.
    #[schemars(default)]
    pub identity: Entries<IdentityEntry>,
    /// How to reach registries, by host: `docker.io`, `localhost:5000`; `docker.io/team` is for the
    /// repositories below that path.
    #[schemars(default)]
    pub registries: Entries<RegistryEntry>,
    /// What starts runs by itself, while `windlass watch` looks.
    #[schemars(default)]
    pub on: On,
    /// The steps, in order.
    #[schemars(default)]
    pub step: Vec<StepEntry>,
    /// The text this was read from.
    #[schemars(skip)]
    pub source: Source,
}

/// The pipeline as a whole.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// The pipeline's name: lower-case letters, digits and dashes.
    pub name: At<String>,
    /// What it is for.
    pub description: Option<At<String>>,
    /// The longest that a run may take, such as `"1h"`.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    pub timeout: Option<At<Duration>>,
    /// Whether the first failed step keeps the others from beginning; true by default.
    pub fail_fast: Option<At<bool>>,
}

/// One value given from outside.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InputSpec {
    /// The type of the value; `string` by default.
    #[schemars(rename = "type", default)]
    pub type_: InputType,
    /// The value if none is given; without one, the input is required.
    #[schemars(schema_with = "crate::json_schema::any", default)]
    pub default: Option<At<Tree>>,
    /// What it is for.
    pub description: Option<At<String>>,
    /// Whether it must be given; `false` without a default means null.
    pub required: Option<At<bool>>,
    /// The values allowed.
    #[schemars(schema_with = "crate::json_schema::any_list", default)]
    pub choices: Option<At<Vec<At<Tree>>>>,
    /// A regular expression (ECMA 262) that a string must match.
    pub pattern: Option<At<String>>,
}

/// The type of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum InputType {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list of anything; on the command line `a,b` or JSON.
    List,
    /// A table; on the command line JSON.
    Object,
}

/// Where a secret comes from and where it may go.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretEntry {
    /// Who has it.
    pub from: At<SecretProvider>,
    /// The environment variable, or the name in the store or the vault; in those, the secret's own
    /// name by default.
    pub name: Option<At<String>>,
    /// The file, relative to the pipeline file.
    pub path: Option<At<String>>,
    /// The vault: its name, or its URL.
    pub vault: Option<At<String>>,
    /// The version in the vault; the newest by default.
    pub version: Option<At<String>>,
    /// Who reads it there: a name in `[identity]`. By default the only one there is, or, if there is
    /// none, whoever this machine is to Azure.
    pub identity: Option<At<String>>,
    /// The hosts that it may be sent to; without any, wherever a grant allows it.
    #[schemars(default)]
    pub only_to: Vec<At<String>>,
}

/// Who has a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum SecretProvider {
    /// An environment variable of the runner.
    Env,
    /// A file.
    File,
    /// The local encrypted store: `windlass secret set NAME`.
    Store,
    /// A vault of Azure Key Vault.
    AzureKeyVault,
    /// The standard input of `windlass run`, whole; one secret alone can be from there.
    Stdin,
}

/// How to reach a registry.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RegistryEntry {
    /// Who logs in: text, or `{ secret = "…" }`.
    #[schemars(schema_with = "crate::json_schema::optional_text_or_secret", default)]
    pub username: Option<At<TextOrSecret>>,
    /// `{ secret = "…" }`: a password is never written into a file.
    pub password: Option<At<SecretRef>>,
    /// `{ secret = "…" }`: a bearer token, instead of username and password.
    pub token: Option<At<SecretRef>>,
    /// Who logs in: a name in `[identity]`, for a registry of that cloud.
    pub identity: Option<At<String>>,
    /// Whether plain HTTP is allowed.
    pub insecure: Option<At<bool>>,
    /// A file of certificates (PEM) to trust for this registry besides the machine's own; relative
    /// to the pipeline file.
    pub ca: Option<At<String>>,
    /// A file with the certificate (PEM) that the registry wants to know us by; relative to the
    /// pipeline file.
    pub cert: Option<At<String>>,
    /// A file with the private key (PEM) of `cert`; relative to the pipeline file.
    pub key: Option<At<String>>,
}

/// Text, or a secret by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextOrSecret {
    /// The text itself.
    Text(String),
    /// A secret.
    Secret(SecretRef),
}

/// A secret by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, serde::Serialize)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[serde(rename_all = "kebab-case")]
pub struct SecretRef {
    /// A name in `[secrets]`.
    pub secret: String,
}

/// One use of one plugin.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepEntry {
    /// The step's name in templates and records: lower-case letters, digits and dashes.
    pub id: At<String>,
    /// What people read instead of the id.
    pub name: Option<At<String>>,
    /// The plugin: the name of a builtin one, `oci://…`, `file:…` or `https://…`.
    pub uses: At<String>,
    /// The digest of the component behind an `https://` plugin: 64 hexadecimal digits.
    pub sha256: Option<At<String>>,
    /// The plugin's inputs; strings may be templates.
    #[schemars(schema_with = "crate::json_schema::any_object", default)]
    pub with: Option<At<Tree>>,
    /// Steps that come first, and without which this one is skipped; a step that a template refers
    /// to is one of them. Absent: the step comes after the one before it in the file, which may be
    /// skipped but not fail; `[]`: none.
    pub needs: Option<At<Vec<At<String>>>>,
    /// An expression; the step is skipped if it is false.
    pub when: Option<At<String>>,
    /// Runs the step once for each combination: a table of lists, or a template that gives a list.
    #[schemars(schema_with = "crate::json_schema::optional_matrix", default)]
    pub matrix: Option<At<MatrixSpec>>,
    /// Which failures are tried again, and how often.
    pub retry: Option<RetrySpec>,
    /// The longest that the step may take, all attempts and the pauses between them, such as
    /// `"10m"`.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    pub timeout: Option<At<Duration>>,
    /// Whether the run goes on, and succeeds, if this step fails.
    pub continue_on_error: Option<At<bool>>,
    /// Whether the step runs even if the run fails or is cancelled: cleanup.
    pub always: Option<At<bool>>,
    /// Whether the step changes nothing and says what it would change.
    pub dry_run: Option<At<bool>>,
    /// At most one step of a group runs at a time; a template over inputs.
    pub concurrency: Option<At<String>>,
    /// What the plugin may do. A builtin plugin without it gets what it requests.
    pub grant: Option<At<GrantSpec>>,
    /// Where the step stands.
    #[schemars(skip)]
    pub span: report::Span,
}

/// The combinations that a step runs for.
#[derive(Clone, Debug)]
pub enum MatrixSpec {
    /// A template that gives a list: each item is `matrix.item`, or, if it is a table, `matrix`.
    List(String),
    /// Lists by variable; the step runs for each combination.
    Table(MatrixTable),
}

/// Lists by variable.
#[derive(Clone, Debug, Default)]
pub struct MatrixTable {
    /// Variables and their values: a list, or a template that gives one.
    pub axes: Entries<At<Tree>>,
    /// Combinations added at the end.
    pub include: Vec<At<Tree>>,
    /// Combinations left out: those that have all the values of one of these.
    pub exclude: Vec<At<Tree>>,
}

/// Which failures are tried again.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RetrySpec {
    /// How often the step is tried in all.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: Option<At<i64>>,
    /// The kinds of failure that are tried again; `transient` by default.
    #[schemars(schema_with = "crate::json_schema::kinds", default)]
    pub on: Option<Vec<At<Kind>>>,
    /// The pause after the first failure, doubled after each; `"1s"` by default.
    #[schemars(schema_with = "crate::json_schema::optional_duration", default)]
    pub backoff: Option<At<Duration>>,
}

/// What a plugin may do.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GrantSpec {
    /// Where requests may go: URLs, or tables with `url`, `methods` and `private`.
    #[schemars(schema_with = "crate::json_schema::http_rules", default)]
    pub http: Vec<HttpEntry>,
    /// Identities by name: requests to the hosts of their clouds are sent with their tokens.
    #[schemars(default)]
    pub identity: Vec<At<String>>,
    /// Secrets by name: a list of those that may be used, or a table.
    #[schemars(schema_with = "crate::json_schema::secrets_rule", default)]
    pub secrets: SecretsSpec,
    /// Repositories by pattern.
    #[schemars(default)]
    pub oci: OciSpec,
    /// Whether the step has a small durable store.
    pub state: Option<At<bool>>,
    /// Folders relative to the workspace.
    #[schemars(default)]
    pub workspace: WorkspaceSpec,
    /// Commands of a build, each in a sandbox of its own.
    #[schemars(default)]
    pub exec: ExecSpec,
}

/// One place that requests may go to.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpEntry {
    /// Scheme, host, and if need be port.
    pub url: At<String>,
    /// The methods allowed; all of them if there are none here.
    #[schemars(default)]
    pub methods: Vec<At<String>>,
    /// Whether the host may resolve to an address that is not public.
    pub private: Option<At<bool>>,
}

/// Secrets by name.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretsSpec {
    /// May be sent by the host, where the secret's `only-to` allows.
    #[schemars(rename = "use", default)]
    pub use_: Vec<At<String>>,
    /// The plugin may see the value.
    #[schemars(default)]
    pub reveal: Vec<At<String>>,
    /// The plugin may store a new value.
    #[schemars(default)]
    pub write: Vec<At<String>>,
}

/// Repositories by pattern: `docker.io/library/*`, `localhost:5000/**`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OciSpec {
    /// May be read.
    #[schemars(default)]
    pub pull: Vec<At<String>>,
    /// May be written.
    #[schemars(default)]
    pub push: Vec<At<String>>,
    /// May be deleted from.
    #[schemars(default)]
    pub delete: Vec<At<String>>,
}

/// Folders relative to the workspace.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WorkspaceSpec {
    /// May be read.
    #[schemars(default)]
    pub read: Vec<At<String>>,
    /// May be read and written.
    #[schemars(default)]
    pub write: Vec<At<String>>,
}

/// Commands of a build.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExecSpec {
    /// May be run.
    pub run: Option<At<bool>>,
    /// May use the network of this machine.
    pub network: Option<At<bool>>,
}

/// Any value of TOML, with the places of all its parts. A date is its text.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text; a template where templates are allowed.
    Text(String),
    /// A list.
    List(Vec<At<Self>>),
    /// A table.
    Table(Entries<At<Self>>),
}

impl Pipeline {
    /// What the steps use, each once, in the order of the file, with its `sha256` if there is one:
    /// what a [`crate::Catalog`] has to know before the plan is made.
    pub fn uses(&self) -> Vec<(&At<String>, Option<&At<String>>)> {
        let mut seen = std::collections::BTreeSet::new();
        let looks = self.on.image_update.iter().map(|update| &update.look);
        self.step
            .iter()
            .chain(looks)
            .filter(|step| seen.insert(step.uses.value.as_str()))
            .map(|step| (&step.uses, step.sha256.as_ref()))
            .collect()
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::Table(Entries::default())
    }
}

impl Tree {
    /// The tree as JSON, strings as they are.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::{Number, Value};
        match self {
            Self::Boolean(value) => Value::Bool(*value),
            Self::Integer(value) => Value::from(*value),
            // Infinity and NaN are refused when the file is read.
            Self::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Self::Text(value) => Value::String(value.clone()),
            Self::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Table(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, item)| (key.value.clone(), item.value.to_json()))
                    .collect(),
            ),
        }
    }
}
