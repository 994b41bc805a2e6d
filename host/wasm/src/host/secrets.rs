//! `windlass:secrets`.

use capability::SecretHandle;
use wasmtime::component::Resource;

use super::{Answer, answer};
use crate::bindings::windlass::secrets::{reveal, secrets};
use crate::state::StepState;

impl StepState {
    fn hold(
        &mut self,
        secret: Result<SecretHandle, report::Fault>,
    ) -> Answer<Resource<SecretHandle>> {
        match secret {
            Ok(secret) => answer(Ok(self.table.push(secret)?)),
            Err(fault) => answer(Err(fault)),
        }
    }
}

impl secrets::Host for StepState {
    async fn get(&mut self, name: String) -> Answer<Resource<SecretHandle>> {
        let secret = self.granted.secrets.get(&name).await;
        self.hold(secret)
    }

    async fn generate(
        &mut self,
        length: u32,
        alphabet: secrets::Alphabet,
    ) -> Answer<Resource<SecretHandle>> {
        let alphabet = match alphabet {
            secrets::Alphabet::Alphanumeric => capability::Alphabet::Alphanumeric,
            secrets::Alphabet::Hex => capability::Alphabet::Hex,
            secrets::Alphabet::Printable => capability::Alphabet::Printable,
        };
        let secret = self.granted.secrets.generate(length, alphabet);
        self.hold(secret)
    }

    async fn put(&mut self, name: String, value: Resource<SecretHandle>) -> Answer<()> {
        let value = self.table.get(&value)?.clone();
        answer(self.granted.secrets.put(&name, &value).await)
    }

    async fn placeholder(&mut self, value: Resource<SecretHandle>) -> Answer<String> {
        let value = self.table.get(&value)?.clone();
        answer(self.granted.secrets.placeholder(&value))
    }
}

impl secrets::HostSecret for StepState {
    async fn name(&mut self, secret: Resource<SecretHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&secret)?.name().to_owned())
    }

    async fn is_empty(&mut self, secret: Resource<SecretHandle>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&secret)?.is_empty())
    }

    async fn equals(
        &mut self,
        secret: Resource<SecretHandle>,
        other: Resource<SecretHandle>,
    ) -> Answer<bool> {
        let (secret, other) = (self.table.get(&secret)?, self.table.get(&other)?);
        answer(self.granted.secrets.equals(secret, other))
    }

    async fn drop(&mut self, secret: Resource<SecretHandle>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl reveal::Host for StepState {
    async fn reveal(&mut self, value: Resource<SecretHandle>) -> Answer<Vec<u8>> {
        let value = self.table.get(&value)?;
        answer(self.granted.secrets.reveal(value).map(|secret| secret.expose().to_vec()))
    }
}
