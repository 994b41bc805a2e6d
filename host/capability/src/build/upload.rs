//! A context that is sent to a builder elsewhere.

use std::path::PathBuf;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http::{Method, Request, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use report::{Fault, Kind, SafeUrl, Side};
use tokio::io::AsyncReadExt as _;

use super::{BuildContext, GivenFile, GrantedBuild, invalid};
use crate::http::{Body, BodyError, Timeouts, is_forbidden};
use crate::voice::Use;

/// What is read of the archive at once.
const PIECE: usize = 64 * 1024;

/// What is read of an answer: enough for an error in words.
const MOST_TEXT: usize = 4 * 1024;

/// Where a context is sent.
#[derive(Clone, Debug, Default)]
pub struct UploadRequest {
    /// Where to.
    pub url: String,
    /// What the request says besides, name and value.
    pub headers: Vec<(String, String)>,
    /// A file that is sent even if it is left out.
    pub keep: Option<String>,
    /// Files that are sent in place of what has their paths.
    pub add: Vec<GivenFile>,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildUploaded {
    /// The status of the answer.
    pub status: u16,
    /// How the answer begins.
    pub text: String,
    /// The bytes that were sent.
    pub size: u64,
    /// Their digest.
    pub digest: String,
}

impl GrantedBuild {
    /// Packs `context` and sends it; a status of 4xx or 5xx is no error.
    ///
    /// # Errors
    /// `denied.http`, `invalid.http`, `not-found.build`, `invalid.build`, `timeout.http`,
    /// `transient.http`.
    pub async fn upload(
        &self,
        context: &BuildContext,
        request: UploadRequest,
    ) -> Result<BuildUploaded, Fault> {
        let shown = request
            .url
            .parse()
            .map_or_else(|_| "?".to_owned(), |url| SafeUrl::new(&url).to_string());
        let used = Use::begin("build", "upload", shown);
        let sent = self.packed_and_sent(context, request).await;
        let say = |sent: &BuildUploaded| (sent.status.to_string(), Some(sent.size));
        self.call.voice.end(used, sent, say)
    }

    async fn packed_and_sent(
        &self,
        context: &BuildContext,
        request: UploadRequest,
    ) -> Result<BuildUploaded, Fault> {
        let UploadRequest { url, headers, keep, add } = request;
        // Refused before anything is packed.
        self.http.may_send(&Method::PUT, &url).await?;
        let context = context.get();
        let add = add.into_iter().map(|file| build::context::GivenFile {
            path: file.path,
            content: file.content,
            mode: file.mode,
        });
        let (add, keep) = (add.collect(), keep.map(PathBuf::from));
        let (archive, packed) = crate::blocking(move || {
            let archive = tempfile::NamedTempFile::new().map_err(unwritable)?;
            let sink = archive.reopen().map_err(unwritable)?;
            let packed = context.pack(keep.as_deref(), add, sink)?.descriptor;
            Ok((archive, packed))
        })
        .await?;
        let file = tokio::fs::File::from_std(archive.reopen().map_err(unwritable)?);
        let mut outgoing = Request::builder().method(Method::PUT).uri(&url);
        for (name, value) in &headers {
            if name.parse().is_ok_and(|name| is_forbidden(&name)) {
                let message = format!("the header `{name}` belongs to the host");
                return Err(invalid(message).code("invalid.http"));
            }
            outgoing = outgoing.header(name, value);
        }
        // A length that is known: who keeps blobs does not take chunks.
        let outgoing = outgoing.header(header::CONTENT_LENGTH, packed.size).body(body_of(file));
        let outgoing = outgoing.map_err(|_| invalid("the headers of an upload are none"))?;
        let answer = self.http.forward(outgoing, Timeouts::default()).await?;
        let status = answer.status().as_u16();
        let text = beginning(answer.into_body()).await;
        Ok(BuildUploaded { status, text, size: packed.size, digest: packed.digest.to_string() })
    }
}

/// The bytes of `file`, as they are read.
fn body_of(file: tokio::fs::File) -> Body {
    let pieces = futures::stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    let frames = pieces.map_ok(Frame::data).map_err(|error| Box::new(error) as BodyError);
    StreamBody::new(frames).boxed_unsync()
}

/// How an answer begins. One that breaks off there has its status all the same.
async fn beginning(body: Body) -> String {
    let mut text = Vec::new();
    let mut frames = BodyStream::new(body);
    while let Some(Ok(frame)) = frames.next().await {
        let Ok(bytes) = frame.into_data() else { continue };
        let room = MOST_TEXT.saturating_sub(text.len());
        text.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        if text.len() == MOST_TEXT {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn unwritable(error: std::io::Error) -> Fault {
    Fault::new(Kind::Failed, "the packed context cannot be written")
        .code("build.io")
        .side(Side::Host)
        .cause(error)
}

#[cfg(test)]
mod tests;
