//! What the integration tests stand on.
//!
//! [`TestHost`] runs the real binary in a world of its own: a folder, an environment, nothing of the
//! machine's. Around it stand real parts ([`DockerRegistry`], [`Skopeo`], the [`Embedded`] registry),
//! [`Image`]s made from nothing, servers that misbehave ([`HttpServer`], [`HostileRegistry`]), and
//! a line on which everything goes wrong ([`FaultProxy`]).
//!
//! Everything listens on a free port of 127.0.0.1, waits by bounded polling, and ends when it is
//! dropped. What is missing or hangs panics with what to type, or with all that was printed.
//!
//! This room depends on no other: it knows the product as a user does, by its command line.
#![expect(
    clippy::disallowed_methods,
    reason = "tests start programs, read the environment and write files; a panic names the path"
)]
#![expect(
    clippy::format_push_string,
    clippy::indexing_slicing,
    reason = "what panics here fails a test, and says where"
)]

mod buildah;
mod busybox;
mod certificate;
mod contract;
mod docker_registry;
mod embedded;
mod hostile;
mod http;
mod image;
mod merged;
mod output;
mod process;
mod redaction;
mod secrecy;
mod skopeo;
mod test_host;
mod token_server;
mod tool;
mod trouble;
mod witness;

pub use buildah::Buildah;
pub use busybox::write_busybox;
pub use certificate::Authority;
pub use contract::still_fits;
pub use docker_registry::{Access, DockerRegistry, HTPASSWD, PASSWORD, USERNAME};
pub use embedded::Embedded;
pub use hostile::{HostileRegistry, Mischief};
pub use http::{Answer, HttpServer, Request};
pub use image::{Image, push_with_skopeo};
pub use merged::{LayerEntry, Tree, image_of_layout};
pub use output::Output;
pub use process::{Running, Signal, poll};
pub use secrecy::Sweep;
pub use skopeo::Skopeo;
pub use snapbox::str;
pub use tempfile::TempDir;
pub use test_host::{TestHost, repository_root};
pub use tool::oci_runtime;
pub use trouble::{FaultProxy, Gate, Link, Moment, Seen, Trouble, When};
