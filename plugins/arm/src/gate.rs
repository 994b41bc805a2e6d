//! The host's gate; in a component only.

use std::time::{Duration, Instant};

use windlass_plugin::secrets::Secret;
use windlass_plugin::{http, log};

use crate::http::{Http, Part, Request, Response};

/// HTTP through the host, which attaches the identity's token by destination.
#[derive(Debug)]
pub struct Gate {
    begun: Instant,
}

impl Default for Gate {
    fn default() -> Self {
        Self { begun: Instant::now() }
    }
}

impl Http for Gate {
    type Secret = Secret;

    fn send(&self, request: &Request<'_, Secret>) -> windlass_plugin::Result<Response> {
        let mut sent = http::Request::new(request.method, request.url.as_str());
        for (name, value) in &request.headers {
            sent = sent.header(*name, value.as_str());
        }
        for part in &request.body {
            sent = match part {
                Part::Text(text) => sent.body(text.as_bytes()),
                Part::Sealed(secret, encoding) => sent.sealed_body(secret, *encoding),
            };
        }
        let response = sent.send()?;
        let headers = response.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Response {
            status: response.status(),
            headers: headers.collect(),
            body: response.body().to_vec(),
        })
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn say(&self, text: &str) {
        log::info!("{text}");
    }
}
