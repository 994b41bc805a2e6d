//! Groups that really run: their containers, until they end or are stopped.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use report::Secret;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::runner::{Addresses, Container, Runner};
use super::{image, log, view};
use crate::answer::Refusal;
use crate::azure::Azure;
use crate::json::{at, text};
use crate::world::key;

/// The pauses before a container that ended is started again; they double.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What runs, by the ids of groups.
#[derive(Default)]
pub(crate) struct Alive(Mutex<BTreeMap<String, Group>>);

struct Group {
    fqdn: String,
    addresses: Addresses,
    stop: CancellationToken,
    /// Dropping it stops its containers at once.
    containers: JoinSet<()>,
}

impl Alive {
    /// Where a port of the group with this name can be reached.
    pub(crate) fn address(&self, fqdn: &str, port: u16) -> Option<std::net::SocketAddr> {
        let alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let group = alive.values().find(|group| group.fqdn.eq_ignore_ascii_case(fqdn))?;
        group.addresses.of(port)
    }

    /// Stops a group, if it runs.
    pub(crate) fn stop(&self, id: &str) {
        let group = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(id));
        if let Some(group) = group {
            group.stop.cancel();
        }
    }

    /// Stops all.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Stops all, and waits until their containers are gone.
    pub(crate) async fn end(&self) {
        let alive = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for mut group in alive.into_values() {
            group.stop.cancel();
            while group.containers.join_next().await.is_some() {}
        }
    }

    fn add(&self, id: &str, group: Group) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key(id), group);
    }
}

/// Starts the containers of a group anew. Those that initialise it run first, one after the other.
///
/// # Errors
/// An image that cannot be had any more, or an initialisation that failed.
pub(super) async fn start(
    azure: &Arc<Azure>,
    runner: Arc<dyn Runner>,
    id: &str,
) -> Result<(), Refusal> {
    azure.alive.stop(id);
    let group = azure.store.read(|world| world.resource(id).cloned());
    let Some(group) = group else { return Ok(()) };
    let full = group.hidden.0.get("full").unwrap_or(&group.body).clone();
    let addresses = Addresses::default();
    let list = |pointer: &str| at(&full, pointer).as_array().cloned().unwrap_or_default();
    for each in list("/properties/initContainers") {
        let container = container(azure, id, &full, &each, &addresses).await?;
        let ended = runner.run(&container).await;
        if ended != Ok(0) {
            let why = ended.map_or_else(|why| why, |code| format!("exit code {code}"));
            let message = format!("The init container '{}' failed: {why}.", container.name);
            return Err(Refusal::bad("InitContainerFailed", message));
        }
    }
    let policy = match text(&full, "/properties/restartPolicy").to_ascii_lowercase().as_str() {
        "never" => Policy::Never,
        "onfailure" => Policy::OnFailure,
        _ => Policy::Always,
    };
    let stop = CancellationToken::new();
    let mut containers = JoinSet::new();
    for each in list("/properties/containers") {
        let container = container(azure, id, &full, &each, &addresses).await?;
        view::started(azure, id, &container.name, "Started container")?;
        let life = Life {
            azure: Arc::clone(azure),
            runner: Arc::clone(&runner),
            id: id.to_owned(),
            policy,
            stop: stop.clone(),
        };
        containers.spawn(life.run(container));
    }
    let fqdn = group.text("/properties/ipAddress/fqdn").to_owned();
    azure.alive.add(id, Group { fqdn, addresses, stop, containers });
    Ok(())
}

/// The folder of a container; its log is beside it.
pub(super) fn folder(azure: &Azure, id: &str, name: &str) -> PathBuf {
    let place = oci::Digest::of(key(id).as_bytes()).hex();
    azure.config.state.join("containers").join(place).join(name)
}

async fn container(
    azure: &Arc<Azure>,
    id: &str,
    full: &Value,
    each: &Value,
    addresses: &Addresses,
) -> Result<Container, Refusal> {
    let (group, name) = (id.rsplit('/').next().unwrap_or_default(), text(each, "/name"));
    let properties = at(each, "/properties");
    let named = text(properties, "/image");
    let (store, selector) = image::find(azure, group, named, full).await?;
    let folder = folder(azure, id, name);
    fs_err::create_dir_all(&folder).map_err(|error| {
        tracing::warn!(%error, "a container has no folder");
        Refusal::internal()
    })?;
    let words = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let variable = |variable: &Value| {
        let value = at(variable, "/secureValue").as_str().unwrap_or(text(variable, "/value"));
        (text(variable, "/name").to_owned(), Secret::new(value))
    };
    let number = |pointer: &str| at(properties, pointer).as_f64().unwrap_or(1.0);
    let port = |port: &Value| u16::try_from(at(port, "/port").as_u64()?).ok();
    let each = |pointer: &str| at(properties, pointer).as_array().cloned().unwrap_or_default();
    Ok(Container {
        group: group.to_owned(),
        name: name.to_owned(),
        image: named.to_owned(),
        command: words(at(properties, "/command")),
        environment: each("/environmentVariables").iter().map(variable).collect(),
        cpu: number("/resources/requests/cpu"),
        memory: number("/resources/requests/memoryInGB"),
        ports: each("/ports").iter().filter_map(port).collect(),
        log: Mutex::new(log::Log::new(log::file(&folder))),
        folder,
        store,
        selector,
        addresses: addresses.clone(),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Always,
    OnFailure,
    Never,
}

/// The life of one container, over its restarts.
struct Life {
    azure: Arc<Azure>,
    runner: Arc<dyn Runner>,
    id: String,
    policy: Policy,
    stop: CancellationToken,
}

impl Life {
    async fn run(self, container: Container) {
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                ended = self.runner.run(&container) => ended,
            };
            let code = ended.as_ref().map_or(-1, |code| *code);
            let again = match self.policy {
                Policy::Always => true,
                Policy::OnFailure => code != 0,
                Policy::Never => false,
            };
            let why = ended.err();
            self.note(view::ended(
                &self.azure,
                &self.id,
                &container.name,
                code,
                why.as_deref(),
                again,
            ));
            if !again {
                return;
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            self.note(view::started(&self.azure, &self.id, &container.name, "Started container"));
        }
    }

    fn note(&self, written: Result<(), Refusal>) {
        if written.is_err() {
            tracing::warn!(group = self.id, "the state of a container could not be written");
        }
    }
}

/// What a client is told who asks for a name that nothing runs behind.
pub(crate) fn nobody(fqdn: &str) -> Value {
    json!({ "error": { "code": "NotEmulated", "message": format!("Nothing is run behind {fqdn}.") } })
}
