//! What tests need: a listener that remembers, and a run on a folder of its own.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::Path,
    sync::{Arc, Mutex},
};

use report::Mask;
use tempfile::TempDir;

use crate::{
    Backends, CallFacts, EnvProvider, Field, FileProvider, Grant, GrantText, Granted, Http,
    LedgerLine, Level, LocalStore, Oci, OciOptions, RegistrySettings, Reporter, SecretProviders,
    SecretSource, SecretText, Secrets, StateFile, Unit,
};

/// Remembers all that is said, as one line each.
#[derive(Default)]
pub(crate) struct Recorder {
    lines: Mutex<Vec<String>>,
    next: Mutex<u64>,
}

/// A run on a folder of its own: a workspace, a state file, a secret store.
pub(crate) struct TestRun {
    pub(crate) folder: TempDir,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) backends: Backends,
}

impl Recorder {
    fn say(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    /// Everything, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The ledger alone: `capability action target: result (bytes)`.
    pub(crate) fn ledger(&self) -> Vec<String> {
        let lines = self.lines();
        lines.iter().filter_map(|line| line.strip_prefix("ledger ")).map(str::to_owned).collect()
    }
}

impl Reporter for Recorder {
    fn log(&self, level: Level, message: &str, fields: &[Field]) {
        let fields: String =
            fields.iter().map(|field| format!(" {}={}", field.name, field.value)).collect();
        self.say(format!("{level:?} {message}{fields}"));
    }

    fn progress_start(&self, title: &str, total: Option<u64>, unit: Unit) -> u64 {
        let mut next = self.next.lock().unwrap();
        *next += 1;
        self.say(format!("start {next} {title} {total:?} {unit:?}"));
        *next
    }

    fn progress_advance(&self, id: u64, amount: u64) {
        self.say(format!("advance {id} {amount}"));
    }

    fn progress_title(&self, id: u64, title: &str) {
        self.say(format!("title {id} {title}"));
    }

    fn progress_end(&self, id: u64) {
        self.say(format!("end {id}"));
    }

    fn group_start(&self, title: &str) {
        self.say(format!("group {title}"));
    }

    fn group_end(&self) {
        self.say("group end".to_owned());
    }

    fn ledger(&self, line: LedgerLine) {
        let LedgerLine { capability, action, target, result, bytes, .. } = line;
        let bytes = bytes.map(|bytes| format!(" ({bytes})")).unwrap_or_default();
        self.say(format!("ledger {capability} {action} {target}: {result}{bytes}"));
    }
}

/// Sets up a [`TestRun`].
#[derive(Default)]
pub(crate) struct TestRunBuilder {
    env: Vec<(&'static str, &'static str)>,
    secrets: BTreeMap<String, SecretText>,
    registries: BTreeMap<String, RegistrySettings>,
    http: Option<Http>,
    identities: crate::Identities,
}

impl TestRunBuilder {
    /// `[identity]`.
    pub(crate) fn identity(mut self, identity: azure::Identity) -> Self {
        self.identities = crate::Identities::new([identity], None);
        self
    }

    /// A secret from the environment, with `only-to`.
    pub(crate) fn secret(mut self, name: &'static str, value: &'static str, to: &[&str]) -> Self {
        self.env.push((name, value));
        self.declare(name, SecretSource::Env { name: name.to_owned() }, to)
    }

    /// A secret from anywhere.
    pub(crate) fn declare(mut self, name: &str, source: SecretSource, to: &[&str]) -> Self {
        let only_to = to.iter().map(|host| (*host).to_owned()).collect();
        self.secrets.insert(name.to_owned(), SecretText { source, only_to });
        self
    }

    /// `[registries."HOST"]`.
    pub(crate) fn registry(mut self, host: &str, settings: RegistrySettings) -> Self {
        self.registries.insert(host.to_owned(), settings);
        self
    }

    /// Another HTTP backend than the usual one.
    pub(crate) fn http(mut self, http: Http) -> Self {
        self.http = Some(http);
        self
    }

    pub(crate) fn build(self) -> TestRun {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        fs_err::create_dir_all(&workspace).unwrap();
        let env = self.env;
        let lookup = move |name: &str| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        let providers = SecretProviders {
            env: Arc::new(EnvProvider::new(Arc::new(lookup))),
            file: Arc::new(FileProvider::new(&workspace)),
            store: LocalStore::open(folder.path().join("secrets"), folder.path().join("identity")),
            identities: self.identities,
        };
        let secrets = Secrets::new(&self.secrets, providers, Mask::new()).unwrap();
        let oci = Oci::new(OciOptions {
            client: ::oci::client::ClientOptions::default(),
            registries: self.registries,
            docker_configs: vec![folder.path().join("docker.json")],
            helpers: crate::CredentialHelpers::default(),
            journal: None,
            budgets: ::oci::Budgets::default(),
            secrets: secrets.clone(),
            workspace: workspace.clone(),
        });
        let backends = Backends {
            http: self.http.unwrap_or_else(|| Http::new(::oci::client::ClientOptions::default())),
            secrets,
            oci: oci.unwrap(),
            state: StateFile::new(folder.path().join("state/state.db")),
            workspace,
            build: ::build::Engine::nowhere(),
        };
        TestRun { folder, recorder: Arc::default(), backends }
    }
}

impl TestRun {
    pub(crate) fn new() -> Self {
        TestRunBuilder::default().build()
    }

    pub(crate) fn workspace(&self) -> &Path {
        &self.backends.workspace
    }

    /// A call with `grant`.
    pub(crate) fn call(&self, grant: &GrantText) -> Granted {
        self.backends.give(self.facts(grant))
    }

    /// A call with `grant` that may change nothing.
    pub(crate) fn dry_call(&self, grant: &GrantText) -> Granted {
        self.backends.give(CallFacts { dry_run: true, ..self.facts(grant) })
    }

    pub(crate) fn facts(&self, grant: &GrantText) -> CallFacts {
        CallFacts {
            grant: Grant::compile(grant).unwrap(),
            state_scope: "pipeline/step".to_owned(),
            dry_run: false,
            deadline: None,
            reporter: Arc::clone(&self.recorder) as Arc<dyn Reporter>,
        }
    }
}
