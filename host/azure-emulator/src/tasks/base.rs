//! Bases: what a task was built on, and the runs that begin when one of them is another one.
//!
//! A base is known by its tag. Those in emulated registries are heard of when somebody pushes, imports
//! or builds; nobody looks at those of the outside, as Azure does from time to time.

use std::sync::Arc;

use oci::Selector;
use serde_json::{Value, json};

use super::builder::Base;
use super::schedule;
use crate::answer::Refusal;
use crate::azure::Azure;
use crate::clock;
use crate::json::{at, set, text};
use crate::registry::event::Pushed;
use crate::registry::{KIND, source};
use crate::world::{Resource, World};

/// Where a task's document has what it was built on.
const PLACE: &str = "/properties/step/baseImageDependencies";

/// A tag, and what it points at now.
struct Image<'a> {
    registry: &'a str,
    repository: &'a str,
    tag: &'a str,
    digest: &'a str,
}

/// Notes what a task was built on. Whoever was pushed meanwhile starts a run at once.
pub(super) async fn learn(azure: &Arc<Azure>, task: &str, bases: &[Base]) {
    let dependency = |base: &Base| {
        json!({
            "type": if base.is_runtime { "Runtime" } else { "BuildTime" },
            "registry": shown(&base.registry), "repository": base.repository, "tag": base.tag,
            "digest": base.digest.to_string(),
        })
    };
    let dependencies: Vec<Value> = bases.iter().map(dependency).collect();
    let noted = azure.store.change(|world| {
        let Some(task) = world.resource_mut(task) else { return Ok(()) };
        if !dependencies.is_empty() || !at(&task.body, PLACE).is_null() {
            keep(task, &dependencies.into());
        }
        Ok(())
    });
    if noted.is_err() {
        tracing::warn!("what a task was built on could not be written");
        return;
    }
    for base in bases {
        let found = azure.store.read(|world| {
            world.registry_at(&base.registry).map(|registry| registry.name().to_owned())
        });
        let Some(registry) = found else { continue };
        let Ok(store) = source::inside(azure, &registry, &base.repository) else { continue };
        let Ok(tag) = base.tag.parse() else { continue };
        if let Ok(Some(now)) = store.resolve(&Selector::Tag(tag)).await {
            let digest = now.digest.to_string();
            let Base { registry, repository, tag, .. } = base;
            changed(azure, &Image { registry, repository, tag, digest: &digest });
        }
    }
}

/// Starts the tasks that stand on what was pushed, if it is not what they were built on.
pub(crate) fn pushed(azure: &Azure, push: &Pushed<'_>) {
    if let Some(tag) = push.tag {
        let Pushed { server: registry, repository, digest, .. } = *push;
        changed(azure, &Image { registry, repository, tag, digest });
    }
}

/// The dependencies of a task, taken over into a document that replaces it: they are read-only, and a
/// client does not send them.
pub(super) fn take_over(old: Option<&Resource>, full: &mut Value) {
    let known = old.map(|old| at(&old.body, PLACE).clone()).unwrap_or_default();
    let Some(step) = full.pointer_mut("/properties/step").and_then(Value::as_object_mut) else {
        return;
    };
    step.remove("baseImageDependencies");
    if !known.is_null() {
        step.insert("baseImageDependencies".to_owned(), known);
    }
}

fn changed(azure: &Azure, image: &Image<'_>) {
    if azure.config.builder.is_none() {
        return;
    }
    let due = azure.store.read(|world| due(world, image));
    if due.is_empty() {
        return;
    }
    // The digest is noted before the run: whoever pushes the same again starts nothing.
    let noted = azure.store.change(|world| {
        for id in &due {
            if let Some(task) = world.resource_mut(id) {
                note(task, image);
            }
        }
        Ok::<_, Refusal>(())
    });
    if noted.is_err() {
        tracing::warn!("what a task stands on could not be written");
        return;
    }
    let trigger = json!({
        "id": uuid::Uuid::new_v4().to_string(),
        "timestamp": clock::arm(azure.clock().now()),
        "images": [{
            "registry": image.registry, "repository": image.repository, "tag": image.tag,
            "digest": image.digest,
        }],
    });
    azure.later(move |azure| async move {
        for id in due {
            if schedule::update(&azure, &id, &trigger).is_err() {
                tracing::warn!(task = id, "a task could not be run when its base had changed");
            }
        }
    });
}

/// The tasks that are to be run, by id.
fn due(world: &World, image: &Image<'_>) -> Vec<String> {
    let kind = format!("{KIND}/tasks");
    let tasks = world.resources.values().filter(|resource| resource.text("/type") == kind);
    let stands_on = |task: &&Resource| {
        let is_watched = watched(task);
        let known = at(&task.body, PLACE).as_array().into_iter().flatten();
        known
            .filter(|known| is_watched(known))
            .any(|known| is_of(known, image) && text(known, "/digest") != image.digest)
    };
    tasks.filter(stands_on).map(|task| task.id().to_owned()).collect()
}

/// Which dependencies of a task start it.
fn watched(task: &Resource) -> impl Fn(&Value) -> bool {
    let is = |pointer: &str, word: &str| task.text(pointer).eq_ignore_ascii_case(word);
    let trigger = "/properties/trigger/baseImageTrigger";
    let is_off = is("/properties/status", "Disabled")
        || at(&task.body, trigger).is_null()
        || is(&format!("{trigger}/status"), "Disabled");
    let all = is(&format!("{trigger}/baseImageTriggerType"), "All");
    move |known| !is_off && (all || text(known, "/type") == "Runtime")
}

fn is_of(known: &Value, image: &Image<'_>) -> bool {
    text(known, "/registry").eq_ignore_ascii_case(image.registry)
        && text(known, "/repository") == image.repository
        && text(known, "/tag") == image.tag
}

fn note(task: &mut Resource, image: &Image<'_>) {
    let mut dependencies = at(&task.body, PLACE).clone();
    for known in dependencies.as_array_mut().into_iter().flatten() {
        if is_of(known, image) {
            set(known, "digest", image.digest);
        }
    }
    keep(task, &dependencies);
}

/// Writes them into both documents of a task: what everybody sees, and what has its secrets.
fn keep(task: &mut Resource, dependencies: &Value) {
    let full = task.hidden.0.get_mut("full");
    for document in [Some(&mut task.body), full].into_iter().flatten() {
        if let Some(step) = document.pointer_mut("/properties/step") {
            set(step, "baseImageDependencies", dependencies.clone());
        }
    }
}

/// The registry as Azure writes it.
fn shown(registry: &str) -> &str {
    match registry {
        "docker.io" => "registry.hub.docker.com",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(more: &Value) -> Resource {
        let mut body = json!({ "id": "/r/tasks/t", "type": format!("{KIND}/tasks"), "properties": {
            "status": "Enabled",
            "trigger": { "baseImageTrigger": { "status": "Enabled", "baseImageTriggerType": "Runtime" } },
            "step": { "type": "Docker", "baseImageDependencies": [
                { "type": "Runtime", "registry": "b.azurecr.io", "repository": "base", "tag": "1", "digest": "sha256:1" },
                { "type": "BuildTime", "registry": "b.azurecr.io", "repository": "sdk", "tag": "1", "digest": "sha256:1" },
            ] },
        } });
        for (pointer, value) in more.as_object().unwrap() {
            *body.pointer_mut(pointer).unwrap() = value.clone();
        }
        let mut task = Resource::new(body.clone());
        task.hidden.0.insert("full".to_owned(), body);
        task
    }

    fn image<'a>(repository: &'a str, tag: &'a str, digest: &'a str) -> Image<'a> {
        Image { registry: "B.azurecr.io", repository, tag, digest }
    }

    #[test]
    fn a_task_is_due_when_a_base_that_it_watches_is_another_one() {
        let all = "/properties/trigger/baseImageTrigger/baseImageTriggerType";
        let is_due = |more: Value, image: &Image<'_>| {
            let mut world = World::default();
            world.put(task(&more));
            !due(&world, image).is_empty()
        };
        let new = image("base", "1", "sha256:2");
        assert!(is_due(json!({}), &new));
        assert!(!is_due(json!({}), &image("base", "1", "sha256:1")), "the same");
        assert!(!is_due(json!({}), &image("base", "2", "sha256:2")), "another tag");
        assert!(!is_due(json!({}), &image("sdk", "1", "sha256:2")), "of another stage");
        assert!(is_due(json!({ all: "All" }), &image("sdk", "1", "sha256:2")));
        assert!(!is_due(json!({ "/properties/status": "Disabled" }), &new));
        assert!(!is_due(
            json!({ "/properties/trigger/baseImageTrigger/status": "Disabled" }),
            &new
        ));
        assert!(!is_due(json!({ "/properties/trigger": null }), &new));
        assert!(!is_due(json!({ PLACE: "odd" }), &new));
    }

    #[test]
    fn what_started_a_run_is_noted_in_both_documents() {
        let mut task = task(&json!({}));
        note(&mut task, &image("base", "1", "sha256:2"));
        let digests = |document: &Value| {
            let all = at(document, PLACE).as_array().unwrap().clone();
            all.iter().map(|known| text(known, "/digest").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(digests(&task.body), ["sha256:2", "sha256:1"]);
        assert_eq!(digests(&task.hidden.0["full"]), ["sha256:2", "sha256:1"]);
    }

    #[test]
    fn a_client_cannot_write_them_and_does_not_lose_them() {
        let old = task(&json!({}));
        let mut full = json!({ "properties": { "step": { "baseImageDependencies": ["mine"] } } });
        take_over(Some(&old), &mut full);
        assert_eq!(at(&full, PLACE), at(&old.body, PLACE));
        take_over(None, &mut full);
        assert_eq!(full, json!({ "properties": { "step": {} } }));
    }
}
