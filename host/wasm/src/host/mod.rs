//! Glue: the contract's imports, answered by what the call was granted.
//!
//! Conversions only. There is no decision in here; a refusal comes from `capability`.

pub(crate) mod build;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod oci;
pub(crate) mod secrets;
pub(crate) mod state;
pub(crate) mod wasi_http;
pub(crate) mod workspace;

use report::Fault;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::Step;
use crate::bindings::windlass::types::errors;
use crate::fault::to_guest;
use crate::state::StepState;

/// Links everything a component may import, granted or not: what is not granted is there and refuses.
pub(crate) fn add_to_linker(linker: &mut Linker<StepState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    Step::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

/// An answer for a guest: the outer result is a trap (a handle that is none), the inner one is said.
type Answer<T> = wasmtime::Result<Result<T, errors::Error>>;

fn answer<T>(result: Result<T, Fault>) -> Answer<T> {
    Ok(result.map_err(to_guest))
}

impl errors::Host for StepState {}

impl crate::bindings::windlass::step::types::Host for StepState {}
