//! How many requests a repository handle has cost.
//!
//! Counted where requests leave, so retries, redirects and those for tokens are in it too: it is
//! what the registry's own log would say. Shared by whoever wants one sum for several handles.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;

/// Requests by method. All of them are counted that were sent, whatever became of them.
#[derive(Debug, Default)]
pub struct RequestTally([AtomicU64; METHODS.len() + 1]);

/// What this client sends; anything else would be counted as [`OTHER`].
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The name of a method that is not among [`METHODS`].
const OTHER: &str = "OTHER";

impl RequestTally {
    /// The requests sent so far, by method (`GET`, `HEAD`, …); methods without any are left out.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let names = METHODS.iter().map(Method::as_str).chain([OTHER]);
        let counts =
            names.zip(&self.0).map(|(name, n)| (name.to_owned(), n.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    pub(super) fn add(&self, method: &Method) {
        let at = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        if let Some(count) = self.0.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_has_its_own_count() {
        let tally = RequestTally::default();
        assert!(tally.counts().is_empty());
        for method in [Method::GET, Method::PUT, Method::GET, Method::OPTIONS] {
            tally.add(&method);
        }
        let expect = [("GET", 2), ("OTHER", 1), ("PUT", 1)].map(|(m, n)| (m.to_owned(), n));
        assert_eq!(tally.counts(), BTreeMap::from(expect));
    }
}
