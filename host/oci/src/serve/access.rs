//! Who wants to know what was asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};

/// One answered request.
#[derive(Clone, Debug)]
pub struct Access<'a> {
    /// `GET`.
    pub method: &'a Method,
    /// Path and query.
    pub target: &'a str,
    /// The status.
    pub status: StatusCode,
    /// From the request's headers to the answer's.
    pub elapsed: Duration,
}

/// Who wants to know about requests.
pub trait AccessLog: Send + Sync {
    /// A request was answered; the body of the answer may still be on its way.
    fn record(&self, access: &Access<'_>);
}

/// An [`AccessLog`] that counts by method.
#[derive(Debug, Default)]
pub struct RequestCounts(Mutex<BTreeMap<String, u64>>);

impl RequestCounts {
    /// Requests of each method so far.
    pub fn by_method(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests so far.
    pub fn total(&self) -> u64 {
        self.by_method().values().sum()
    }
}

impl AccessLog for RequestCounts {
    fn record(&self, access: &Access<'_>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(access.method.to_string()).or_default() += 1;
    }
}
