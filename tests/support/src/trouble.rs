//! A line to a registry on which everything can go wrong that goes wrong on lines.
//!
//! [`FaultProxy`] stands before a real registry and passes on what it hears, byte for byte, until a
//! test says what [`Trouble`] hits which requests: [`When`]. It can be long and thin ([`Link`]), want
//! tokens and end them, hold a request until the test says go ([`Gate`]), and it remembers what
//! passed ([`Seen`]).
//!
//! It speaks HTTP/1.1 by hand, because a library would not let it lie about lengths or reset a
//! connection in the middle. It never invents content: what is wrong is wrong because of a rule.

mod exchange;
mod gate;
mod link;
mod rule;
mod token;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use gate::Gate;
use link::Lane;
pub use link::Link;
pub use rule::{Moment, Trouble, When};
use rule::{Rule, What};
use token::Tokens;

/// A proxy on a free port of 127.0.0.1. Ends when dropped, with all its connections.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Upper case.
    pub method: String,
    /// With the query.
    pub path: String,
    /// Whether it came to the other origin, where [`Trouble::Elsewhere`] sends.
    pub is_elsewhere: bool,
    /// Whether it had a credential.
    pub is_authorized: bool,
    /// Bytes of its body.
    pub sent: u64,
    /// 0 where no answer was given.
    pub status: u16,
    /// The headers of the answer, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Bytes of the answer's body.
    pub received: u64,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    here: SocketAddr,
    elsewhere: SocketAddr,
    state: Mutex<State>,
    up: Lane,
    down: Lane,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    /// How often trouble has hit.
    hits: usize,
    link: Link,
    tokens: Tokens,
    /// In the order in which they came.
    seen: Vec<Seen>,
    /// Since the beginning: what belongs to requests before is not noted any more.
    age: usize,
}

impl FaultProxy {
    /// Stands before the registry at `upstream`, `127.0.0.1:PORT`, which speaks plain HTTP.
    ///
    /// # Panics
    /// No port is free.
    pub fn before(upstream: &str) -> Self {
        let bind = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
            listener.set_nonblocking(true).expect("a socket can be told not to block");
            listener
        };
        let (here, elsewhere) = (bind(), bind());
        let address = |listener: &std::net::TcpListener| {
            listener.local_addr().expect("a bound listener has an address")
        };
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            here: address(&here),
            elsewhere: address(&elsewhere),
            state: Mutex::default(),
            up: Lane::default(),
            down: Lane::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async move {
                let listener = |listener| {
                    TcpListener::from_std(listener).expect("the listener does not block")
                };
                let serving = serve(served, listener(here), listener(elsewhere));
                tokio::select! {
                    () = serving => {}
                    _ = stopped => {}
                }
            });
        });
        Self { shared, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.shared.here.to_string()
    }

    /// Adds trouble. Of several that mean a request, the first that was added hits it.
    pub fn trouble(&self, when: When, trouble: Trouble) {
        self.state().rules.push(Rule { when, what: What::Trouble(trouble) });
    }

    /// Holds the requests that `when` means.
    pub fn hold(&self, when: When, moment: Moment) -> Gate {
        let (gate, barrier) = Gate::new();
        self.state().rules.push(Rule { when, what: What::Hold(barrier, moment) });
        gate
    }

    /// Makes the line long or thin.
    pub fn link(&self, link: Link) {
        self.state().link = link;
    }

    /// From now on requests need a token, which this proxy gives to anybody who asks as registries
    /// want to be asked. The registry behind it sees none of that.
    pub fn want_tokens(&self) {
        self.state().tokens.are_wanted = true;
    }

    /// How many tokens were given.
    pub fn tokens_given(&self) -> usize {
        self.state().tokens.given()
    }

    /// The requests since the last [`Self::forget`], in the order in which they came.
    pub fn requests(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// How many of each method.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for seen in &self.state().seen {
            *counts.entry(seen.method.clone()).or_default() += 1;
        }
        counts
    }

    /// Bytes of bodies that passed to the registry, and from it.
    pub fn bytes(&self) -> (u64, u64) {
        let sum = |sum: (u64, u64), seen: &Seen| (sum.0 + seen.sent, sum.1 + seen.received);
        self.state().seen.iter().fold((0, 0), sum)
    }

    /// How often trouble has hit since the last [`Self::forget`].
    pub fn hits(&self) -> usize {
        self.state().hits
    }

    /// Back to an honest line: no trouble, no token wanted, nothing remembered, numbers from 0.
    pub fn forget(&self) {
        let mut state = self.state();
        let age = state.age + 1;
        *state = State { age, ..State::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // Who stopped already hears nothing.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            // Its panic was printed; a second one in `drop` would hide it.
            let _ = thread.join();
        }
    }
}

impl Seen {
    /// A header of the answer; `name` in lower case.
    pub fn answer(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

async fn serve(shared: Arc<Shared>, here: TcpListener, elsewhere: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let (accepted, is_elsewhere) = tokio::select! {
            accepted = here.accept() => (accepted, false),
            accepted = elsewhere.accept() => (accepted, true),
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)): std::io::Result<(TcpStream, _)> = accepted else { continue };
        connections.spawn(exchange::connection(Arc::clone(&shared), stream, is_elsewhere));
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
