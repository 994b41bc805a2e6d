//! From plan to events to the account of a run.
//!
//! [`execute`] runs a `pipeline::Plan`: what is ready begins, up to so many at once; what fails is
//! tried again if it should be; deadlines and people stop it; steps that always run, run. A step is
//! something that takes a [`StepCall`] and gives a [`StepOutcome`]: the trait [`StepRunner`].
//!
//! All that happens is said as [`Event`]s, in one stream, to an [`EventSink`]. Whatever shows or
//! stores a run listens; [`ndjson`] is the stream as text, [`RunRecord`] is what it comes to.
//!
//! Neighbours: `pipeline` below makes plans; the command line above joins a runner of WebAssembly
//! components to this room and prints the events.
//!
//! Invariant: knows neither wasm nor network, and reads no clock but [`Clock`] and tokio's, so that
//! scheduling is tested with a runner of a few lines and a clock that stands still.

mod attempt;
mod call;
mod clock;
mod earlier;
mod emitter;
mod event;
mod execute;
mod facts;
mod instance;
pub mod ndjson;
mod outcome;
mod record;
mod reporter;
mod schedule;
mod steps;
mod stop;
#[cfg(test)]
mod tests;

pub use attempt::Jitter;
pub use call::{StepCall, StepRunner};
pub use clock::{Clock, FixedClock, SystemClock, Timestamp};
pub use earlier::{Earlier, Reuse};
pub use emitter::mask_value;
pub use event::{
    Event, EventKind, EventLog, EventSink, Fanout, ImageRole, ImageUse, Instance, LedgerLine,
    Level, ProgressId, StepFinished, StepOutline, StopReason, Unit,
};
pub use execute::{Engine, OnFailure, Options, execute};
pub use facts::{Trigger, platform};
pub use outcome::{Outcome, RunResult, Status, StepOutcome};
pub use record::{InstanceRecord, LedgerTotal, RECORD_VERSION, RunRecord, StepRecord};
pub use reporter::StepReporter;
pub use stop::{CLEANUP_TIME, Stop};
