//! What the client's errors mean.

use std::{error::Error, io};

use http::Method;
use report::{Fault, Kind, SafeUrl, Side};
use url::Url;

use super::{gate::Gate, resolver::RefusedAddress};

/// The fault that `error` of a request to `url` is.
pub(super) fn of_client(gate: &Gate, error: reqwest::Error, url: &Url, method: &Method) -> Fault {
    if let Some(refused) = find::<RefusedAddress>(&error) {
        return gate.refusal(*refused, url, method);
    }
    if error.is_timeout() {
        return timed_out(url, method).caused_by(&error.without_url());
    }
    let (kind, what) = match find::<rustls::Error>(&error) {
        Some(_) => (Kind::Failed, "no secure connection to"),
        None if error.is_connect() => (Kind::Transient, "no connection to"),
        None if error.is_builder() => (Kind::Invalid, "no request can be made for"),
        None => (Kind::Transient, "the exchange broke off with"),
    };
    let side = if kind == Kind::Invalid { Side::Plugin } else { Side::Remote };
    let shown = SafeUrl::new(url);
    let fault = Fault::new(kind, format!("{what} {shown}"))
        .code(format!("{kind}.http"))
        .side(side)
        .cause(format!("{method} {shown}"))
        .caused_by(&error.without_url());
    if kind != Kind::Failed {
        return fault;
    }
    fault.help(
        "if the server's certificate is from your own authority, name its file in SSL_CERT_FILE",
    )
}

pub(super) fn timed_out(url: &Url, method: &Method) -> Fault {
    Fault::new(Kind::Timeout, format!("{method} {} took too long", SafeUrl::new(url)))
        .code("timeout.http")
        .side(Side::Remote)
        .retry(true)
}

pub(super) fn too_large(url: &Url) -> Fault {
    Fault::new(Kind::Failed, format!("{} answered with more than 16 MiB", SafeUrl::new(url)))
        .code("failed.http")
        .side(Side::Remote)
        .help("ask for less at once, or use the `oci` interface for images and blobs")
}

/// The link of an error's chain that is a `T`; IO errors hide theirs inside.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut link = Some(error);
    while let Some(current) = link {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<T>()) {
            return Some(found);
        }
        link = match inner {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}
