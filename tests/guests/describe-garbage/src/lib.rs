//! A plugin whose schemas are none, and whose request is no template.

use windlass_plugin::bindings::exports::windlass::step::{lifecycle, metadata};
use windlass_plugin::bindings::windlass::step::types;
use windlass_plugin::bindings::windlass::types::errors;

struct Exports;

impl metadata::Guest for Exports {
    fn describe() -> metadata::Plugin {
        metadata::Plugin {
            name: "describe-garbage".to_owned(),
            version: "one".to_owned(),
            summary: "a plugin\nin two lines".to_owned(),
            inputs_schema: "{\"type\": 7".to_owned(),
            outputs_schema: "[]".to_owned(),
            requests: vec![metadata::Request {
                capability: "everything".to_owned(),
                value: "{{ inputs.".to_owned(),
                reason: String::new(),
            }],
            extras: Vec::new(),
        }
    }
}

impl lifecycle::Guest for Exports {
    fn run(_: types::Context) -> Result<types::Outcome, errors::Error> {
        let outputs = "{}".to_owned();
        Ok(types::Outcome { status: types::Status::Unchanged, outputs, summary: None })
    }
}

windlass_plugin::bindings::export!(Exports with_types_in windlass_plugin::bindings);
