//! GitHub: commits, and images of its registry.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::{Unreadable, json, word_of};
use crate::delivery::{Commit, Delivery, Heard, Push};
use crate::text::{Word, text};

#[derive(Deserialize)]
struct Pushed {
    #[serde(rename = "ref")]
    reference: Word,
    after: Word,
    #[serde(default)]
    deleted: bool,
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    full_name: Word,
}

#[derive(Deserialize)]
struct Published {
    #[serde(alias = "package")]
    registry_package: Package,
}

#[derive(Deserialize)]
struct Package {
    package_version: Option<Version>,
}

#[derive(Deserialize)]
struct Version {
    /// `ghcr.io/acme/app:v1`; without a tag it ends with the colon.
    package_url: Option<Word>,
    container_metadata: Option<Container>,
}

#[derive(Deserialize)]
struct Container {
    tag: Option<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: Option<Word>,
    digest: Option<Word>,
}

/// Source: GitHub, "Webhook events and payloads".
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Heard, Unreadable> {
    let id = word_of(headers, "x-github-delivery")?;
    let Some(event) = word_of(headers, "x-github-event")? else {
        let why = "no header X-GitHub-Event".to_owned();
        return Err(Unreadable { why, expected: "a delivery of GitHub's" });
    };
    let body = payload(headers, body)?;
    match event.as_str() {
        "push" => push(id, &body),
        "registry_package" | "package" => package(id, &body),
        "ping" => Ok(Heard::Ignored("a ping")),
        _ => Ok(Heard::Ignored("neither a push nor a package")),
    }
}

/// The JSON: the body, or a field of the form that GitHub sends unless it is told otherwise.
fn payload<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Unreadable> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Ok(Cow::Borrowed(body));
    }
    let field = url::form_urlencoded::parse(body).find(|(name, _)| name == "payload");
    let missing = || {
        let why = "a form without the field `payload`".to_owned();
        Unreadable { why, expected: "a delivery of GitHub's, best as application/json" }
    };
    Ok(Cow::Owned(field.ok_or_else(missing)?.1.into_owned().into_bytes()))
}

fn push(id: Option<String>, body: &[u8]) -> Result<Heard, Unreadable> {
    let expected = "a push, such as {\"ref\": …, \"after\": …, \"repository\": {\"full_name\": …}}";
    let pushed: Pushed = json(body, expected)?;
    if pushed.deleted {
        return Ok(Heard::Ignored("a branch or a tag was deleted"));
    }
    let commit = Commit {
        repository: pushed.repository.full_name.as_str().to_owned(),
        reference: pushed.reference.as_str().to_owned(),
        id: pushed.after.as_str().to_owned(),
    };
    if [&commit.repository, &commit.reference, &commit.id].iter().any(|text| text.is_empty()) {
        let why = "a push with an empty name".to_owned();
        return Err(Unreadable { why, expected });
    }
    Ok(Heard::Delivery(Delivery { id, pushes: Vec::new(), commits: vec![commit] }))
}

fn package(id: Option<String>, body: &[u8]) -> Result<Heard, Unreadable> {
    let expected = "a package, such as {\"registry_package\": {\"package_version\": \
                    {\"package_url\": …, \"container_metadata\": …}}}";
    let Published { registry_package } = json(body, expected)?;
    let version = registry_package.package_version;
    let push = version.and_then(|version| {
        let tag = version.container_metadata?.tag;
        let (name, digest) = tag.map_or((None, None), |tag| (text(tag.name), text(tag.digest)));
        let url = text(version.package_url)?;
        let (host, rest) = url.split_once('/')?;
        let repository = rest.split([':', '@']).next().filter(|name| !name.is_empty())?;
        // The registry knows names in lower case alone, whatever the owner is called.
        let repository = repository.to_lowercase();
        Some(Push { host: Some(host.to_owned()), repository, tag: name, digest, ..Push::default() })
    });
    Ok(Delivery::of_pushes(id, push.into_iter().collect(), "no image was published"))
}
