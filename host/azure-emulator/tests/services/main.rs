//! The services one by one, without sockets: what they refuse, and why.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what panics here fails a test, and says where"
)]

#[path = "../replay/builder.rs"]
mod builder;
#[path = "../replay/images.rs"]
mod images;
#[path = "../replay/issuer.rs"]
mod issuer;

mod arm;
mod bases;
mod cloud;
mod containers;
mod login;
mod registry;
mod running;
mod tasks;
mod vault;
