//! The component: the host's interfaces behind the trait that the logic asks for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arm::gate::Gate;
use arm::{Http, Response};
use windlass_plugin::secrets::{self, Secret};
use windlass_plugin::state::Expected;
use windlass_plugin::{Context, Outcome, Request, Result, Step, log, state};

use crate::host::Host;
use crate::inputs::{self, Alphabet, Inputs};
use crate::outputs::Outputs;
use crate::store::store;

/// The plugin.
pub struct StoreSecret;

impl Step for StoreSecret {
    const NAME: &'static str = "store-secret";
    const SUMMARY: &'static str = "puts a secret into a vault of Azure or into the local store";
    type Inputs = Inputs;
    type Outputs = Outputs;

    fn requests() -> Vec<Request> {
        inputs::requests()
    }

    fn run(inputs: Inputs, context: &Context) -> Result<Outcome<Outputs>> {
        let (outputs, summary) = store(&inputs, context.dry_run, &Imports::default())?;
        let outcome = match outputs.changed {
            true => Outcome::changed(outputs),
            false => Outcome::unchanged(outputs),
        };
        Ok(outcome.summary(summary))
    }
}

windlass_plugin::step!(StoreSecret);

#[derive(Default)]
struct Imports(Gate);

impl Http for Imports {
    type Secret = Secret;

    fn send(&self, request: &arm::Request<'_, Secret>) -> Result<Response> {
        self.0.send(request)
    }

    fn send_keeping(
        &self,
        request: &arm::Request<'_, Secret>,
        keep: &[&str],
    ) -> Result<(Response, Vec<Secret>)> {
        self.0.send_keeping(request, keep)
    }

    fn sleep(&self, pause: Duration) {
        self.0.sleep(pause);
    }

    fn now(&self) -> Duration {
        self.0.now()
    }

    fn say(&self, text: &str) {
        self.0.say(text);
    }
}

impl Host for Imports {
    fn secret(&self, name: &str) -> Result<Secret> {
        secrets::get(name)
    }

    fn generate(&self, length: u32, alphabet: Alphabet) -> Result<Secret> {
        let alphabet = match alphabet {
            Alphabet::Alphanumeric => secrets::Alphabet::Alphanumeric,
            Alphabet::Hex => secrets::Alphabet::Hex,
            Alphabet::Printable => secrets::Alphabet::Printable,
        };
        secrets::generate(length, alphabet)
    }

    fn put(&self, name: &str, secret: &Secret) -> Result<()> {
        secrets::put(name, secret)
    }

    fn is_empty(&self, secret: &Secret) -> bool {
        secret.is_empty()
    }

    fn equals(&self, one: &Secret, other: &Secret) -> Result<bool> {
        one.equals(other)
    }

    fn load(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(state::get(key)?.map(|entry| entry.value))
    }

    fn save(&self, key: &str, value: &[u8]) -> Result<()> {
        state::put(key, value, Expected::Anything).map(|_| ())
    }

    #[expect(clippy::disallowed_methods, reason = "the component's clock is the host's")]
    fn clock(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    fn warn(&self, text: &str) {
        log::warn!("{text}");
    }
}
