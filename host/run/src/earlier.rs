//! Results of an earlier run, which this one may take in place of its own.
//!
//! A run that goes on where another broke off is a run like any other: `execute` asks here before it
//! starts an instance. It does not ask for steps that clean up (`always`), for those that only look
//! (`dry-run`), nor for any that come after a step that began in this run.

use std::{fmt, sync::Arc};

use pipeline::PluginRef;
use serde_json::Value;

use crate::{Instance, StepOutcome};

/// Knows an earlier run of the same pipeline.
pub trait Earlier: Send + Sync {
    /// That run's id.
    fn run(&self) -> &str;

    /// What `instance` came to, if it succeeded there with this very plugin and these inputs, and all
    /// of its outputs are known.
    fn outcome(
        &self,
        instance: &Instance,
        plugin: &PluginRef,
        inputs: &Value,
    ) -> Option<StepOutcome>;
}

/// Where results come from that need not be worked for again.
#[derive(Clone)]
pub struct Reuse(pub Arc<dyn Earlier>);

impl fmt::Debug for Reuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reuse({})", self.0.run())
    }
}
