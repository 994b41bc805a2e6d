//! A registry that misbehaves in one way, and is honest in all others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::{Answer, HttpServer, Request};
use crate::image::{Image, digest_of};

/// What a registry does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// Nothing.
    None,
    /// Every request is answered with this status.
    Always(u16),
    /// The manifests of platforms have other bytes than their digest says.
    OtherManifest,
    /// Layers and configs have other bytes, of the same length, than their digest says.
    OtherBlob,
    /// Blobs end after half of the bytes that were announced.
    CutBlob,
    /// Manifests are announced, and the connection closes in their middle.
    CutManifest,
    /// No request for a blob is ever answered.
    SilentBlob,
    /// Uploads are refused with this status.
    RefuseUpload(u16),
    /// Manifests are not accepted: this status.
    RefuseManifest(u16),
    /// A new blob gets another digest than the one it was sent under.
    OtherDigestOfUpload,
}

/// A registry with one image, `REPOSITORY:TAG` of any name for the tag `v1`.
#[derive(Debug)]
pub struct HostileRegistry {
    server: HttpServer,
    content: Arc<Mutex<Content>>,
}

#[derive(Debug, Default)]
struct Content {
    /// Media type and bytes, by digest.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// Bytes of uploads that are not complete.
    uploads: Vec<Vec<u8>>,
    /// Digests, by tag.
    tags: BTreeMap<String, String>,
}

impl HostileRegistry {
    /// An empty registry, to push to.
    pub fn empty(mischief: Mischief) -> Self {
        Self::serve(mischief, Content::default())
    }

    /// A registry with `image` as `v1`.
    pub fn with(image: &Image, mischief: Mischief) -> Self {
        let index = (Image::media_type().to_owned(), image.index.clone());
        let mut manifests = BTreeMap::from([(image.digest(), index)]);
        for (digest, bytes) in &image.manifests {
            let media_type = Image::manifest_media_type().to_owned();
            manifests.insert(digest.clone(), (media_type, bytes.clone()));
        }
        let blobs = image.blobs.iter().cloned().collect();
        let tags = BTreeMap::from([("v1".to_owned(), image.digest())]);
        Self::serve(mischief, Content { manifests, blobs, uploads: Vec::new(), tags })
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }

    /// The tags that it has been given.
    pub fn tags(&self) -> Vec<String> {
        lock(&self.content).tags.keys().cloned().collect()
    }

    fn serve(mischief: Mischief, content: Content) -> Self {
        let content = Arc::new(Mutex::new(content));
        let served = Arc::clone(&content);
        let server =
            HttpServer::start(move |request| answer(mischief, &mut lock(&served), request));
        Self { server, content }
    }
}

fn lock(content: &Mutex<Content>) -> MutexGuard<'_, Content> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The distribution API, as far as pull and push need it.
fn answer(mischief: Mischief, content: &mut Content, request: &Request) -> Answer {
    if let Mischief::Always(status) = mischief {
        return refuse(status);
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    if path == "/v2/" || path == "/v2" {
        return Answer::body("{}");
    }
    if let Some((_, selector)) = path.rsplit_once("/manifests/") {
        return match request.method.as_str() {
            "PUT" => put_manifest(mischief, content, request, selector),
            _ => manifest(mischief, content, selector),
        };
    }
    if path.contains("/blobs/uploads/") {
        return upload(mischief, content, request, query);
    }
    match path.rsplit_once("/blobs/") {
        Some((_, digest)) => blob(mischief, content, digest),
        None => Answer::status(404),
    }
}

fn manifest(mischief: Mischief, content: &Content, selector: &str) -> Answer {
    let digest = content.tags.get(selector).map_or(selector, String::as_str);
    let Some((media_type, bytes)) = content.manifests.get(digest) else {
        return Answer::status(404)
            .with(r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#);
    };
    let is_index = media_type == Image::media_type();
    let mut bytes = bytes.clone();
    if mischief == Mischief::OtherManifest && !is_index {
        // Still JSON, still as long: only a hash can tell.
        let text =
            String::from_utf8_lossy(&bytes).replace("\"schemaVersion\":2", "\"schemaVersion\":3");
        bytes = text.into_bytes();
    }
    let half = bytes.len() / 2;
    let answer = Answer::body(bytes)
        .header("content-type", media_type)
        .header("docker-content-digest", digest);
    if mischief == Mischief::CutManifest { answer.cut_after(half) } else { answer }
}

fn blob(mischief: Mischief, content: &Content, digest: &str) -> Answer {
    let Some(bytes) = content.blobs.get(digest) else {
        return Answer::status(404).with(r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#);
    };
    let mut bytes = bytes.clone();
    if mischief == Mischief::SilentBlob {
        return Answer::never();
    }
    if mischief == Mischief::OtherBlob
        && let Some(last) = bytes.last_mut()
    {
        *last ^= 1;
    }
    let half = bytes.len() / 2;
    let answer = Answer::body(bytes)
        .header("content-type", "application/octet-stream")
        .header("docker-content-digest", digest);
    if mischief == Mischief::CutBlob { answer.cut_after(half) } else { answer }
}

fn put_manifest(
    mischief: Mischief,
    content: &mut Content,
    request: &Request,
    selector: &str,
) -> Answer {
    if let Mischief::RefuseManifest(status) = mischief {
        return refuse(status);
    }
    let digest = digest_of(&request.body);
    let media_type = request.header("content-type").unwrap_or_default().to_owned();
    content.manifests.insert(digest.clone(), (media_type, request.body.clone()));
    if !selector.contains(':') {
        content.tags.insert(selector.to_owned(), digest.clone());
    }
    let location = request.path.clone();
    Answer::status(201).header("location", &location).header("docker-content-digest", &digest)
}

/// `POST` begins an upload, `PATCH` adds to it, `PUT ?digest=` ends it.
fn upload(mischief: Mischief, content: &mut Content, request: &Request, query: &str) -> Answer {
    if let Mischief::RefuseUpload(status) = mischief {
        return refuse(status);
    }
    let path = request.path.split('?').next().unwrap_or_default();
    let (above, number) = path.rsplit_once('/').unwrap_or((path, ""));
    let digest = query.split('&').find_map(|pair| pair.strip_prefix("digest="));
    let number = match number.parse::<usize>() {
        Ok(number) => number,
        Err(_) => {
            content.uploads.push(Vec::new());
            content.uploads.len() - 1
        }
    };
    let Some(sent) = content.uploads.get_mut(number) else { return Answer::status(404) };
    sent.extend_from_slice(&request.body);
    let so_far = sent.len();
    let Some(digest) = digest.filter(|_| request.method != "PATCH") else {
        return Answer::status(202)
            .header("location", &format!("{above}/{number}"))
            .header("range", &format!("0-{}", so_far.saturating_sub(1)));
    };
    let bytes = std::mem::take(sent);
    let digest = digest.replace("%3A", ":");
    if mischief == Mischief::OtherDigestOfUpload || digest_of(&bytes) != digest {
        return Answer::status(400).with(
            r#"{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}"#,
        );
    }
    content.blobs.insert(digest.clone(), bytes);
    let location = format!("{}/{digest}", above.trim_end_matches("/uploads"));
    Answer::status(201).header("location", &location).header("docker-content-digest", &digest)
}

/// A refusal as registries write it; where credentials would help, it says how.
fn refuse(status: u16) -> Answer {
    let (code, message) = match status {
        401 => ("UNAUTHORIZED", "authentication required"),
        403 => ("DENIED", "requested access to the resource is denied"),
        429 => ("TOOMANYREQUESTS", "too many requests"),
        _ => ("UNKNOWN", "something is wrong with this registry"),
    };
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    let answer = Answer::status(status).header("content-type", "application/json").with(body);
    match status {
        401 => answer.header("www-authenticate", "Basic realm=\"test\""),
        429 => answer.header("retry-after", "0"),
        _ => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skopeo::Skopeo;

    #[test]
    fn somebody_else_agrees_that_it_is_a_registry() {
        let image = Image::multi_arch(&["linux/amd64"], 1000);
        let source = HostileRegistry::with(&image, Mischief::None);
        let target = HostileRegistry::empty(Mischief::None);
        let to = format!("docker://{}/b:v2", target.address());
        Skopeo::new().copy_all(&format!("docker://{}/a:v1", source.address()), &to);
        assert_eq!(Skopeo::new().digest(&to), image.digest());
        assert_eq!(target.tags(), ["v2"]);
    }
}
