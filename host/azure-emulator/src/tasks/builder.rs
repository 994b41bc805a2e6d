//! Who builds images for the emulator.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use oci::Store;
use report::Secret;

use super::log::Log;
use crate::azure::Azure;
use crate::registry::source;

/// Builds images.
///
/// What it builds it pushes into [`Build::repository`] of the registry; the emulator then tells
/// webhooks, and writes what was built into the run.
pub trait Builder: Send + Sync {
    /// Builds, and pushes if it is asked to. Dropping the future stops the build.
    ///
    /// # Errors
    /// Why it failed, in one line, as the run will say it.
    fn build<'a>(&'a self, build: &'a Build) -> BoxFuture<'a, Result<Product, String>>;
}

/// Where the files of a build are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// Uploaded, and unpacked here.
    Folder(PathBuf),
    /// Nowhere: the build has none.
    Empty,
    /// Somewhere else, as the client wrote it: a git URL, an archive, `oci://…`.
    Remote(String),
}

/// An argument of a build.
#[derive(Clone)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// Whether nobody may see it.
    pub is_secret: bool,
}

/// What is to be built.
pub struct Build {
    /// The run that it is for.
    pub run: String,
    /// The files.
    pub context: Context,
    /// The Dockerfile, within the context.
    pub dockerfile: String,
    /// `--target`.
    pub target: Option<String>,
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// `--build-arg`.
    pub arguments: Vec<Argument>,
    /// Names of the image, `REPOSITORY:TAG`, in the registry of the run.
    pub images: Vec<String>,
    /// Whether it is to be pushed under those names.
    pub push: bool,
    /// Whether earlier results may not be used.
    pub no_cache: bool,
    /// `NAME.azurecr.io`
    pub login_server: String,
    pub(super) azure: Arc<Azure>,
    pub(super) log: Mutex<Log>,
}

/// What a build gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// What was pushed.
    pub images: Vec<Built>,
    /// What it stands on: those that were named by a tag, since others do not change.
    pub bases: Vec<Base>,
}

/// An image that a build has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The host that its reference has: `docker.io`, `NAME.azurecr.io`.
    pub registry: String,
    /// Its repository.
    pub repository: String,
    /// Its tag.
    pub tag: String,
    /// What the tag pointed at.
    pub digest: oci::Digest,
    /// Whether the image stands on it; else it was read for another stage.
    pub is_runtime: bool,
}

/// An image that was built and pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its repository.
    pub repository: String,
    /// Its tag.
    pub tag: String,
    /// What the tag points at now.
    pub digest: oci::Digest,
    /// The kind of manifest.
    pub media_type: String,
    /// The manifest's size.
    pub size: u64,
}

impl Build {
    /// A repository of any host: of the registries of this cloud, at once; of the outside, if the
    /// emulator knows where that is.
    ///
    /// # Errors
    /// Why there is no such place, in one line.
    pub fn repository(&self, host: &str, repository: &str) -> Result<Arc<dyn Store>, String> {
        let inside = self
            .azure
            .store
            .read(|world| world.registry_at(host).map(|registry| registry.name().to_owned()));
        let found = match inside {
            Some(name) => source::inside(&self.azure, &name, repository),
            None => source::outside(&self.azure, host, repository, None),
        };
        found.map_err(|error| error.to_string())
    }

    /// The login servers of all registries of this cloud.
    pub fn registries(&self) -> Vec<String> {
        self.azure.store.read(|world| {
            let registries = world.of_type("", crate::registry::KIND);
            registries.map(|registry| registry.text("/properties/loginServer").to_owned()).collect()
        })
    }

    /// The hosts of the outside that the emulator was told the place of.
    pub fn upstreams(&self) -> Vec<String> {
        self.azure.config.upstreams.keys().cloned().collect()
    }

    /// Adds a line to the log of the run, as it is: secrets are the builder's to leave out.
    pub fn log(&self, line: &str) {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).raw(line);
    }
}
