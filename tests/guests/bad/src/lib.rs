//! A step that fails in every way: with an error, with a trap, with outputs that are none.

use serde::{Deserialize, Serialize};
use windlass_plugin::bindings::exports::windlass::step::{lifecycle, metadata};
use windlass_plugin::bindings::windlass::step::types;
use windlass_plugin::bindings::windlass::types::errors;
use windlass_plugin::{Context, Error, Inputs, Outcome, Outputs, Result, Schema, Status, Step};

/// In which way.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Returns the error that the inputs describe.
    Fail,
    /// The same, but only in the first `until` attempts.
    FailAtFirst,
    /// Panics with `message`.
    Trap,
    /// Ends the process, as far as there is one.
    Exit,
    /// Outputs that are no JSON.
    Garbage,
    /// Outputs that do not conform to the schema.
    Wrong,
    /// Outputs of 2 MiB.
    Huge,
}

/// With what words.
#[derive(Deserialize, Inputs)]
pub struct Failure {
    act: Act,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    hint: Option<String>,
    #[serde(default)]
    retryable: bool,
    #[serde(default)]
    until: u32,
}

/// What is said where nothing failed.
#[derive(Serialize, Outputs)]
pub struct Said {
    text: String,
}

/// The step.
pub struct Bad;

impl Step for Bad {
    const NAME: &'static str = "bad";
    const SUMMARY: &'static str = "fails in every way";
    type Inputs = Failure;
    type Outputs = Said;

    fn run(failure: Failure, context: &Context) -> Result<Outcome<Said>> {
        match failure.act {
            Act::FailAtFirst if context.attempt > failure.until => {
                Ok(Outcome::changed(Said { text: format!("attempt {}", context.attempt) }))
            }
            Act::Fail | Act::FailAtFirst => {
                let mut error = Error::new(failure.code, failure.message);
                if let Some(hint) = failure.hint {
                    error = error.hint(hint);
                }
                Err(if failure.retryable { error.retryable() } else { error })
            }
            Act::Trap => panic!("{}", failure.message),
            Act::Exit => std::process::exit(3),
            Act::Garbage => Ok(Outcome::changed(Said { text: "garbage".to_owned() })),
            Act::Wrong => Ok(Outcome::changed(Said { text: "wrong".to_owned() })),
            Act::Huge => Ok(Outcome::changed(Said { text: "h".repeat(2 << 20) })),
        }
    }
}

struct Exports;

impl metadata::Guest for Exports {
    fn describe() -> metadata::Plugin {
        windlass_plugin::describe::<Bad>(env!("CARGO_PKG_VERSION"))
    }
}

impl lifecycle::Guest for Exports {
    /// The SDK cannot write outputs that are wrong, so those are put in its place here.
    fn run(context: types::Context) -> Result<types::Outcome, errors::Error> {
        let outcome = windlass_plugin::run::<Bad>(context)?;
        let outputs = match outcome.outputs.as_str() {
            r#"{"text":"garbage"}"# => "{\"text\": nothing that JSON knows".to_owned(),
            r#"{"text":"wrong"}"# => r#"{"text": 1, "more": true}"#.to_owned(),
            _ => outcome.outputs,
        };
        Ok(types::Outcome { status: Status::Changed, outputs, summary: outcome.summary })
    }
}

windlass_plugin::bindings::export!(Exports with_types_in windlass_plugin::bindings);
