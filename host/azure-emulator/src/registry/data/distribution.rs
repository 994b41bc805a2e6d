//! `/v2/`: who may, then our own registry, then what it means to Azure.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, Uri, header};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

use super::auth::{Holder, basic};
use super::scope::Scope;
use super::token::Access;
use super::{Hall, unauthorized};
use crate::answer::Refusal;
use crate::call::Call;
use crate::registry::{event, images};

/// What a path of the API is about.
struct Target {
    /// Empty for the registry itself.
    repository: String,
    /// The tag or digest of a manifest.
    manifest: Option<String>,
}

impl Target {
    /// Names have slashes, so a path is read from its end.
    fn of(path: &[String]) -> Self {
        let parts: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
        let (name, manifest): (&[&str], Option<&str>) = match parts.as_slice() {
            [name @ .., "manifests", reference] => (name, Some(reference)),
            [name @ .., "blobs", "uploads"]
            | [name @ .., "blobs", "uploads", _]
            | [name @ .., "blobs" | "referrers", _]
            | [name @ .., "tags", "list"] => (name, None),
            _ => (&[], None),
        };
        Self { repository: name.join("/"), manifest: manifest.map(str::to_owned) }
    }
}

impl Hall<'_> {
    pub(super) async fn distribution(
        &self,
        call: Call,
        uri: Uri,
        body: Body,
    ) -> Result<Response, Refusal> {
        let target = Target::of(&call.path);
        if call.path.get(1).is_some_and(|part| part == "_catalog") {
            return self.catalog(&call).map(IntoResponse::into_response);
        }
        let needed = match call.method.as_str() {
            _ if target.repository.is_empty() => None,
            "GET" | "HEAD" => Some(Scope::new(&target.repository, &["pull"])),
            "DELETE" if target.manifest.is_some() => {
                Some(Scope::new(&target.repository, &["delete"]))
            }
            _ => Some(Scope::new(&target.repository, &["pull", "push"])),
        };
        self.admit(&call, needed.as_ref())?;
        if let Some(from) = call.query("from") {
            self.admit(&call, Some(&Scope::new(from, &["pull"])))?;
        }
        let opened = self.azure.registries.get(self.registry.name());
        let opened = opened.map_err(|_| Refusal::internal())?;
        let mut request = Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
        request.headers_mut().clone_from(&call.headers);
        request.headers_mut().remove(header::AUTHORIZATION);
        let service = TowerToHyperService::new(opened.router.clone());
        let response = service.call(request).await;
        let Ok(mut response) = response;
        self.lead_back(&call, response.headers_mut());
        if let Some(reference) = &target.manifest
            && response.status().is_success()
        {
            self.note(&call, &target.repository, reference, response.headers())?;
        }
        Ok(response)
    }

    /// Places of uploads are relative; with a host in the path they would lead elsewhere.
    fn lead_back(&self, call: &Call, headers: &mut HeaderMap) {
        let place = headers.get(header::LOCATION).and_then(|place| place.to_str().ok());
        let Some(place) = place.filter(|place| place.starts_with('/')) else { return };
        if let Ok(place) = call.origin.url(&self.server, place).parse() {
            headers.insert(header::LOCATION, place);
        }
    }

    fn note(
        &self,
        call: &Call,
        repository: &str,
        reference: &str,
        answered: &HeaderMap,
    ) -> Result<(), Refusal> {
        let registry = self.registry.name();
        if call.method == Method::PUT {
            let digest = answered.get("docker-content-digest").and_then(|d| d.to_str().ok());
            let is_digest = reference.contains(':');
            let size = call.header("content-length").and_then(|size| size.parse().ok());
            let pushed = event::Pushed {
                registry,
                server: &self.server,
                repository,
                tag: (!is_digest).then_some(reference),
                digest: digest.unwrap_or(reference),
                media_type: call.header("content-type").unwrap_or_default(),
                size: size.unwrap_or_default(),
            };
            return event::pushed(self.azure, &pushed, &[]);
        }
        if call.method == Method::DELETE {
            self.azure.store.change(|world| {
                images::forget(world, registry, repository, reference);
                Ok(())
            })?;
            if reference.contains(':') {
                event::deleted(self.azure, registry, &self.server, repository, reference);
            }
        }
        Ok(())
    }

    /// Whether the caller may; by an access token, or by a name and a password at once.
    pub(super) fn admit(&self, call: &Call, needed: Option<&Scope>) -> Result<(), Refusal> {
        let realm = call.origin.url(&self.server, "/oauth2/token");
        let refuse = |error: &str| {
            let scope = needed.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
            let challenge =
                format!("Bearer realm=\"{realm}\",service=\"{}\"{scope}{error}", self.server);
            let detail = needed.map_or(Value::Null, |scope| {
                let entry = |action: &String| json!({ "Type": scope.kind, "Name": scope.name, "Action": action });
                Value::Array(scope.actions.iter().map(entry).collect())
            });
            unauthorized(detail).with("www-authenticate", challenge)
        };
        if let Some(token) = call.bearer() {
            let now = self.azure.clock().seconds();
            let access = self.azure.keys.verify::<Access>(token, now);
            let access = access.ok().filter(|access| access.aud == self.server);
            let access = access.ok_or_else(|| refuse(",error=\"invalid_token\""))?;
            let enough =
                needed.is_none_or(|needed| access.access.iter().any(|had| had.covers(needed)));
            return if enough { Ok(()) } else { Err(refuse(",error=\"insufficient_scope\"")) };
        }
        let given = call.header("authorization").and_then(basic);
        let anonymous = (String::new(), report::Secret::new(""));
        let (name, password) = given.unwrap_or(anonymous);
        let password = password.expose_text().unwrap_or_default();
        let holder = Holder::of_login(self.azure, &self.registry, &name, password);
        let holder = holder.ok_or_else(|| refuse(""))?;
        let enough = needed
            .is_none_or(|needed| holder.granted(self.azure, &self.registry, needed).covers(needed));
        // Nobody in particular is asked to say who he is even where anybody may pull.
        if holder == Holder::Anonymous && needed.is_none() {
            return Err(refuse(""));
        }
        if enough { Ok(()) } else { Err(refuse("")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> (String, Option<String>) {
        let path: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        let target = Target::of(&path);
        (target.repository, target.manifest)
    }

    #[test]
    fn paths_are_read_from_their_end() {
        assert_eq!(
            of("/v2/a/manifests/b/manifests/x"),
            ("a/manifests/b".to_owned(), Some("x".to_owned()))
        );
        assert_eq!(of("/v2/a/b/blobs/uploads"), ("a/b".to_owned(), None));
        assert_eq!(of("/v2/a/b/blobs/uploads/1"), ("a/b".to_owned(), None));
        assert_eq!(of("/v2/a/tags/list"), ("a".to_owned(), None));
        assert_eq!(of("/v2"), (String::new(), None));
    }
}
