//! `cargo xtask bench`: figures that we publish, each from one command.

pub(crate) mod azure;
pub(crate) mod build;
pub(crate) mod copy;
pub(crate) mod measure;
mod peers;
mod place;
pub(crate) mod start;
mod table;
pub(crate) mod watch;
