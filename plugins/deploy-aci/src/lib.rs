//! Deploys container groups to Azure Container Instances.
//!
//! ```text
//! Inputs ──check──▶ ──spec──▶ Body ──diff──▶ changes ──deploy──▶ PUT ──wait──▶ Outputs
//!                                 GET ──────┘    │              └─ restore
//!                                                └─ delete, then PUT
//! ```
//!
//! [`inputs`] and [`outputs`] are what the pipeline sees. [`check`] refuses what Azure would, before
//! anything is asked; [`spec`] writes the group as Azure has it, [`diff`] holds it against what is
//! there, [`deploy`] joins them, [`wait`] looks until it is healthy, [`restore`] puts the former group
//! again, [`template`] writes it down instead. [`manage`] has the other actions. All of it through the
//! trait [`Host`](host::Host), so that it is tested without Azure. The component's shim is `guest`,
//! which only exists in wasm.

pub mod check;
pub mod deploy;
pub mod diff;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod host;
pub mod inputs;
pub mod manage;
pub mod outputs;
pub mod restore;
pub mod spec;
pub mod state;
pub mod template;
pub mod wait;

#[cfg(test)]
mod fake;
