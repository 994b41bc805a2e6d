//! What becomes of a request.
//!
//! The cheap questions come first: a stranger costs a look at the headers, and a body only where
//! the proof is a signature of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::answer::{self, Answer, Refusal};
use crate::delivery::Heard;
use crate::endpoint::{Check, Endpoint};
use crate::form::Form;
use crate::hooks::{Hooks, NotTaken};
use crate::rate::{Counts, Rate, neighbourhood};

/// A body may have so many bytes: what Event Grid sends at most, and a thousand events of a registry.
pub const LONGEST_BODY: usize = 1024 * 1024;

/// How long a body may take: a slow line needs some seconds for the longest.
const BODY: Duration = Duration::from_secs(20);

/// How long a delivery may take to be written; senders wait for half a minute at most.
const TAKING: Duration = Duration::from_secs(20);

/// When to send again what could not be written: a full disk or a locked store is not cured at once.
const AGAIN: Duration = Duration::from_secs(5);

/// How long the rest of a refused request is waited for.
const REST: Duration = Duration::from_secs(5);

/// Deliveries to one endpoint: a busy registry's pushes and pulls.
const DELIVERIES: Rate = Rate { burst: 200, every: Duration::from_millis(20) };

/// What is said to senders that ask, per minute.
const DELIVERIES_PER_MINUTE: HeaderValue = HeaderValue::from_static("3000");

/// Requests of one address that no endpoint accepts: enough for somebody who sets a sender up, too
/// few to guess.
const FAILURES: Rate = Rate { burst: 20, every: Duration::from_secs(3) };

/// A longer name is nobody's.
const LONGEST_NAME: usize = 64;

/// The only header of a proxy that is looked at.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

// CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery", 4: abuse protection.
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// Where requests are looked at.
pub(super) struct Room<H> {
    hooks: Arc<H>,
    deliveries: Counts<String>,
    failures: Counts<IpAddr>,
}

impl<H: Hooks> Room<H> {
    pub(super) fn new(hooks: Arc<H>) -> Self {
        Self { hooks, deliveries: Counts::new(DELIVERIES), failures: Counts::new(FAILURES) }
    }

    pub(super) async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Answer {
        let (head, mut body) = request.into_parts();
        let client = client(peer, &head.headers);
        match self.admit(client, &head, &mut body).await {
            Ok(answer) => answer,
            Err(refusal) => {
                // A query may have the token in it, and so may a path that somebody got wrong.
                let endpoint = name_of(&head).filter(|name| self.hooks.endpoint(name).is_some());
                let status = refusal.status.as_u16();
                tracing::info!(status, endpoint, method = %head.method, %client, "refused");
                if refusal.is_of_a_stranger
                    && let Err(wait) = self.failures.count(client)
                {
                    tracing::debug!(?wait, %client, "a client fails too often");
                }
                let is_read = rest(&head, &mut body).await;
                if is_read { refusal } else { refusal.close() }.into_answer()
            }
        }
    }

    async fn admit(
        &self,
        client: IpAddr,
        head: &Parts,
        body: &mut Incoming,
    ) -> Result<Answer, Refusal> {
        if head.uri.path() == "/healthz" {
            return match head.method.as_str() {
                "GET" | "HEAD" => Ok(answer::empty(StatusCode::NO_CONTENT)),
                _ => Err(Refusal::method("GET, HEAD")),
            };
        }
        self.failures.check(&client).map_err(Refusal::too_often)?;
        let name = name_of(head).ok_or_else(Refusal::nothing_here)?;
        match head.method.as_str() {
            "POST" => self.hear(name, head, body).await,
            "OPTIONS" => self.permit(name, head),
            _ => Err(Refusal::method("POST")),
        }
    }

    async fn hear(&self, name: &str, head: &Parts, body: &mut Incoming) -> Result<Answer, Refusal> {
        let endpoint = self.hooks.endpoint(name).ok_or_else(Refusal::nothing_here)?;
        let body = match endpoint.check() {
            Check::Token => {
                self.prove(name, &endpoint, head, b"")?;
                read(body).await?
            }
            Check::HmacSha256 => {
                let body = read(body).await?;
                self.prove(name, &endpoint, head, &body)?;
                body
            }
        };
        let heard = endpoint.form().read(&head.headers, &body);
        let delivery = match heard.map_err(|unreadable| Refusal::unreadable(&unreadable))? {
            Heard::Delivery(delivery) => delivery,
            Heard::Ignored(why) => return Ok(answer::ignored(why)),
            Heard::Handshake(code) => return Ok(answer::handshake(&code)),
        };
        let taken = timeout(TAKING, self.hooks.take(name, delivery)).await;
        let taken = taken.unwrap_or(Err(NotTaken)).map_err(|NotTaken| {
            let error = "the delivery could not be written down";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error).retry_after(AGAIN)
        })?;
        Ok(answer::taken(&taken))
    }

    /// The sender knows the secret, and does not send too often.
    fn prove(
        &self,
        name: &str,
        endpoint: &Endpoint,
        head: &Parts,
        body: &[u8],
    ) -> Result<(), Refusal> {
        if !endpoint.holds(head, body) {
            return Err(Refusal::unproved(endpoint.check()));
        }
        self.deliveries.count(name.to_owned()).map_err(Refusal::too_often)
    }

    /// A sender of CloudEvents asks whether it may send.
    fn permit(&self, name: &str, head: &Parts) -> Result<Answer, Refusal> {
        let endpoint = self.hooks.endpoint(name);
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.form() == Form::EventGrid) else {
            return Err(Refusal::method("POST"));
        };
        self.prove(name, &endpoint, head, b"")?;
        let Some(origin) = head.headers.get(REQUEST_ORIGIN) else {
            let error = "no header WebHook-Request-Origin says who is to be allowed";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, error));
        };
        let mut answer = answer::empty(StatusCode::OK);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        answer.headers_mut().insert(ALLOWED_ORIGIN, origin.clone());
        answer.headers_mut().insert(ALLOWED_RATE, DELIVERIES_PER_MINUTE);
        Ok(answer)
    }
}

/// Who asks. A peer on loopback that says for whom it speaks is a proxy: the last address it gives is
/// the one that it has seen itself.
fn client(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let forwarded = headers.get_all(FORWARDED).iter().next_back();
    let forwarded = forwarded.filter(|_| peer.to_canonical().is_loopback());
    let last = forwarded
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.rsplit(',').next()?.trim().parse().ok());
    neighbourhood(last.unwrap_or(peer))
}

/// Which endpoint is asked for, if it can be one.
fn name_of(head: &Parts) -> Option<&str> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = head.uri.path().strip_prefix("/hooks/")?;
    ((1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_fine)).then_some(name)
}

/// The whole body, within reason.
async fn read(body: &mut Incoming) -> Result<Bytes, Refusal> {
    let too_long = || {
        let error = format!("the body has more than {LONGEST_BODY} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, &error)
    };
    if body.size_hint().lower() > LONGEST_BODY as u64 {
        return Err(too_long());
    }
    match timeout(BODY, Limited::new(body, LONGEST_BODY).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
        Ok(Err(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, "the body breaks off")),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

/// Reads what is left of a refused request, within reason; whether that is all.
///
/// A connection that is closed while bytes wait to be read is reset, and the reset takes the answer
/// with it: the sender would learn that something broke, not what.
async fn rest(head: &Parts, body: &mut Incoming) -> bool {
    // Who asks before it sends is not asked to send.
    if head.headers.contains_key(EXPECT) {
        return body.is_end_stream();
    }
    let left = async {
        let mut left = LONGEST_BODY;
        while let Some(frame) = body.frame().await {
            let length = frame.ok()?.data_ref().map_or(0, Bytes::len);
            left = left.checked_sub(length)?;
        }
        Some(())
    };
    timeout(REST, left).await.ok().flatten().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_this_machine_is_believed_and_nobody_else() {
        let of = |peer: &str, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED, HeaderValue::from_static(value));
            }
            client(peer.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(of("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(of("127.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(of("::1", &["192.0.2.1, 192.0.2.2"]), "192.0.2.2", "what it has seen itself");
        assert_eq!(of("::ffff:127.0.0.1", &["192.0.2.1", "2001:db8::7:1"]), "2001:db8::");
        assert_eq!(of("127.0.0.1", &["192.0.2.1, nonsense"]), "127.0.0.1");
        assert_eq!(of("192.0.2.9", &["192.0.2.1"]), "192.0.2.9", "a stranger says what it likes");
    }
}
