//! Service principals.

use serde_json::{Value, json};

use super::directory::{Principal, guid};
use super::{Filter, collection, context, not_found, refuse};
use crate::answer::{Answer, Answered};
use crate::azure::Azure;
use crate::call::Call;
use crate::faults::Fault;
use crate::json::set;

pub(super) fn list(azure: &Azure, call: &Call) -> Answered {
    let filter = Filter::of(azure, call)?;
    let found = azure.store.read(|world| {
        let all = world.principals.iter().map(Principal::document);
        all.filter(|document| filter.fits(document)).collect()
    });
    Ok(collection(call, "servicePrincipals", found))
}

pub(super) fn create(azure: &Azure, call: &Call) -> Answered {
    let document = call.object()?;
    let app_id = document.get("appId").and_then(Value::as_str).unwrap_or_default();
    // The same words whether the application is missing or not known everywhere yet.
    let missing = || {
        let text = "When using this permission, the backing application of the service principal being created must in the local tenant";
        refuse(azure, 400, "Request_BadRequest", text)
    };
    let name = azure.store.read(|world| world.application(app_id).map(|app| app.name.clone()));
    let name = name.ok_or_else(missing)?;
    if azure.faults.strikes(&name, &Fault::SlowApplication) {
        return Err(missing());
    }
    let principal = Principal {
        id: guid(),
        app_id: app_id.to_ascii_lowercase(),
        name,
        enabled: document.get("accountEnabled").and_then(Value::as_bool).unwrap_or(true),
        resource: None,
    };
    let mut shown = principal.document();
    set(&mut shown, "@odata.context", json!(context(call, "servicePrincipals/$entity")));
    azure.store.change(|world| {
        if world.principal_of(app_id).is_some() {
            let text = format!("The service principal cannot be created, updated, or restored because the service principal name {app_id} is already in use.");
            return Err(refuse(azure, 409, "Request_MultipleObjectsWithSameKeyValue", &text));
        }
        world.principals.push(principal);
        Ok(())
    })?;
    Ok(Answer::json(201, shown))
}

pub(super) fn show(azure: &Azure, id: &str) -> Answered {
    let found = azure.store.read(|world| world.principal(id).map(Principal::document));
    found.map(Answer::ok).ok_or_else(|| not_found(azure, id))
}

pub(super) fn delete(azure: &Azure, id: &str) -> Answered {
    azure.store.change(|world| {
        let before = world.principals.len();
        world.principals.retain(|principal| !principal.id.eq_ignore_ascii_case(id));
        match world.principals.len() < before {
            true => Ok(Answer::empty(204)),
            false => Err(not_found(azure, id)),
        }
    })
}
