//! Container Registry: registries as resources (`control`, `child`, `webhook`), importing into them
//! (`import`), and what is in them (`data`), which is our own registry behind Azure's tokens.

mod child;
pub(crate) mod control;
mod credential;
pub(crate) mod data;
pub(crate) mod event;
pub(crate) mod images;
mod import;
pub(crate) mod source;
pub(crate) mod webhook;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use oci::{LayoutRegistry, ServeOptions};

use crate::error::EmulatorError;
use crate::world::{Resource, World};

/// The type of registries.
pub(crate) const KIND: &str = "Microsoft.ContainerRegistry/registries";

/// What registries hold, a folder for each, opened when it is needed.
pub(crate) struct Registries {
    folder: PathBuf,
    open: Mutex<BTreeMap<String, Opened>>,
}

/// A registry's contents: for us, and behind the distribution API.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) layouts: Arc<LayoutRegistry>,
    pub(crate) router: Router,
}

impl Registries {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.join("registries"), open: Mutex::default() }
    }

    /// The contents of a registry, by its name.
    pub(crate) fn get(&self, name: &str) -> Result<Opened, EmulatorError> {
        let name = name.to_ascii_lowercase();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = open.get(&name) {
            return Ok(opened.clone());
        }
        let layouts = LayoutRegistry::open(self.folder.join(&name));
        let layouts = Arc::new(layouts.map_err(EmulatorError::Registry)?);
        let router = oci::router(Arc::<LayoutRegistry>::clone(&layouts), ServeOptions::default());
        let opened = Opened { layouts, router };
        open.insert(name, opened.clone());
        Ok(opened)
    }

    /// Forgets a registry and all that is in it.
    pub(crate) fn remove(&self, name: &str) -> std::io::Result<()> {
        let name = name.to_ascii_lowercase();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        match fs_err::remove_dir_all(self.folder.join(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl World {
    /// The registry with this login server.
    pub(crate) fn registry_at(&self, login_server: &str) -> Option<&Resource> {
        self.registries()
            .find(|r| r.text("/properties/loginServer").eq_ignore_ascii_case(login_server))
    }

    /// The registry of this name; names are unique in the whole of Azure.
    pub(crate) fn registry_named(&self, name: &str) -> Option<&Resource> {
        self.registries().find(|registry| registry.name().eq_ignore_ascii_case(name))
    }

    fn registries(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values().filter(|resource| resource.text("/type") == KIND)
    }
}
