//! Streams both ways, for `wasi:http`.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, BodyStream, combinators::UnsyncBoxBody};
use report::{Fault, SafeUrl};
use url::{Host, Url};

use super::{
    GrantedHttp, fault,
    gate::Gate,
    message::{invalid, is_credential, is_forbidden, parse_method, parse_url},
};
use crate::{secrets::Placeholders, voice::Use};

/// What goes wrong while a body streams: a [`Fault`] of ours, or what the guest's side says.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// A body that streams.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// How long `wasi:http` wants to wait; none: as long as the step has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the head of the response is there.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the response's body.
    pub between_bytes: Option<Duration>,
}

/// The body of a response, counted into the ledger when it ends or is dropped.
struct Counted {
    body: reqwest::Body,
    gate: Gate,
    method: Method,
    url: Arc<Url>,
    between: Option<Duration>,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    count: u64,
    status: String,
    used: Option<Use>,
}

impl GrantedHttp {
    /// Whether `method` may be sent to `url`: what is made for a request need not be made before.
    ///
    /// # Errors
    /// As [`GrantedHttp::send`], before anything is sent.
    pub(crate) async fn may_send(&self, method: &Method, url: &str) -> Result<(), Fault> {
        self.gate.authorize(&parse_url(url)?, method).await.map(|_| ())
    }

    /// Sends `request` and answers with the head of the response; both bodies stream.
    ///
    /// The URI is absolute. Redirects are given to the guest. Placeholders in headers are replaced for
    /// the hosts that their secrets name. Trailers are not sent on. A `host` header is left out, since
    /// the URI says it; other headers that belong to the host are refused.
    ///
    /// # Errors
    /// As [`GrantedHttp::send`]. While a body streams they arrive as its [`BodyError`], a [`Fault`].
    pub async fn forward(
        &self,
        request: http::Request<Body>,
        timeouts: Timeouts,
    ) -> Result<http::Response<Body>, Fault> {
        let sent = Box::pin(self.forward_checked(request, timeouts)).await;
        sent.map_err(|fault| self.gate.call.voice.masked(fault))
    }

    async fn forward_checked(
        &self,
        request: http::Request<Body>,
        timeouts: Timeouts,
    ) -> Result<http::Response<Body>, Fault> {
        let (head, body) = request.into_parts();
        let method = parse_method(head.method.as_str())?;
        let url = parse_url(&head.uri.to_string())?;
        let used = Use::begin("http", method.as_str(), SafeUrl::new(&url));
        let sent = self.forward_head(&method, &url, &head.headers, body, timeouts).await;
        match sent {
            Ok(response) => Ok(self.count(response, method, url, timeouts, used)),
            Err(fault) => {
                self.gate.call.voice.note_failed(used, &fault.code, None);
                Err(fault)
            }
        }
    }

    async fn forward_head(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: Body,
        timeouts: Timeouts,
    ) -> Result<reqwest::Response, Fault> {
        let reach = self.gate.authorize(url, method).await?;
        let Some(host) = url.host() else {
            return Err(invalid("the URL of a request has a host".to_owned()));
        };
        let mut headers = outgoing_headers(headers, &host, url, &self.placeholders)?;
        self.sign(url, method, false, &mut headers).await?;
        let client = self.gate.http.client(reach)?;
        let mut outgoing = client.request(method.clone(), url.clone()).headers(headers);
        if body.size_hint().exact() != Some(0) {
            let frames = BodyStream::new(body).try_filter_map(|frame| async move {
                // Trailers end here: few servers read them, and they could say what headers may not.
                Ok(frame.into_data().ok())
            });
            outgoing = outgoing.body(reqwest::Body::wrap_stream(frames.boxed()));
        }
        let response = outgoing.send();
        let left = self.gate.call.time_left();
        let limit = [timeouts.first_byte, left].into_iter().flatten().min();
        let response = match limit {
            Some(limit) => tokio::time::timeout(limit, response)
                .await
                .map_err(|_| fault::timed_out(url, method))?,
            None => response.await,
        };
        response.map_err(|error| fault::of_client(&self.gate, error, url, method))
    }

    fn count(
        &self,
        response: reqwest::Response,
        method: Method,
        url: Url,
        timeouts: Timeouts,
        used: Use,
    ) -> http::Response<Body> {
        let response: http::Response<reqwest::Body> = response.into();
        let (mut head, body) = response.into_parts();
        head.headers = incoming_headers(&head.headers);
        let counted = Counted {
            body,
            gate: self.gate.clone(),
            method,
            url: Arc::new(url),
            between: timeouts.between_bytes,
            sleep: None,
            count: 0,
            status: head.status.as_u16().to_string(),
            used: Some(used),
        };
        http::Response::from_parts(head, counted.boxed_unsync())
    }
}

/// The headers of a guest as they leave.
fn outgoing_headers(
    headers: &HeaderMap,
    host: &Host<&str>,
    url: &Url,
    placeholders: &Placeholders,
) -> Result<HeaderMap, Fault> {
    let port = url.port_or_known_default().unwrap_or_default();
    let mut outgoing = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if *name == header::HOST {
            continue;
        }
        // The client holds the body to the length that the guest announces.
        if is_forbidden(name) && *name != header::CONTENT_LENGTH {
            return Err(invalid(format!("the header `{name}` belongs to the host"))
                .help("leave it out: the host writes it from the URL and the body"));
        }
        let mut value = match placeholders.fill(value.as_bytes(), host, port) {
            Some(filled) => secret_value(name, &filled)?,
            None => value.clone(),
        };
        if is_credential(name) {
            value.set_sensitive(true);
        }
        outgoing.append(name.clone(), value);
    }
    let lengths: Vec<&HeaderValue> = outgoing.get_all(header::CONTENT_LENGTH).iter().collect();
    let is_number = |value: &&HeaderValue| {
        value
            .to_str()
            .is_ok_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
    };
    match lengths.as_slice() {
        [] => Ok(outgoing),
        [one] if is_number(one) => Ok(outgoing),
        _ => Err(invalid("the header `content-length` is not one number".to_owned())),
    }
}

fn secret_value(name: &HeaderName, bytes: &[u8]) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_bytes(bytes).map_err(|_| {
        invalid(format!("the secret for the header `{name}` has characters that no header has"))
            .help("a line break at the end of a secret is the usual reason")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The headers of a server as the guest gets them: without what was about the connection.
fn incoming_headers(headers: &HeaderMap) -> HeaderMap {
    let mut incoming = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if !is_forbidden(name) || *name == header::CONTENT_LENGTH {
            incoming.append(name.clone(), value.clone());
        }
    }
    incoming
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => {
                this.sleep = None;
                frame
            }
            Poll::Pending => {
                let Some(between) = this.between else { return Poll::Pending };
                let sleep = this.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(between)));
                ready!(sleep.as_mut().poll(context));
                let fault = fault::timed_out(&this.url, &this.method);
                this.fail(&fault.code);
                return Poll::Ready(Some(Err(Box::new(fault))));
            }
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                this.count += frame.data_ref().map_or(0, |data| data.len() as u64);
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let fault = fault::of_client(&this.gate, error, &this.url, &this.method);
                let fault = this.gate.call.voice.masked(fault);
                this.fail(&fault.code);
                Some(Err(Box::new(fault)))
            }
            None => {
                this.finish();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Counted {
    /// Writes the ledger line, once.
    fn finish(&mut self) {
        if let Some(used) = self.used.take() {
            self.gate.call.voice.note(used, &self.status, Some(self.count));
        }
    }

    /// The same for a body that broke off.
    fn fail(&mut self, code: &str) {
        if let Some(used) = self.used.take() {
            self.gate.call.voice.note_failed(used, code, Some(self.count));
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.finish();
    }
}
