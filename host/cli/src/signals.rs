//! SIGINT and SIGTERM: the first asks to end, the second ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// What the signals of this process have asked for.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// Cancelled at the first signal.
    pub(crate) stop: CancellationToken,
    /// Requested at every signal.
    pub(crate) run: run::Stop,
    exit: Arc<AtomicU8>,
}

impl Signals {
    /// Waits for signals beside `work`.
    ///
    /// The listener ends with `work`: it is polled in the same task.
    pub(crate) async fn watch<T>(work: impl AsyncFnOnce(Self) -> T) -> std::io::Result<T> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let signals = Self {
            stop: CancellationToken::new(),
            run: run::Stop::new(),
            exit: Arc::new(AtomicU8::new(0)),
        };
        let heard = signals.clone();
        let listen = async move {
            loop {
                let exit = tokio::select! {
                    Some(()) = interrupt.recv() => Exit::Interrupted,
                    Some(()) = terminate.recv() => Exit::Terminated,
                    else => std::future::pending().await,
                };
                if !heard.stop.is_cancelled() {
                    heard.exit.store(exit.code(), Ordering::Relaxed);
                }
                heard.stop.cancel();
                heard.run.request();
            }
        };
        tokio::select! {
            done = work(signals) => Ok(done),
            never = listen => never,
        }
    }

    /// How a cancelled process ends: as its first signal says.
    pub(crate) fn exit(&self) -> Exit {
        if self.exit.load(Ordering::Relaxed) == Exit::Terminated.code() {
            Exit::Terminated
        } else {
            Exit::Interrupted
        }
    }
}
