//! A step that asks for a URL: through `windlass:http` or around it through `wasi:http`, with or
//! without a secret, and gives back what came.

mod wasi;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use windlass_plugin::build::{Context as BuildContext, GivenFile};
use windlass_plugin::http::{Encoding, Redirects, Request, Response};
use windlass_plugin::secrets::{self, Secret};
use windlass_plugin::{Context, Inputs, Outcome, Request as Asked, Result, Schema, Step};

/// Which way out.
#[derive(Default, Deserialize, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// `windlass:http`.
    #[default]
    Windlass,
    /// `wasi:http`.
    Wasi,
    /// Nowhere: only what can be learnt of the secret.
    None,
}

/// What is done with the secret.
#[derive(Clone, Copy, Default, Deserialize, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Seal {
    /// `authorization: Bearer`.
    #[default]
    Bearer,
    /// `authorization: Basic`, as user `me`.
    Basic,
    /// The body, as a JSON string.
    Body,
    /// A placeholder in the header `x-secret`, and in the outputs.
    Placeholder,
    /// Its bytes, in the outputs.
    Reveal,
}

/// What to ask for.
#[derive(Deserialize, Inputs)]
#[serde(rename_all = "kebab-case")]
pub struct Ask {
    #[serde(default)]
    via: Via,
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    follow: bool,
    timeout_ms: Option<u64>,
    /// The name of a secret.
    secret: Option<String>,
    #[serde(default)]
    seal: Seal,
    /// Where in the response a secret is: it is kept, and sent in a second request.
    keep: Option<String>,
    /// A folder of the workspace: it is packed and sent there instead.
    upload: Option<String>,
    /// As whom it is asked for: of that the step's requests speak, and the host does it.
    #[expect(dead_code, reason = "the host sees to it")]
    identity: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The step.
pub struct Fetch;

impl Step for Fetch {
    const NAME: &'static str = "fetch";
    const SUMMARY: &'static str = "asks for a URL";
    type Inputs = Ask;
    type Outputs = Map<String, Value>;

    fn requests() -> Vec<Asked> {
        vec![
            Asked::new("http", "{{ inputs.url }}", "asks for it"),
            Asked::new("secrets.use", "{{ inputs.secret }}", "sends it"),
            Asked::new("secrets.reveal", "{{ inputs.secret }}", "shows it"),
            Asked::new("workspace.read", "{{ inputs.upload }}", "packs it"),
            Asked::new("identity", "{{ inputs.identity }}", "asks as this one"),
        ]
    }

    fn run(mut ask: Ask, _: &Context) -> Result<Outcome<Self::Outputs>> {
        let secret = ask.secret.as_deref().map(secrets::get).transpose()?;
        let mut outputs = Map::new();
        match (&secret, ask.seal) {
            (Some(secret), Seal::Placeholder) => {
                let placeholder = secret.placeholder()?;
                outputs.insert("placeholder".to_owned(), json!(placeholder));
                ask.headers.insert("x-secret".to_owned(), placeholder);
            }
            (Some(secret), Seal::Reveal) => {
                let text = String::from_utf8_lossy(&secret.reveal()?).into_owned();
                outputs.insert("revealed".to_owned(), json!(text));
            }
            (Some(_), Seal::Bearer | Seal::Basic | Seal::Body) | (None, _) => {}
        }
        if let Some(folder) = &ask.upload {
            upload(&ask, folder, &mut outputs)?;
            return Ok(Outcome::changed(outputs));
        }
        if let Some(pointer) = &ask.keep {
            keep(&ask, pointer, secret.as_ref(), &mut outputs)?;
            return Ok(Outcome::unchanged(outputs));
        }
        match ask.via {
            Via::Windlass => tell(&mut outputs, &send(&ask, secret.as_ref())?),
            Via::Wasi => {
                let (status, body) = wasi::send(&ask.method, &ask.url, &ask.headers)?;
                outputs.insert("status".to_owned(), json!(status));
                outputs.insert("body".to_owned(), json!(body));
            }
            Via::None => {}
        }
        Ok(Outcome::unchanged(outputs))
    }
}

windlass_plugin::step!(Fetch);

fn upload(ask: &Ask, folder: &str, outputs: &mut Map<String, Value>) -> Result<()> {
    let context = BuildContext::open(folder)?;
    context.ignore(".dockerignore", "secret.txt\n")?;
    let headers: Vec<_> = ask.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let add = GivenFile { path: "added".to_owned(), content: b"given".to_vec(), mode: 0o644 };
    let sent = context.upload(&ask.url, &headers, None, &[add])?;
    outputs.insert("status".to_owned(), json!(sent.status()));
    outputs.insert("text".to_owned(), json!(sent.text()));
    outputs.insert("size".to_owned(), json!(sent.size()));
    outputs.insert("digest".to_owned(), json!(sent.digest()));
    Ok(())
}

fn keep(
    ask: &Ask,
    pointer: &str,
    secret: Option<&Secret>,
    outputs: &mut Map<String, Value>,
) -> Result<()> {
    let (response, kept) = Request::new(&ask.method, &ask.url).send_keeping(&[pointer])?;
    tell(outputs, &response);
    outputs.insert("kept".to_owned(), json!(kept.len()));
    let Some(kept) = kept.first() else { return Ok(()) };
    outputs.insert("name".to_owned(), json!(kept.name()));
    outputs.insert("empty".to_owned(), json!(kept.is_empty()));
    if let Some(secret) = secret {
        outputs.insert("equal".to_owned(), json!(secret.equals(kept)?));
    }
    Request::post(&ask.url).bearer(kept).send()?.success()?;
    Ok(())
}

fn send(ask: &Ask, secret: Option<&Secret>) -> Result<Response> {
    let mut request = Request::new(&ask.method, &ask.url);
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    if !ask.body.is_empty() {
        request = request.body(ask.body.as_bytes());
    }
    if ask.follow {
        request = request.redirects(Redirects::Follow);
    }
    if let Some(milliseconds) = ask.timeout_ms {
        request = request.timeout(Duration::from_millis(milliseconds));
    }
    if let Some(secret) = secret {
        request = match ask.seal {
            Seal::Bearer => request.bearer(secret),
            Seal::Basic => request.basic("me", secret),
            Seal::Body => request.body("\"").sealed_body(secret, Encoding::Json).body("\""),
            Seal::Placeholder | Seal::Reveal => request,
        };
    }
    request.send()
}

fn tell(outputs: &mut Map<String, Value>, response: &Response) {
    let headers: BTreeMap<&str, &str> = response.headers().collect();
    outputs.insert("status".to_owned(), json!(response.status()));
    outputs.insert("url".to_owned(), json!(response.url()));
    outputs.insert("headers".to_owned(), json!(headers));
    outputs.insert("body".to_owned(), json!(response.text()));
}
