//! `/acr/v1/`: lists of repositories, manifests and tags, with times.

use oci::{Content, Manifest, Registry as _, RepositoryName, Selector, Store};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

use super::scope::Scope;
use super::{Hall, errors};
use crate::answer::{Answer, Answered, Refusal};
use crate::call::Call;
use crate::registry::images::{self, Repository, Times};

/// Entries of a page.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// Of a configuration, no more than this is read: it is a few KiB.
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;

/// What the lists show of a configuration.
#[derive(Deserialize, Default)]
struct Platform {
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    os: Option<String>,
}

impl Hall<'_> {
    pub(super) async fn metadata(&self, call: &Call) -> Answered {
        let path: Vec<&str> = call.path.iter().skip(2).map(String::as_str).collect();
        let method = call.method.as_str();
        match (method, path.as_slice()) {
            ("GET", ["_catalog"]) => self.catalog(call),
            ("GET", [name @ .., "_manifests"]) => self.manifests(call, &name.join("/")).await,
            ("GET", [name @ .., "_tags"]) => self.tags(call, &name.join("/")).await,
            ("GET", [name @ .., "_manifests", digest]) => {
                self.one(call, &name.join("/"), "manifest", digest).await
            }
            ("GET", [name @ .., "_tags", tag]) => self.one(call, &name.join("/"), "tag", tag).await,
            ("DELETE", [name @ .., "_tags", tag]) => {
                self.delete_tag(call, &name.join("/"), tag).await
            }
            ("GET", name @ [_, ..]) => self.repository(call, &name.join("/")).await,
            ("DELETE", name @ [_, ..]) => self.delete_repository(call, &name.join("/")).await,
            _ => Err(Refusal::unknown(method, &call.path)),
        }
    }

    /// A repository that the caller may look at, and what is remembered of it.
    fn open(
        &self,
        call: &Call,
        name: &str,
        action: &str,
    ) -> Result<(Arc<dyn Store>, Repository), Refusal> {
        self.admit(call, Some(&Scope::new(name, &[action])))?;
        let unknown = || {
            let detail = json!({ "name": name });
            let message = "repository name not known to registry";
            Refusal::shaped(404, errors("NAME_UNKNOWN", message, detail))
        };
        let parsed: RepositoryName = name.parse().map_err(|_| unknown())?;
        let registry = self.registry.name().to_ascii_lowercase();
        let known = self
            .azure
            .store
            .read(|world| world.images.get(&registry).and_then(|images| images.get(name)).cloned());
        let known = known.filter(|known| !known.manifests.is_empty()).ok_or_else(unknown)?;
        let opened = self.azure.registries.get(self.registry.name());
        let opened = opened.map_err(|_| Refusal::internal())?;
        Ok((opened.layouts.repository(&parsed), known))
    }

    /// Repositories that have anything: an emptied one is gone.
    pub(super) fn catalog(&self, call: &Call) -> Answered {
        self.admit(call, Some(&Scope::new("", &["*"])))?;
        let (size, last) = (page_size(call)?, call.query("last").unwrap_or_default());
        let registry = self.registry.name().to_ascii_lowercase();
        let found: Vec<String> = self.azure.store.read(|world| {
            let all = world.images.get(&registry).into_iter().flatten();
            let full = all.filter(|(_, known)| !known.manifests.is_empty());
            full.map(|(name, _)| name.clone())
                .filter(|name| name.as_str() > last)
                .take(size)
                .collect()
        });
        let next = found.last().filter(|_| found.len() == size).cloned();
        let answer = Answer::ok(json!({ "repositories": found }));
        Ok(match next {
            None => answer,
            Some(last) => {
                let link = format!("</{}?last={last}&n={size}>; rel=\"next\"", call.path.join("/"));
                answer.with("link", link)
            }
        })
    }

    async fn manifests(&self, call: &Call, name: &str) -> Answered {
        let (store, known) = self.open(call, name, "metadata_read")?;
        let tags = self.tagged(&*store).await?;
        let mut found = Vec::new();
        for (digest, times) in self.page(call, known.manifests)?.entries {
            let Ok(selector) = digest.parse().map(Selector::Digest) else { continue };
            // What was deleted by other ways is not there any more.
            let Ok(manifest) = store.manifest(&selector).await else { continue };
            let tags = tags.iter().filter(|(_, of)| *of == digest).map(|(tag, _)| tag.clone());
            found.push(document(&*store, &manifest, times, tags.collect()).await?);
        }
        Ok(self.listed(call, name, "_manifests", found, "digest"))
    }

    async fn tags(&self, call: &Call, name: &str) -> Answered {
        let (store, known) = self.open(call, name, "metadata_read")?;
        let tagged = self.tagged(&*store).await?;
        let with_times = tagged
            .iter()
            .map(|(tag, _)| (tag.clone(), known.tags.get(tag).copied().unwrap_or(known.times)));
        let mut found = Vec::new();
        let wanted = call.query("digest");
        for (tag, times) in self.page(call, with_times.collect())?.entries {
            let digest = tagged.iter().find(|(other, _)| *other == tag).map(|(_, digest)| digest);
            let Some(digest) = digest.filter(|d| wanted.is_none_or(|wanted| wanted == *d)) else {
                continue;
            };
            found.push(tag_document(&tag, digest, times));
        }
        Ok(self.listed(call, name, "_tags", found, "name"))
    }

    /// Tags with what they point at.
    async fn tagged(&self, store: &dyn Store) -> Result<Vec<(String, String)>, Refusal> {
        let mut found = Vec::new();
        for tag in store.tags(None, usize::MAX).await.map_err(broken)? {
            let Ok(selector) = tag.parse().map(Selector::Tag) else { continue };
            if let Some(descriptor) = store.resolve(&selector).await.map_err(broken)? {
                found.push((tag, descriptor.digest.to_string()));
            }
        }
        Ok(found)
    }

    fn page(
        &self,
        call: &Call,
        all: std::collections::BTreeMap<String, Times>,
    ) -> Result<Page, Refusal> {
        let mut entries: Vec<(String, Times)> = all.into_iter().collect();
        match call.query("orderby") {
            Some("timedesc") => entries.sort_by_key(|(_, times)| std::cmp::Reverse(times.updated)),
            Some("timeasc") => entries.sort_by_key(|(_, times)| times.updated),
            _ => {}
        }
        if let Some(last) = call.query("last").filter(|last| !last.is_empty()) {
            let at = entries.iter().position(|(key, _)| key == last).map_or(0, |at| at + 1);
            entries.drain(..at);
        }
        entries.truncate(page_size(call)?);
        Ok(Page { entries })
    }

    fn listed(&self, call: &Call, name: &str, list: &str, found: Vec<Value>, key: &str) -> Answer {
        let size = page_size(call).unwrap_or(PAGE);
        let member = list.trim_start_matches('_');
        let last =
            found.last().map(|entry| crate::json::text(entry, &format!("/{key}")).to_owned());
        let is_full = found.len() == size;
        let answer =
            Answer::ok(json!({ "registry": self.server, "imageName": name, member: found }));
        match last.filter(|_| is_full) {
            None => answer,
            Some(last) => {
                let order = call.query("orderby").unwrap_or_default();
                let link = format!(
                    "</acr/v1/{name}/{list}?last={last}&n={size}&orderby={order}>; rel=\"next\""
                );
                answer.with("link", link)
            }
        }
    }

    async fn one(&self, call: &Call, name: &str, kind: &str, reference: &str) -> Answered {
        let (store, known) = self.open(call, name, "metadata_read")?;
        let unknown = || {
            let code = if kind == "tag" { "TAG_UNKNOWN" } else { "MANIFEST_UNKNOWN" };
            let detail = json!({ "name": name, "reference": reference });
            Refusal::shaped(404, errors(code, &format!("{kind} {reference} is not found"), detail))
        };
        let selector: Selector = reference.parse().map_err(|_| unknown())?;
        let manifest = store.manifest(&selector).await.map_err(|_| unknown())?;
        let digest = manifest.digest().to_string();
        let shown = match kind {
            "tag" => {
                let times = known.tags.get(reference).copied().unwrap_or(known.times);
                tag_document(reference, &digest, times)
            }
            _ => {
                let times = known.manifests.get(&digest).copied().unwrap_or(known.times);
                let tags = self.tagged(&*store).await?;
                let tags = tags.into_iter().filter(|(_, of)| *of == digest).map(|(tag, _)| tag);
                document(&*store, &manifest, times, tags.collect()).await?
            }
        };
        Ok(Answer::ok(json!({ "registry": self.server, "imageName": name, kind: shown })))
    }

    async fn repository(&self, call: &Call, name: &str) -> Answered {
        let (store, known) = self.open(call, name, "metadata_read")?;
        let tags = self.tagged(&*store).await?.len();
        let (created, updated) = (time(known.times.created), time(known.times.updated));
        Ok(Answer::ok(json!({
            "registry": self.server, "imageName": name, "createdTime": created,
            "lastUpdateTime": updated, "manifestCount": known.manifests.len(), "tagCount": tags,
            "changeableAttributes": attributes(),
        })))
    }

    async fn delete_tag(&self, call: &Call, name: &str, tag: &str) -> Answered {
        let (store, _) = self.open(call, name, "delete")?;
        if let Ok(tag) = tag.parse() {
            store.delete(&Selector::Tag(tag)).await.map_err(broken)?;
        }
        self.azure.store.change(|world| {
            images::forget(world, self.registry.name(), name, tag);
            Ok(Answer::empty(202))
        })
    }

    async fn delete_repository(&self, call: &Call, name: &str) -> Answered {
        let (store, known) = self.open(call, name, "delete")?;
        let mut gone = Vec::new();
        // Indexes first: what they list may not go before them.
        for digest in known.manifests.keys().rev() {
            if let Ok(selector) = digest.parse().map(Selector::Digest)
                && store.delete(&selector).await.map_err(broken)?
            {
                gone.push(digest.clone());
            }
        }
        let tags: Vec<String> = known.tags.keys().cloned().collect();
        self.azure.store.change(|world| {
            let registry = self.registry.name().to_ascii_lowercase();
            if let Some(images) = world.images.get_mut(&registry) {
                images.remove(name);
            }
            Ok(Answer::json(202, json!({ "manifestsDeleted": gone, "tagsDeleted": tags })))
        })
    }
}

struct Page {
    entries: Vec<(String, Times)>,
}

fn page_size(call: &Call) -> Result<usize, Refusal> {
    let size = call.query("n").map_or(Ok(PAGE), str::parse).ok();
    size.filter(|size| (1..=LARGEST_PAGE).contains(size)).ok_or_else(|| {
        let message = "the number of results has to be between 1 and 1000";
        Refusal::shaped(400, errors("PAGINATION_NUMBER_INVALID", message, Value::Null))
    })
}

fn broken(error: oci::Error) -> Refusal {
    tracing::warn!(%error, "a registry of the emulator could not be read");
    Refusal::internal()
}

fn attributes() -> Value {
    json!({ "deleteEnabled": true, "writeEnabled": true, "readEnabled": true, "listEnabled": true })
}

fn time(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    crate::clock::format(time, "%Y-%m-%dT%H:%M:%S%.7fZ")
}

fn tag_document(tag: &str, digest: &str, times: Times) -> Value {
    json!({
        "name": tag, "digest": digest, "createdTime": time(times.created),
        "lastUpdateTime": time(times.updated), "signed": false,
        "changeableAttributes": attributes(),
    })
}

async fn document(
    store: &dyn Store,
    manifest: &Manifest,
    times: Times,
    tags: Vec<String>,
) -> Result<Value, Refusal> {
    let mut size = 0;
    let mut config = Platform::default();
    let mut config_type = None;
    if let Content::Image(image) = manifest.content() {
        size = image.layers.iter().map(|layer| layer.size).sum();
        if let Some(descriptor) = &image.config {
            config_type = Some(descriptor.media_type.as_str().to_owned());
            if descriptor.size <= LARGEST_CONFIG {
                config = read_config(store, descriptor).await.unwrap_or_default();
            }
        }
    }
    let mut shown = json!({
        "digest": manifest.digest().to_string(), "imageSize": size,
        "createdTime": time(times.created), "lastUpdateTime": time(times.updated),
        "architecture": config.architecture, "os": config.os,
        "mediaType": manifest.media_type().as_str(),
        "changeableAttributes": attributes(),
    });
    if let Some(kind) = config_type {
        crate::json::set(&mut shown, "configMediaType", kind);
    }
    if !tags.is_empty() {
        crate::json::set(&mut shown, "tags", tags);
    }
    Ok(shown)
}

async fn read_config(store: &dyn Store, descriptor: &oci::Descriptor) -> Option<Platform> {
    use futures::TryStreamExt as _;
    let stream = store.blob(descriptor).await.ok()?;
    let bytes: Vec<bytes::Bytes> = stream.try_collect().await.ok()?;
    serde_json::from_slice(&bytes.concat()).ok()
}
