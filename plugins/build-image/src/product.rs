//! What was built for one platform.

use windlass_plugin::build::{Filesystem, Rebased};

use crate::outputs::{Base, Steps};

/// An image, not written yet.
#[derive(Debug)]
pub struct Product {
    /// For what: `os/architecture[/variant]`.
    pub platform: String,
    /// What it is made of.
    pub content: Content,
    /// Its configuration, as JSON.
    pub config: String,
    /// The images that were read for it.
    pub bases: Vec<Base>,
    /// What became of the instructions.
    pub steps: Steps,
}

/// What an image is made of.
#[derive(Debug)]
pub enum Content {
    /// A filesystem.
    Built(Filesystem),
    /// The layers of another image, on a new base.
    Rebased(Rebased),
}

impl Product {
    /// How many layers were added to the base's.
    #[must_use]
    pub fn new_layers(&self) -> u32 {
        match &self.content {
            Content::Built(filesystem) => filesystem.new_layers(),
            Content::Rebased(rebased) => rebased.layers(),
        }
    }

    /// The base that the image stands on.
    #[must_use]
    pub fn base(&self) -> Option<&Base> {
        self.bases.iter().find(|base| base.runtime)
    }
}

/// The base that `filesystem` began with.
#[must_use]
pub fn base_of(filesystem: &Filesystem, platform: &str, runtime: bool) -> Option<Base> {
    Some(Base {
        name: filesystem.name()?,
        digest: filesystem.resolved()?,
        platform: platform.to_owned(),
        manifest: filesystem.digest()?,
        runtime,
    })
}
