//! `windlass:state`.

use super::{Answer, answer};
use crate::bindings::windlass::state::state::{Entry, Expected, Host};
use crate::state::StepState;

impl Host for StepState {
    async fn get(&mut self, key: String) -> Answer<Option<Entry>> {
        let entry = self.granted.state.get(&key).await;
        answer(entry.map(|entry| {
            entry.map(|capability::Entry { value, version }| Entry { value, version })
        }))
    }

    async fn put(&mut self, key: String, value: Vec<u8>, expected: Expected) -> Answer<u64> {
        answer(self.granted.state.put(&key, value, expectation(expected)).await)
    }

    async fn delete(&mut self, key: String, expected: Expected) -> Answer<bool> {
        answer(self.granted.state.delete(&key, expectation(expected)).await)
    }

    async fn keys(&mut self, prefix: String) -> Answer<Vec<String>> {
        answer(self.granted.state.keys(&prefix).await)
    }
}

fn expectation(expected: Expected) -> capability::Expected {
    match expected {
        Expected::Anything => capability::Expected::Anything,
        Expected::Absent => capability::Expected::Absent,
        Expected::Version(version) => capability::Expected::Version(version),
    }
}
