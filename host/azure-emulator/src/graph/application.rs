//! Applications, their passwords, certificates and federations.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::RngCore as _;
use serde_json::{Value, json};

use super::directory::{Application, Certificate, Federation, Password, guid};
use super::{Filter, collection, context, not_found, refuse};
use crate::answer::{Answer, Answered, Refusal};
use crate::azure::Azure;
use crate::call::Call;
use crate::json::{at, set};

/// What Graph takes if nobody says when a secret ends: two years; az says one.
pub(super) const YEAR: i64 = 365 * 24 * 3600;

/// Passwords, certificates or federations of one application.
const MOST: usize = 20;

/// Bytes of a secret: its 40 characters are as many as Azure's.
const SECRET_BYTES: usize = 30;

pub(super) fn list(azure: &Azure, call: &Call) -> Answered {
    let filter = Filter::of(azure, call)?;
    let found = azure.store.read(|world| {
        let all = world.applications.iter().map(Application::document);
        all.filter(|document| filter.fits(document)).collect()
    });
    Ok(collection(call, "applications", found))
}

pub(super) fn create(azure: &Azure, call: &Call) -> Answered {
    let document = call.object()?;
    let name = document.get("displayName").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        let text = "Invalid value specified for property 'displayName' of resource 'Application'.";
        return Err(refuse(azure, 400, "Request_BadRequest", text));
    }
    let now = azure.clock().seconds();
    let mut application = Application {
        id: guid(),
        app_id: guid(),
        name: name.to_owned(),
        created: now,
        ..Application::default()
    };
    apply(azure, &mut application, &document, now)?;
    let mut shown = application.document();
    set(&mut shown, "@odata.context", json!(context(call, "applications/$entity")));
    azure.store.change(|world| {
        world.applications.push(application);
        Ok(())
    })?;
    Ok(Answer::json(201, shown))
}

/// What a document says about an application that may be said.
fn apply(azure: &Azure, app: &mut Application, document: &Value, now: i64) -> Result<(), Refusal> {
    if let Some(name) = document.get("displayName").and_then(Value::as_str) {
        name.clone_into(&mut app.name);
    }
    if let Some(uris) = document.get("identifierUris").and_then(Value::as_array) {
        app.uris = uris.iter().filter_map(|uri| uri.as_str().map(str::to_owned)).collect();
    }
    if let Some(keys) = document.get("keyCredentials").and_then(Value::as_array) {
        let keys: Option<Vec<_>> = keys.iter().map(|key| Certificate::parse(key, now)).collect();
        app.keys = keys.filter(|keys| keys.len() <= MOST).ok_or_else(|| {
            refuse(
                azure,
                400,
                "Request_BadRequest",
                "Key credential is invalid: 'key' must be the base64 of a certificate.",
            )
        })?;
    }
    if let Some(passwords) = document.get("passwordCredentials").and_then(Value::as_array) {
        // A list can only be shortened: passwords are made by `addPassword`.
        let kept = |password: &Password| {
            passwords.iter().any(|kept| at(kept, "/keyId").as_str() == Some(&password.key_id))
        };
        app.passwords.retain(kept);
    }
    Ok(())
}

/// Runs `change` on an application, by its object id.
fn with<T>(
    azure: &Azure,
    id: &str,
    change: impl FnOnce(&mut Application) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    azure.store.change(|world| {
        let found = world.applications.iter_mut().find(|app| app.id.eq_ignore_ascii_case(id));
        change(found.ok_or_else(|| not_found(azure, id))?)
    })
}

pub(super) fn show(azure: &Azure, call: &Call, id: &str) -> Answered {
    let found = azure.store.read(|world| {
        let found = world.applications.iter().find(|app| app.id.eq_ignore_ascii_case(id));
        found.map(Application::document)
    });
    let mut shown = found.ok_or_else(|| not_found(azure, id))?;
    set(&mut shown, "@odata.context", json!(context(call, "applications/$entity")));
    Ok(Answer::ok(shown))
}

pub(super) fn update(azure: &Azure, call: &Call, id: &str) -> Answered {
    let document = call.object()?;
    let now = azure.clock().seconds();
    with(azure, id, |app| apply(azure, app, &document, now))?;
    Ok(Answer::empty(204))
}

/// An application takes its principal along.
pub(super) fn delete(azure: &Azure, id: &str) -> Answered {
    azure.store.change(|world| {
        let at = world.applications.iter().position(|app| app.id.eq_ignore_ascii_case(id));
        let gone = world.applications.remove(at.ok_or_else(|| not_found(azure, id))?);
        world.principals.retain(|principal| principal.app_id != gone.app_id);
        Ok(Answer::empty(204))
    })
}

pub(super) fn add_password(azure: &Azure, call: &Call, id: &str) -> Answered {
    let document = call.object()?;
    let asked = document.get("passwordCredential").cloned().unwrap_or_default();
    let now = azure.clock().seconds();
    let seconds = |name: &str| match asked.get(name).and_then(Value::as_str) {
        None => Ok(None),
        Some(text) => text.parse::<jiff::Timestamp>().map(|t| Some(t.as_second())).map_err(|_| {
            let text = format!(
                "Invalid value specified for property '{name}' of resource 'PasswordCredential'."
            );
            refuse(azure, 400, "Request_BadRequest", &text)
        }),
    };
    let start = seconds("startDateTime")?.unwrap_or(now);
    let end = seconds("endDateTime")?.unwrap_or(now + 2 * YEAR);
    if end <= start {
        let text = "Credential lifetime is invalid: it ends before it starts.";
        return Err(refuse(azure, 400, "Request_BadRequest", text));
    }
    let mut bytes = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let secret = BASE64_URL_SAFE_NO_PAD.encode(bytes).replace('-', "~");
    let name = asked.get("displayName").and_then(Value::as_str).map(str::to_owned);
    let password = Password::new(guid(), name, &secret, (start, end));
    let mut shown = password.document();
    set(&mut shown, "secretText", json!(secret));
    let context = context(call, "microsoft.graph.passwordCredential");
    set(&mut shown, "@odata.context", json!(context));
    with(azure, id, |app| {
        if app.passwords.len() >= MOST {
            let text =
                "The directory object quota limit for passwordCredentials has been exceeded.";
            return Err(refuse(azure, 400, "Request_BadRequest", text));
        }
        app.passwords.push(password);
        Ok(())
    })?;
    Ok(Answer::ok(shown))
}

pub(super) fn remove_password(azure: &Azure, call: &Call, id: &str) -> Answered {
    let document = call.object()?;
    let key = document.get("keyId").and_then(Value::as_str).unwrap_or_default();
    with(azure, id, |app| {
        let before = app.passwords.len();
        app.passwords.retain(|password| !password.key_id.eq_ignore_ascii_case(key));
        match app.passwords.len() < before {
            true => Ok(Answer::empty(204)),
            false => {
                let text = format!("No password credential found with keyId '{key}'.");
                Err(refuse(azure, 400, "Request_BadRequest", &text))
            }
        }
    })
}

pub(super) fn federations(azure: &Azure, id: &str) -> Answered {
    let found = azure.store.read(|world| {
        let found = world.applications.iter().find(|app| app.id.eq_ignore_ascii_case(id));
        found.map(|app| app.federated.iter().map(Federation::document).collect())
    });
    found.map(Answer::list).ok_or_else(|| not_found(azure, id))
}

pub(super) fn add_federation(azure: &Azure, call: &Call, id: &str) -> Answered {
    let mut federation: Federation = serde_json::from_slice(&call.body).map_err(|error| {
        refuse(
            azure,
            400,
            "Request_BadRequest",
            &format!("Invalid federated identity credential: {error}"),
        )
    })?;
    federation.id = guid();
    let shown = federation.document();
    with(azure, id, |app| {
        let same = |known: &Federation| {
            known.name == federation.name
                || (known.issuer == federation.issuer && known.subject == federation.subject)
        };
        if app.federated.iter().any(same) {
            let text = "FederatedIdentityCredential with the same name, or issuer and subject, already exists.";
            return Err(refuse(azure, 409, "Request_MultipleObjectsWithSameKeyValue", text));
        }
        if app.federated.len() >= MOST {
            let text = "Federated identity credential maximum number reached: 20.";
            return Err(refuse(azure, 400, "Request_BadRequest", text));
        }
        app.federated.push(federation);
        Ok(())
    })?;
    Ok(Answer::json(201, shown))
}
