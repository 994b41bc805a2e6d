//! What happens in a registry: remembered, told to webhooks and to the tasks that stand on it.

use serde_json::{Value, json};

use super::{images, webhook};
use crate::answer::Refusal;
use crate::azure::Azure;
use crate::clock;
use crate::tasks::base;

/// A manifest that was pushed.
pub(crate) struct Pushed<'a> {
    pub(crate) registry: &'a str,
    pub(crate) server: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) size: u64,
}

/// Notes a push, with the manifests that came along, and tells who wants to know.
pub(crate) fn pushed(azure: &Azure, push: &Pushed<'_>, along: &[String]) -> Result<(), Refusal> {
    let now = azure.clock().now().as_microsecond();
    let Pushed { registry, repository, tag, digest, .. } = push;
    azure.store.change(|world| {
        for other in along {
            images::note(world, registry, repository, other, None, now);
        }
        images::note(world, registry, repository, digest, *tag, now);
        Ok(())
    })?;
    let mut target = json!({
        "mediaType": push.media_type, "size": push.size, "digest": push.digest,
        "length": push.size, "repository": push.repository,
    });
    if let Some(tag) = push.tag {
        crate::json::set(&mut target, "tag", tag);
    }
    let document = document(azure, "push", target, push.server, "PUT");
    webhook::tell(azure, push.registry, push.repository, push.tag, &document);
    base::pushed(azure, push);
    Ok(())
}

/// Notes that a manifest is gone. A tag's end is no event.
pub(crate) fn deleted(azure: &Azure, registry: &str, server: &str, repository: &str, digest: &str) {
    let target = json!({
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "digest": digest, "repository": repository,
    });
    let document = document(azure, "delete", target, server, "DELETE");
    webhook::tell(azure, registry, repository, None, &document);
}

/// An event as it is sent.
pub(super) fn document(
    azure: &Azure,
    action: &str,
    target: Value,
    server: &str,
    method: &str,
) -> Value {
    let [id, request] = [(); 2].map(|()| uuid::Uuid::new_v4().to_string());
    json!({
        "id": id,
        "timestamp": clock::format(azure.clock().now(), "%Y-%m-%dT%H:%M:%S%.9fZ"),
        "action": action,
        "target": target,
        "request": { "id": request, "host": server, "method": method, "useragent": "windlass" },
    })
}
