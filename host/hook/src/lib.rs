//! Hears webhooks: senders that tell of a push, so that nobody has to ask.
//!
//! `form` and `body` turn what a sender says into a [`Delivery`], `endpoint` says whether it may say
//! so, and [`Listener`] keeps the door: how many may come in, how often, and how patiently they are
//! waited for. What is heard goes to a [`Hooks`], and the sender is told that it was heard only once
//! that has written it down; so what gets lost on the way is sent again.
//!
//! Never: a body that is read before its size is known to be bounded, a secret or a query in an
//! error or a log, a request of our own (callbacks that a body names are not called).

mod body;
mod delivery;
mod endpoint;
mod error;
mod form;
mod hooks;
mod listen;
mod rate;
mod text;

#[cfg(test)]
mod tests;

pub use body::Unreadable;
pub use delivery::{Commit, Delivery, Heard, Push};
pub use endpoint::{Check, Endpoint};
pub use error::{EndpointError, HookError};
pub use form::{Form, UnknownWord};
pub use hooks::{Hooks, NotTaken, Taken};
pub use listen::{LONGEST_BODY, Listener, MOST_CONNECTIONS};
