//! Blobs on their way into a registry.
//!
//! The first attempt costs two requests: a `POST` that asks for a mount and opens a session if there
//! is none to be had, and one `PUT` with all the bytes. After a break the session is asked how much
//! it has, and what is missing goes up in chunks; a registry that cannot tell (Debian's
//! docker-registry forgets a session whose request broke off) gets a new session. The hash goes on
//! from its last checkpoint, so the bytes that are sent are proven as a whole, whatever broke.
//! Large blobs go up in chunks from the start where there is a [`Journal`], and a later process goes
//! on with them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Response;
use tokio::time::Instant;
use url::Url;

use super::RemoteRepository;
use super::auth::Action;
use super::error::Problem;
use super::journal::{Journal, Key};
use super::request::{Ask, failure, room};
use super::resume::MOST_BREAKS;
use crate::stream::Checkpoints;
use crate::{BlobSource, BlobStream, Descriptor, Error, Pushed, RepositoryName};

/// What a break loses at most, where the registry keeps chunks. A registry may set a limit to
/// requests (some cloud gateways at tens of megabytes), and a request is cheap against this.
const CHUNK: u64 = 16 * 1024 * 1024;

/// The smallest chunk that a registry takes (distribution-spec, "Pushing a blob in chunks").
const CHUNK_MIN_LENGTH: &str = "oci-chunk-min-length";

/// Pushes `blob`, linked from `mount_from` if that is possible.
pub(super) async fn push(
    to: &RemoteRepository,
    blob: &Descriptor,
    content: &dyn BlobSource,
    mount_from: Option<&RepositoryName>,
) -> Result<Pushed, Error> {
    let _room = room(&to.host.traffic.uploads).await;
    let retry = to.remote.options.retry;
    let mut upload = Upload::new(to, blob, content, mount_from);
    upload.recall().await;
    let (mut attempt, mut breaks, mut furthest) = (1, 0, 0);
    let (mut renewed_at, started) = (None, Instant::now());
    loop {
        let failed = match upload.go().await {
            Ok(pushed) => {
                upload.forget().await;
                // It was the last attempt that brought it there.
                let is_ours = pushed == Pushed::Present && breaks > 0;
                return Ok(if is_ours { Pushed::Sent } else { pushed });
            }
            // A registry has been asked as often as it may be when its stream gives up.
            Err(PushError::Source(error @ Error::Remote(_))) => return Err(error),
            Err(PushError::Source(error) | PushError::Target(error)) => error,
        };
        breaks += 1;
        let status = upload_status(&failed);
        if status == Some(StatusCode::UNAUTHORIZED) && renewed_at != Some(upload.at) {
            // A fresh token was fetched, and nothing of the body was taken.
            renewed_at = Some(upload.at);
            continue;
        }
        renewed_at = None;
        let is_lost =
            matches!(status, Some(StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE));
        let is_hopeless = attempt >= retry.attempts || breaks > MOST_BREAKS;
        if is_hopeless || !(failed.is_transient() || is_lost) {
            return Err(failed.tried(breaks, started.elapsed()));
        }
        tracing::debug!(attempt, at = upload.at, error = %failed, "an upload goes on");
        tokio::time::sleep(retry.pause(attempt)).await;
        attempt += 1;
        let reached = upload.at;
        upload.look().await;
        if reached.max(upload.at) > furthest {
            attempt = 1;
            furthest = reached.max(upload.at);
        }
    }
}

/// The status of an answer to bytes.
fn upload_status(error: &Error) -> Option<StatusCode> {
    let Error::Remote(error) = error else { return None };
    error.status().filter(|_| matches!(error.method, Method::PUT | Method::PATCH))
}

/// Whose fault it is that a blob was not pushed.
enum PushError {
    /// The bytes could not be had.
    Source(Error),
    /// They could not be put here.
    Target(Error),
}

impl From<Error> for PushError {
    fn from(error: Error) -> Self {
        Self::Target(error)
    }
}

enum Start {
    Done(Pushed),
    Session(Session),
}

#[derive(Clone)]
struct Session {
    url: Url,
    /// The length of a chunk.
    chunk: u64,
}

/// One blob on its way.
struct Upload<'a> {
    to: &'a RemoteRepository,
    blob: &'a Descriptor,
    content: &'a dyn BlobSource,
    mount_from: Option<&'a RepositoryName>,
    session: Option<Session>,
    /// So many bytes are in the session.
    at: u64,
    in_chunks: bool,
    checkpoints: Checkpoints,
    /// Where it is remembered, if it is worth it.
    journal: Option<(Arc<Journal>, Key)>,
}

impl<'a> Upload<'a> {
    fn new(
        to: &'a RemoteRepository,
        blob: &'a Descriptor,
        content: &'a dyn BlobSource,
        mount_from: Option<&'a RepositoryName>,
    ) -> Self {
        let journal =
            to.remote.options.journal.as_ref().filter(|journal| journal.is_for(blob.size));
        let journal = journal.map(|journal| {
            (Arc::clone(journal), Key::new(&to.host.registry, &to.name, &blob.digest))
        });
        Self {
            to,
            blob,
            content,
            mount_from,
            session: None,
            at: 0,
            in_chunks: journal.is_some(),
            checkpoints: Checkpoints::default(),
            journal,
        }
    }

    /// Goes on with what an earlier process began.
    async fn recall(&mut self) {
        let Some((journal, key)) = &self.journal else { return };
        if let Some(url) = journal.find(key).await {
            self.session = Some(Session { url, chunk: CHUNK });
            self.look().await;
            tracing::debug!(at = self.at, "an upload of an earlier run goes on");
        }
    }

    async fn remember(&self, session: &Session) {
        if let Some((journal, key)) = &self.journal {
            journal.note(key, &session.url).await;
        }
    }

    async fn forget(&self) {
        if let Some((journal, key)) = &self.journal {
            journal.forget(key).await;
        }
    }

    async fn go(&mut self) -> Result<Pushed, PushError> {
        let session = match self.session.clone() {
            Some(session) => session,
            None => match self.to.start_upload(self.blob, self.mount_from).await? {
                Start::Done(pushed) => return Ok(pushed),
                Start::Session(session) => session,
            },
        };
        self.session = Some(session.clone());
        self.remember(&session).await;
        match self.in_chunks {
            true => self.send_chunks(session).await,
            false => self.send_whole(&session.url).await,
        }
    }

    /// All the bytes in the request that ends the session.
    async fn send_whole(&mut self, session: &Url) -> Result<Pushed, PushError> {
        let stream = self.content.open().await.map_err(PushError::Source)?;
        let stream = stream.verified(self.blob, "the source");
        self.checkpoints = stream.checkpoints();
        let ask = self.last_ask(session);
        let response = self.send(&ask, self.blob.size, stream).await?;
        match response.status() {
            StatusCode::CREATED | StatusCode::NO_CONTENT | StatusCode::OK => Ok(Pushed::Sent),
            _ => Err(refused(&ask, response).await),
        }
    }

    /// What is missing, in chunks; then the request that ends the session.
    async fn send_chunks(&mut self, mut session: Session) -> Result<Pushed, PushError> {
        let feed = Arc::new(tokio::sync::Mutex::new(self.feed().await.map_err(PushError::Source)?));
        while self.at < self.blob.size {
            let length = session.chunk.min(self.blob.size - self.at);
            let ask = self.chunk_ask(&session.url, length)?;
            let response = self.send(&ask, length, part(Arc::clone(&feed), length)).await?;
            if !response.status().is_success() {
                return Err(refused(&ask, response).await);
            }
            let reached = self.at + length;
            if taken(response.headers()).is_some_and(|taken| taken != reached) {
                let why = "the registry took another part than it was sent".to_owned();
                return Err(ask.error(Problem::Protocol(why)).into());
            }
            session.url = self.to.upload_url(&ask, &response)?;
            self.at = reached;
            self.remember(&session).await;
            self.session = Some(session.clone());
        }
        // The stream speaks its verdict with the last chunk; a blob without bytes has none.
        if self.blob.size == 0
            && let Some(Err(error)) = feed.lock().await.stream.next().await
        {
            return Err(PushError::Source(error));
        }
        let ask = self.last_ask(&session.url);
        let nothing = BlobStream::new(futures::stream::empty());
        let response = self.send(&ask, 0, nothing).await?;
        match response.status() {
            StatusCode::CREATED | StatusCode::NO_CONTENT | StatusCode::OK => Ok(Pushed::Sent),
            _ => Err(refused(&ask, response).await),
        }
    }

    fn last_ask(&self, session: &Url) -> Ask {
        let mut url = session.clone();
        url.query_pairs_mut().append_pair("digest", &self.blob.digest.to_string());
        self.bytes_ask(Method::PUT, url)
    }

    fn chunk_ask(&self, session: &Url, length: u64) -> Result<Ask, Error> {
        let mut ask = self.bytes_ask(Method::PATCH, session.clone());
        // Without a unit (distribution-spec, "Pushing a blob in chunks").
        let range = HeaderValue::try_from(format!("{}-{}", self.at, self.at + length - 1));
        let range = range.map_err(|why| ask.error(Problem::Protocol(why.to_string())))?;
        ask.headers.insert(CONTENT_RANGE, range);
        Ok(ask)
    }

    fn bytes_ask(&self, method: Method, url: Url) -> Ask {
        let mut ask = self.to.ask(method, url, Action::Push);
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        ask
    }

    /// Sends bytes; what the source says goes before what became of the request.
    async fn send(&self, ask: &Ask, size: u64, bytes: BlobStream) -> Result<Response, PushError> {
        // The HTTP library keeps only the text of an error in a body, so the error goes this way.
        let broken = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&broken);
        let bytes = BlobStream::new(bytes.map_err(move |error| {
            let cause = Error::invalid("the body of an upload", error.to_string());
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            cause
        }));
        let sent = self.to.send_stream(ask, size, bytes).await;
        let cause = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        match cause {
            Some(cause) => Err(PushError::Source(cause)),
            None => Ok(sent?),
        }
    }

    /// The source behind what the registry has.
    async fn feed(&mut self) -> Result<Feed, Error> {
        let stream = match self.checkpoints.before(self.at) {
            Some((seen, hasher)) => {
                self.checkpoints.cut(seen);
                let rest = self.content.open_at(seen).await?;
                let checkpoints = self.checkpoints.clone();
                let start = (seen, hasher);
                rest.verified_from(self.blob, "the source", start, checkpoints)
                    .window(self.at - seen, u64::MAX)
            }
            None => {
                let whole = self.content.open().await?.verified(self.blob, "the source");
                self.checkpoints = whole.checkpoints();
                whole.window(self.at, u64::MAX)
            }
        };
        Ok(Feed { stream, rest: Bytes::new() })
    }

    /// Asks the registry how far it is, after a break.
    async fn look(&mut self) {
        let session = self.session.take();
        self.at = 0;
        // One more request would cost as much as the bytes.
        if self.blob.size <= CHUNK && self.journal.is_none() {
            return;
        }
        self.in_chunks = true;
        let Some(Session { url, chunk }) = session else { return };
        let ask = self.to.ask(Method::GET, url, Action::Push);
        let Ok(response) = self.to.send(&ask).await else { return };
        let is_known = response.status().is_success();
        let Some(taken) = taken(response.headers()).filter(|_| is_known) else { return };
        if taken <= self.blob.size
            && let Ok(url) = self.to.upload_url(&ask, &response)
        {
            self.at = taken;
            self.session = Some(Session { url, chunk });
        }
    }
}

/// What is left of a source.
struct Feed {
    stream: BlobStream,
    /// What a chunk had no room for.
    rest: Bytes,
}

/// The next `length` bytes of `feed`; those behind them stay in it.
fn part(feed: Arc<tokio::sync::Mutex<Feed>>, length: u64) -> BlobStream {
    BlobStream::new(futures::stream::try_unfold((feed, length), async |(feed, left)| {
        if left == 0 {
            return Ok(None);
        }
        let mut source = feed.lock().await;
        let mut chunk = std::mem::take(&mut source.rest);
        if chunk.is_empty() {
            match source.stream.next().await {
                Some(next) => chunk = next?,
                None => return Ok(None),
            }
        }
        if chunk.len() as u64 > left {
            source.rest = chunk.split_off(usize::try_from(left).unwrap_or(usize::MAX));
        }
        drop(source);
        let left = left - chunk.len() as u64;
        Ok(Some((chunk, (feed, left))))
    }))
}

/// How many bytes a session has: `Range: 0-99` for a hundred, `0-0` for none.
fn taken(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RANGE)?.to_str().ok()?.trim();
    let (first, last) = text.trim_start_matches("bytes=").split_once('-')?;
    let last: u64 = last.parse().ok()?;
    // One byte looks like none; the registry refuses what does not fit, and a new session begins.
    (first == "0").then_some(if last == 0 { 0 } else { last.checked_add(1)? })
}

async fn refused(ask: &Ask, response: Response) -> PushError {
    Error::from(failure(&ask.method, &ask.url, response).await).into()
}

impl RemoteRepository {
    /// A session for the bytes, unless the blob can be linked.
    ///
    /// Without a better idea the blob is "mounted" from the repository itself: one request that
    /// asks whether it is there and starts the session if it is not.
    async fn start_upload(
        &self,
        blob: &Descriptor,
        mount_from: Option<&RepositoryName>,
    ) -> Result<Start, Error> {
        let from = mount_from.unwrap_or(&self.name);
        let mut url = self.url("blobs/uploads/")?;
        url.query_pairs_mut()
            .append_pair("mount", &blob.digest.to_string())
            .append_pair("from", from.as_str());
        let mut ask = self.ask(Method::POST, url, Action::Push);
        ask.scope.from = mount_from.filter(|from| **from != self.name).cloned();
        ask.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let mut response = self.send(&ask).await?;
        // What cannot be mounted is to be an ordinary session, but some registries refuse instead.
        if matches!(response.status().as_u16(), 400 | 401 | 403 | 404 | 405 | 422) {
            ask = Ask { url: self.url("blobs/uploads/")?, ..ask };
            ask.scope.from = None;
            response = self.send(&ask).await?;
        }
        match response.status() {
            StatusCode::CREATED if *from == self.name => Ok(Start::Done(Pushed::Present)),
            StatusCode::CREATED => Ok(Start::Done(Pushed::Mounted)),
            StatusCode::ACCEPTED => {
                let least = response.headers().get(CHUNK_MIN_LENGTH);
                let least = least.and_then(|value| value.to_str().ok()?.parse().ok());
                let chunk = CHUNK.max(least.unwrap_or_default());
                Ok(Start::Session(Session { url: self.upload_url(&ask, &response)?, chunk }))
            }
            _ => Err(failure(&ask.method, &ask.url, response).await.into()),
        }
    }
}
