//! `windlass:build`, a file for each sort of resource.

mod builder;
mod command;
mod context;
mod copy;
mod filesystem;
mod output;

use capability::{GivenFile, GrantedBuilder};
use report::Fault;
use wasmtime::component::Resource;

use super::{Answer, answer};
use crate::bindings::windlass::build::build as wit;
use crate::state::StepState;

/// What a method that cannot fail was refused: said when the handle is used.
#[expect(
    unreachable_pub,
    reason = "the bindings name it again, and they are public within their module"
)]
pub struct PendingBuilder {
    builder: Result<GrantedBuilder, Fault>,
}

impl wit::Host for StepState {}

impl StepState {
    fn pushed<T: Send + 'static>(&mut self, made: Result<T, Fault>) -> Answer<Resource<T>> {
        match made {
            Ok(value) => answer(Ok(self.table.push(value)?)),
            Err(fault) => answer(Err(fault)),
        }
    }
}

fn given(file: wit::GivenFile) -> GivenFile {
    GivenFile { path: file.path, content: file.content, mode: file.mode }
}
