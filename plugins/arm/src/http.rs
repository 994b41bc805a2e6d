//! What is needed of the host: one request at a time, and time.

use std::time::Duration;

pub use windlass_plugin::http::Encoding;

/// What is needed of the host; `gate` has it in a component, [`crate::table`] in tests.
pub trait Http {
    /// A secret's handle.
    type Secret;

    /// Sends `request` and reads the whole response. Redirects and a status of 4xx or 5xx are no
    /// error here.
    ///
    /// # Errors
    /// Those of the host: it was not granted, or nothing came back.
    fn send(&self, request: &Request<'_, Self::Secret>) -> windlass_plugin::Result<Response>;

    /// Waits.
    fn sleep(&self, pause: Duration);

    /// The time since some moment that does not move.
    fn now(&self) -> Duration;

    /// Tells the person what is being done; for what takes long.
    fn say(&self, text: &str);
}

/// A request.
#[derive(Debug)]
pub struct Request<'a, S> {
    /// `GET`, `PUT`, …
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// In the order in which they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// One after the other; empty for none.
    pub body: Vec<Part<'a, S>>,
}

/// A piece of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a, S> {
    /// Text.
    Text(String),
    /// A secret, which the host writes.
    Sealed(&'a S, Encoding),
}

/// A response, whatever its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// In the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// How long the server asks to wait: in milliseconds where it says so, else in seconds. A date
    /// is not read: Azure sends none.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let number = |name: &str| self.header(name).and_then(|value| value.parse::<u32>().ok());
        let exact = number("retry-after-ms").or_else(|| number("x-ms-retry-after-ms"));
        match exact {
            Some(milliseconds) => Some(Duration::from_millis(milliseconds.into())),
            None => number("retry-after").map(|seconds| Duration::from_secs(seconds.into())),
        }
    }
}
