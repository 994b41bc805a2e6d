//! Requests of this room: the one file that knows the HTTP client.
//!
//! A request is small, has a deadline, is tried again where that can help, and never follows a
//! redirect: none of the services that it is for sends one to a client that it gives tokens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use oci::client::{ClientOptions, ProxyOptions, retry_after};
use rand::Rng as _;
use report::{Fault, SafeUrl};
use url::Url;
use zeroize::Zeroizing;

use crate::error::Error;

/// One try of one request. Logins take well under a second.
const DEADLINE: Duration = Duration::from_secs(30);

/// Whether anybody is at the metadata address shows at once: it is on the machine's own host.
const PROBE: Duration = Duration::from_secs(1);

/// A token has some kilobytes, a secret of a vault 25; whoever sends more is something else.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// What a server may ask for by `Retry-After`; beyond it the caller decides.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Waits. Tests hand in one that only counts.
type Pause = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// The clients of one identity, made on first use. Clones share them.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Inner>);

struct Inner {
    options: ClientOptions,
    usual: Mutex<Option<reqwest::Client>>,
    direct: Mutex<Option<reqwest::Client>>,
    pause: Pause,
}

/// A request.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// A body of `application/x-www-form-urlencoded`.
    pub(crate) form: Option<Zeroizing<String>>,
    pub(crate) patience: Patience,
}

/// How a request is sent, and when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Through the proxy; 408, 429 and what servers say when they are in trouble.
    Usual,
    /// Directly and quickly: the endpoint of a managed identity is on the machine's own host. 404
    /// and 410 are tried again too: it says so while it is being replaced, for up to 70 s.
    Local,
    /// The same where nobody said that there is one: 404 is an answer, since other clouds have
    /// services at the same address.
    Probe,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Ask {
    /// A `GET`.
    pub(crate) fn get(url: Url) -> Self {
        let (headers, patience) = (Vec::new(), Patience::Usual);
        Self { method: Method::GET, url, headers, form: None, patience }
    }

    /// A `POST` of a form.
    pub(crate) fn post(url: Url, form: Zeroizing<String>) -> Self {
        Self { method: Method::POST, form: Some(form), ..Self::get(url) }
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Patience {
    fn tries(self) -> u32 {
        match self {
            Self::Usual | Self::Probe => 4,
            Self::Local => 6,
        }
    }

    /// Doubled from try to try; those of a local endpoint come to more than 70 s.
    fn pause(self, tried: u32) -> Duration {
        let first = match self {
            Self::Usual | Self::Probe => Duration::from_millis(800),
            Self::Local => Duration::from_millis(2400),
        };
        let pause = first.saturating_mul(2_u32.saturating_pow(tried.saturating_sub(1)));
        // Never less than it says, a quarter more at most: many runners begin at the same minute.
        pause.mul_f64(rand::rng().random_range(1.0..=1.25))
    }

    fn is_passing(self, status: u16) -> bool {
        matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
            || (self == Self::Local && matches!(status, 404 | 410))
    }
}

impl Wire {
    pub(crate) fn new(options: ClientOptions) -> Self {
        Self::pausing(options, Arc::new(|pause| Box::pin(tokio::time::sleep(pause))))
    }

    pub(crate) fn pausing(options: ClientOptions, pause: Pause) -> Self {
        let (usual, direct) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { options, usual, direct, pause }))
    }

    /// Sends `ask`, and again where that can help; any status is an answer.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Answer`] for an answer that is too large, and what is wrong
    /// with the settings of the client.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Answer, Error> {
        let mut tried = 1;
        loop {
            let answer = self.once(ask).await;
            let is_last = tried >= ask.patience.tries();
            let pause = match &answer {
                Ok(answer) if !is_last && ask.patience.is_passing(answer.status) => {
                    let asked = retry_after(&answer.headers);
                    if asked.is_some_and(|asked| asked > LONGEST_PAUSE) {
                        None
                    } else {
                        Some(asked.unwrap_or_else(|| ask.patience.pause(tried)))
                    }
                }
                Err(Error::Unreachable { is_passing: true, .. }) if !is_last => {
                    // Nobody there is an answer too, where the question was whether somebody is.
                    (ask.patience == Patience::Usual).then(|| ask.patience.pause(tried))
                }
                Ok(_) | Err(_) => None,
            };
            let Some(pause) = pause else { return answer };
            (self.0.pause)(pause).await;
            tried += 1;
        }
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, Error> {
        let client = self.client(ask.patience)?;
        let mut request = client.request(ask.method.clone(), ask.url.clone());
        for (name, value) in &ask.headers {
            request = request.header(name.clone(), value.clone());
        }
        request = request.header(http::header::ACCEPT, "application/json");
        if let Some(form) = &ask.form {
            request = request
                .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.as_bytes().to_vec());
        }
        let unreachable = |error: reqwest::Error| unreachable(&ask.url, error);
        let exchange = async {
            let response = request.send().await.map_err(unreachable)?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let mut body = Zeroizing::new(Vec::new());
            let mut chunks = response.bytes_stream();
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(unreachable)?;
                if body.len() + chunk.len() > LARGEST_ANSWER {
                    return Err(Error::answer(&ask.url, "has more than 1 MiB"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer { status, headers, body })
        };
        let late = |_| Error::Unreachable {
            url: SafeUrl::new(&ask.url),
            why: format!("no answer within {} s", DEADLINE.as_secs()),
            causes: Vec::new(),
            is_tls: false,
            is_passing: true,
        };
        tokio::time::timeout(DEADLINE, exchange).await.map_err(late)?
    }

    fn client(&self, patience: Patience) -> Result<reqwest::Client, Error> {
        let inner = &self.0;
        let (slot, options) = match patience {
            Patience::Usual => (&inner.usual, inner.options.clone()),
            Patience::Local | Patience::Probe => {
                let proxy = ProxyOptions::default();
                let own = ClientOptions { connect_timeout: PROBE, proxy, ..inner.options.clone() };
                (&inner.direct, own)
            }
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*slot {
            return Ok(client.clone());
        }
        let client = oci::client::build(&options).map_err(Fault::from)?;
        Ok(slot.insert(client).clone())
    }
}

fn unreachable(url: &Url, error: reqwest::Error) -> Error {
    let is_tls = {
        let mut link: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        let mut found = false;
        while let Some(current) = link {
            let inner = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            found |=
                current.is::<rustls::Error>() || inner.is_some_and(|e| e.is::<rustls::Error>());
            link = match inner {
                Some(inner) => Some(inner),
                None => current.source(),
            };
        }
        found
    };
    let why = if error.is_connect() { "no connection" } else { "the exchange broke off" };
    let error = error.without_url();
    let mut causes: Vec<String> = Vec::new();
    let mut link: Option<&dyn std::error::Error> = Some(&error);
    while let Some(current) = link {
        causes.push(current.to_string());
        link = current.source();
    }
    causes.dedup();
    Error::Unreachable {
        url: SafeUrl::new(url),
        why: why.to_owned(),
        causes,
        is_tls,
        is_passing: !is_tls && !error.is_builder(),
    }
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// `Bearer TOKEN`, kept out of whatever shows headers.
pub(crate) fn bearer(token: &report::Secret) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new([b"Bearer ".as_slice(), token.expose()].concat());
    let mut value = HeaderValue::from_bytes(&text)
        .map_err(|_| Error::Setting("a token holds characters that no header has".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
