//! Ways to containers: whoever asks the proxy for the name of a group is led to its ports.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, StatusCode, header};
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
    let (parts, body) = request.into_parts();
    let port = parts.uri.port_u16().unwrap_or(HTTP_PORT);
    let Some(address) = azure.alive.address(fqdn, port) else { return nobody(fqdn) };
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut headers = parts.headers;
    for name in &HOP {
        headers.remove(name);
    }
    let url = format!("http://{address}{path}");
    let sent = azure.http.request(parts.method, url).headers(headers).body(body.to_bytes()).send();
    let Ok(answer) = sent.await else { return nobody(fqdn) };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    for (name, value) in answer.headers().iter().filter(|(name, _)| !HOP.contains(name)) {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    response
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
