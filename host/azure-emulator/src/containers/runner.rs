//! Who runs containers for the emulator.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use oci::{Selector, Store};
use report::Secret;

use super::log::Log;

/// Runs containers.
pub trait Runner: Send + Sync {
    /// Runs a container to its end, and gives its exit code. Dropping the future stops it.
    ///
    /// Once a port of it can be reached, [`Container::listens`] has to be told where.
    ///
    /// # Errors
    /// Why it could not be started, in one line, as the group's events will say it.
    fn run<'a>(&'a self, container: &'a Container) -> BoxFuture<'a, Result<i32, String>>;
}

/// A container that is to be run.
pub struct Container {
    /// The group's name.
    pub group: String,
    /// Its own.
    pub name: String,
    /// The image, as the group names it.
    pub image: String,
    /// What to run instead of what the image says; empty for that.
    pub command: Vec<String>,
    /// Variables, in their order; some are secret.
    pub environment: Vec<(String, Secret)>,
    /// How many processors it may use.
    pub cpu: f64,
    /// How much memory it may use, in GB.
    pub memory: f64,
    /// The ports that it opens.
    pub ports: Vec<u16>,
    /// A folder for its files, which is there and empty at its first start.
    pub folder: PathBuf,
    pub(super) store: Arc<dyn Store>,
    pub(super) selector: Selector,
    pub(super) log: Mutex<Log>,
    pub(super) addresses: Addresses,
}

impl Container {
    /// Where its image is.
    pub fn image_source(&self) -> (&dyn Store, &Selector) {
        (&*self.store, &self.selector)
    }

    /// Adds to its log what it wrote, as it is.
    pub fn log(&self, text: &str) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).append(text);
    }

    /// Says where one of its ports can be reached.
    pub fn listens(&self, port: u16, address: SocketAddr) {
        self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner).insert(port, address);
    }
}

/// Where the ports of a group are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<Mutex<BTreeMap<u16, SocketAddr>>>);

impl Addresses {
    pub(crate) fn of(&self, port: u16) -> Option<SocketAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&port).copied()
    }
}
