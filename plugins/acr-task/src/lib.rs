//! Tasks of Azure Container Registry: Azure builds by itself when a commit comes, a base image
//! changes, or it is time.
//!
//! [`inputs`] and [`outputs`] are what the pipeline sees; [`body`] is a task as Azure wants it,
//! [`diff`] holds it against the one that is there, and [`act`] does what is asked through
//! [`Cloud`](act::Cloud). The component's shim is `guest`, which only exists in wasm.

pub mod act;
pub mod body;
pub mod diff;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod inputs;
pub mod outputs;
