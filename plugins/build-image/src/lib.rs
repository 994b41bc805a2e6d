//! `build-image`: images from Dockerfiles, or from files alone.
//!
//! The plugin reads and plans; the host copies, runs and writes. [`stages`] goes through a Dockerfile
//! instruction by instruction, [`declared`] puts files on a base, [`rebased`] moves layers to another
//! base; each gives one [`Product`](product::Product) for each platform, which [`publish`] writes.
//! Or Azure builds: [`acr_tasks`] sends it the context, follows the run and reads its log.

pub mod acr_tasks;
pub mod config;
pub mod declared;
pub mod epoch;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod inputs;
pub mod outputs;
pub mod product;
pub mod provenance;
pub mod publish;
pub mod rebased;
pub mod source;
pub mod stages;
