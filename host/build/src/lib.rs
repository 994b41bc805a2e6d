//! Images made from files and commands.
//!
//! A [`Filesystem`] never changes: what is copied into it, or run in it, gives another. What a step
//! gave is remembered under a key of everything that it depends on, so it is done once. An
//! [`Output`] puts configurations and manifests over filesystems and writes them where images go.
//!
//! ```text
//! Engine (per process) ─▶ Builder (per image) ─▶ Filesystem ─copy, run─▶ Filesystem ─▶ Output
//! ```
//!
//! Below that everything is plain and waits for nobody: [`context`] is the files that a build may
//! copy, seen through [`ignore`]; [`layer`] writes and reads sorted tars of [`Entry`]s; [`unpack`]
//! makes a directory for overlayfs of one, [`snapshot`] reads a stack of those, [`diff`] makes a
//! layer of what a command changed; [`exec`] runs commands in namespaces; [`store`] keeps it all.
//!
//! Same inputs, same bytes: entries are sorted, times clamped, compression is fixed, and nothing of
//! the machine gets in.
//!
//! Neighbours: `report` and `oci` below, `capability` above. This room knows no grants, no pipeline,
//! no terminal and no environment.

mod base;
mod bill;
mod builder;
mod command;
pub mod context;
mod copying;
pub mod diff;
mod engine;
mod entry;
mod error;
pub mod exec;
mod filesystem;
pub mod ignore;
mod key;
pub mod layer;
mod names;
mod output;
mod overlay;
mod rebase;
mod remote_cache;
mod remove;
pub mod snapshot;
pub mod store;
pub mod tree;
pub mod unpack;

#[cfg(test)]
mod testing;

pub use base::BaseImage;
pub use bill::BillFormat;
pub use builder::{Builder, Settings, USUAL_EPOCH};
pub use command::{Command, Mount, OnLine};
pub use copying::{CopyRequest, CopySource, Download};
pub use engine::{Engine, EngineOptions, NetworkFiles};
pub use entry::{Entry, EntryKind};
pub use error::Error;
pub use filesystem::Filesystem;
pub use output::{ImageFormat, Output};
pub use overlay::{Overlay, Owners, Rights};
pub use rebase::{Rebased, rebase};
