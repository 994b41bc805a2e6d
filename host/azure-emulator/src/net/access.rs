//! An account of who asked what, for those who count requests.

use axum::extract::Request;
use http::header::{CONTENT_LENGTH, HOST};
use http::{Method, StatusCode};

/// A request that was answered.
#[derive(Debug)]
pub struct Access<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The host that was meant, without a port.
    pub host: &'a str,
    /// The path, without its query: that of a shared access signature is a credential.
    pub path: &'a str,
    /// How it was answered.
    pub status: StatusCode,
    /// What was sent: the head as HTTP/1.1 writes it, and as much of a body as it announces.
    pub bytes: u64,
}

/// Who is told of each request, when its answer begins. What opens a way (`CONNECT`) is none.
pub trait AccessLog: Send + Sync {
    /// Takes note; it must not block for long.
    fn record(&self, access: &Access<'_>);
}

/// What is kept of a request until it is answered.
pub(super) struct Asked {
    method: Method,
    host: String,
    path: String,
    bytes: u64,
}

impl Asked {
    /// Of `request`, which came by a way to `host`, or to whom it names.
    pub(super) fn of<B>(request: &Request<B>, host: Option<&str>) -> Self {
        let named = || request.headers().get(HOST).and_then(|value| value.to_str().ok());
        let host = host.or_else(|| request.uri().host()).or_else(named).unwrap_or_default();
        Self {
            method: request.method().clone(),
            host: super::host::without_port(host).to_owned(),
            path: request.uri().path().to_owned(),
            bytes: head(request).saturating_add(body(request)),
        }
    }

    /// Tells `log` how it was answered.
    pub(super) fn answered(&self, status: StatusCode, log: &dyn AccessLog) {
        let Self { method, host, path, bytes } = self;
        log.record(&Access { method, host, path, status, bytes: *bytes });
    }
}

/// `METHOD target HTTP/1.1`, a line for each header, an empty one.
fn head<B>(request: &Request<B>) -> u64 {
    let first = request.method().as_str().len() + request.uri().to_string().len() + 12;
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    (first + lines.sum::<usize>() + 2) as u64
}

fn body<B>(request: &Request<B>) -> u64 {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_counted_as_it_is_written() {
        let head = "PUT /secrets/a?api-version=7.4 HTTP/1.1\r\nhost: v.vault.azure.net\r\n\
                    content-length: 11\r\n\r\n";
        let request = Request::put("/secrets/a?api-version=7.4")
            .header("host", "v.vault.azure.net")
            .header("content-length", "11")
            .body(())
            .unwrap();
        let asked = Asked::of(&request, None);
        assert_eq!(asked.bytes, head.len() as u64 + 11);
        assert_eq!((asked.host.as_str(), asked.path.as_str()), ("v.vault.azure.net", "/secrets/a"));
        let request = Request::get("/").header("content-length", "x").body(()).unwrap();
        assert_eq!(Asked::of(&request, Some("a.azurecr.io:443")).host, "a.azurecr.io");
    }
}
