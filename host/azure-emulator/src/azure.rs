//! The cloud itself: which service answers a request, and what all services share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use tokio::task::JoinSet;

use crate::answer::{Answer, Answered, Refusal};
use crate::arm::operation::Operations;
use crate::call::Call;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::containers::alive::{self, Alive};
use crate::error::EmulatorError;
use crate::faults::Faults;
use crate::net::host::{self, Service};
use crate::origin::Origin;
use crate::registry::webhook::Deliveries;
use crate::registry::{self, Registries};
use crate::tasks::{self, Running};
use crate::token::Keys;
use crate::world::Store;
use crate::{arm, containers, faults, graph, login, vault};

/// An emulated cloud without a listener; [`crate::Emulator`] has one.
pub struct Azure {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) keys: Keys,
    pub(crate) faults: Faults,
    pub(crate) operations: Operations,
    pub(crate) registries: Registries,
    pub(crate) deliveries: Deliveries,
    pub(crate) running: Running,
    pub(crate) alive: Alive,
    /// For registries of the outside and webhooks; makes no use of the environment.
    pub(crate) http: reqwest::Client,
    /// For work that goes on after an answer.
    own: Weak<Self>,
    /// Work that goes on after an answer: imports, builds, deliveries.
    work: Mutex<JoinSet<()>>,
}

impl Azure {
    /// The cloud in the folder of `config`, as it was left, or a new one.
    ///
    /// # Errors
    /// [`EmulatorError`] for a folder or a name that cannot be used.
    pub fn open(config: Config) -> Result<Arc<Self>, EmulatorError> {
        config.check()?;
        let folder = &config.state;
        fs_err::create_dir_all(folder)
            .map_err(|source| EmulatorError::Folder { folder: folder.clone(), source })?;
        let store = Store::open(folder, || arm::seed::world(&config))?;
        let now = clock::arm(config.clock.now());
        store.sweep(|world| tasks::run::sweep(world, &now));
        let keys = Keys::open(folder)?;
        let http = oci::client::build(&oci::client::ClientOptions::default());
        let http = http.map_err(EmulatorError::Client)?;
        let registries = Registries::new(folder);
        Ok(Arc::new_cyclic(|own| Self {
            store,
            keys,
            registries,
            deliveries: Deliveries::default(),
            running: Running::default(),
            alive: Alive::default(),
            http,
            own: Weak::clone(own),
            faults: Faults::default(),
            operations: Operations::default(),
            work: Mutex::default(),
            config,
        }))
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The emulated hosts as one router, told apart by `Host`; links lead to the hosts' own names.
    pub fn router(self: &Arc<Self>) -> Router {
        let azure = Arc::clone(self);
        Router::new().fallback(move |request: Request| {
            let azure = Arc::clone(&azure);
            async move { azure.respond(request).await }
        })
    }

    /// Answers one request, whose host is in its URI or in `Host`.
    pub async fn respond(self: &Arc<Self>, request: Request) -> Response {
        let named = request.headers().get("host").and_then(|host| host.to_str().ok());
        let at = request.uri().authority().map(http::uri::Authority::as_str).or(named);
        let at = at.unwrap_or_default().to_owned();
        match host::service(host::without_port(&at)) {
            Some(Service::Own) => {
                let origin = Origin::Base(format!("http://{at}"));
                self.answer(Service::Own, origin, request).await
            }
            Some(service) => self.answer(service, Origin::Names, request).await,
            None => Refusal::new(403, "NotEmulated", "There is no such host here.").into_response(),
        }
    }

    /// Starts the containers again that ran when the emulator was stopped.
    pub(crate) fn revive(self: &Arc<Self>) {
        if self.config.runner.is_none() {
            return;
        }
        let ran = self.store.read(|world| {
            let groups = world.of_type("", containers::KIND);
            let ran =
                groups.filter(|group| group.text("/properties/instanceView/state") == "Running");
            ran.map(|group| group.id().to_owned()).collect::<Vec<_>>()
        });
        for id in ran {
            self.later(move |azure| async move {
                if let Err(refusal) = containers::group::up(&azure, &id).await {
                    tracing::warn!(
                        status = refusal.status,
                        group = id,
                        "a group did not come up again"
                    );
                }
            });
        }
    }

    /// Waits until nothing goes on any more.
    pub async fn settle(&self) {
        loop {
            let mut work =
                std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
            if work.is_empty() {
                return;
            }
            while work.join_next().await.is_some() {}
        }
    }

    /// Stops all that goes on: tasks hold the cloud, which would hold them.
    pub(crate) fn cut(&self) {
        self.alive.clear();
        self.work.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }

    /// Goes on with `task` after the answer.
    pub(crate) fn work(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        while work.try_join_next().is_some() {}
        work.spawn(task);
    }

    /// The same for a task that needs the cloud itself.
    pub(crate) fn later<T>(&self, task: impl FnOnce(Arc<Self>) -> T)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        if let Some(own) = self.own.upgrade() {
            self.work(task(own));
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.config.clock
    }

    /// Answers a request to a service.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        service: Service,
        origin: Origin,
        request: Request,
    ) -> Response {
        let id = request.headers().get("x-ms-client-request-id").cloned();
        let response = self.dispatch(service, origin, request).await;
        let mut response = response.unwrap_or_else(|refusal| refusal.into_response());
        let headers = response.headers_mut();
        let own = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).ok();
        for (name, value) in [("x-ms-request-id", own), ("x-ms-client-request-id", id)] {
            if let Some(value) = value {
                headers.entry(name).or_insert(value);
            }
        }
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        response
    }

    async fn dispatch(
        self: &Arc<Self>,
        service: Service,
        origin: Origin,
        request: Request,
    ) -> Result<Response, Refusal> {
        let uri = request.uri().clone();
        let (call, body) = Call::of(origin, request)?;
        let service = if service == Service::Own { self.by_path(&call)? } else { service };
        if call.segment(0) != faults::PATH {
            self.faults.strike(&service, &call)?;
        }
        if let Service::Registry(label) = &service {
            return registry::data::answer(self, label, call, uri, body).await;
        }
        if service == Service::Blob {
            return tasks::blob::answer(self, &call, body).await;
        }
        let call = call.with_document(body).await?;
        let answered: Answered = match &service {
            Service::Login => login::answer(self, &call).await,
            Service::Arm => arm::answer(self, &call).await,
            Service::Graph => graph::answer(self, &call),
            Service::Vault(name) => vault::data::answer(self, name, &call),
            Service::Own => self.own(&call),
            Service::Container(fqdn) => Err(Refusal::shaped(502, alive::nobody(fqdn))),
            Service::Registry(_) | Service::Blob | Service::Outside(_) => {
                Err(Refusal::unknown(call.method.as_str(), &call.path))
            }
        };
        answered.map(axum::response::IntoResponse::into_response)
    }

    /// Whose a path at our own address is.
    fn by_path(&self, call: &Call) -> Result<Service, Refusal> {
        let (_, path) = call.route();
        Ok(match path.as_slice() {
            ["subscriptions" | "tenants" | "providers", ..] => Service::Arm,
            ["v1.0", ..] => Service::Graph,
            ["v2" | "acr" | "oauth2", ..] => Service::Registry(self.first_registry()?),
            ["secrets" | "deletedsecrets", ..] => Service::Vault(self.first_vault()?),
            ["metadata", "identity", ..] | ["msi", ..] | ["metadata", "endpoints"] => Service::Own,
            [_, "oauth2" | "v2.0" | "discovery", ..] => Service::Login,
            _ => Service::Own,
        })
    }

    /// The vault that paths without a host mean: the first of the configuration, or the only one.
    fn first_vault(&self) -> Result<String, Refusal> {
        if let Some(name) = self.config.names.vaults.first() {
            return Ok(name.to_ascii_lowercase());
        }
        let names: Vec<String> =
            self.store.read(|world| world.vaults.keys().take(2).cloned().collect());
        match names.as_slice() {
            [name] => Ok(name.clone()),
            _ => Err(Refusal::bad(
                "VaultNotNamed",
                "There is not exactly one vault; use /_host/VAULT.vault.azure.net/ or the proxy.",
            )),
        }
    }

    /// The registry that paths without a host mean: the first of the configuration.
    fn first_registry(&self) -> Result<String, Refusal> {
        let first = self.config.names.registries.first().map(|name| name.to_ascii_lowercase());
        first.ok_or_else(|| {
            let message = "No registry is configured; use /_host/NAME.azurecr.io/ or the proxy.";
            Refusal::bad("RegistryNotNamed", message)
        })
    }

    /// What only our own address has.
    fn own(self: &Arc<Self>, call: &Call) -> Answered {
        let (method, path) = call.route();
        match (method, path.as_slice()) {
            ("GET", ["metadata", "identity", "oauth2", "token"]) => {
                login::identity::imds(self, call)
            }
            ("GET", ["msi", "token"]) => login::identity::app_service(self, call),
            ("GET", ["metadata", "endpoints"]) => Ok(arm::metadata::endpoints(call)),
            (_, [faults::PATH, rest @ ..]) => faults::admin(self, call, rest),
            ("GET", []) => Ok(Answer::ok(serde_json::json!({ "name": "windlass azure-emulator" }))),
            _ => Err(Refusal::unknown(method, &call.path)),
        }
    }
}

/// Parameters of a `$filter`, as far as clients of pipelines use them: `a eq 'b'`, joined by `and`.
pub(crate) fn equalities(filter: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for part in filter.split(" and ").map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once(" eq ")?;
        let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        found.insert(name.trim().to_ascii_lowercase(), value.replace("''", "'"));
    }
    Some(found)
}
