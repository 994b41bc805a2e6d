//! Images made from files and commands.
//!
//! A [`Context`](context) is the files that a build may copy, seen through an [`Ignore`](ignore). A layer is
//! a sorted tar of [`Entry`]s; [`layer`] writes them, `unpack` reads them into a snapshot directory,
//! `diff` makes one of what a command changed. `exec` runs commands in namespaces over an overlay of
//! snapshots. `cache` knows what was built before.
//!
//! Same inputs, same bytes: entries are sorted, times clamped, compression is fixed, and nothing of
//! the machine gets in.
//!
//! Neighbours: `report` and `oci` below, `capability` above. This room knows no grants, no pipeline,
//! no terminal and no environment.

pub mod context;
pub mod diff;
mod entry;
pub mod ignore;
pub mod layer;
mod overlay;
mod remove;
pub mod snapshot;
pub mod store;
pub mod tree;
pub mod unpack;

#[cfg(test)]
mod testing;

pub use entry::{Entry, EntryKind};
pub use overlay::{Overlay, Owners, Rights};
