//! `build-image`: images from Dockerfiles, or from files alone.
//!
//! The plugin reads and plans; the host copies, runs and writes. [`stages`] goes through a Dockerfile
//! instruction by instruction, [`declared`] puts files on a base, [`rebased`] moves layers to another
//! base; each gives one [`Product`](product::Product) for each platform, which [`publish`] writes.

pub mod config;
pub mod declared;
pub mod epoch;
pub mod guest;
pub mod inputs;
pub mod outputs;
pub mod product;
pub mod provenance;
pub mod publish;
pub mod rebased;
pub mod source;
pub mod stages;
