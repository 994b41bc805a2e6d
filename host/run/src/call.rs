//! What a step is to this room: something that takes a call and gives an outcome.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use pipeline::{Grant, PluginRef, StepId};
use report::Fault;
use serde_json::Value;

use crate::{StepOutcome, StepReporter};

/// Runs steps.
pub trait StepRunner: Send + Sync {
    /// Makes one attempt at `call`.
    ///
    /// The future is dropped when a deadline passes or somebody cancels: whatever it holds must be
    /// let go by that. A panic inside it fails the step, not the run.
    fn run<'a>(
        &'a self,
        call: StepCall,
        say: StepReporter,
    ) -> BoxFuture<'a, Result<StepOutcome, Fault>>;
}

/// One attempt at one instance of a step; holds all that a runner needs to know of the pipeline.
#[derive(Clone, Debug)]
pub struct StepCall {
    /// The run's id.
    pub run: Arc<str>,
    /// The step.
    pub step: StepId,
    /// `build`, or `build[arch=arm64]`.
    pub instance: crate::Instance,
    /// What to run.
    pub plugin: PluginRef,
    /// The inputs, checked against the plugin's schema: a JSON object.
    pub inputs: Arc<Value>,
    /// What the step may do.
    pub grant: Arc<Grant>,
    /// From 1.
    pub attempt: u32,
    /// Whether nothing is to be changed.
    pub dry_run: bool,
    /// What is left of the step's timeout or the run's, whichever is less.
    pub deadline: Option<Duration>,
}
