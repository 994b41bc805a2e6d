//! A step that gives back what it got: the shortest way to see what crosses the border.

use serde_json::{Map, Value};
use windlass_plugin::{Context, Outcome, Result, Step};

/// The step.
pub struct Echo;

impl Step for Echo {
    const NAME: &'static str = "echo";
    const SUMMARY: &'static str = "gives back what it got";
    type Inputs = Map<String, Value>;
    type Outputs = Map<String, Value>;

    fn run(inputs: Self::Inputs, context: &Context) -> Result<Outcome<Self::Outputs>> {
        let Context { step, run, attempt, dry_run, deadline, source_date_epoch: _ } = context;
        let summary = format!(
            "step {step} of run {run}, attempt {attempt}, dry run {dry_run}, deadline {}",
            if deadline.is_some() { "set" } else { "open" }
        );
        Ok(Outcome::changed(inputs).summary(summary))
    }
}

windlass_plugin::step!(Echo);
