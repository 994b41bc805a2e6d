use serde::{Deserialize, Serialize};

use super::{describe, run, types};
use crate::{Context, Error, Inputs, Outcome, Outputs, Request, Result, Step};

#[derive(Deserialize, Inputs)]
struct Greet {
    name: String,
}

#[derive(Serialize, Outputs)]
struct Greeted {
    text: String,
}

struct Greeter;

impl Step for Greeter {
    const NAME: &'static str = "greet";
    const SUMMARY: &'static str = "says hello";
    type Inputs = Greet;
    type Outputs = Greeted;

    fn requests() -> Vec<Request> {
        vec![Request::new("http", "https://{{ inputs.name }}.example", "knocks")]
    }

    fn run(inputs: Greet, context: &Context) -> Result<Outcome<Greeted>> {
        if inputs.name.is_empty() {
            return Err(Error::invalid("`name` is empty").hint("give a `name`"));
        }
        let text = format!("hello, {} ({}, {:?})", inputs.name, context.step, context.deadline);
        Ok(Outcome::changed(Greeted { text }).summary("said it"))
    }
}

crate::step!(Greeter);

fn call(inputs: &str) -> types::Context {
    types::Context {
        inputs: inputs.to_owned(),
        step: "first".to_owned(),
        run: "r1".to_owned(),
        attempt: 1,
        dry_run: false,
        deadline_ms: Some(1500),
        extras: Vec::new(),
    }
}

#[test]
fn a_step_is_described_from_its_types() {
    let plugin = describe::<Greeter>("1.2.3");
    assert_eq!((plugin.name.as_str(), plugin.version.as_str()), ("greet", "1.2.3"));
    assert_eq!(
        plugin.inputs_schema,
        r#"{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}"#
    );
    let requests: Vec<_> = plugin.requests.iter().map(|request| request.value.as_str()).collect();
    assert_eq!(requests, ["https://{{ inputs.name }}.example"]);
}

#[test]
fn a_call_goes_in_and_out_as_json() {
    let outcome = run::<Greeter>(call(r#"{"name":"you"}"#)).expect("a greeting");
    assert_eq!(outcome.outputs, r#"{"text":"hello, you (first, Some(1.5s))"}"#);
    assert_eq!(outcome.status, types::Status::Changed);
    assert_eq!(outcome.summary.as_deref(), Some("said it"));
}

#[test]
fn an_error_of_the_step_reaches_the_host_whole() {
    let error = run::<Greeter>(call(r#"{"name":""}"#)).expect_err("no name");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("invalid.inputs", "`name` is empty")
    );
    assert_eq!(error.hint.as_deref(), Some("give a `name`"));
}

#[test]
fn inputs_of_another_shape_are_an_error_and_no_panic() {
    let error = run::<Greeter>(call(r#"{"name":1}"#)).expect_err("no text");
    assert_eq!(error.code, "invalid.inputs");
    assert!(error.message.starts_with("not the inputs of `greet`: "), "{}", error.message);
}
