//! Azure on loopback: as much of it as pipelines speak to, for tests, demos and offline work.
//!
//! A request comes in through a CONNECT proxy or by an explicit base URL (`net`), becomes a
//! `call::Call`, and goes by its host, then by its path, to one of the services: `login`, `arm`
//! (with `authorization`), `graph`, `vault`, `registry`, `tasks`, `containers`. What they remember
//! is one `world::World`, a file that is replaced as a whole.
//!
//! What it answers, it has checked: tokens are signed and verified, roles decide, names have their
//! rules, images are really copied. What it cannot do it refuses, as Azure refuses it; it never
//! says that something was done which was not. `docs/azure-emulator.md` lists the limits.
//!
//! Neighbours: `report` and `oci` below, `cli` above (which gives it a builder of images). It knows
//! no pipelines, no terminal and no environment, and goes out to no network but where its
//! configuration sends it.

mod answer;
mod arm;
mod azure;
mod call;
mod clock;
mod config;
mod containers;
mod emulator;
mod error;
mod faults;
mod graph;
mod hidden;
mod json;
mod login;
mod net;
mod origin;
mod registry;
mod role;
mod tasks;
mod token;
mod vault;
mod world;

pub use azure::Azure;
pub use clock::Clock;
pub use config::{Config, Names};
pub use containers::runner::{Container, Runner};
pub use containers::runtime::OciRuntime;
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use faults::{Fault, FaultError, Faults, Planned};
pub use net::{Access, AccessLog};
pub use tasks::builder::{Argument, Base, Build, Builder, Built, Context, Product};
