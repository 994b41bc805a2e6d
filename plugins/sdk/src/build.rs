//! Images made from files and commands. Files, layers and processes stay in the host.
//!
//! A [`Filesystem`] never changes: what is done to one gives another, and the host remembers what it
//! did. Needs the grants of its parts: `workspace.read` for a context, `oci.pull` for a base,
//! `exec.run` and `exec.network` for commands, `oci.push` for a target.
//!
//! ```ignore
//! let builder = Builder::new(None);
//! let base = builder.base("docker.io/library/alpine:3.20", None)?;
//! let context = Context::open("app")?;
//! let copied = base.copy(Copy::to("/app/", "/").from_context(&context, "*"))?;
//! let built = copied.run(Run::new(&["/app/setup".to_owned()], "RUN /app/setup"))?;
//! let output = Output::new(ImageFormat::Oci);
//! output.add(&built, config)?;
//! output.push(&target, &["1.0".to_owned()])?;
//! ```

mod builder;
mod context;
mod filesystem;
mod output;

pub use builder::Builder;
pub use context::{Context, Uploaded};
pub use filesystem::{CacheMount, Copy, Filesystem, Run};
pub use output::{Output, Rebased, Written};

pub use crate::bindings::windlass::build::build::{
    BillFormat, CacheSharing, Compression, GivenFile, ImageFormat,
};
