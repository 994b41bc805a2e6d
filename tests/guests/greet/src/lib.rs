//! Says hello.

use serde::{Deserialize, Serialize};
use windlass_plugin::{Context, Inputs, Outcome, Outputs, Result, Step, log};

/// What the pipeline says under `with`.
#[derive(Deserialize, Inputs)]
pub struct Greet {
    /// Who is greeted.
    name: String,
}

/// What later steps see as `steps.ID.outputs`.
#[derive(Serialize, Outputs)]
pub struct Greeted {
    /// What was said.
    text: String,
}

/// The step.
pub struct Greeter;

impl Step for Greeter {
    const NAME: &'static str = "greet";
    const SUMMARY: &'static str = "says hello";
    type Inputs = Greet;
    type Outputs = Greeted;

    fn run(inputs: Greet, _: &Context) -> Result<Outcome<Greeted>> {
        let text = format!("hello, {}", inputs.name);
        log::info!("{text}");
        Ok(Outcome::changed(Greeted { text }))
    }
}

windlass_plugin::step!(Greeter);
