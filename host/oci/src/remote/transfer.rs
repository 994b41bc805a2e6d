//! The calls of the distribution API, one function each.

use std::ops::Range;

use futures::{StreamExt as _, TryStreamExt as _};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Response;
use url::Url;

use super::auth::{Action, Scope};
use super::error::{Problem, printable};
use super::request::{Ask, error, failure, read_limited, room};
use super::{RemoteRepository, page, resume};
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
                return Err(failure(&ask.method, &ask.url, response).await.into());
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
                let body = body(ask, response);
                let whole = resume::stream(self.clone(), blob.clone(), body, room);
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
        let bytes = self.range(blob, range).await?;
        Ok(BlobStream::new(bytes.inspect(move |_| _ = &room)))
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
        let response = self.send(&ask).await?;
        let skip = match response.status() {
            StatusCode::PARTIAL_CONTENT => 0,
            // A registry need not know ranges.
            StatusCode::OK => range.start,
            StatusCode::NOT_FOUND => return Err(self.not_found(format!("blob {}", blob.digest))),
            _ => return Err(failure(&ask.method, &ask.url, response).await.into()),
        };
        Ok(body(ask, response).window(skip, end - range.start))
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
        let mut url = self.url("tags/list")?;
        url.query_pairs_mut().append_pair("n", &limit.to_string());
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("last", after);
        }
        let mut tags: Vec<String> = Vec::new();
        for _ in 0..MOST_PAGES {
            let ask = self.ask(Method::GET, url.clone(), Action::Pull);
            let (list, next) = self.json_page::<List>(&ask, "repository").await?;
            // A registry need not know `last`.
            let behind = |tag: &String| after.is_none_or(|after| tag.as_str() > after);
            tags.extend(list.tags.unwrap_or_default().into_iter().filter(behind));
            match next {
                Some(next) if tags.len() < limit => url = next,
                Some(_) | None => break,
            }
        }
        tags.sort();
        tags.dedup();
        tags.truncate(limit);
        Ok(tags)
    }

    /// One page of a list, and where the next is. An answer that breaks off is asked for again.
    pub(super) async fn json_page<T: serde::de::DeserializeOwned>(
        &self,
        ask: &Ask,
        what: &str,
    ) -> Result<(T, Option<Url>), Error> {
        let mut attempt = 1;
        loop {
            match self.json_page_once(ask, what).await {
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
    ) -> Result<(T, Option<Url>), Error> {
        let response = self.send(ask).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(self.not_found(what.to_owned())),
            _ => return Err(failure(&ask.method, &ask.url, response).await.into()),
        }
        let next = page::next(response.headers(), &ask.url)
            .map_err(|why| ask.error(Problem::Protocol(why.to_owned())))?;
        let limit = usize::try_from(LARGEST_MANIFEST).unwrap_or(usize::MAX);
        let bytes =
            read_limited(response, limit).await.map_err(|e| ask.error(Problem::Transport(e)))?;
        let list = serde_json::from_slice(&bytes).map_err(|why| {
            ask.error(Problem::Protocol(format!("the answer is not JSON as specified: {why}")))
        })?;
        Ok((list, next))
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

/// A list that never ends is cut here; 1,000 entries a page are usual.
pub(super) const MOST_PAGES: usize = 1000;

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

fn body(ask: Ask, response: Response) -> BlobStream {
    let chunks = response.bytes_stream();
    BlobStream::new(chunks.map_err(move |error| ask.error(Problem::Transport(error))))
}
