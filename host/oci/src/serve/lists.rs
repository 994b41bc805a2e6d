//! Lists (distribution-spec, "Listing Tags", "Listing Referrers"; docker's catalog).

use axum::response::Response;
use http::HeaderName;
use http::header::LINK;
use serde_json::json;

use super::Server;
use super::answer::{self, Refusal, Sought, sought};
use super::route::Query;
use crate::{Digest, MediaType, RepositoryName};

/// As much as is given at once, whoever asks for more.
const LARGEST_PAGE: usize = 10_000;

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
        link(&mut response, &format!("/v2/{name}/tags/list"), limit, next);
        Ok(response)
    }

    pub(super) async fn catalog(&self, query: &Query) -> Result<Response, Refusal> {
        let limit = page_size(query)?;
        let names = self.registry.catalog(query.get("last"), limit + 1).await;
        let (names, next) = page(names.map_err(sought(Sought::Repository))?, limit);
        let mut response = answer::json(&json!({ "repositories": names }));
        link(&mut response, "/v2/_catalog", limit, next);
        Ok(response)
    }

    pub(super) async fn referrers(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        query: &Query,
    ) -> Result<Response, Refusal> {
        let wanted = query.get("artifactType").map(MediaType::new);
        let store = self.registry.repository(name);
        let listed = store.referrers(digest, wanted.as_ref()).await;
        let listed = listed.map_err(sought(Sought::Manifest))?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": listed,
        });
        let mut response = answer::bytes(MediaType::OCI_INDEX.as_str(), index.to_string());
        if wanted.is_some() {
            answer::set(&mut response, FILTERS_APPLIED, "artifactType");
        }
        Ok(response)
    }
}

fn page_size(query: &Query) -> Result<usize, Refusal> {
    match query.get("n").map(str::parse::<usize>) {
        None => Ok(LARGEST_PAGE),
        Some(Ok(wanted)) => Ok(wanted.min(LARGEST_PAGE)),
        Some(Err(_)) => {
            Err(Refusal::bad("PAGINATION_NUMBER_INVALID", "`n` is not a number of entries"))
        }
    }
}

/// The page, and behind what the next one starts.
fn page(mut found: Vec<String>, limit: usize) -> (Vec<String>, Option<String>) {
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).cloned();
    (found, next)
}

fn link(response: &mut Response, path: &str, limit: usize, next: Option<String>) {
    if let Some(last) = next {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("last", &last)
            .append_pair("n", &limit.to_string())
            .finish();
        answer::set(response, LINK, &format!("<{path}?{query}>; rel=\"next\""));
    }
}
