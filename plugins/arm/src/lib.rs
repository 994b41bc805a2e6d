//! Azure Resource Manager, as far as plugins need it.
//!
//! ```text
//! ResourceId + api-version + Body ──Arm──▶ Request ──Http──▶ Response ──▶ Answer ──Arm::finish──▶ JSON
//!                                                               └─ Refusal ──▶ windlass_plugin::Error
//! ```
//!
//! [`Arm`] makes calls through the trait [`Http`], tries again what was throttled, and follows
//! long-running operations to their end. A [`Body`] is JSON in which secrets stand as their handles.
//! What Azure refuses becomes a [`Refusal`], and that an error with a code, Azure's own words, and
//! what to try. [`ResourceId`] takes the names of resources apart.
//!
//! Does no IO: [`table`] answers in tests, and `gate`, which exists in wasm alone, joins [`Http`] to
//! the host. Who calls is the host's knowledge: it attaches the token by destination.
//!
//! Neighbours: the plugins that speak with Azure. No crate of `host/`.

mod body;
mod call;
mod endpoint;
mod explain;
#[cfg(target_family = "wasm")]
pub mod gate;
mod http;
mod id;
mod operation;
mod refusal;
pub mod table;

pub use body::{Body, Hole};
pub use call::{Answer, Arm};
pub use endpoint::PUBLIC;
pub use http::{Encoding, Http, Part, Request, Response};
pub use id::{NotAnId, ResourceId};
pub use operation::Wait;
pub use refusal::{Failure, Refusal, Result};
