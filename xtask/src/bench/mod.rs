//! `cargo xtask bench`: figures that we publish, each from one command.

pub(crate) mod copy;
pub(crate) mod measure;
mod peers;
pub(crate) mod start;
mod table;
