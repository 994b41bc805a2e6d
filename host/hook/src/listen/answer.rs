//! Answers: a status and a little JSON.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::body::Unreadable;
use crate::endpoint::Check;
use crate::hooks::Taken;

pub(super) type Answer = Response<Full<Bytes>>;

/// A request that is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    said: Value,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether it was somebody who has no business here.
    pub(super) is_of_a_stranger: bool,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: &str) -> Self {
        let said = json!({ "error": error });
        Self { status, said, headers: Vec::new(), is_of_a_stranger: false }
    }

    pub(super) fn nothing_here() -> Self {
        let refusal = Self::new(StatusCode::NOT_FOUND, "nothing is heard here");
        Self { is_of_a_stranger: true, ..refusal }
    }

    pub(super) fn method(fitting: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, &format!("use {fitting}"))
            .with(ALLOW, HeaderValue::from_static(fitting))
    }

    pub(super) fn unproved(check: Check) -> Self {
        let error = "the request does not prove that its sender knows the secret";
        let refusal = Self { is_of_a_stranger: true, ..Self::new(StatusCode::UNAUTHORIZED, error) };
        match check {
            Check::Token => refusal.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Check::HmacSha256 => refusal,
        }
    }

    pub(super) fn too_often(wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests").retry_after(wait)
    }

    pub(super) fn unreadable(unreadable: &Unreadable) -> Self {
        let Unreadable { why, expected } = unreadable;
        let said = json!({ "error": why, "expected": expected });
        Self { said, ..Self::new(StatusCode::BAD_REQUEST, "") }
    }

    pub(super) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with(RETRY_AFTER, seconds.max(1).into())
    }

    /// What is left of the request will not be read.
    pub(super) fn close(self) -> Self {
        self.with(CONNECTION, HeaderValue::from_static("close"))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn into_answer(self) -> Answer {
        let mut answer = of(self.status, &self.said);
        answer.headers_mut().extend(self.headers);
        answer
    }
}

pub(super) fn ignored(why: &str) -> Answer {
    of(StatusCode::ACCEPTED, &json!({ "ignored": why }))
}

pub(super) fn handshake(code: &str) -> Answer {
    of(StatusCode::OK, &json!({ "validationResponse": code }))
}

pub(super) fn taken(taken: &Taken) -> Answer {
    match taken {
        Taken::Started(runs) => of(StatusCode::ACCEPTED, &json!({ "started": runs })),
        Taken::Ignored(why) => ignored(why),
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn of(status: StatusCode, said: &Value) -> Answer {
    let mut answer = Response::new(Full::from(format!("{said}\n")));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
