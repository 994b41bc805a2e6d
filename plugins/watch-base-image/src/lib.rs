//! Tells whether images have changed that others are built on.
//!
//! [`inputs`] and [`outputs`] are what the pipeline sees. [`target`] finds what is watched, [`look`]
//! asks registries what it is now, `images::judge` decides, [`book`] remembers, and [`watch`] joins
//! them; all of it through the trait [`Host`](host::Host), so that it is tested without a registry.
//! [`report`] has the words. The component's shim is `guest`, which only exists in wasm.

pub mod book;
pub mod detail;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod host;
pub mod inputs;
pub mod look;
pub mod outputs;
pub mod report;
pub mod target;
pub mod watch;
