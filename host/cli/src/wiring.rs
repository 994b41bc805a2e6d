//! Where the two lines of the house meet: steps of `run` are plugins of `wasm`, and what a
//! `pipeline` says becomes settings of `capability`. Conversions only.

mod identity;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use capability::{
    Backends, BuildSetup, CallFacts, CredentialHelpers, Engine, EngineOptions, EnvProvider, Field,
    FileProvider, GrantText, Http, HttpText, LedgerLine, Level, LocalStore, NetworkFiles, Oci,
    OciOptions, RegistrySettings, Reporter, SecretProviders, SecretSource, SecretText, Secrets,
    StateFile, TextOrSecret, Unit,
};
use futures::future::BoxFuture;
use oci::client::{CaFile, ClientOptions, Identity, ProxyOptions};
use pipeline::schema::{RegistryEntry, SecretEntry, SecretProvider};
use pipeline::{At, Pipeline};
use report::{Fault, Kind, Mask};
use run::{ProgressId, StepCall, StepOutcome, StepReporter, StepRunner};
use wasm::{Call, CompileCache, Context, Limits};

use crate::plugins::Plugins;
use crate::settings::Settings;

/// Runs steps as plugins.
pub(crate) struct Runner {
    /// The pipeline's name: state belongs to a step of a pipeline.
    pub(crate) pipeline: String,
    /// Every plugin that the plan names.
    pub(crate) plugins: Plugins,
    /// What the run's steps share.
    pub(crate) backends: Backends,
    /// The latest time that made files are to have, in seconds since 1970.
    pub(crate) source_date_epoch: Option<u64>,
}

impl StepRunner for Runner {
    fn run<'a>(
        &'a self,
        call: StepCall,
        say: StepReporter,
    ) -> BoxFuture<'a, Result<StepOutcome, Fault>> {
        Box::pin(self.call(call, say))
    }
}

impl Runner {
    async fn call(&self, call: StepCall, say: StepReporter) -> Result<StepOutcome, Fault> {
        let plugin = self.plugins.get(&call.plugin.uses).ok_or_else(|| {
            Fault::new(Kind::Internal, format!("`{}` was planned and not loaded", call.plugin.uses))
        })?;
        let asked = plugin.description().requests.iter().map(|request| request.capability.clone());
        let granted = self.backends.give(CallFacts {
            grant: capability::Grant::compile(&grant_text(&call.grant))?.asked(asked),
            state_scope: format!("{}/{}", self.pipeline, call.instance),
            dry_run: call.dry_run,
            deadline: call.deadline,
            reporter: Arc::new(Voice(say)),
        });
        let context = Context {
            inputs: call.inputs.to_string(),
            step: call.step.to_string(),
            run: call.run.to_string(),
            attempt: call.attempt,
            dry_run: call.dry_run,
            deadline: call.deadline,
            source_date_epoch: self.source_date_epoch,
        };
        let outcome = plugin.run(Call { context, granted, limits: Limits::default() }).await?;
        Ok(StepOutcome {
            status: match outcome.status {
                wasm::Status::Changed => run::Status::Changed,
                wasm::Status::Unchanged => run::Status::Unchanged,
                wasm::Status::Skipped => run::Status::Skipped,
            },
            outputs: outcome.outputs,
            summary: outcome.summary,
        })
    }
}

fn grant_text(grant: &pipeline::Grant) -> GrantText {
    GrantText {
        http: grant
            .http
            .iter()
            .map(|rule| HttpText {
                url: rule.url.clone(),
                methods: rule.methods.clone(),
                private: rule.private,
            })
            .collect(),
        identity: grant.identity.clone(),
        secrets_use: grant.secrets.use_.clone(),
        secrets_reveal: grant.secrets.reveal.clone(),
        secrets_write: grant.secrets.write.clone(),
        oci_pull: grant.oci.pull.clone(),
        oci_push: grant.oci.push.clone(),
        oci_delete: grant.oci.delete.clone(),
        state: grant.state,
        workspace_read: grant.workspace.read.clone(),
        workspace_write: grant.workspace.write.clone(),
        exec_run: grant.exec.run,
        exec_network: grant.exec.network,
    }
}

/// The voice of a step, as capabilities use it.
struct Voice(StepReporter);

impl Reporter for Voice {
    fn log(&self, level: Level, message: &str, fields: &[Field]) {
        let level = match level {
            Level::Trace => run::Level::Trace,
            Level::Debug => run::Level::Debug,
            Level::Info => run::Level::Info,
            Level::Warn => run::Level::Warn,
            Level::Error => run::Level::Error,
        };
        let fields = fields.iter().map(|field| (field.name.clone(), field.value.clone()));
        self.0.log(level, message, fields);
    }

    fn progress_start(&self, title: &str, total: Option<u64>, unit: Unit) -> u64 {
        let unit = match unit {
            Unit::Bytes => run::Unit::Bytes,
            Unit::Items => run::Unit::Items,
        };
        self.0.progress_start(title, total, unit).number()
    }

    fn progress_advance(&self, id: u64, amount: u64) {
        self.0.progress_advance(ProgressId::from_number(id), amount);
    }

    fn progress_title(&self, id: u64, title: &str) {
        self.0.progress_title(ProgressId::from_number(id), title);
    }

    fn progress_end(&self, id: u64) {
        self.0.progress_end(ProgressId::from_number(id));
    }

    fn group_start(&self, title: &str) {
        self.0.group_start(title);
    }

    fn group_end(&self) {
        self.0.group_end();
    }

    fn ledger(&self, line: LedgerLine) {
        let LedgerLine { capability, action, target, result, failed, bytes, images, elapsed } =
            line;
        let capability = capability.to_owned();
        self.0.ledger(run::LedgerLine {
            capability,
            action,
            target,
            result,
            failed,
            bytes,
            images: images.into_iter().map(image_use).collect(),
            elapsed,
        });
    }
}

fn image_use(image: capability::ImageUse) -> run::ImageUse {
    let capability::ImageUse { role, reference, digest } = image;
    let role = match role {
        capability::ImageRole::Base => run::ImageRole::Base,
        capability::ImageRole::Read => run::ImageRole::Read,
        capability::ImageRole::Written => run::ImageRole::Written,
    };
    run::ImageUse { role, reference, digest }
}

/// What the steps of a run share; reads no file and opens no connection yet.
///
/// Paths that the pipeline names are relative to `base`, the folder of its file.
pub(crate) fn backends(
    pipeline: Option<&Pipeline>,
    base: &Path,
    settings: &Settings,
    mask: Mask,
) -> Result<Backends, Fault> {
    let mut client = client_options(settings);
    let identities = identity::identities(pipeline, base, settings, &mask, &mut client)?;
    let declared = pipeline.map(|pipeline| {
        let entries = pipeline.secrets.iter();
        entries.map(|(name, entry)| (name.value.clone(), secret(&name.value, entry))).collect()
    });
    let registries = pipeline.map(|pipeline| {
        let entries = pipeline.registries.iter();
        entries.map(|(host, entry)| (host.value.clone(), registry(entry, base))).collect()
    });
    let providers = SecretProviders {
        env: Arc::new(EnvProvider::new(Arc::new(Settings::credential_variable))),
        file: Arc::new(FileProvider::new(base)),
        store: local_store(settings),
        identities,
    };
    let declared: BTreeMap<String, SecretText> = declared.unwrap_or_default();
    let secrets = Secrets::new(&declared, providers, mask)?;
    let oci = Oci::new(OciOptions {
        client: client.clone(),
        registries: registries.unwrap_or_default(),
        docker_configs: settings.registry_auth_files.clone(),
        helpers: CredentialHelpers::new(settings.credential_helpers.iter().cloned()),
        journal: Some(settings.state_dir.join("uploads")),
        budgets: settings.budgets.clone(),
        secrets: secrets.clone(),
        workspace: base.to_owned(),
    })?;
    Ok(Backends {
        http: Http::new(client),
        secrets,
        oci,
        state: StateFile::new(settings.state_dir.join("state.sqlite")),
        build: build_engine(settings),
        workspace: base.to_owned(),
    })
}

/// What builds images: this program, in namespaces, over a store in the cache directory.
pub(crate) fn build_engine(settings: &Settings) -> Engine {
    let clock = || {
        let now = run::Clock::now(&run::SystemClock).as_millis() / 1000;
        i64::try_from(now).unwrap_or(i64::MAX)
    };
    Engine::new(EngineOptions {
        root: settings.build_dir.clone(),
        setup: BuildSetup {
            program: "/proc/self/exe".into(),
            newuidmap: settings.program("newuidmap"),
            newgidmap: settings.program("newgidmap"),
        },
        clock: Arc::new(clock),
        network_files: NetworkFiles {
            hosts: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
        },
    })
}

fn client_options(settings: &Settings) -> ClientOptions {
    let roots = settings.ca_files.iter();
    ClientOptions {
        ca_files: roots.map(|path| CaFile { path: path.clone(), only_for: None }).collect(),
        proxy: ProxyOptions {
            https: settings.proxy.https.clone(),
            http: settings.proxy.http.clone(),
            none_for: settings.proxy.no_proxy.clone(),
        },
        ..ClientOptions::default()
    }
}

fn secret(own_name: &str, entry: &SecretEntry) -> SecretText {
    let name =
        || entry.name.as_ref().map_or_else(|| own_name.to_owned(), |name| name.value.clone());
    let text = |text: &Option<At<String>>| text.as_ref().map(|text| text.value.clone());
    let path = || text(&entry.path).unwrap_or_default();
    SecretText {
        source: match entry.from.value {
            SecretProvider::Env => SecretSource::Env { name: name() },
            SecretProvider::File => SecretSource::File { path: path() },
            SecretProvider::Store => SecretSource::Store { name: name() },
            SecretProvider::Stdin => SecretSource::Stdin,
            SecretProvider::AzureKeyVault => SecretSource::AzureKeyVault {
                vault: text(&entry.vault).unwrap_or_default(),
                name: name(),
                version: text(&entry.version),
                identity: text(&entry.identity),
            },
        },
        only_to: entry.only_to.iter().map(|host| host.value.clone()).collect(),
    }
}

fn registry(entry: &RegistryEntry, base: &Path) -> RegistrySettings {
    RegistrySettings {
        username: entry.username.as_ref().map(|username| match &username.value {
            pipeline::plan::TextOrSecret::Text(text) => TextOrSecret::Text(text.clone()),
            pipeline::plan::TextOrSecret::Secret(secret) => {
                TextOrSecret::Secret(secret.secret.clone())
            }
        }),
        password: entry.password.as_ref().map(|password| password.value.secret.clone()),
        token: entry.token.as_ref().map(|token| token.value.secret.clone()),
        login: entry.identity.as_ref().map(|identity| identity.value.clone()),
        insecure: entry.insecure.as_ref().map(|insecure| insecure.value),
        ca: entry.ca.as_ref().map(|ca| base.join(&ca.value)),
        identity: entry.cert.as_ref().zip(entry.key.as_ref()).map(|(cert, key)| Identity {
            certificates: base.join(&cert.value),
            key: base.join(&key.value),
        }),
    }
}

/// The encrypted store on this machine, and the identity that opens it.
pub(crate) fn local_store(settings: &Settings) -> LocalStore {
    LocalStore::open(&settings.secrets_dir, settings.secrets_dir.join("identity.txt"))
}

/// Where compiled plugins are kept; nowhere, with a warning, if the directory is not ours alone.
pub(crate) fn compile_cache(settings: &Settings) -> Option<CompileCache> {
    match CompileCache::open(&settings.cache_dir.join("components")) {
        Ok(cache) => Some(cache),
        Err(fault) => {
            let mut warning = report::Diagnostic::warning(fault.to_string());
            warning.help.extend(fault.help);
            crate::ui::show_diagnostics(&[warning], settings.style);
            None
        }
    }
}
