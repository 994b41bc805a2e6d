//! What a run has come to, for another that goes on where it broke off.

use std::collections::HashMap;

use pipeline::PluginRef;
use report::Mask;
use run::{Earlier, Instance, Outcome, StepOutcome, mask_value};
use serde_json::Value;

use crate::{Detail, InstanceRow};

/// The results of a run that is over.
pub struct EarlierRun {
    id: String,
    mask: Mask,
    /// By instance, each with its component's digest.
    results: HashMap<String, (String, InstanceRow)>,
}

impl EarlierRun {
    /// The results of `detail`, but for those of the step `from`: that one is to run again.
    ///
    /// `mask` is that of the new run: inputs are compared as they are recorded.
    pub fn new(detail: Detail, from: Option<&str>, mask: Mask) -> Self {
        let Detail { run, steps } = detail;
        let mut results = HashMap::new();
        for step in steps.into_iter().filter(|step| from != Some(step.id.as_str())) {
            for instance in step.instances {
                results.insert(instance.instance.clone(), (step.digest.clone(), instance));
            }
        }
        Self { id: run.id, mask, results }
    }
}

impl Earlier for EarlierRun {
    fn run(&self) -> &str {
        &self.id
    }

    fn outcome(
        &self,
        instance: &Instance,
        plugin: &PluginRef,
        inputs: &Value,
    ) -> Option<StepOutcome> {
        let (digest, found) = self.results.get(instance.as_str())?;
        let is_whole = found.outcome == Some(Outcome::Succeeded) && !found.withheld;
        if !is_whole || found.dry_run || *digest != plugin.digest {
            return None;
        }
        let mut now = inputs.clone();
        mask_value(&self.mask, &mut now);
        if found.inputs.as_ref() != Some(&now) {
            return None;
        }
        Some(StepOutcome {
            status: found.status?,
            outputs: found.outputs.clone()?,
            summary: found.summary.clone(),
        })
    }
}
