//! Whole messages, with sealed parts and redirects: `wit/deps/http/http.wit`.

use std::time::Duration;

use futures::StreamExt as _;
use http::{HeaderMap, Method, StatusCode, header::LOCATION};
use report::{Fault, SafeUrl};
use url::Url;

use super::{
    GrantedHttp, fault,
    message::{Destination, LARGEST_BODY, Redirects, Request, Response, check_url, invalid},
};
use crate::{
    grant::{Denied, Layer, origin},
    voice::Use,
};

/// As long as people wait for an API; whoever knows better says so.
const USUAL_TIMEOUT: Duration = Duration::from_secs(60);

/// As the fetch standard says of browsers is 20; no API needs more than ten.
const MOST_REDIRECTS: usize = 10;

/// One hop: what is asked of whom.
struct Hop {
    method: Method,
    url: Url,
    has_body: bool,
    is_foreign: bool,
}

impl GrantedHttp {
    /// Sends `request` and reads the whole response. A status of 4xx or 5xx is no error.
    ///
    /// # Errors
    /// `denied.http` (names the rule to add), `denied.secrets` (a secret's `only-to`), `invalid.http`,
    /// `timeout.http`, `transient.http`, `failed.http` (TLS, a body over 16 MiB).
    pub async fn send(&self, request: Request) -> Result<Response, Fault> {
        let voice = &self.gate.call.voice;
        let (method, url) = request.target().map_err(|fault| voice.masked(fault))?;
        let asked = request.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let wanted = asked.unwrap_or(USUAL_TIMEOUT);
        let timeout = self.gate.call.time_left().map_or(wanted, |left| left.min(wanted));
        let late = fault::timed_out(&url, &method);
        let sent = Box::pin(self.send_hops(&request, method, url));
        let sent = tokio::time::timeout(timeout, sent).await;
        sent.unwrap_or(Err(late)).map_err(|fault| voice.masked(fault))
    }

    async fn send_hops(
        &self,
        request: &Request,
        method: Method,
        url: Url,
    ) -> Result<Response, Fault> {
        let first = origin(&url);
        let mut hop = Hop { method, url, has_body: !request.body.is_empty(), is_foreign: false };
        for _ in 0..=MOST_REDIRECTS {
            let used = Use::begin("http", hop.method.as_str(), SafeUrl::new(&hop.url));
            let response = self.exchange(request, &hop).await;
            let say = |response: &Response| {
                (response.status.to_string(), Some(response.body.len() as u64))
            };
            let response = self.gate.call.voice.end(used, response, say)?;
            let next = match request.redirects {
                Redirects::ReturnThem => None,
                Redirects::Follow => next_hop(request, &hop, &response, &first)?,
            };
            match next {
                Some(next) => hop = next,
                None => return Ok(response),
            }
        }
        Err(invalid(format!("more than ten redirects, the last to {}", SafeUrl::new(&hop.url)))
            .side(report::Side::Remote))
    }

    async fn exchange(&self, request: &Request, hop: &Hop) -> Result<Response, Fault> {
        let Hop { method, url, has_body, is_foreign } = hop;
        let reach = self.gate.authorize(url, method).await?;
        let Some(host) = url.host() else {
            return Err(invalid("the URL of a request has a host".to_owned()));
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let to = Destination { host: &host, port, is_foreign: *is_foreign };
        let mut headers = request.write_headers(to, &self.placeholders)?;
        let client = self.gate.http.client(reach)?;
        let mut outgoing = client.request(method.clone(), url.clone());
        if *has_body {
            // The client's from here on, and no second copy of a secret or of 16 MiB.
            let mut body = request.write_body(to)?;
            outgoing = outgoing.body(std::mem::take(&mut *body));
        } else if *is_foreign || !request.body.is_empty() {
            remove_body_headers(&mut headers);
        }
        self.sign(url, method, *is_foreign, &mut headers).await?;
        let response = outgoing
            .headers(headers)
            .send()
            .await
            .map_err(|error| fault::of_client(&self.gate, error, url, method))?;
        if !method.is_safe() {
            self.secrets.forget(url).await;
        }
        self.read(response, url, method).await
    }

    async fn read(
        &self,
        response: reqwest::Response,
        url: &Url,
        method: &Method,
    ) -> Result<Response, Fault> {
        let status = response.status().as_u16();
        let headers = received(response.headers());
        let promised = response.content_length().unwrap_or_default();
        if promised > LARGEST_BODY as u64 && *method != Method::HEAD {
            return Err(fault::too_large(url));
        }
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| fault::of_client(&self.gate, error, url, method))?;
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(fault::too_large(url));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, url: url.to_string(), headers, body })
    }
}

/// Where `response` leads; none where it leads nowhere. RFC 9110 §15.4; methods as in the fetch
/// standard, "HTTP-redirect fetch".
fn next_hop(
    request: &Request,
    hop: &Hop,
    response: &Response,
    first: &str,
) -> Result<Option<Hop>, Fault> {
    let status = StatusCode::from_u16(response.status).unwrap_or_default();
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers.iter().find(|(name, _)| name == LOCATION.as_str());
    let Some((_, location)) = location else { return Ok(None) };
    let mut url = hop
        .url
        .join(location)
        .map_err(|error| invalid("a redirect leads to no URL".to_owned()).caused_by(&error))
        .and_then(|url| check_url(&url).map(|()| url))
        .map_err(|fault| {
            fault
                .side(report::Side::Remote)
                .cause(format!("{status} of {}", SafeUrl::new(&hop.url)))
        })?;
    url.set_fragment(None);
    let becomes_get = match status {
        StatusCode::SEE_OTHER => hop.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => hop.method == Method::POST,
        _ => false,
    };
    let method = if becomes_get { Method::GET } else { hop.method.clone() };
    let has_body = hop.has_body && !becomes_get;
    // Once foreign, always foreign: who was led away cannot be led back into the credentials.
    let is_foreign = hop.is_foreign || origin(&url) != first;
    if is_foreign && has_body && request.has_sealed_body() {
        return Err(Denied {
            key: "http",
            value: format!("{method} {}", origin(&url)),
            layer: Layer::SealedRedirect,
            toml: None,
        }
        .into());
    }
    Ok(Some(Hop { method, url, has_body, is_foreign }))
}

/// A request that has lost its body says nothing of one.
fn remove_body_headers(headers: &mut HeaderMap) {
    use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE};
    for name in [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE] {
        headers.remove(name);
    }
}

fn received(headers: &HeaderMap) -> Vec<(String, String)> {
    let pairs = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    pairs.collect()
}
