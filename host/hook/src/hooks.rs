//! Who is told.

use std::future::Future;

use crate::{Delivery, Endpoint};

/// Who knows the endpoints and takes what is heard.
///
/// Both are asked for each request: endpoints may come and go while the listener runs.
pub trait Hooks: Send + Sync + 'static {
    /// The endpoint that is heard at `/hooks/NAME`.
    fn endpoint(&self, name: &str) -> Option<Endpoint>;

    /// Takes a delivery: when this is done it is written down, and the sender is told.
    ///
    /// The same delivery may come again, also after it was taken: the answer may have been lost. The
    /// future may be dropped where it waits, when the sender goes away or the listener's time is
    /// over; then the sender was told nothing.
    fn take(
        &self,
        name: &str,
        delivery: Delivery,
    ) -> impl Future<Output = Result<Taken, NotTaken>> + Send;
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Runs with these ids wait to begin.
    Started(Vec<String>),
    /// None does, and why: for the sender to read.
    Ignored(String),
}

/// It could not be written down: the sender is to try again. Why stays with whoever knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;
