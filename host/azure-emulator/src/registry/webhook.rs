//! Webhooks: who is told of pushes, and what came of telling them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use super::control::{Registry, succeeded};
use super::{KIND, event};
use crate::answer::{Answer, Answered, Refusal};
use crate::arm::{Admitted, not_found};
use crate::azure::Azure;
use crate::json::{at, object, set, text};
use crate::world::Resource;

/// Events that are remembered of one webhook.
const MOST_EVENTS: usize = 100;

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a webhook may be told of.
const ACTIONS: [&str; 5] = ["push", "delete", "quarantine", "chart_push", "chart_delete"];

/// What was sent, by the webhooks' ids.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(Mutex<BTreeMap<String, VecDeque<Value>>>);

pub(super) async fn answer(
    admitted: &Admitted<'_>,
    registry: &Registry,
    rest: &[&str],
) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let method = call.method.as_str();
    if let ("GET", []) = (method, rest) {
        let list = |world: &_| {
            admitted.list(world, crate::world::World::children(world, &registry.id, "webhooks"))
        };
        return Ok(Answer::list(azure.store.read(list)));
    }
    let name = call.segment(9);
    let id = format!("{}/webhooks/{name}", registry.id);
    if let ("PUT", [_]) = (method, rest) {
        return put(admitted, registry, &id, name);
    }
    let found = azure.store.read(|world| world.resource(&id).cloned());
    let missing = || not_found(&format!("{KIND}/webhooks"), name, call.segment(3));
    let hook = found.ok_or_else(missing)?;
    match (method, rest) {
        ("GET", [_]) => Ok(Answer::ok(hook.body)),
        ("PATCH", [_]) => patch(admitted, &id),
        ("DELETE", [_]) => azure.store.change(|world| {
            world.remove(&id);
            Ok(Answer::empty(200))
        }),
        ("POST", [_, "getcallbackconfig"]) => Ok(Answer::ok(Value::Object(hook.hidden.0))),
        ("POST", [_, "ping"]) => {
            let target =
                json!({ "size": 0, "digest": "", "length": 0, "repository": "", "tag": "" });
            let event = event::document(azure, "ping", target, registry.login_server(), "");
            let id = at(&event, "/id").clone();
            deliver(azure, hook, event).await;
            Ok(Answer::ok(json!({ "id": id })))
        }
        ("POST", [_, "listevents"]) => {
            let sent = azure.deliveries.0.lock().unwrap_or_else(PoisonError::into_inner);
            let events = sent.get(&crate::world::key(&id)).map(|all| all.iter().cloned().collect());
            Ok(Answer::list(events.unwrap_or_default()))
        }
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

fn check(properties: &Map<String, Value>) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::bad("InvalidRequestContent", message));
    let uri = properties.get("serviceUri").and_then(Value::as_str).unwrap_or_default();
    if !Url::parse(uri).is_ok_and(|url| ["http", "https"].contains(&url.scheme())) {
        return invalid("The service URI for the webhook is not a valid HTTP or HTTPS URI.");
    }
    let actions = properties.get("actions").and_then(Value::as_array);
    let known = |action: &Value| action.as_str().is_some_and(|action| ACTIONS.contains(&action));
    if !actions.is_some_and(|actions| !actions.is_empty() && actions.iter().all(known)) {
        return invalid(
            "The actions of a webhook are push, delete, quarantine, chart_push, chart_delete.",
        );
    }
    let headers = properties.get("customHeaders");
    if headers.is_some_and(|headers| !headers.is_object() && !headers.is_null()) {
        return invalid("The custom headers have to be an object.");
    }
    let status = properties.get("status").and_then(Value::as_str).unwrap_or("enabled");
    if !["enabled", "disabled"].contains(&status) {
        return invalid("The status of a webhook is enabled or disabled.");
    }
    Ok(())
}

/// The resource of checked properties: where it calls, and how, is hidden.
fn resource(mut body: Value, mut properties: Map<String, Value>) -> Resource {
    let uri = properties.remove("serviceUri").unwrap_or_default();
    let headers = properties.remove("customHeaders").filter(Value::is_object);
    set(&mut body, "properties", properties);
    succeeded(&mut body);
    let mut resource = Resource::new(body);
    resource.hidden.0.insert("serviceUri".to_owned(), uri);
    resource.hidden.0.insert("customHeaders".to_owned(), headers.unwrap_or_else(|| json!({})));
    resource
}

fn put(admitted: &Admitted<'_>, registry: &Registry, id: &str, name: &str) -> Answered {
    if !(5..=50).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let message = format!("The webhook name '{name}' is invalid: 5 to 50 letters and digits.");
        return Err(Refusal::bad("InvalidResourceName", message));
    }
    let document = admitted.call.object()?;
    let mut properties = at(&document, "/properties").as_object().cloned().unwrap_or_default();
    check(&properties)?;
    for (name, usual) in [("status", "enabled"), ("scope", "")] {
        if properties.get(name).is_none_or(Value::is_null) {
            properties.insert(name.to_owned(), json!(usual));
        }
    }
    let mut body = json!({
        "type": format!("{KIND}/webhooks"), "id": id, "name": name,
        "location": document.get("location").cloned().unwrap_or_else(|| json!(registry.location())),
    });
    if let Some(tags) = document.get("tags") {
        set(&mut body, "tags", tags.clone());
    }
    admitted.azure.store.change(|world| {
        let status = if world.resource(id).is_some() { 200 } else { 201 };
        let made = resource(body, properties);
        let body = made.body.clone();
        world.put(made);
        Ok(Answer::json(status, body))
    })
}

fn patch(admitted: &Admitted<'_>, id: &str) -> Answered {
    let document = admitted.call.object()?;
    admitted.azure.store.change(|world| {
        let hook = world.resource_mut(id).ok_or_else(Refusal::internal)?;
        let mut body = hook.body.clone();
        if let Some(tags) = document.get("tags") {
            set(&mut body, "tags", tags.clone());
        }
        let mut properties = object(&mut body, "properties").clone();
        properties.extend(hook.hidden.0.clone());
        properties.extend(at(&document, "/properties").as_object().cloned().unwrap_or_default());
        check(&properties)?;
        *hook = resource(body, properties);
        Ok(Answer::ok(hook.body.clone()))
    })
}

/// Tells the webhooks of a registry whose scope has this image.
pub(super) fn tell(
    azure: &Azure,
    registry: &str,
    repository: &str,
    tag: Option<&str>,
    event: &Value,
) {
    let action = text(event, "/action");
    let hooks: Vec<Resource> = azure.store.read(|world| {
        let Some(registry) = world.registry_named(registry) else { return Vec::new() };
        let wanted = |hook: &&Resource| {
            let actions = at(&hook.body, "/properties/actions").as_array();
            hook.text("/properties/status") != "disabled"
                && actions.into_iter().flatten().any(|known| known.as_str() == Some(action))
                && is_in_scope(hook.text("/properties/scope"), repository, tag)
        };
        world.children(registry.id(), "webhooks").filter(wanted).cloned().collect()
    });
    for hook in hooks {
        let event = event.clone();
        azure.later(move |azure| async move { deliver(&azure, hook, event).await });
    }
}

/// `repository:tag`, `repository:*`, `repository` (which is `repository:latest`), or nothing for all.
fn is_in_scope(scope: &str, repository: &str, tag: Option<&str>) -> bool {
    match scope.split_once(':') {
        None if scope.is_empty() => true,
        None => scope == repository && tag.is_none_or(|tag| tag == "latest"),
        Some((name, wanted)) => {
            name == repository && (wanted == "*" || tag.is_none_or(|tag| tag == wanted))
        }
    }
}

/// Sends an event and remembers what came back. Only loopback is called: nobody else shall hear from
/// an emulator.
async fn deliver(azure: &Azure, hook: Resource, event: Value) {
    let uri = hook.hidden.0.get("serviceUri").and_then(Value::as_str).unwrap_or_default();
    let headers = hook.hidden.0.get("customHeaders").and_then(Value::as_object);
    let (status, reason) = send(azure, uri, headers, &event).await;
    let kept = json!({
        "id": at(&event, "/id"),
        "eventRequestMessage": {
            "content": event, "method": "POST", "requestUri": uri, "version": "1.1",
            "headers": { "Content-Type": "application/json; charset=utf-8" },
        },
        "eventResponseMessage": {
            "content": "", "headers": {}, "reasonPhrase": reason, "statusCode": status, "version": "1.1",
        },
    });
    let mut sent = azure.deliveries.0.lock().unwrap_or_else(PoisonError::into_inner);
    let events = sent.entry(crate::world::key(hook.id())).or_default();
    events.push_front(kept);
    events.truncate(MOST_EVENTS);
}

async fn send(
    azure: &Azure,
    uri: &str,
    headers: Option<&Map<String, Value>>,
    event: &Value,
) -> (String, String) {
    let failed = |why: &str| ("0".to_owned(), why.to_owned());
    let Ok(url) = Url::parse(uri) else { return failed("The URI is not valid.") };
    if !matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
        return failed("The emulator calls webhooks on loopback only.");
    }
    let mut request = azure.http.post(url).timeout(PATIENCE).body(event.to_string());
    request = request.header("content-type", "application/json; charset=utf-8");
    for (name, value) in headers.into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    match request.send().await {
        Ok(response) => {
            let status = response.status();
            let reason = status.canonical_reason().unwrap_or_default().to_owned();
            (status.as_u16().to_string(), reason)
        }
        Err(_) => failed("The receiver could not be reached."),
    }
}

#[cfg(test)]
mod tests {
    use super::is_in_scope;

    #[test]
    fn scopes_are_repositories_with_tags() {
        assert!(is_in_scope("", "any/thing", Some("x")));
        assert!(is_in_scope("a:*", "a", Some("x")) && is_in_scope("a:x", "a", Some("x")));
        assert!(is_in_scope("a", "a", Some("latest")) && !is_in_scope("a", "a", Some("x")));
        assert!(!is_in_scope("a:*", "ab", Some("x")) && !is_in_scope("a:y", "a", Some("x")));
        assert!(is_in_scope("a:x", "a", None));
    }
}
