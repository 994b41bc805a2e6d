//! What is kept of runs: one SQLite file, written while they run.
//!
//! A [`Store`] is that file. [`create`] puts a run into it within a transaction of the caller, so that
//! why it was created and that it was are one fact. A [`Recorder`] is an `EventSink`: it hands
//! what happens to a thread that writes, and a run is never held up by that, nor ended by it.
//! [`EarlierRun`] gives results of a run that is over to one that goes on where it broke off.
//!
//! Who runs a run holds a lock that dies with the process: what is said to be running and is not
//! locked was interrupted, and whoever looks next says and writes so.
//!
//! Neighbours: `run` below makes the events; the command line above asks for tables.
//!
//! Invariants: no secret is written (events are masked before they come here); what `run-finished`
//! says is on the disk before anybody else hears of it; nothing here prints.

mod database;
mod detail;
mod earlier;
mod error;
mod fold;
mod id;
mod limits;
mod list;
mod lock;
mod recorder;
mod row;
mod store;
#[cfg(test)]
mod tests;
pub mod trigger;

pub use detail::{AttemptRow, Detail, InstanceRow, StepRow};
pub use earlier::EarlierRun;
pub use error::RecordError;
pub use id::new_id;
pub use list::Selection;
pub use lock::Held;
pub use recorder::{Begun, Identity, Recorder};
pub use row::{Choices, NewRun, RunRow, RunStatus};
pub use store::{Claim, Prune, Store, create};
pub use trigger::{Decided, Judged, Look, TriggerRow};
