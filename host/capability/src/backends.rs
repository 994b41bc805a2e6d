//! What all steps of a run share, and what one call of a step gets of it.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use report::Mask;
use tokio::time::Instant;

use crate::{
    build::GrantedBuild,
    call::Call,
    grant::Grant,
    http::{GrantedHttp, Http},
    identity::Identities,
    log::StepLog,
    oci::{GrantedOci, Oci, OciOptions},
    secrets::{
        EnvProvider, FileProvider, GrantedSecrets, LocalStore, Placeholders, SecretProviders,
        Secrets,
    },
    state::{GrantedState, StateFile},
    voice::{Nobody, Reporter, Voice},
    workspace::GrantedWorkspace,
};

/// The backends of one run. Cheap to clone; everything is made on first use.
#[derive(Clone)]
pub struct Backends {
    /// Clients, shared so that connections are.
    pub http: Http,
    /// The pipeline's `[secrets]`; its mask is the run's.
    pub secrets: Secrets,
    /// Registries and layouts.
    pub oci: Oci,
    /// Durable state.
    pub state: StateFile,
    /// The folder of the pipeline file.
    pub workspace: PathBuf,
    /// What builds images.
    pub build: ::build::Engine,
}

/// One call of a step.
pub struct CallFacts {
    /// What it may do.
    pub grant: Grant,
    /// Whose state it sees: pipeline and step, as one text that no other step has.
    pub state_scope: String,
    /// Refuse every change.
    pub dry_run: bool,
    /// What is left of the step's timeout, from now.
    pub deadline: Option<Duration>,
    /// Who listens.
    pub reporter: Arc<dyn Reporter>,
}

/// What one call of a step may use. Clones share log limits and placeholders.
#[derive(Clone)]
pub struct Granted {
    /// `windlass:http` and `wasi:http`.
    pub http: GrantedHttp,
    /// `windlass:secrets`.
    pub secrets: GrantedSecrets,
    /// `windlass:oci`.
    pub oci: GrantedOci,
    /// `windlass:state`.
    pub state: GrantedState,
    /// `windlass:workspace`, and the preopens of `wasi:filesystem`.
    pub workspace: GrantedWorkspace,
    /// `windlass:build`.
    pub build: GrantedBuild,
    /// `windlass:log`, and standard output and error.
    pub log: StepLog,
}

impl Backends {
    /// What a call gets. Does nothing yet: no file, no connection.
    pub fn give(&self, facts: CallFacts) -> Granted {
        let voice = Voice::new(facts.reporter, self.secrets.mask().clone());
        let call = Call {
            grant: Arc::new(facts.grant),
            voice: voice.clone(),
            dry_run: facts.dry_run,
            deadline: facts.deadline.map(|left| Instant::now() + left),
        };
        let placeholders = Placeholders::default();
        let http = GrantedHttp::new(
            call.clone(),
            self.http.clone(),
            placeholders.clone(),
            self.secrets.clone(),
        );
        let oci = GrantedOci::new(call.clone(), self.oci.clone());
        Granted {
            secrets: GrantedSecrets::new(call.clone(), self.secrets.clone(), placeholders),
            build: GrantedBuild {
                call: call.clone(),
                engine: self.build.clone(),
                oci: oci.clone(),
                http: http.clone(),
                root: self.workspace.clone(),
            },
            http,
            oci,
            state: GrantedState::new(call.clone(), self.state.clone(), facts.state_scope),
            workspace: GrantedWorkspace::new(call, self.workspace.clone()),
            log: StepLog::new(voice),
        }
    }
}

impl Granted {
    /// Nothing at all, heard by nobody: what a plugin has while it describes itself.
    ///
    /// Every call is refused by the grant, before a backend is asked; and no backend has anything.
    pub fn nothing() -> Self {
        let nowhere = PathBuf::new();
        let providers = SecretProviders {
            env: Arc::new(EnvProvider::new(Arc::new(|_| None))),
            file: Arc::new(FileProvider::new(nowhere.clone())),
            store: LocalStore::open(nowhere.clone(), nowhere.clone()),
            identities: Identities::default(),
        };
        let secrets = Secrets::new(&BTreeMap::new(), providers, Mask::new())
            .expect("no declaration is wrong where there is none");
        let oci = Oci::new(OciOptions {
            client: ::oci::client::ClientOptions::default(),
            registries: BTreeMap::new(),
            docker_configs: Vec::new(),
            helpers: crate::CredentialHelpers::default(),
            journal: None,
            budgets: ::oci::Budgets::default(),
            secrets: secrets.clone(),
            workspace: nowhere.clone(),
        })
        .expect("no registry is wrong where there is none");
        let http = Http::new(::oci::client::ClientOptions::default());
        let state = StateFile::new(nowhere.clone());
        let build = ::build::Engine::nowhere();
        let backends = Backends { http, secrets, oci, state, workspace: nowhere, build };
        backends.give(CallFacts {
            grant: Grant::default(),
            state_scope: String::new(),
            dry_run: true,
            deadline: None,
            reporter: Arc::new(Nobody),
        })
    }
}

#[cfg(test)]
mod tests;
