//! A token of a registry, and its credentials where they are kept.
//!
//! A token has two passwords. A new one is made in the place of the one that is not stored, so that
//! what is stored works until the new one has taken its place.

use std::time::Duration;

use arm::{Answer, Arm, Body, Failure, ResourceId, Wait};
use serde_json::{Value as Json, json};
use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::{Inputs, ScopeMapToken};
use crate::outputs::{Outputs, Stored};
use crate::place::{Place, Present, Value};
use crate::principal::with;
use crate::role::{REGISTRIES, REGISTRY};
use crate::wish::{Facts, When, read_time, time, validity};

/// The tag with the token's id.
const TOKEN: &str = "windlass-token";

/// The tag with the name of the token's password, and when it was made.
const PASSWORD: &str = "windlass-password";

/// The passwords that a token has.
const SLOTS: [&str; 2] = ["password1", "password2"];

/// Between two looks at a password that is being made, unless Azure says how long.
const PAUSE: Duration = Duration::from_secs(2);

/// How long that is waited for: it takes seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is wanted.
struct Wish<'a> {
    spec: &'a ScopeMapToken,
    registry: ResourceId,
    id: ResourceId,
    map: ResourceId,
    actions: Vec<String>,
    user: String,
    password: String,
    valid: u64,
    renew: u64,
    facts: Facts,
    rotate: bool,
}

/// Makes what is not there yet, and stores it; tells what was done, for a person.
///
/// # Errors
/// `invalid.inputs`, and those of Azure Resource Manager and the place.
pub fn ensure<H: Host>(
    spec: &ScopeMapToken,
    inputs: &Inputs,
    place: &Place<'_, H>,
    host: &H,
    dry_run: bool,
) -> Result<(Outputs, String)> {
    let wish = wish(spec, inputs, place)?;
    let arm = Arm::new(host, Some(&inputs.arm_endpoint))?;
    let mut done = Vec::new();
    if !wish.actions.is_empty() && !has_actions(arm.find(&wish.map, REGISTRIES)?.as_ref(), &wish) {
        done.push(format!("the scope map `{}`", wish.map.name()));
        if !dry_run {
            let body = Body::from(json!({ "properties": { "actions": wish.actions } }));
            arm.finish(arm.put(&wish.map, REGISTRIES, &body)?, &Wait::default())?;
        }
    }
    let mut token = arm.find(&wish.id, REGISTRIES)?;
    let is_new = token.is_none();
    if !token.as_ref().is_some_and(|token| has_map(token, &wish)) {
        done.push(format!("the token `{}`", spec.name));
        if !dry_run {
            let map = wish.map.to_string();
            let body =
                Body::from(json!({ "properties": { "scopeMapId": map, "status": "enabled" } }));
            token = Some(arm.finish(arm.put(&wish.id, REGISTRIES, &body)?, &Wait::default())?);
        }
    }
    let token = token.unwrap_or_default();
    let written = |name: &str| Stored { name: name.to_owned(), changed: true, ..Stored::default() };
    let is_unread = (is_new && !dry_run) || (wish.rotate && place.is_local());
    let user = if is_unread { None } else { place.describe(&wish.user)? };
    let user = match user {
        Some(present) if is_ours(&present, &wish, host) => present.stored(&wish.user),
        present => {
            done.push(format!("`{}`", wish.user));
            match dry_run {
                true => written(&wish.user),
                false => store_user(&wish, &arm, place, present.as_ref())?,
            }
        }
    };
    let present = if is_unread { None } else { place.read(&wish.password)? };
    let password = match &present {
        Some(present) if is_good(present, &token, &wish, host) => present.stored(&wish.password),
        present => {
            done.push(format!("a password in `{}`", wish.password));
            match dry_run {
                true => written(&wish.password),
                false => store_password(&wish, &arm, place, host, present.as_ref())?,
            }
        }
    };
    let summary = match (done.is_empty(), dry_run) {
        (true, _) => format!("the token `{}` is there, and its password is good", spec.name),
        (false, true) => format!("would make {}", done.join(", ")),
        (false, false) => format!("made {}", done.join(", ")),
    };
    let outputs = Outputs {
        changed: !done.is_empty(),
        token: Some(wish.id.to_string()),
        user_secret: Some(wish.user),
        password_secret: Some(wish.password),
        ..Outputs::default()
    };
    Ok((with(outputs, user, password), summary))
}

fn store_user<H: Host>(
    wish: &Wish<'_>,
    arm: &Arm<'_, H>,
    place: &Place<'_, H>,
    present: Option<&Present<H::Secret>>,
) -> Result<Stored> {
    let value = match place.is_local() {
        false => Value::Text(wish.spec.name.clone()),
        true => {
            let path = format!("{}?api-version={REGISTRIES}", wish.id);
            let (_, mut kept) = arm.ask("GET", path, None, &["/name"])?;
            Value::Secret(kept.pop().ok_or_else(|| odd("a token without a name"))?)
        }
    };
    place.write(&wish.user, value, &marked(wish, None), present)
}

fn store_password<H: Host>(
    wish: &Wish<'_>,
    arm: &Arm<'_, H>,
    place: &Place<'_, H>,
    host: &H,
    present: Option<&Present<H::Secret>>,
) -> Result<Stored> {
    let stored = present.and_then(|present| present.tag(PASSWORD)).unwrap_or_default();
    let slot = SLOTS.into_iter().find(|slot| !stored.starts_with(slot)).unwrap_or("password1");
    let end = host.clock().saturating_add(wish.valid);
    let (made, secret) = generate(wish, arm, host, slot, &time(end))?;
    let mark = format!("{slot} {made}");
    let mut facts = marked(wish, Some(mark));
    facts.expires = Some(When::At(end));
    place.write(&wish.password, Value::Secret(secret), &facts, present)
}

/// Makes the password `slot`; its value stays in the host. Beside it stands when it was made.
fn generate<H: Host>(
    wish: &Wish<'_>,
    arm: &Arm<'_, H>,
    host: &H,
    slot: &str,
    end: &str,
) -> Result<(String, H::Secret)> {
    let body = Body::from(json!({ "tokenId": wish.id.to_string(), "expiry": end, "name": slot }));
    let path = format!("{}/generateCredentials?api-version={REGISTRIES}", wish.registry);
    let begun = host.now();
    let (mut answer, mut kept) = keeping(arm, "POST", &path, Some(&body))?;
    let header = |answer: &Answer, name: &str| answer.header(name).map(str::to_owned);
    let status = header(&answer, "azure-asyncoperation");
    let mut last = header(&answer, "location");
    let mut is_done = status.is_none();
    while kept.is_empty() {
        if host.now().saturating_sub(begun) >= PATIENCE {
            return Err(Error::new("timeout.azure", "Azure has not made the password in time")
                .hint("run it again"));
        }
        let asked = answer.header("retry-after").and_then(|text| text.parse().ok());
        host.sleep(
            asked.map_or(PAUSE, Duration::from_secs).clamp(Duration::from_millis(200), PAUSE * 15),
        );
        if let (false, Some(url)) = (is_done, &status) {
            // It says how it stands, and no more.
            answer = arm.ask("GET", url, None, &[])?.0;
            let word = answer.value.get("status").and_then(Json::as_str).unwrap_or_default();
            match word.to_ascii_lowercase().as_str() {
                "succeeded" => is_done = true,
                "failed" | "canceled" => {
                    return Err(Error::new(
                        "azure.operation-failed",
                        format!("the password was not made: {word}"),
                    )
                    .hint("run it again"));
                }
                _ => {}
            }
            continue;
        }
        let url = last.clone().ok_or_else(|| odd("no place where the password will be"))?;
        (answer, kept) = keeping(arm, "GET", &url, None)?;
        last = header(&answer, "location").or(last);
    }
    let passwords = answer.value.get("passwords").and_then(Json::as_array);
    let at = passwords.and_then(|all| {
        all.iter().position(|one| one.get("name").and_then(Json::as_str) == Some(slot))
    });
    let at = at.ok_or_else(|| odd("another password than was asked for"))?;
    let made = answer.value.pointer(&format!("/passwords/{at}/creationTime"));
    let made = made.and_then(Json::as_str).and_then(read_time).map_or_else(String::new, time);
    let mut kept = kept.into_iter();
    let secret = kept.nth(at).filter(|secret| !host.is_empty(secret));
    Ok((made, secret.ok_or_else(|| odd("an empty password"))?))
}

/// Asks for passwords, of which there are two or one. The host gives no answer of which it could not
/// keep what it was told to, so two are asked for first: none is ever seen here.
fn keeping<H: Host>(
    arm: &Arm<'_, H>,
    method: &'static str,
    path: &str,
    body: Option<&Body<H::Secret>>,
) -> Result<(Answer, Vec<H::Secret>)> {
    let both = ["/passwords/0/value", "/passwords/1/value"];
    match arm.ask(method, path, body, &both) {
        Err(Failure::Host(error)) if error.code() == "failed.http" => {
            Ok(arm.ask(method, path, body, &["/passwords/0/value"])?)
        }
        other => Ok(other?),
    }
}

fn wish<'a, H: Host>(
    spec: &'a ScopeMapToken,
    inputs: &Inputs,
    place: &Place<'_, H>,
) -> Result<Wish<'a>> {
    let registry: ResourceId = spec.registry.parse()?;
    if !registry.is_a(REGISTRY) {
        return Err(Error::invalid(format!("`{registry}` is no registry"))
            .hint("say its resource id: `az acr show --name REGISTRY --query id`"));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(5..=50).contains(&spec.name.len()) || !spec.name.chars().all(is_plain) {
        return Err(Error::invalid(format!("no token can be called `{}`", spec.name))
            .hint("a token's name has 5 to 50 letters, digits, `-` and `_`"));
    }
    let (map, actions) = match (&spec.scope_map, spec.repositories.as_slice()) {
        (Some(map), []) => (map.clone(), Vec::new()),
        (None, repositories @ [_, ..]) => {
            let of = |repository: &String| {
                let repository = repository.clone();
                spec.actions.iter().map(move |action| format!("repositories/{repository}/{action}"))
            };
            (format!("{}-map", spec.name), repositories.iter().flat_map(of).collect::<Vec<_>>())
        }
        _ => {
            return Err(Error::invalid("a token is for `repositories`, or has a `scope-map`")
                .hint("say one of them"));
        }
    };
    if spec.scope_map.is_none() && actions.is_empty() {
        return Err(Error::invalid("`actions` allows nothing")
            .hint("leave it out for `[\"content/read\", \"metadata/read\"]`"));
    }
    let usual = |given: &Option<String>, suffix: &str, key: &str| match given {
        Some(given) => Ok(given.clone()),
        None if place.is_local() => {
            Err(Error::invalid(format!("`{key}` of `scope-map-token` is not said"))
                .hint("the local store has no usual one"))
        }
        None => Ok(format!("{}-{suffix}", spec.name.replace('_', "-"))),
    };
    let user = usual(&spec.user_secret, "usr", "user-secret")?;
    let password = usual(&spec.password_secret, "pwd", "password-secret")?;
    place.checked(&user)?;
    place.checked(&password)?;
    if user.eq_ignore_ascii_case(&password) {
        return Err(Error::invalid("`user-secret` and `password-secret` are the same")
            .hint("say two names"));
    }
    let (valid, renew) = validity(&spec.valid, spec.renew_before.as_deref())?;
    let id = registry.child("tokens", &spec.name)?;
    let map = registry.child("scopeMaps", &map)?;
    let (facts, rotate) = (Facts::of(inputs)?, inputs.rotate);
    Ok(Wish { spec, registry, id, map, actions, user, password, valid, renew, facts, rotate })
}

fn marked(wish: &Wish<'_>, password: Option<String>) -> Facts {
    let mut facts = wish.facts.clone();
    // A tag has 256 characters, less than an id may have.
    facts.tags.insert(TOKEN.to_owned(), format!("{}/{}", wish.registry.name(), wish.spec.name));
    facts.tags.extend(password.map(|password| (PASSWORD.to_owned(), password)));
    facts
}

fn has_actions(map: Option<&Json>, wish: &Wish<'_>) -> bool {
    let Some(map) = map else { return false };
    let found = map.pointer("/properties/actions").and_then(Json::as_array).into_iter().flatten();
    let mut found: Vec<&str> = found.filter_map(Json::as_str).collect();
    let mut wanted: Vec<&str> = wish.actions.iter().map(String::as_str).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    found == wanted
}

fn has_map(token: &Json, wish: &Wish<'_>) -> bool {
    let text = |key: &str| token.pointer(key).and_then(Json::as_str).unwrap_or_default();
    text("/properties/scopeMapId").eq_ignore_ascii_case(&wish.map.to_string())
        && !text("/properties/status").eq_ignore_ascii_case("disabled")
}

fn is_ours<H: Host>(present: &Present<H::Secret>, wish: &Wish<'_>, host: &H) -> bool {
    let name = format!("{}/{}", wish.registry.name(), wish.spec.name);
    present.closed.is_none()
        && !present.value.as_ref().is_some_and(|value| host.is_empty(value))
        && present.tag(TOKEN) == Some(name.as_str())
}

/// Whether the token still has the password that is stored, for long enough.
fn is_good<H: Host>(present: &Present<H::Secret>, token: &Json, wish: &Wish<'_>, host: &H) -> bool {
    if wish.rotate || present.value.is_none() || !is_ours(present, wish, host) {
        return false;
    }
    let passwords = token.pointer("/properties/credentials/passwords").and_then(Json::as_array);
    passwords.into_iter().flatten().any(|password| {
        let text = |key: &str| password.get(key).and_then(Json::as_str).unwrap_or_default();
        let made = read_time(text("creationTime")).map_or_else(String::new, time);
        let is_it = present.tag(PASSWORD) == Some(format!("{} {made}", text("name")).as_str());
        let end = read_time(text("expiry")).unwrap_or(u64::MAX);
        is_it && end > host.clock().saturating_add(wish.renew)
    })
}

fn odd(what: &str) -> Error {
    Error::new("azure.odd-answer", format!("Azure gave {what}"))
        .hint("check `arm-endpoint`; a proxy or another server may have answered")
}
