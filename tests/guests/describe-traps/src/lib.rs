//! A plugin whose description traps.

use windlass_plugin::bindings::exports::windlass::step::{lifecycle, metadata};
use windlass_plugin::bindings::windlass::step::types;
use windlass_plugin::bindings::windlass::types::errors;

struct Exports;

impl metadata::Guest for Exports {
    fn describe() -> metadata::Plugin {
        panic!("no description")
    }
}

impl lifecycle::Guest for Exports {
    fn run(_: types::Context) -> Result<types::Outcome, errors::Error> {
        let outputs = "{}".to_owned();
        Ok(types::Outcome { status: types::Status::Unchanged, outputs, summary: None })
    }
}

windlass_plugin::bindings::export!(Exports with_types_in windlass_plugin::bindings);
