//! From the exports of the component to a [`Step`].
//!
//! Everything here is generic over the step and called by what [`step!`](crate::step!) writes into
//! the plugin's crate, since only that crate can export.

use std::time::Duration;

use crate::bindings::exports::windlass::step::metadata;
use crate::bindings::windlass::{log, step::types, types::errors};
use crate::{Context, Error, Request, Result, Schema, Step};

/// Exports a [`Step`] as the plugin of this crate; the version is that of the crate.
///
/// Outside of wasm it expands to nothing but the shim.
#[macro_export]
macro_rules! step {
    ($step:ty) => {
        const _: () = {
            struct Exports;

            impl $crate::bindings::exports::windlass::step::metadata::Guest for Exports {
                fn describe() -> $crate::bindings::exports::windlass::step::metadata::Plugin {
                    $crate::describe::<$step>(env!("CARGO_PKG_VERSION"))
                }
            }

            impl $crate::bindings::exports::windlass::step::lifecycle::Guest for Exports {
                fn run(
                    context: $crate::bindings::windlass::step::types::Context,
                ) -> Result<
                    $crate::bindings::windlass::step::types::Outcome,
                    $crate::bindings::windlass::types::errors::Error,
                > {
                    $crate::run::<$step>(context)
                }
            }

            #[cfg(target_family = "wasm")]
    $crate::bindings::export!(Exports with_types_in $crate::bindings);
        };
    };
}

/// What the host calls that time.
const SOURCE_DATE_EPOCH: &str = "source-date-epoch";

/// The description of `S`, for the host.
#[must_use]
pub fn describe<S: Step>(version: &str) -> metadata::Plugin {
    log_panics();
    metadata::Plugin {
        name: S::NAME.to_owned(),
        version: version.to_owned(),
        summary: S::SUMMARY.to_owned(),
        inputs_schema: S::Inputs::shape().to_string(),
        outputs_schema: S::Outputs::shape().to_string(),
        requests: S::requests().into_iter().map(Request::into_wire).collect(),
        extras: Vec::new(),
    }
}

/// Runs `S` as the host asked.
///
/// # Errors
/// `invalid.inputs` if the inputs are not those of `S`; else whatever the step returns.
pub fn run<S: Step>(context: types::Context) -> Result<types::Outcome, errors::Error> {
    log_panics();
    let types::Context { inputs, step, run, attempt, dry_run, deadline_ms, extras } = context;
    let deadline = deadline_ms.map(Duration::from_millis);
    let epoch = extras.iter().find(|extra| extra.key == SOURCE_DATE_EPOCH);
    let source_date_epoch = epoch.and_then(|extra| extra.value.parse().ok());
    let context = Context { step, run, attempt, dry_run, deadline, source_date_epoch };
    let inputs = serde_json::from_str(&inputs)
        .map_err(|error| Error::invalid(format!("not the inputs of `{}`: {error}", S::NAME)))?;
    Ok(S::run(inputs, &context)?.into_wire()?)
}

impl Request {
    fn into_wire(self) -> metadata::Request {
        let Self { capability, value, reason } = self;
        metadata::Request { capability, value, reason }
    }
}

/// Has a panic's text logged before the trap: a trap alone carries none. Elsewhere a panic has a
/// terminal to print on and no host to tell.
fn log_panics() {
    if !cfg!(target_family = "wasm") {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("no text");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let place = log::log::Field { name: "location".to_owned(), value: place };
        log::log::emit(log::log::Level::Error, &format!("plugin panicked: {text}"), &[place]);
    }));
}

#[cfg(test)]
mod tests;
