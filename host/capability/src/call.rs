//! What all capabilities of one call share.

use std::{sync::Arc, time::Duration};

use report::Fault;
use tokio::time::Instant;

use crate::{
    grant::{Grant, Want},
    voice::Voice,
};

/// One call of a step, as its capabilities see it.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) grant: Arc<Grant>,
    pub(crate) voice: Voice,
    pub(crate) dry_run: bool,
    pub(crate) deadline: Option<Instant>,
}

impl Call {
    /// The one check before any effect: the grant, and for a change whether changes are allowed.
    pub(crate) fn check(&self, want: &Want<'_>, effect: Effect) -> Result<(), Fault> {
        self.grant.allows(want)?;
        if self.dry_run && effect == Effect::Change {
            return Err(want.denied_in_dry_run().into());
        }
        Ok(())
    }

    /// What is left of the step's time; none where it has no limit.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

/// Whether something is different afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// No.
    Look,
    /// Yes; refused in a dry run.
    Change,
}
