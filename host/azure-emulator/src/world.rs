//! Everything that the emulated cloud remembers, in one file.
//!
//! ARM is a tree of resources by id, and so it is kept: documents by their id in lower case, what
//! answers must not show beside them. Secrets, applications and principals have types of their own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::Refusal;
use crate::error::EmulatorError;
use crate::graph::{Application, Principal};
use crate::json::object;
use crate::registry::images::Images;
use crate::vault::Vault;

/// The file's version; another one is not read.
const VERSION: u32 = 1;

/// The state of the cloud.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct World {
    version: u32,
    /// By [`key`].
    pub(crate) resources: BTreeMap<String, Resource>,
    /// What vaults hold, by their names in lower case. Their resources are among the others.
    pub(crate) vaults: BTreeMap<String, Vault>,
    /// What is remembered of images, by the names of their registries in lower case.
    #[serde(default)]
    pub(crate) images: BTreeMap<String, Images>,
    pub(crate) applications: Vec<Application>,
    pub(crate) principals: Vec<Principal>,
}

/// A resource of ARM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Resource {
    /// As `GET` shows it, `id`, `name` and `type` included.
    pub(crate) body: Value,
    /// What is kept and not shown: passwords, headers of webhooks.
    #[serde(default)]
    pub(crate) hidden: Concealed,
}

/// A document that no log shows.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Concealed(pub(crate) Map<String, Value>);

impl std::fmt::Debug for Concealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Concealed")
    }
}

impl Resource {
    pub(crate) fn new(body: Value) -> Self {
        Self { body, hidden: Concealed::default() }
    }

    pub(crate) fn id(&self) -> &str {
        self.text("/id")
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/name")
    }

    /// The text at a JSON pointer; empty where there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// `properties`, which every resource here has.
    pub(crate) fn properties(&mut self) -> &mut Map<String, Value> {
        object(&mut self.body, "properties")
    }
}

/// What a resource is found by.
pub(crate) fn key(id: &str) -> String {
    id.trim_end_matches('/').to_ascii_lowercase()
}

impl World {
    pub(crate) fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.get(&key(id))
    }

    pub(crate) fn resource_mut(&mut self, id: &str) -> Option<&mut Resource> {
        self.resources.get_mut(&key(id))
    }

    pub(crate) fn put(&mut self, resource: Resource) {
        self.resources.insert(key(resource.id()), resource);
    }

    /// Direct children of `parent` of one kind: `PARENT/KIND/NAME`.
    pub(crate) fn children(&self, parent: &str, kind: &str) -> impl Iterator<Item = &Resource> {
        let prefix = format!("{}/{}/", key(parent), kind.to_ascii_lowercase());
        let from = prefix.clone();
        self.resources
            .range(from..)
            .take_while({
                let prefix = prefix.clone();
                move |(id, _)| id.starts_with(&prefix)
            })
            .filter(move |(id, _)| id.get(prefix.len()..).is_some_and(|rest| !rest.contains('/')))
            .map(|(_, resource)| resource)
    }

    /// All resources of a type below a scope, `type` as in their documents.
    pub(crate) fn of_type(&self, scope: &str, kind: &str) -> impl Iterator<Item = &Resource> {
        let prefix = format!("{}/", key(scope));
        self.resources
            .iter()
            .filter(move |(id, resource)| {
                id.starts_with(&prefix) && resource.text("/type").eq_ignore_ascii_case(kind)
            })
            .map(|(_, resource)| resource)
    }

    /// Removes a resource and all below it. False where there was none.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let id = key(id);
        let below = format!("{id}/");
        let was = self.resources.remove(&id).is_some();
        self.resources.retain(|key, _| !key.starts_with(&below));
        was
    }
}

/// The world, and its file.
pub(crate) struct Store {
    file: PathBuf,
    world: Mutex<World>,
}

impl Store {
    /// The world in `folder`; where there is none yet, what `make` makes.
    pub(crate) fn open(folder: &Path, make: impl FnOnce() -> World) -> Result<Self, EmulatorError> {
        let file = folder.join("state.json");
        let fail = |source| EmulatorError::Folder { folder: folder.to_owned(), source };
        match fs_err::read(&file) {
            Ok(text) => {
                let wrong = |why| EmulatorError::State { file: file.clone(), why };
                let world: World =
                    serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
                if world.version != VERSION {
                    return Err(wrong(format!("it has version {}", world.version)));
                }
                Ok(Self { file, world: Mutex::new(world) })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut world = make();
                world.version = VERSION;
                write(&file, &world).map_err(fail)?;
                Ok(Self { file, world: Mutex::new(world) })
            }
            Err(error) => Err(fail(error)),
        }
    }

    /// Puts in order what a stopped emulator left behind; written with the next change.
    pub(crate) fn sweep(&self, sweep: impl FnOnce(&mut World) -> bool) {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        if sweep(&mut world) {
            tracing::debug!("what a stopped emulator left behind was ended");
        }
    }

    /// Looks.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes, and writes what came of it before anybody hears of it. A refusal writes nothing, so
    /// `change` checks before it touches.
    ///
    /// The file is small and written without waiting for the disk: a task loses less by the write
    /// than by the way to another thread.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut World) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let done = change(&mut world)?;
        write(&self.file, &world).map_err(|error| {
            tracing::warn!(%error, "the state could not be written");
            Refusal::internal()
        })?;
        Ok(done)
    }
}

/// Replaces the file as a whole. Temporary files are readable by their owner alone, and stay so.
fn write(file: &Path, world: &World) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    let text = serde_json::to_vec(world).map_err(std::io::Error::other)?;
    temporary.write_all(&text)?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}
