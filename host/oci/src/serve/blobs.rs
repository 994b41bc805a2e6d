//! Blobs (distribution-spec, "Pulling blobs", "Deleting Blobs").

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE,
};
use http::{HeaderMap, StatusCode};

use super::answer::{self, Refusal, Sought, sought};
use super::manifests::CONTENT_DIGEST;
use super::range::{Wanted, wanted};
use super::{Server, condition};
use crate::{Descriptor, Digest, MediaType, RepositoryName};

impl Server {
    pub(super) async fn get_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let store = self.registry.repository(name);
        let size =
            store.blob_size(digest).await.map_err(sought(Sought::Blob))?.ok_or_else(|| {
                Refusal::unknown(Sought::Blob, format!("there is no blob {digest}"))
            })?;
        condition::on_read(headers, digest)?;
        let range = headers.get(RANGE).filter(|_| is_of(headers, digest));
        let range = range.and_then(|value| value.to_str().ok());
        let (status, part) = match wanted(range, size) {
            Wanted::All => (StatusCode::OK, 0..size),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Beyond => {
                let message = format!("the blob has {size} bytes");
                return Err(Refusal::new(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "SIZE_INVALID",
                    message,
                )
                .with(CONTENT_RANGE, format!("bytes */{size}")));
            }
        };
        let blob = Descriptor::new(MediaType::OCTET_STREAM, *digest, size);
        let shown = (part.start, part.end);
        // Not verified here: it was when it came, and whoever asks will.
        let stream = store.blob_range(&blob, part).await.map_err(sought(Sought::Blob))?;
        let mut response = Response::new(Body::from_stream(stream));
        *response.status_mut() = status;
        answer::set(&mut response, CONTENT_TYPE, MediaType::OCTET_STREAM.as_str());
        answer::set(&mut response, CONTENT_LENGTH, &(shown.1 - shown.0).to_string());
        answer::set(&mut response, ACCEPT_RANGES, "bytes");
        answer::set(&mut response, CONTENT_DIGEST, &digest.to_string());
        answer::set(&mut response, ETAG, &condition::etag(digest));
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {}-{}/{size}", shown.0, shown.1 - 1);
            answer::set(&mut response, CONTENT_RANGE, &range);
        }
        Ok(response)
    }

    pub(super) async fn delete_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<Response, Refusal> {
        let store = self.registry.repository(name);
        match store.delete_blob(digest).await.map_err(sought(Sought::Blob))? {
            true => Ok(answer::empty(StatusCode::ACCEPTED)),
            false => Err(Refusal::unknown(Sought::Blob, format!("there is no blob {digest}"))),
        }
    }
}

/// Whether a part is wanted of these bytes, not of others that the client once got.
fn is_of(headers: &HeaderMap, digest: &Digest) -> bool {
    headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == condition::etag(digest).as_bytes())
}
