//! A request that waits until the test says go.

use std::sync::Arc;

use tokio::sync::watch;

use crate::process::poll;

/// Holds requests. They go on when it is opened or dropped.
#[derive(Debug)]
pub struct Gate {
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    arrived: usize,
    is_open: bool,
}

/// The side of the request.
#[derive(Clone, Debug)]
pub(super) struct Barrier(Arc<watch::Sender<State>>);

impl Gate {
    pub(super) fn new() -> (Self, Barrier) {
        let state = Arc::new(watch::Sender::new(State::default()));
        (Self { state: Arc::clone(&state) }, Barrier(state))
    }

    /// How many requests have come to it.
    pub fn arrived(&self) -> usize {
        self.state.borrow().arrived
    }

    /// Waits until a request has come to it, blocking the thread.
    ///
    /// # Panics
    /// None comes within 90 s.
    pub fn wait(&self) {
        poll("a request at the gate", || (self.arrived() > 0).then_some(()));
    }

    /// As [`Self::wait`], in an asynchronous test, which has its own limit of time.
    pub async fn reached(&self) {
        let mut state = self.state.subscribe();
        // Fails only if nobody could say so any more; this gate could.
        let _ = state.wait_for(|state| state.arrived > 0).await;
    }

    /// Lets all through, those who come later too.
    pub fn open(&self) {
        self.state.send_modify(|state| state.is_open = true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

impl Barrier {
    pub(super) async fn pass(&self) {
        let mut state = self.0.subscribe();
        self.0.send_modify(|state| state.arrived += 1);
        let _ = state.wait_for(|state| state.is_open).await;
    }
}
