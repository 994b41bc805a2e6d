//! The component: the host's interfaces behind the trait that the logic asks for.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use arm::gate::Gate;
use arm::{Http, Request as ArmRequest, Response};
use windlass_plugin::oci::{Access, Repository};
use windlass_plugin::secrets::{self, Secret};
use windlass_plugin::{Context, Outcome, Request, Result, Step, http, log, workspace};

use crate::deploy::deploy;
use crate::host::Host;
use crate::inputs::{self, Action, Inputs};
use crate::manage::manage;
use crate::outputs::Outputs;

/// A group that does not answer within this is asked again.
const PROBE: Duration = Duration::from_secs(10);

/// The plugin.
pub struct DeployAci;

impl Step for DeployAci {
    const NAME: &'static str = "deploy-aci";
    const SUMMARY: &'static str = "deploys container groups to Azure Container Instances";
    type Inputs = Inputs;
    type Outputs = Outputs;

    fn requests() -> Vec<Request> {
        inputs::requests()
    }

    fn run(inputs: Inputs, context: &Context) -> Result<Outcome<Outputs>> {
        let host = Component::default();
        let act = if inputs.action == Action::Deploy { deploy } else { manage };
        let (outputs, summary) = act(&inputs, context.dry_run, &host)?;
        let outcome = match outputs.changed {
            true => Outcome::changed(outputs),
            false => Outcome::unchanged(outputs),
        };
        Ok(outcome.summary(summary))
    }
}

windlass_plugin::step!(DeployAci);

#[derive(Default)]
struct Component {
    gate: Gate,
}

impl Http for Component {
    type Secret = Secret;

    fn send(&self, request: &ArmRequest<'_, Secret>) -> Result<Response> {
        self.gate.send(request)
    }

    fn sleep(&self, pause: Duration) {
        self.gate.sleep(pause);
    }

    fn now(&self) -> Duration {
        self.gate.now()
    }

    fn say(&self, text: &str) {
        self.gate.say(text);
    }
}

impl Host for Component {
    fn secret(&self, name: &str) -> Result<Secret> {
        secrets::get(name)
    }

    fn resolve(&self, reference: &str) -> Result<Option<(String, String)>> {
        let repository = Repository::open(reference, Access::PULL)?;
        let found = repository.resolve(&repository.selector())?;
        Ok(found.map(|found| (repository.name(), found.digest)))
    }

    fn probe(&self, url: &str) -> Result<u16> {
        Ok(http::Request::get(url).timeout(PROBE).send()?.status())
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        workspace::write(path, text)
    }

    fn random(&self) -> u64 {
        // The keys of every hash map come from the host's source of random numbers.
        RandomState::new().build_hasher().finish()
    }

    fn warn(&self, text: &str) {
        log::warn!("{text}");
    }
}
