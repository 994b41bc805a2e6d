//! A request through `wasi:http`, as an HTTP library of any language would make it.

use std::collections::BTreeMap;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, IncomingResponse, Method, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;
use windlass_plugin::{Error, Result};

/// How much is read at once.
const CHUNK: u64 = 64 * 1024;

/// Status and body.
pub(crate) fn send(
    method: &str,
    url: &str,
    headers: &BTreeMap<String, String>,
) -> Result<(u16, String)> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).map_err(|error| failed("header", error))?;
    }
    let request = OutgoingRequest::new(fields);
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).map_err(|()| failed("scheme", url))?;
    request.set_authority(Some(authority)).map_err(|()| failed("authority", url))?;
    request.set_path_with_query(Some(path)).map_err(|()| failed("path", url))?;
    let other = Method::Other(method.to_owned());
    let method = if method == "GET" { Method::Get } else { other };
    request.set_method(&method).map_err(|()| failed("method", url))?;

    let answer =
        outgoing_handler::handle(request, None).map_err(|error| failed("handle", error))?;
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => Ok((response.status(), body(&response)?)),
        Some(Ok(Err(code))) => Err(failed("send", code)),
        Some(Err(())) | None => Err(failed("send", "no answer")),
    }
}

fn body(response: &IncomingResponse) -> Result<String> {
    let body = response.consume().map_err(|()| failed("body", "taken"))?;
    let stream = body.stream().map_err(|()| failed("body", "taken"))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error @ StreamError::LastOperationFailed(_)) => return Err(failed("body", error)),
        }
    }
}

fn failed(what: &str, why: impl std::fmt::Debug) -> Error {
    Error::new("wasi-http.failed", format!("{what}: {why:?}"))
}
