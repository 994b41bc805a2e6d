//! Uploads (distribution-spec, "Pushing Blobs"): in one request, in a session, or by a mount.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::time::timeout;

use super::Server;
use super::answer::{self, Refusal, Sought, sought};
use super::manifests::CONTENT_DIGEST;
use super::range::chunk;
use super::route::{self, Query};
use crate::{
    BlobSource, BlobStream, Descriptor, Digest, Error, MediaType, RepositoryName, Store, Upload,
};

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// A body of which nothing came for so long is given up.
pub(super) const STALLED: Duration = Duration::from_secs(120);

impl Server {
    pub(super) async fn start_upload(
        &self,
        name: &RepositoryName,
        query: &Query,
        request: Request,
    ) -> Result<Response, Refusal> {
        let mut algorithm = query.algorithm()?;
        if let Some(digest) = query.digest("mount")? {
            algorithm = digest.algorithm();
            if self.mount(name, query.get("from"), digest).await? {
                return Ok(created(name, &digest));
            }
        } else if let Some(digest) = query.digest("digest")? {
            let upload = self.registry.upload(name, digest.algorithm()).await;
            let mut upload = upload.map_err(sought(Sought::Blob))?;
            receive(&mut *upload, request.into_body()).await?;
            upload.commit(digest).await.map_err(sought(Sought::Upload))?;
            return Ok(created(name, &digest));
        }
        let upload = self.registry.upload(name, algorithm).await.map_err(sought(Sought::Blob))?;
        let id = self.sessions.start(name, upload)?;
        Ok(progress(StatusCode::ACCEPTED, name, &id, 0))
    }

    /// Whether the blob is now, or was already, in `name`.
    async fn mount(
        &self,
        name: &RepositoryName,
        from: Option<&str>,
        digest: Digest,
    ) -> Result<bool, Refusal> {
        let from = match from {
            // A source that cannot be is one that has nothing: the client gets its session.
            Some(from) => from.parse::<RepositoryName>().ok(),
            // Whoever may push here may pull everywhere, so any repository will do.
            None => self.registry.repository_with(&digest).await.map_err(sought(Sought::Blob))?,
        };
        let Some(from) = from else { return Ok(false) };
        let source = self.registry.repository(&from);
        let size = source.blob_size(&digest).await.map_err(sought(Sought::Blob))?;
        let Some(size) = size else { return Ok(false) };
        if from != *name {
            let blob = Descriptor::new(MediaType::OCTET_STREAM, digest, size);
            let content = StoredBlob { store: source, blob: blob.clone() };
            let target = self.registry.repository(name);
            let pushed = target.push_blob(&blob, &content, Some(&from)).await;
            pushed.map_err(sought(Sought::Blob))?;
        }
        Ok(true)
    }

    pub(super) async fn continue_upload(
        &self,
        name: &RepositoryName,
        id: &str,
        request: Request,
    ) -> Result<Response, Refusal> {
        let mut turn = self.sessions.turn(name, id).await?;
        let end = check_chunk(request.headers(), name, id, turn.upload()?.size())?;
        turn.receive(request.into_body()).await?;
        check_end(end, turn.upload()?.size())?;
        Ok(progress(StatusCode::ACCEPTED, name, id, turn.upload()?.size()))
    }

    pub(super) async fn finish_upload(
        &self,
        name: &RepositoryName,
        id: &str,
        query: &Query,
        request: Request,
    ) -> Result<Response, Refusal> {
        let missing = || Refusal::bad("DIGEST_INVALID", "`digest` is missing");
        let digest = route::digest(query.get("digest").ok_or_else(missing)?)?;
        let mut turn = self.sessions.turn(name, id).await?;
        let end = check_chunk(request.headers(), name, id, turn.upload()?.size())?;
        turn.receive(request.into_body()).await?;
        check_end(end, turn.upload()?.size())?;
        // Right or wrong, it is over: bytes that were wrong do not become right.
        let upload = turn.take()?;
        self.sessions.end(name, id)?;
        upload.commit(digest).await.map_err(sought(Sought::Upload))?;
        Ok(created(name, &digest))
    }

    pub(super) async fn upload_status(
        &self,
        name: &RepositoryName,
        id: &str,
    ) -> Result<Response, Refusal> {
        let size = self.sessions.turn(name, id).await?.upload()?.size();
        Ok(progress(StatusCode::NO_CONTENT, name, id, size))
    }

    pub(super) fn cancel_upload(
        &self,
        name: &RepositoryName,
        id: &str,
    ) -> Result<Response, Refusal> {
        self.sessions.end(name, id)?;
        Ok(answer::empty(StatusCode::NO_CONTENT))
    }
}

/// A blob of one repository as the source of another's, where it cannot be linked.
struct StoredBlob {
    store: Arc<dyn Store>,
    blob: Descriptor,
}

impl BlobSource for StoredBlob {
    fn open(&self) -> BoxFuture<'_, Result<BlobStream, Error>> {
        self.store.blob(&self.blob)
    }
}

/// Appends a body. What came before it broke off stays.
pub(super) async fn receive(upload: &mut dyn Upload, body: Body) -> Result<(), Refusal> {
    let mut stream = body.into_data_stream();
    let stalled = |_| {
        let message = format!("no byte came for {} seconds", STALLED.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "BLOB_UPLOAD_INVALID", message)
    };
    while let Some(chunk) = timeout(STALLED, stream.next()).await.map_err(stalled)? {
        let chunk = chunk.map_err(|_| Refusal::bad("BLOB_UPLOAD_INVALID", "the body broke off"))?;
        upload.append(chunk).await.map_err(sought(Sought::Upload))?;
    }
    Ok(())
}

/// Chunks come in order, without gaps, and are as long as they say. Where this one ends, if it says.
fn check_chunk(
    headers: &HeaderMap,
    name: &RepositoryName,
    id: &str,
    size: u64,
) -> Result<Option<u64>, Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(range) = text(CONTENT_RANGE) else { return Ok(None) };
    let message = format!("{size} bytes are here, the next chunk starts there");
    let wrong = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", message)
        .with(RANGE, shown_range(size))
        .with(LOCATION, location(name, id));
    let Some(range) = chunk(range).filter(|range| range.start == size) else { return Err(wrong) };
    match text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length != range.end - range.start => {
            let message = format!("`Content-Range` and `Content-Length` ({length}) differ");
            Err(Refusal::bad("SIZE_INVALID", message))
        }
        Some(_) | None => Ok(Some(range.end)),
    }
}

/// A chunk without a `Content-Length` is seen to be of another length when it is here.
fn check_end(said: Option<u64>, found: u64) -> Result<(), Refusal> {
    match said {
        Some(said) if said != found => {
            let message = format!("`Content-Range` ends before {said}, the body before {found}");
            Err(Refusal::bad("SIZE_INVALID", message))
        }
        Some(_) | None => Ok(()),
    }
}

/// `0-LAST`; with nothing there `0-0`, as docker's registry says.
fn shown_range(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

fn location(name: &RepositoryName, id: &str) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

fn progress(status: StatusCode, name: &RepositoryName, id: &str, size: u64) -> Response {
    let mut response = answer::empty(status);
    answer::set(&mut response, LOCATION, &location(name, id));
    answer::set(&mut response, RANGE, &shown_range(size));
    answer::set(&mut response, UPLOAD_ID, id);
    response
}

fn created(name: &RepositoryName, digest: &Digest) -> Response {
    let mut response = answer::empty(StatusCode::CREATED);
    answer::set(&mut response, LOCATION, &format!("/v2/{name}/blobs/{digest}"));
    answer::set(&mut response, CONTENT_DIGEST, &digest.to_string());
    response
}
