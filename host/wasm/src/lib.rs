//! The only room that knows wasmtime.
//!
//! A component becomes a [`Plugin`] (loaded once per digest, described in an instance with nothing
//! granted), and a plugin runs a [`Call`] in a fresh instance that holds just what the call was
//! granted. The glue in `host/` converts between the contract (`wit/`) and [`capability`], and
//! decides nothing: whether a step may do a thing is settled in `capability`.
//!
//! Time is the caller's: a call is a future, and dropping it ends the guest, because the guest gives
//! way at every tick of the engine's clock.

mod bindings;
mod cache;
mod config;
mod engine;
mod fault;
mod host;
mod limits;
mod plugin;
mod state;
mod stdio;

pub use cache::CompileCache;
pub use engine::{Engine, Loaded};
pub use limits::{COMPONENT_BYTES, Limits};
pub use plugin::{Call, Context, Description, Outcome, Plugin, Request, Status};

/// The names of the plugins that are compiled into the program, in alphabetical order.
pub fn builtins() -> impl Iterator<Item = &'static str> {
    builtin::BUILTINS.iter().map(|builtin| builtin.name)
}

mod builtin {
    //! The plugins that come with the program, compiled ahead of time by `build.rs`.

    /// A plugin that is part of the program.
    pub(crate) struct Builtin {
        /// The name that `uses` says.
        pub(crate) name: &'static str,
        /// `sha256:…` of the component that the code was made from.
        pub(crate) digest: &'static str,
        /// Native code as wasmtime serialises it.
        pub(crate) code: &'static [u8],
    }

    include!(concat!(env!("OUT_DIR"), "/builtins.rs"));
}
