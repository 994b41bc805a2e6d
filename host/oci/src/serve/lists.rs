//! Lists (distribution-spec, "Listing Tags", "Listing Referrers"; docker's catalog).

use axum::response::Response;
use http::HeaderName;
use http::header::LINK;
use serde_json::json;

use super::Server;
use super::answer::{self, Refusal, Sought, sought};
use super::route::Query;
use crate::{Descriptor, Digest, MediaType, RepositoryName};

/// As much as is given at once, whoever asks for more.
const LARGEST_PAGE: usize = 10_000;

/// The bytes of one list of referrers: clients read it as a manifest, of which some take no more
/// than 4 MiB.
const LARGEST_ANSWER: usize = 2 * 1024 * 1024;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

impl Server {
    pub(super) async fn tags(
        &self,
        name: &RepositoryName,
        query: &Query,
    ) -> Result<Response, Refusal> {
        let limit = page_size(query)?;
        let store = self.registry.repository(name);
        // One more than asked for tells whether there is another page.
        let tags = store.tags(query.get("last"), limit + 1).await;
        let (tags, next) = page(tags.map_err(sought(Sought::Repository))?, limit);
        let mut response = answer::json(&json!({ "name": name.as_str(), "tags": tags }));
        link_page(&mut response, &format!("/v2/{name}/tags/list"), limit, next);
        Ok(response)
    }

    pub(super) async fn catalog(&self, query: &Query) -> Result<Response, Refusal> {
        let limit = page_size(query)?;
        let names = self.registry.catalog(query.get("last"), limit + 1).await;
        let (names, next) = page(names.map_err(sought(Sought::Repository))?, limit);
        let mut response = answer::json(&json!({ "repositories": names }));
        link_page(&mut response, "/v2/_catalog", limit, next);
        Ok(response)
    }

    pub(super) async fn referrers(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        query: &Query,
    ) -> Result<Response, Refusal> {
        let wanted = query.get("artifactType").filter(|wanted| !wanted.is_empty());
        let store = self.registry.repository(name);
        let listed = store.referrers(digest, None).await;
        let mut listed = listed.map_err(sought(Sought::Manifest))?;
        if let Some(wanted) = wanted {
            // Media types have no case (RFC 6838).
            let is_wanted = |found: &MediaType| found.as_str().eq_ignore_ascii_case(wanted);
            listed.retain(|entry| entry.artifact_type.as_ref().is_some_and(is_wanted));
        }
        let (listed, next) = one_answer(listed, query.get("last"));
        let index = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": listed,
        });
        let mut response = answer::bytes(MediaType::OCI_INDEX.as_str(), index.to_string());
        if wanted.is_some() {
            answer::set(&mut response, FILTERS_APPLIED, "artifactType");
        }
        if let Some(last) = next {
            let kept = wanted.map(|wanted| ("artifactType", wanted));
            let path = format!("/v2/{name}/referrers/{digest}");
            link(&mut response, &path, kept.into_iter().chain([("last", last.as_str())]));
        }
        Ok(response)
    }
}

/// As many referrers as fit into an answer that every client takes, and behind which the next one
/// starts. In the order in which they came, unless one answer cannot hold them: then in one that
/// stays while others come.
fn one_answer(
    mut listed: Vec<Descriptor>,
    last: Option<&str>,
) -> (Vec<Descriptor>, Option<String>) {
    let size = |entry: &Descriptor| serde_json::to_vec(entry).map_or(0, |text| text.len() + 1);
    if last.is_none() && listed.iter().map(size).sum::<usize>() <= LARGEST_ANSWER {
        return (listed, None);
    }
    listed.sort_by_cached_key(|entry| entry.digest.to_string());
    listed.retain(|entry| last.is_none_or(|last| entry.digest.to_string().as_str() > last));
    let mut room = LARGEST_ANSWER;
    let fits = |entry: &&Descriptor| {
        let left = room.checked_sub(size(entry));
        room = left.unwrap_or_default();
        left.is_some()
    };
    // One that fills more than an answer has one for itself.
    let count = listed.iter().take_while(fits).count().max(1);
    let has_more = listed.len() > count;
    listed.truncate(count);
    let next = listed.last().filter(|_| has_more).map(|entry| entry.digest.to_string());
    (listed, next)
}

fn page_size(query: &Query) -> Result<usize, Refusal> {
    match query.get("n").map(str::parse::<usize>) {
        None => Ok(LARGEST_PAGE),
        Some(Ok(wanted)) => Ok(wanted.min(LARGEST_PAGE)),
        // The specification has no code of its own for it.
        Some(Err(_)) => Err(Refusal::bad("UNSUPPORTED", "`n` is not a number of entries")),
    }
}

/// The page, and behind what the next one starts.
fn page(mut found: Vec<String>, limit: usize) -> (Vec<String>, Option<String>) {
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).cloned();
    (found, next)
}

fn link_page(response: &mut Response, path: &str, limit: usize, next: Option<String>) {
    if let Some(last) = next {
        link(response, path, [("last", last.as_str()), ("n", limit.to_string().as_str())]);
    }
}

fn link<'a>(
    response: &mut Response,
    path: &str,
    query: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    answer::set(response, LINK, &format!("<{path}?{query}>; rel=\"next\""));
}
