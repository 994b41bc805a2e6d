//! What a plugin author implements.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::windlass::step::types;
use crate::{Error, Result, Schema};

pub use types::Status;

/// A step plugin: what it says of itself and what it does.
pub trait Step {
    /// Its name, kebab-case.
    const NAME: &'static str;
    /// One line.
    const SUMMARY: &'static str;
    /// What `with` of a pipeline holds: a struct with named fields.
    type Inputs: DeserializeOwned + Schema;
    /// What later steps can refer to: a struct with named fields.
    type Outputs: Serialize + Schema;

    /// What it will need. Must always give the same answer.
    #[must_use]
    fn requests() -> Vec<Request> {
        Vec::new()
    }

    /// Does the step; called once.
    ///
    /// # Errors
    /// Whatever keeps the step from its work. A panic is a broken plugin, not a failed step.
    fn run(inputs: Self::Inputs, context: &Context) -> Result<Outcome<Self::Outputs>>;
}

/// Something that a plugin will need; what `[step.grant]` of a pipeline would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) capability: String,
    pub(crate) value: String,
    pub(crate) reason: String,
}

impl Request {
    /// Asks for `value` of `capability` (`oci.pull`, `http`, …), and says why in a few words.
    ///
    /// `value` is a template over the inputs, such as `{{ inputs.source }}`. A single expression
    /// that gives a list asks for each item; null asks for nothing.
    #[must_use]
    pub fn new(capability: &str, value: &str, reason: &str) -> Self {
        Self {
            capability: capability.to_owned(),
            value: value.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// The key of the grant, such as `oci.pull`.
    #[must_use]
    pub fn capability(&self) -> &str {
        &self.capability
    }

    /// The template over the inputs.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// The circumstances of a call.
#[derive(Debug, Clone)]
pub struct Context {
    /// The step's id in the pipeline.
    pub step: String,
    /// The run's id.
    pub run: String,
    /// From 1; more after a retry.
    pub attempt: u32,
    /// The host refuses every change in such a call; say what would be done.
    pub dry_run: bool,
    /// What was left of the step's timeout when the call began.
    pub deadline: Option<std::time::Duration>,
    /// `SOURCE_DATE_EPOCH` where the run was started: the latest time that made files are to have, in
    /// seconds since 1970.
    pub source_date_epoch: Option<u64>,
}

/// The result of a step that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<T> {
    pub(crate) status: Status,
    pub(crate) outputs: T,
    pub(crate) summary: Option<String>,
}

impl<T> Outcome<T> {
    /// Something is different now.
    #[must_use]
    pub fn changed(outputs: T) -> Self {
        Self { status: Status::Changed, outputs, summary: None }
    }

    /// All was as it should be.
    #[must_use]
    pub fn unchanged(outputs: T) -> Self {
        Self { status: Status::Unchanged, outputs, summary: None }
    }

    /// There was nothing to do.
    #[must_use]
    pub fn skipped(outputs: T) -> Self {
        Self { status: Status::Skipped, outputs, summary: None }
    }

    /// What later steps can refer to.
    #[must_use]
    pub fn outputs(&self) -> &T {
        &self.outputs
    }

    /// With one line for a person.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }
}

impl<T: Serialize> Outcome<T> {
    pub(crate) fn into_wire(self) -> Result<types::Outcome> {
        let outputs = serde_json::to_string(&self.outputs)
            .map_err(|error| Error::failed(format!("the outputs are no JSON: {error}")))?;
        Ok(types::Outcome { status: self.status, outputs, summary: self.summary })
    }
}
