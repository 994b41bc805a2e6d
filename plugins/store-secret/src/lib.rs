//! Puts a secret where it is kept: a vault of Azure, or the local store of the runner.
//!
//! [`inputs`] and [`outputs`] are what the pipeline sees; [`wish`] is what was said, checked before
//! anything is asked. [`place`] is where secrets go: a [`vault`], or the [`local`] store. [`value`]
//! stores one secret, [`principal`] makes a service principal with a role and stores its password,
//! [`token`] does so with a token of a registry; [`store`] chooses among them. [`graph`] and [`role`]
//! are the calls, [`explain`] says what a refusal means here.
//!
//! No value of a secret is ever here: they are handles, and what Azure answers with one in it has it
//! taken out by the host. All of it goes through the trait [`Host`](host::Host), so that it is tested
//! without Azure. The component's shim is `guest`, which only exists in wasm.

pub mod explain;
pub mod graph;
#[cfg(target_family = "wasm")]
pub mod guest;
pub mod host;
pub mod inputs;
pub mod local;
pub mod outputs;
pub mod place;
pub mod principal;
pub mod role;
pub mod store;
pub mod token;
pub mod value;
pub mod vault;
pub mod wish;

#[cfg(test)]
mod tests;
