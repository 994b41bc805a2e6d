//! Azure Container Registry's control plane, as far as plugins need it.
//!
//! ```text
//! name or login server ──Registries::read──▶ Registry ──schedule──▶ Run ──follow──▶ Run, at its end
//!                                                                     └─ log, line by line
//! ```
//!
//! [`Registries`] are those that an identity sees; a [`Registry`] among them is found by its login
//! server or its name, and nothing is ever made of a suffix. [`BuildRequest`] and [`TaskRequest`] are
//! what is scheduled, a [`Run`] is what becomes of it; [`follow`] waits for its end and reads its log
//! meanwhile. Whether it went well is what the run's own status says, not its log.
//!
//! Does no IO: all goes through [`arm::Http`].
//!
//! Neighbours: `import-image`, `build-image` and `acr-task`. No crate of `host/`.

mod build;
mod follow;
mod input;
mod log;
mod registry;
mod run;

pub use build::{Argument, BuildRequest, Platform, TaskRequest, Value};
pub use follow::{Watcher, follow};
pub use input::{arguments, patience, run_timeout};
pub use log::Log;
pub use registry::{Registries, Registry, Scope, is_login_server};
pub use run::{Image, Run, Status, Trigger, cancel, explain, list, schedule, show};

/// The version of registries, their webhooks and of imports that is spoken: az's of 2026.
pub const REGISTRIES: &str = "2026-09-01-preview";

/// The version of ACR Tasks that is spoken: az's of 2026. The stable one knows neither agent pools nor
/// registries with permissions for each repository.
pub const TASKS: &str = "2025-03-01-preview";

/// The kind of a registry, in ids.
pub const KIND: &str = "Microsoft.ContainerRegistry/registries";

/// Where contexts go to and logs come from in the public cloud; the account's name is Azure's.
pub const STORAGE: &str = "https://*.blob.core.windows.net";
