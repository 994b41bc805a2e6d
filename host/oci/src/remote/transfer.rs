//! The calls of the distribution API, one function each.

use std::ops::Range;

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Response;
use url::Url;

use super::auth::{Action, Scope};
use super::error::{Problem, printable};
use super::page::{self, Pages};
use super::request::{Ask, error, failure, read_limited, room};
use super::{RemoteRepository, resume};
use crate::manifest::too_large;
use crate::{
    BlobStream, Descriptor, Digest, Error, LARGEST_MANIFEST, Manifest, MediaType, Mismatch,
    Selector, Tag,
};

/// The digest that a registry claims (distribution-spec, "Pulling manifests").
const CONTENT_DIGEST: &str = "docker-content-digest";

/// What a registry says that keeps referrers itself (distribution-spec, "Pushing Manifests with
/// Subject").
const SUBJECT: &str = "oci-subject";

/// What docker-registry needs to write the link of a blob, and to spare.
const LINK_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

impl RemoteRepository {
    pub(super) fn url(&self, path: &str) -> Result<Url, Error> {
        let path = format!("{}/{path}", self.name);
        self.host
            .base
            .join(&path)
            .map_err(|why| error(&Method::GET, &self.host.base, Problem::Protocol(why.to_string())))
    }

    pub(super) fn ask(&self, method: Method, url: Url, action: Action) -> Ask {
        let action = if self.writes { action.max(Action::Push) } else { action };
        let scope = Scope { repository: self.name.clone(), action, from: None };
        Ask { method, url, headers: HeaderMap::new(), body: None, scope }
    }

    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.host.registry, self.name)
    }

    fn not_found(&self, what: String) -> Error {
        Error::NotFound { what, place: self.place() }
    }

    /// `HEAD`, or `GET` where a registry does not answer that as specified.
    pub(super) async fn head_manifest(
        &self,
        selector: &Selector,
    ) -> Result<Option<Descriptor>, Error> {
        let ask = self.manifest_ask(Method::HEAD, selector)?;
        let response = self.send(&ask).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::METHOD_NOT_ALLOWED => return self.manifest_or_nothing(selector).await,
            _ => return Err(failure(&ask.method, &ask.url, response).await.into()),
        }
        let headers = response.headers();
        let size = text(headers, CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
        let (Some(digest), Some(size), Some(media_type)) =
            (claimed_digest(&ask, headers)?, size, media_type(headers))
        else {
            return self.manifest_or_nothing(selector).await;
        };
        if let Selector::Digest(expected) = selector
            && digest.algorithm() == expected.algorithm()
            && digest != *expected
        {
            let mismatch = Mismatch::digest(*expected, digest);
            return Err(Error::mismatch(self.what(selector), mismatch));
        }
        let digest = match selector {
            Selector::Digest(expected) => *expected,
            Selector::Tag(_) => digest,
        };
        Ok(Some(Descriptor::new(media_type, digest, size)))
    }

    async fn manifest_or_nothing(&self, selector: &Selector) -> Result<Option<Descriptor>, Error> {
        match self.get_manifest(selector).await {
            Ok(manifest) => Ok(Some(manifest.descriptor())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn what(&self, selector: &Selector) -> String {
        format!("manifest {selector} of {}", self.place())
    }

    fn manifest_ask(&self, method: Method, selector: &Selector) -> Result<Ask, Error> {
        let mut ask = self.ask(method, self.url(&format!("manifests/{selector}"))?, Action::Pull);
        let accepted = MediaType::MANIFESTS.map(|media_type| media_type.to_string()).join(", ");
        // Anything else too: artifacts may have types of their own.
        let accepted = HeaderValue::try_from(format!("{accepted}, */*;q=0.1"));
        ask.headers
            .insert(ACCEPT, accepted.map_err(|why| ask.error(Problem::Protocol(why.to_string())))?);
        Ok(ask)
    }

    /// An answer that breaks off is asked for again.
    pub(super) async fn get_manifest(&self, selector: &Selector) -> Result<Manifest, Error> {
        let mut attempt = 1;
        loop {
            match self.get_manifest_once(selector).await {
                Err(error) if error.broke_off() => self.pause_after_break(attempt, error).await?,
                result => return result,
            }
            attempt += 1;
        }
    }

    async fn get_manifest_once(&self, selector: &Selector) -> Result<Manifest, Error> {
        let ask = self.manifest_ask(Method::GET, selector)?;
        let response = self.send(&ask).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(self.not_found(format!("manifest {selector}"))),
            _ => return Err(failure(&ask.method, &ask.url, response).await.into()),
        }
        let (declared, claimed) =
            (media_type(response.headers()), claimed_digest(&ask, response.headers())?);
        let content_type = text(response.headers(), CONTENT_TYPE.as_str()).map(printable);
        let promised = response.content_length();
        if promised.is_some_and(|size| size > LARGEST_MANIFEST) {
            return Err(too_large(self.what(selector), promised.unwrap_or_default()));
        }
        let limit = usize::try_from(LARGEST_MANIFEST).unwrap_or(usize::MAX).saturating_add(1);
        let bytes =
            read_limited(response, limit).await.map_err(|e| ask.error(Problem::Transport(e)))?;
        if bytes.len() as u64 > LARGEST_MANIFEST {
            return Err(too_large(self.what(selector), bytes.len() as u64));
        }
        let asked = match selector {
            Selector::Digest(digest) => Some(*digest),
            Selector::Tag(_) => None,
        };
        for expected in [asked, claimed].into_iter().flatten() {
            let verdict = expected.verify(&bytes);
            verdict.map_err(|mismatch| Error::mismatch(self.what(selector), mismatch))?;
        }
        if !Manifest::is_plausible(declared.as_ref(), &bytes) {
            return Err(ask.error(Problem::NoManifest { content_type }));
        }
        let digest = asked.or(claimed).unwrap_or_else(|| Digest::of(&bytes));
        match declared {
            Some(declared) => Manifest::checked(declared, digest, bytes),
            None => Manifest::guessed(digest, bytes),
        }
    }

    /// True if the registry keeps the referrers of the subject itself, or there is no subject.
    pub(super) async fn send_manifest(
        &self,
        manifest: &Manifest,
        selector: &Selector,
    ) -> Result<bool, Error> {
        let mut ask =
            self.ask(Method::PUT, self.url(&format!("manifests/{selector}"))?, Action::Push);
        let declared = HeaderValue::try_from(manifest.media_type().as_str());
        ask.headers.insert(
            CONTENT_TYPE,
            declared.map_err(|_| Error::invalid(self.what(selector), "its media type is none"))?,
        );
        ask.body = Some(manifest.bytes().clone());
        let expected = manifest.digest();
        let mut attempt = 1;
        loop {
            let response = self.send(&ask).await?;
            if !response.status().is_success() {
                let failed = failure(&ask.method, &ask.url, response).await;
                // What is worth a retry by its status alone was retried before; this is by its code.
                if !failed.is_digest_of_a_tag() || attempt >= self.remote.options.retry.attempts {
                    return Err(failed.into());
                }
                tokio::time::sleep(LINK_PAUSE * attempt).await;
                attempt += 1;
                continue;
            }
            let claimed = claimed_digest(&ask, response.headers())?;
            if response.status() != StatusCode::CREATED && claimed.is_none() {
                // Somebody on the way said that all is well; the registry knows of nothing.
                let content_type = text(response.headers(), CONTENT_TYPE.as_str()).map(printable);
                return Err(ask.error(Problem::NoManifest { content_type }));
            }
            let found = claimed.unwrap_or(expected);
            if found.algorithm() != expected.algorithm() || found == expected {
                let has_subject = manifest.subject().is_some();
                return Ok(!has_subject || response.headers().contains_key(SUBJECT));
            }
            // The tag may be at what arrived; what is right must not be given up before it is.
            if attempt >= self.remote.options.retry.attempts {
                let mismatch = Mismatch::digest(expected, found);
                return Err(Error::mismatch(self.what(selector), mismatch));
            }
            attempt += 1;
        }
    }

    pub(super) async fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let ask = self.ask(Method::HEAD, self.url(&format!("blobs/{digest}"))?, Action::Pull);
        let response = self.send(&ask).await?;
        match response.status() {
            StatusCode::OK => {
                let claimed = claimed_digest(&ask, response.headers())?;
                if let Some(found) = claimed
                    && found.algorithm() == digest.algorithm()
                    && found != *digest
                {
                    let what = format!("blob {digest} of {}", self.place());
                    return Err(Error::mismatch(what, Mismatch::digest(*digest, found)));
                }
                // A page to sign in is answered with 200 too.
                if claimed.is_none() && is_web_page(response.headers()) {
                    let why = "answered with a web page, not with a blob".to_owned();
                    return Err(ask.error(Problem::Protocol(why)));
                }
                let size = text(response.headers(), CONTENT_LENGTH.as_str());
                let size = size.and_then(|text| text.parse().ok());
                let missing = || Problem::Protocol("the answer has no `Content-Length`".to_owned());
                size.map(Some).ok_or_else(|| ask.error(missing()))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(failure(&ask.method, &ask.url, response).await.into()),
        }
    }

    pub(super) async fn get_blob(&self, blob: &Descriptor) -> Result<BlobStream, Error> {
        let ask = self.ask(Method::GET, self.url(&format!("blobs/{}", blob.digest))?, Action::Pull);
        let room = room(&self.host.traffic.downloads).await;
        let response = self.send(&ask).await?;
        match response.status() {
            StatusCode::OK => {
                // What says itself that it is shorter is no blob that broke off.
                let least = if response.content_length().is_some() { 0 } else { blob.size };
                let body = body(ask, response, least);
                let whole = resume::stream(self.clone(), blob.clone(), 0..blob.size, body, room);
                Ok(whole.verified(blob, &self.place()))
            }
            StatusCode::NOT_FOUND => Err(self.not_found(format!("blob {}", blob.digest))),
            _ => Err(failure(&ask.method, &ask.url, response).await.into()),
        }
    }

    /// Some bytes of a blob, in their turn.
    pub(super) async fn get_range(
        &self,
        blob: &Descriptor,
        range: Range<u64>,
    ) -> Result<BlobStream, Error> {
        let room = room(&self.host.traffic.downloads).await;
        let range = range.start..range.end.min(blob.size);
        let first = self.range(blob, range.clone()).await?;
        Ok(resume::stream(self.clone(), blob.clone(), range, first, room))
    }

    /// The same for who has room already.
    pub(super) async fn range(
        &self,
        blob: &Descriptor,
        range: Range<u64>,
    ) -> Result<BlobStream, Error> {
        let end = range.end.min(blob.size);
        if range.start >= end {
            return Ok(BlobStream::new(futures::stream::empty()));
        }
        let mut ask =
            self.ask(Method::GET, self.url(&format!("blobs/{}", blob.digest))?, Action::Pull);
        let wanted = HeaderValue::try_from(format!("bytes={}-{}", range.start, end - 1));
        ask.headers
            .insert(RANGE, wanted.map_err(|why| ask.error(Problem::Protocol(why.to_string())))?);
        let mut response = self.send(&ask).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // The blob is shorter than promised, as its end will show, or somebody on the way does
            // not get on with ranges.
            ask.headers.remove(RANGE);
            response = self.send(&ask).await?;
        }
        let start = match response.status() {
            StatusCode::PARTIAL_CONTENT => start_of_part(&response, &(range.start..end), blob.size)
                .map_err(|why| ask.error(Problem::Protocol(why)))?,
            // A registry need not know ranges.
            StatusCode::OK => 0,
            StatusCode::NOT_FOUND => return Err(self.not_found(format!("blob {}", blob.digest))),
            _ => return Err(failure(&ask.method, &ask.url, response).await.into()),
        };
        let bytes = body(ask, response, end - start);
        Ok(bytes.window(range.start - start, end - range.start))
    }

    pub(super) async fn list_tags(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        #[derive(serde::Deserialize)]
        struct List {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let mut list = Pages::default();
        let mut tags: Vec<String> = Vec::new();
        let (mut asked_after, mut is_sorted) = (after, true);
        loop {
            let mut url = self.url("tags/list")?;
            url.query_pairs_mut().append_pair("n", &limit.to_string());
            if let Some(after) = asked_after {
                url.query_pairs_mut().append_pair("last", after);
            }
            let (mut next, mut last) = (Some(url), String::new());
            // Behind what is in order nothing is missing; else all of it must have been seen.
            while let Some(url) = next.take_if(|_| !is_sorted || tags.len() < limit) {
                let ask = self.ask(Method::GET, url, Action::Pull);
                let page: List;
                (page, next) = self.json_page(&ask, "repository", &mut list).await?;
                for tag in page.tags.unwrap_or_default() {
                    is_sorted &= last <= tag;
                    last.clone_from(&tag);
                    // A registry need not know `last`.
                    if after.is_none_or(|after| tag.as_str() > after) {
                        tags.push(tag);
                    }
                }
            }
            // What is in another order (that of pushes, say) is not behind `last` in ours.
            if is_sorted || asked_after.take().is_none() {
                break;
            }
            list = Pages::default();
        }
        tags.sort();
        tags.dedup();
        tags.truncate(limit);
        Ok(tags)
    }

    /// One page of a list, and where the next is. An answer that breaks off is asked for again.
    ///
    /// # Errors
    /// Also if the list has no end: it is never cut.
    pub(super) async fn json_page<T: serde::de::DeserializeOwned>(
        &self,
        ask: &Ask,
        what: &str,
        list: &mut Pages,
    ) -> Result<(T, Option<Url>), Error> {
        let mut attempt = 1;
        loop {
            match self.json_page_once(ask, what, list).await {
                Err(error) if error.broke_off() => self.pause_after_break(attempt, error).await?,
                result => return result,
            }
            attempt += 1;
        }
    }

    async fn json_page_once<T: serde::de::DeserializeOwned>(
        &self,
        ask: &Ask,
        what: &str,
        list: &mut Pages,
    ) -> Result<(T, Option<Url>), Error> {
        let response = self.send(ask).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(self.not_found(what.to_owned())),
            _ => return Err(failure(&ask.method, &ask.url, response).await.into()),
        }
        let wrong = |why: &str| ask.error(Problem::Protocol(why.to_owned()));
        let next = page::next(response.headers(), &ask.url).map_err(wrong)?;
        let limit = list.room().saturating_add(1);
        let bytes =
            read_limited(response, limit).await.map_err(|e| ask.error(Problem::Transport(e)))?;
        list.add(&ask.url, bytes.len()).map_err(wrong)?;
        let page = serde_json::from_slice(&bytes).map_err(|why| {
            ask.error(Problem::Protocol(format!("the answer is not JSON as specified: {why}")))
        })?;
        Ok((page, next))
    }

    pub(super) async fn delete_at(&self, path: &str) -> Result<bool, Error> {
        let ask = self.ask(Method::DELETE, self.url(path)?, Action::Delete);
        let response = self.send(&ask).await?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(failure(&ask.method, &ask.url, response).await.into()),
        }
    }

    /// The manifest under its tags, or its digest; with the referrers of its subject where the
    /// registry does not keep them.
    pub(super) async fn write_manifest(
        &self,
        manifest: &Manifest,
        tags: &[Tag],
    ) -> Result<(), Error> {
        let by_digest = Selector::Digest(manifest.digest());
        // A tag alone says nothing of the algorithm; the usual one is assumed for it.
        let is_usual = manifest.digest().algorithm() == crate::Algorithm::Sha256;
        let mut keeps_referrers = true;
        if tags.is_empty() || !is_usual {
            keeps_referrers &= self.send_manifest(manifest, &by_digest).await?;
        }
        for tag in tags {
            keeps_referrers &= self.send_manifest(manifest, &Selector::Tag(tag.clone())).await?;
        }
        match manifest.subject() {
            Some(subject) if !keeps_referrers => {
                self.list_referrer(&subject.digest, manifest).await
            }
            _ => Ok(()),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What the registry says the content is; generic words, and those of web pages, say nothing.
fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    let media_type = MediaType::new(text(headers, CONTENT_TYPE.as_str())?);
    let is_generic = media_type.as_str().starts_with("text/")
        || matches!(
            media_type.as_str(),
            "" | "application/json" | "application/octet-stream" | "application/xhtml+xml"
        );
    (!is_generic).then_some(media_type)
}

fn is_web_page(headers: &HeaderMap) -> bool {
    let content_type = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    ["text/html", "application/xhtml+xml"].iter().any(|page| media_type.eq_ignore_ascii_case(page))
}

fn claimed_digest(ask: &Ask, headers: &HeaderMap) -> Result<Option<Digest>, Error> {
    let claimed = text(headers, CONTENT_DIGEST).map(str::parse).transpose();
    claimed.map_err(|why: crate::DigestError| {
        ask.error(Problem::Protocol(format!("its `Docker-Content-Digest`: {why}")))
    })
}

/// The bytes of an answer, which are `least` or more.
fn body(ask: Ask, response: Response, least: u64) -> BlobStream {
    let start = (response, ask, 0_u64);
    BlobStream::new(futures::stream::try_unfold(
        start,
        move |(mut response, ask, found)| async move {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let found = found + chunk.len() as u64;
                    Ok(Some((chunk, (response, ask, found))))
                }
                Ok(None) if found < least => {
                    Err(ask.error(Problem::Short { expected: least, found }))
                }
                Ok(None) => Ok(None),
                Err(error) => Err(ask.error(Problem::Transport(error))),
            }
        },
    ))
}

/// Where the part of a blob of `size` bytes that was sent begins: at `wanted`, or before it
/// (RFC 9110 §14.4).
fn start_of_part(response: &Response, wanted: &Range<u64>, size: u64) -> Result<u64, String> {
    let Some(text) = text(response.headers(), CONTENT_RANGE.as_str()) else {
        let is_that = response.content_length() == Some(wanted.end - wanted.start);
        return match is_that {
            true => Ok(wanted.start),
            false => Err("sent some part of the blob, without `Content-Range`".to_owned()),
        };
    };
    let parsed = || {
        let (part, whole) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
        let (first, last) = part.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let is_of_it = whole == "*" || whole.parse() == Ok(size);
        (is_of_it && (first..=last).contains(&wanted.start)).then_some(first)
    };
    parsed().ok_or_else(|| {
        let (first, last, sent) = (wanted.start, wanted.end - 1, printable(text));
        format!("sent `{sent}` of the blob instead of `bytes {first}-{last}/{size}`")
    })
}
