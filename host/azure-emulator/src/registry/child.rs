//! What a registry has besides images: rules of its cache, credentials for them, tokens and what
//! those may do.

use serde_json::{Value, json};

use super::KIND;
use super::control::{Registry, succeeded};
use super::credential::password;
use crate::answer::{Answer, Answered, Refusal};
use crate::arm::{Admitted, not_found};
use crate::clock;
use crate::json::{at, set, text};
use crate::world::Resource;

/// The kinds, as they are written.
const KINDS: [&str; 4] = ["cacheRules", "credentialSets", "scopeMaps", "tokens"];

/// Scope maps that every registry has, and what they allow in all repositories.
pub(crate) const SYSTEM_MAPS: [(&str, &[&str]); 4] = [
    ("_repositories_pull", &["content/read"]),
    ("_repositories_pull_metadata_read", &["content/read", "metadata/read"]),
    ("_repositories_push", &["content/read", "content/write"]),
    (
        "_repositories_admin",
        &["content/read", "content/write", "content/delete", "metadata/read", "metadata/write"],
    ),
];

pub(super) fn answer(
    admitted: &Admitted<'_>,
    registry: &Registry,
    kind: &str,
    rest: &[&str],
) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let method = call.method.as_str();
    if let ("POST", "generatecredentials", []) = (method, kind, rest) {
        return generate(admitted, registry);
    }
    let unknown = || Refusal::unknown(method, &call.path);
    let kind = *KINDS.iter().find(|known| known.eq_ignore_ascii_case(kind)).ok_or_else(unknown)?;
    let [_] = rest else {
        return match (method, rest) {
            ("GET", []) => Ok(Answer::list(azure.store.read(|world| {
                let children = world.children(&registry.id, kind);
                admitted.list(world, children)
            }))),
            _ => Err(unknown()),
        };
    };
    let name = call.segment(9);
    let id = format!("{}/{kind}/{name}", registry.id);
    let missing = || not_found(&format!("{KIND}/{kind}"), name, call.segment(3));
    match method {
        "GET" => {
            let found = azure.store.read(|world| world.resource(&id).map(|r| r.body.clone()));
            found.map(Answer::ok).ok_or_else(missing)
        }
        "PUT" => put(admitted, registry, kind, &id, name),
        "PATCH" => {
            let document = call.object()?;
            azure.store.change(|world| {
                let resource = world.resource_mut(&id).ok_or_else(missing)?;
                let mut body = resource.body.clone();
                let given = at(&document, "/properties").as_object().cloned().unwrap_or_default();
                crate::json::object(&mut body, "properties").extend(given);
                check(kind, &body)?;
                succeeded(&mut body);
                resource.body = body.clone();
                Ok(Answer::ok(body))
            })
        }
        "DELETE" => {
            azure.store.change(|world| Ok(Answer::empty(if world.remove(&id) { 200 } else { 204 })))
        }
        _ => Err(unknown()),
    }
}

fn check(kind: &str, body: &Value) -> Result<(), Refusal> {
    let required: &[&str] = match kind {
        "cacheRules" => &["sourceRepository", "targetRepository"],
        "credentialSets" => &["loginServer"],
        "tokens" => &["scopeMapId"],
        _ => &[],
    };
    let properties = at(body, "/properties");
    if let Some(name) =
        required.iter().find(|name| text(properties, &format!("/{name}")).is_empty())
    {
        let message = format!("The property 'properties.{name}' is required.");
        return Err(Refusal::bad("InvalidRequestContent", message));
    }
    if kind == "scopeMaps" {
        let actions = at(properties, "/actions").as_array();
        let fine = |action: &Value| {
            let rights = [
                "content/read",
                "content/write",
                "content/delete",
                "metadata/read",
                "metadata/write",
            ];
            action.as_str().and_then(|action| action.strip_prefix("repositories/")).is_some_and(
                |rest| {
                    rights.iter().any(|right| {
                        rest.strip_suffix(right)
                            .is_some_and(|name| name.len() > 1 && name.ends_with('/'))
                    })
                },
            )
        };
        if !actions.is_some_and(|actions| !actions.is_empty() && actions.iter().all(fine)) {
            let message =
                "The actions of a scope map are 'repositories/NAME/content/read' and the like.";
            return Err(Refusal::bad("InvalidScopeMapActions", message));
        }
    }
    Ok(())
}

fn put(admitted: &Admitted<'_>, registry: &Registry, kind: &str, id: &str, name: &str) -> Answered {
    let mut body = admitted.call.object()?;
    if !(5..=50).contains(&name.len())
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        let message =
            format!("The name '{name}' is invalid: 5 to 50 letters, digits, '-' and '_'.");
        return Err(Refusal::bad("InvalidResourceName", message));
    }
    check(kind, &body)?;
    if kind == "tokens" {
        let map = text(&body, "/properties/scopeMapId").to_owned();
        let known = admitted.azure.store.read(|world| actions(world, &registry.id, &map).is_some());
        if !known {
            let message = format!("The scope map '{map}' was not found.");
            return Err(Refusal::bad("ScopeMapNotFound", message));
        }
        if at(&body, "/properties/status").is_null() {
            crate::json::object(&mut body, "properties")
                .insert("status".to_owned(), json!("enabled"));
        }
    }
    succeeded(&mut body);
    let kind = format!("{KIND}/{kind}");
    let location = body.get("location").cloned().unwrap_or_default();
    for (member, value) in
        [("type", json!(kind)), ("id", json!(id)), ("name", json!(name)), ("location", location)]
    {
        set(&mut body, member, value);
    }
    admitted.azure.store.change(|world| {
        let old = world.resource(id).cloned();
        let mut next = Resource::new(body.clone());
        let status = if old.is_some() { 200 } else { 201 };
        next.hidden = old.map(|old| old.hidden).unwrap_or_default();
        world.put(next);
        Ok(Answer::json(status, body))
    })
}

/// What a scope map allows: `repositories/NAME/RIGHT`, `*` for all repositories.
pub(crate) fn actions(
    world: &crate::world::World,
    registry: &str,
    map: &str,
) -> Option<Vec<String>> {
    let name = map.rsplit('/').next().unwrap_or_default();
    let system = SYSTEM_MAPS.iter().find(|(known, _)| *known == name);
    if let Some((_, rights)) = system {
        return Some(rights.iter().map(|right| format!("repositories/*/{right}")).collect());
    }
    let found = world.resource(&format!("{registry}/scopeMaps/{name}"))?;
    let actions = at(&found.body, "/properties/actions").as_array()?;
    Some(actions.iter().filter_map(|action| action.as_str().map(str::to_owned)).collect())
}

/// Passwords of a token. They are shown once.
fn generate(admitted: &Admitted<'_>, registry: &Registry) -> Answered {
    let document = admitted.call.object()?;
    let wanted = text(&document, "/name");
    let names = match wanted {
        "" => vec!["password1", "password2"],
        "password1" | "password2" => vec![wanted],
        _ => {
            return Err(Refusal::bad(
                "InvalidPasswordName",
                "The name must be 'password1' or 'password2'.",
            ));
        }
    };
    let id = text(&document, "/tokenId").to_owned();
    let expiry = at(&document, "/expiry").clone();
    if expiry.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_err()) {
        return Err(Refusal::bad("InvalidRequestContent", "'expiry' is not a time."));
    }
    let now = clock::zulu(admitted.azure.clock().now());
    admitted.azure.store.change(|world| {
        let token = world.resource_mut(&id).filter(|token| {
            token.id().to_ascii_lowercase().starts_with(&crate::world::key(&registry.id))
        });
        let token = token.ok_or_else(|| {
            Refusal::new(404, "TokenNotFound", format!("The token '{id}' was not found."))
        })?;
        let mut shown = Vec::new();
        for name in names {
            let value = password();
            shown.push(
                json!({ "creationTime": now, "expiry": expiry, "name": name, "value": value }),
            );
            let kept = json!({ "value": value, "expiry": expiry });
            token.hidden.0.insert(name.to_owned(), kept);
        }
        Ok(Answer::ok(json!({ "username": token.name(), "passwords": shown })))
    })
}
