//! What a Windlass step plugin written in Rust depends on.
//!
//! A plugin is a type that implements [`Step`], handed to [`step!`]; built for `wasm32-wasip2` as a
//! `cdylib` it is a component that Windlass runs. Inputs and outputs are serde types of the
//! plugin's own; [`Inputs`](derive@Inputs) and [`Outputs`](derive@Outputs) turn them into the JSON
//! Schemas that `describe` gives.
//!
//! ```ignore
//! use serde::{Deserialize, Serialize};
//! use windlass_plugin::{Context, Inputs, Outcome, Outputs, Result, Step, log};
//!
//! #[derive(Deserialize, Inputs)]
//! struct Greet {
//!     /// Who is greeted.
//!     name: String,
//! }
//!
//! #[derive(Serialize, Outputs)]
//! struct Greeted {
//!     /// What was said.
//!     text: String,
//! }
//!
//! struct Greeter;
//!
//! impl Step for Greeter {
//!     const NAME: &'static str = "greet";
//!     const SUMMARY: &'static str = "says hello";
//!     type Inputs = Greet;
//!     type Outputs = Greeted;
//!
//!     fn run(inputs: Greet, _: &Context) -> Result<Outcome<Greeted>> {
//!         let text = format!("hello, {}", inputs.name);
//!         log::info!("{text}");
//!         Ok(Outcome::changed(Greeted { text }))
//!     }
//! }
//!
//! windlass_plugin::step!(Greeter);
//! ```
//!
//! The modules wrap the host's interfaces one to one: [`log`], [`http`], [`secrets`], [`oci`],
//! [`state`], [`workspace`], [`build`]. What the pipeline did not grant answers with an [`Error`] that names
//! the grant to add; handed on with `?` it reaches the person as the host wrote it.
//!
//! Outside of wasm everything compiles, so that a plugin's logic is tested natively; a call of the
//! host panics there. Put a small trait of your own between the logic and the host where tests need
//! an answer.

#[cfg(test)]
extern crate self as windlass_plugin;

pub mod bindings;
pub mod build;
mod entry;
mod error;
pub mod http;
pub mod log;
pub mod oci;
mod one_or_many;
pub mod schema;
pub mod secrets;
pub mod state;
mod step;
pub mod workspace;

#[doc(hidden)]
pub use entry::{describe, run};
pub use error::{Error, Result};
pub use one_or_many::OneOrMany;
pub use schema::Schema;
pub use step::{Context, Outcome, Request, Status, Step};
pub use windlass_plugin_derive::{Inputs, Outputs, Schema};
