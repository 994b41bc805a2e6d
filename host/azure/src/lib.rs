//! Who we are to Azure.
//!
//! An [`Identity`] is a name, a cloud and a few ways to log in; it gives a [`Token`] for an
//! [`Audience`] and for nothing else. [`Cloud`] is the one place that knows which hosts an audience
//! has: a token is written into a request only if [`Cloud::audience_of`] says that its URL is the
//! audience's own. [`Registry`] turns such a token into what a registry takes, [`Vault`] reads secrets
//! with one, and [`Arm`] lists the runs of ACR Tasks.
//!
//! ```text
//! Identity ──links, in order──▶ login ──▶ Token (cached until it is nearly over)
//!                                           │
//!            Cloud::audience_of(url) ───────┴──▶ Arm · Graph · Vault(host) · Registry(host)
//! ```
//!
//! Neighbours: `report` and `oci` (the constructor of HTTP clients) below, `capability` above.
//!
//! Must never: touch the environment but through what it is handed; show a token; send one to a host
//! that its audience does not own; start a program other than `az`, and that only where it may.

mod answer;
mod arm;
mod certificate;
mod cloud;
mod error;
mod identity;
mod jwt;
mod link;
mod registry;
mod task_run;
#[cfg(test)]
mod testing;
mod token;
mod vault;
mod wire;

pub use arm::Arm;
pub use cloud::{Audience, Cloud, CloudError, CloudName, Endpoints};
pub use identity::{
    Certificate, Clock, Environment, Identity, IdentityOptions, Managed, NoSecrets, SecretReader,
};
pub use link::Link;
pub use registry::{NOBODY, Registry, scopes_of};
pub use task_run::{TaskImage, TaskRegistry, TaskRun, TaskRuns, TaskTrigger, Wanted};
pub use token::Token;
pub use vault::{SecretName, Vault, VaultSecret};
