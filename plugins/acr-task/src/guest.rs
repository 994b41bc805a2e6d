//! The component: the host's interfaces behind the trait that the logic asks for.

use arm::gate::Gate;
use windlass_plugin::secrets::{self, Secret};
use windlass_plugin::{Context, Outcome, Request, Result, Step, log};

use crate::act::{Cloud, act};
use crate::inputs::{self, Inputs};
use crate::outputs::Outputs;

/// The plugin.
#[derive(Debug)]
pub struct AcrTask;

impl Step for AcrTask {
    const NAME: &'static str = "acr-task";
    const SUMMARY: &'static str = "makes, runs and shows tasks of Azure Container Registry";
    type Inputs = Inputs;
    type Outputs = Outputs;

    fn requests() -> Vec<Request> {
        inputs::requests()
    }

    fn run(inputs: Inputs, context: &Context) -> Result<Outcome<Outputs>> {
        let limit = acr::patience(context.deadline);
        act(&inputs, context.dry_run, limit, &Azure(Gate::default()))
    }
}

windlass_plugin::step!(AcrTask);

struct Azure(Gate);

impl Cloud for Azure {
    type Http = Gate;

    fn http(&self) -> &Gate {
        &self.0
    }

    fn secret(&self, name: &str) -> Result<Secret> {
        secrets::get(name)
    }

    fn line(&self, text: &str) {
        log::info!("{text}");
    }
}
