//! A table of answers in place of Azure, for tests: nothing waits, and what was asked is kept.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use windlass_plugin::{Error, Result};

use crate::http::{Encoding, Http, Part, Request, Response};

/// Answers, in the order in which they are given.
#[derive(Debug, Default)]
pub struct Table {
    answers: RefCell<VecDeque<Result<Response>>>,
    calls: RefCell<Vec<Call>>,
    said: RefCell<Vec<String>>,
    clock: RefCell<Duration>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `PUT`, …
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The body; a secret is written as `‹NAME›`, and one that is sent as base64 as `‹base64 NAME›`.
    pub body: String,
}

impl Table {
    /// Answers next with this status, these headers and this JSON.
    #[must_use]
    pub fn then(self, status: u16, headers: &[(&str, &str)], body: &Value) -> Self {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(status, headers, &text)
    }

    /// Answers next with a body that may be no JSON.
    #[must_use]
    pub fn raw(self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.next(Ok(Response {
            status,
            headers: headers.collect(),
            body: body.as_bytes().to_vec(),
        }))
    }

    /// Answers next with an error of the host.
    #[must_use]
    pub fn error(self, error: Error) -> Self {
        self.next(Err(error))
    }

    fn next(self, answer: Result<Response>) -> Self {
        self.answers.borrow_mut().push_back(answer);
        self
    }

    /// All that was asked.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// Method and path with query of all that was asked.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let calls = self.calls.borrow();
        let line = |call: &Call| {
            let path = call.url.splitn(4, '/').nth(3).unwrap_or_default();
            format!("{} /{path}", call.method)
        };
        calls.iter().map(line).collect()
    }

    /// All that was said to the person.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.said.borrow().clone()
    }

    /// Answers that nobody asked for.
    #[must_use]
    pub fn left(&self) -> usize {
        self.answers.borrow().len()
    }
}

impl Http for Table {
    type Secret = String;

    fn send(&self, request: &Request<'_, String>) -> Result<Response> {
        let write = |part: &Part<'_, String>| match part {
            Part::Text(text) => text.clone(),
            Part::Sealed(name, Encoding::Base64) => format!("‹base64 {name}›"),
            Part::Sealed(name, _) => format!("‹{name}›"),
        };
        let call = Call {
            method: request.method.to_owned(),
            url: request.url.clone(),
            body: request.body.iter().map(write).collect(),
        };
        let asked = format!("{} {}", call.method, call.url);
        self.calls.borrow_mut().push(call);
        let answer = self.answers.borrow_mut().pop_front();
        answer.unwrap_or_else(|| Err(Error::failed(format!("the table has no answer to {asked}"))))
    }

    fn sleep(&self, pause: Duration) {
        *self.clock.borrow_mut() += pause;
    }

    fn now(&self) -> Duration {
        *self.clock.borrow()
    }

    fn say(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }
}
