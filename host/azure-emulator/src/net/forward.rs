//! Ways out: whoever asks the proxy for the name of a group is led to its ports, and whoever asks for a
//! host of the outside that the configuration names is led there, to read.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::azure::Azure;
use crate::containers::alive;

/// What is passed on of a request at once; probes and demos send little.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// Headers that are meant for the proxy.
const HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The port that plain HTTP means.
const HTTP_PORT: u16 = 80;

fn nobody(fqdn: &str) -> Response {
    (StatusCode::BAD_GATEWAY, alive::nobody(fqdn).to_string()).into_response()
}

/// Passes a request on to a group, and its answer back.
pub(super) async fn request(azure: &Azure, fqdn: &str, request: Request) -> Response {
    let port = request.uri().port_u16().unwrap_or(HTTP_PORT);
    let Some(address) = azure.alive.address(fqdn, port) else { return nobody(fqdn) };
    let passed = pass(azure, &format!("http://{address}"), request).await;
    passed.unwrap_or_else(|| nobody(fqdn))
}

/// Passes a request on to a host of the outside, and its answer back. Nothing is written there.
pub(super) async fn outside(azure: &Azure, name: &str, request: Request) -> Response {
    let Some(base) = azure.config.upstreams.get(name) else { return not_there(name) };
    // Git asks for what it reads by POST.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD)
        || request.uri().path().ends_with("/git-upload-pack");
    if !reads {
        let text = format!("the emulator leads to `{name}` to read, not to write\n");
        return (StatusCode::METHOD_NOT_ALLOWED, text).into_response();
    }
    let base = base.as_str().trim_end_matches('/');
    let Some(mut response) = pass(azure, base, request).await else { return not_there(name) };
    // A redirect to itself is followed through the proxy, as it would be outside.
    let place = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
    let own = place.and_then(|place| place.strip_prefix(base)).filter(|path| path.starts_with('/'));
    if let Some(own) = own.and_then(|path| path.parse().ok()) {
        response.headers_mut().insert(header::LOCATION, own);
    }
    response
}

fn not_there(name: &str) -> Response {
    let text = format!("nobody answers where the emulator was told that `{name}` is\n");
    (StatusCode::BAD_GATEWAY, text).into_response()
}

/// Passes a request on to `base`, and the answer back; none if nobody answers there.
async fn pass(azure: &Azure, base: &str, request: Request) -> Option<Response> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return Some(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let mut headers = parts.headers;
    for name in &HOP {
        headers.remove(name);
    }
    let is_head = parts.method == Method::HEAD;
    let url = format!("{base}{path}");
    let sent = azure.http.request(parts.method, url).headers(headers).body(body.to_bytes()).send();
    let answer = sent.await.ok()?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    for (name, value) in answer.headers().iter().filter(|(name, _)| !HOP.contains(name)) {
        response.headers_mut().append(name.clone(), value.clone());
    }
    // Of a head the length is the answer; else the body brings its own.
    if !is_head {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    Some(response)
}

/// Joins a way that CONNECT asked for with a port of a group.
pub(super) async fn join(way: OnUpgrade, address: std::net::SocketAddr) {
    let (Ok(way), Ok(mut there)) = (way.await, TcpStream::connect(address).await) else {
        tracing::debug!("a way to a container could not be made");
        return;
    };
    if let Err(error) = tokio::io::copy_bidirectional(&mut TokioIo::new(way), &mut there).await {
        tracing::debug!(%error, "a way to a container broke");
    }
}
