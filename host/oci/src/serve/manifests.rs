//! Manifests (distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting Manifests").

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::sync::{RwLockReadGuard, RwLockWriteGuard};

use super::answer::{self, Refusal, Sought, sought};
use super::route::Query;
use super::{Server, condition};
use crate::{
    Content, Digest, LARGEST_MANIFEST, Manifest, MediaType, ReferenceError, RepositoryName,
    Selector, Store, Tag,
};

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const TAGS: HeaderName = HeaderName::from_static("oci-tag");

/// Tags in one request; the specification asks for ten.
const MOST_TAGS: usize = 100;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

impl Server {
    pub(super) async fn get_manifest(
        &self,
        name: &RepositoryName,
        selector: &Selector,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let store = self.registry.repository(name);
        let manifest = store.manifest(selector).await.map_err(sought(Sought::Manifest))?;
        let digest = manifest.digest();
        condition::on_read(headers, &digest)?;
        let mut response = answer::bytes(manifest.media_type().as_str(), manifest.bytes().clone());
        answer::set(&mut response, CONTENT_DIGEST, &digest.to_string());
        answer::set(&mut response, ETAG, &condition::etag(&digest));
        Ok(response)
    }

    pub(super) async fn put_manifest(
        &self,
        name: &RepositoryName,
        selector: &Selector,
        query: &Query,
        request: Request,
    ) -> Result<Response, Refusal> {
        let tags = tags(selector, query)?;
        let (head, body) = request.into_parts();
        let declared = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let declared = declared.map(MediaType::new);
        let bytes = read(body).await?;
        let digest = match selector {
            Selector::Digest(digest) => *digest,
            Selector::Tag(_) => Digest::of(&bytes),
        };
        digest.verify(&bytes).map_err(|why| Refusal::bad("DIGEST_INVALID", why.to_string()))?;
        let manifest = match declared {
            Some(declared) => Manifest::checked(declared, digest, bytes),
            None => Manifest::guessed(digest, bytes),
        };
        let manifest = manifest.map_err(sought(Sought::Manifest))?;
        let store = self.registry.repository(name);
        self.check_blobs(&*store, &manifest).await?;
        let _turn = self.turn_to_change(&*store, selector, &head.headers).await?;
        store.put_manifest(&manifest, &tags).await.map_err(sought(Sought::Manifest))?;
        let mut response = answer::empty(StatusCode::CREATED);
        answer::set(&mut response, LOCATION, &format!("/v2/{name}/manifests/{digest}"));
        answer::set(&mut response, CONTENT_DIGEST, &digest.to_string());
        if let Selector::Digest(_) = selector
            && !tags.is_empty()
        {
            let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
            answer::set(&mut response, TAGS, &tags.join(", "));
        }
        if let Some(subject) = manifest.subject() {
            answer::set(&mut response, SUBJECT, &subject.digest.to_string());
        }
        Ok(response)
    }

    /// An image without its layers is none. Indexes may be sparse: that is how some platforms of an
    /// index are mirrored.
    async fn check_blobs(&self, store: &dyn Store, manifest: &Manifest) -> Result<(), Refusal> {
        match manifest.content() {
            Content::Image(_) => {}
            Content::Index(_) | Content::Opaque => return Ok(()),
        }
        for blob in manifest.blobs() {
            if blob.media_type.is_foreign_layer() {
                continue;
            }
            let size = store.blob_size(&blob.digest).await.map_err(sought(Sought::Blob))?;
            if size.is_none() {
                let message = format!("blob {} was not pushed", blob.digest);
                return Err(Refusal::bad("MANIFEST_BLOB_UNKNOWN", message));
            }
        }
        Ok(())
    }

    /// Changes with a condition are made alone, so that nothing comes between the look and the
    /// change; all others at the same time.
    async fn turn_to_change(
        &self,
        store: &dyn Store,
        selector: &Selector,
        headers: &HeaderMap,
    ) -> Result<Turn<'_>, Refusal> {
        if !condition::is_in(headers) {
            return Ok(Turn::Shared(self.changes.read().await));
        }
        let alone = self.changes.write().await;
        let current = store.resolve(selector).await.map_err(sought(Sought::Manifest))?;
        condition::on_change(headers, current.map(|current| current.digest).as_ref())?;
        Ok(Turn::Alone(alone))
    }

    pub(super) async fn delete_manifest(
        &self,
        name: &RepositoryName,
        selector: &Selector,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let store = self.registry.repository(name);
        let _turn = self.turn_to_change(&*store, selector, headers).await?;
        match store.delete(selector).await.map_err(sought(Sought::Manifest))? {
            true => Ok(answer::empty(StatusCode::ACCEPTED)),
            false => {
                let message = format!("there is no manifest {selector}");
                Err(Refusal::unknown(Sought::Manifest, message))
            }
        }
    }
}

/// Held while a manifest or a tag changes.
#[expect(dead_code, reason = "what they hold is let go of when they are dropped")]
enum Turn<'a> {
    Shared(RwLockReadGuard<'a, ()>),
    Alone(RwLockWriteGuard<'a, ()>),
}

/// The tags that a manifest is pushed under: its own, or those of the query beside its digest.
fn tags(selector: &Selector, query: &Query) -> Result<Vec<Tag>, Refusal> {
    if let Selector::Tag(tag) = selector {
        return Ok(vec![tag.clone()]);
    }
    if query.all("tag").count() > MOST_TAGS {
        let message = format!("a manifest is pushed with at most {MOST_TAGS} tags");
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "UNSUPPORTED", message));
    }
    let wrong = |error: ReferenceError| Refusal::bad("MANIFEST_INVALID", error.to_string());
    query.all("tag").map(|tag| tag.parse().map_err(wrong)).collect()
}

/// The body of a request, which must be small.
async fn read(body: Body) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Refusal::bad("MANIFEST_INVALID", "the body broke off"))?;
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > LARGEST_MANIFEST {
            let message = format!("a manifest has at most {LARGEST_MANIFEST} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID", message));
        }
    }
    Ok(Bytes::from(bytes))
}
