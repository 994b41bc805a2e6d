//! The room as senders see it.

mod bodies;
mod endpoints;
mod hostile;
mod limits;
mod listening;
mod quiet;
mod registry;
mod room;

use http::HeaderMap;
use report::Secret;

use crate::{Check, Delivery, Endpoint, Form, Heard, Push};

/// A secret that must not be seen anywhere.
const SECRET: &str = "5f4dcc3b5aa765d61d8327deb882cf99";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse::<http::HeaderValue>().unwrap())
        })
        .collect()
}

fn endpoint(form: Form, check: Option<Check>, header: Option<&str>) -> Endpoint {
    Endpoint::new(form, check, header, Secret::new(SECRET)).unwrap()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pushes(pushes: Vec<Push>) -> Result<Heard, String> {
    Ok(Heard::Delivery(Delivery { pushes, ..Delivery::default() }))
}

/// What a signature of `body` looks like, in bytes.
fn sign(body: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit as _, Mac as _};
    let key = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    key.chain_update(body).finalize().into_bytes().to_vec()
}
