//! Images and artifacts: what they are, where they live, and how they get from one place to another.
//!
//! The vocabulary is that of the OCI specifications: a [`Reference`] names a [`Manifest`], which
//! refers to blobs by [`Descriptor`]s; everything is known by its [`Digest`]. [`Store`] is the one
//! trait over places ([`Layout`], [`Memory`], [`Remote`]'s repositories); [`copy`] moves images
//! between any two of them, and [`serve`] puts the distribution API in front of a [`Registry`].
//!
//! Bytes first: a manifest is the bytes that were received, and nothing is ever serialized again to
//! be pushed. Nothing is believed: digest and size are checked on every read from outside and on
//! every write, while the bytes stream. Nothing is collected that could be large.
//!
//! Neighbours: `report` below, `capability` above (it implements [`Credentials`] and holds stores
//! through grants). This room knows no grants, no clouds, no terminal and no environment.

mod archive;
pub mod client;
mod copy;
mod credentials;
mod descriptor;
mod digest;
mod docker_config;
mod error;
mod index;
mod layout;
mod manifest;
mod media_type;
mod memory;
mod only_image;
mod place;
mod platform;
mod reference;
mod remote;
mod serve;
mod store;
mod stream;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod testing;

pub use archive::{Archive, ArchiveFormat};
pub use copy::{
    Copied, CopyEvent, CopyObserver, CopyOptions, Forecast, IndexChoice, MayMount, MovedTag,
    Referrers, Whereabouts, copy, forecast, platforms,
};
pub use credentials::{Anonymous, Credential, Credentials};
pub use descriptor::{Annotations, Descriptor};
pub use digest::{Algorithm, Digest, DigestError, Hasher, Mismatch, Verifier};
pub use docker_config::{DockerConfig, DockerConfigError, Helper, Kept};
pub use error::Error;
pub use index::Index;
pub use layout::{Garbage, GarbageOptions, Layout, LayoutRegistry};
pub use manifest::{Content, ImageManifest, LARGEST_MANIFEST, Manifest};
pub use media_type::MediaType;
pub use memory::{Memory, MemoryRegistry};
pub use place::{DockerArchivePlace, LayoutPlace, Place, PlaceError};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError, RegistryHost, RepositoryName, Selector, Tag};
pub use remote::{
    Budgets, Journal, Problem as RemoteProblem, Remote, RemoteError, RemoteOptions,
    RemoteRepository, RequestTally, Retry, Tried,
};
pub use serve::{
    Access, AccessLog, RequestCounts, ServeOptions, SetupError, Tls, Users, router, serve,
    serve_with,
};
pub use store::{MountSource, Pushed, Registry, Store, Upload};
pub use stream::{BlobSource, BlobStream};
