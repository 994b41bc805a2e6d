//! Copies images from one registry or layout to another, every platform of them or some.
//!
//! [`inputs`] and [`outputs`] are what the pipeline sees, [`pair`] decides what goes where, [`select`]
//! which tags are meant and [`terms`] how they are copied; [`import`] does it through the trait
//! [`Host`](import::Host), so that all of it is tested without a registry, and [`report`] has the
//! words. The component's shim is `guest`, which only exists in wasm.
//!
//! Or Azure copies: [`mode`] says whether, [`server`] asks for it.
//!
//! The bytes never pass through here: the host copies, this says what to where.

pub mod glob;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod import;
pub mod inputs;
pub mod mode;
pub mod outputs;
pub mod pair;
pub mod report;
pub mod select;
pub mod server;
pub mod terms;
