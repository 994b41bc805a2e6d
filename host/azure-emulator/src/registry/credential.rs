//! The admin user of a registry.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::RngCore as _;
use serde_json::{Map, Value, json};

use super::control::Registry;
use crate::answer::{Answer, Answered, Refusal};
use crate::arm::Admitted;
use crate::json::{at, text};

/// Bytes of a generated password.
const PASSWORD_BYTES: usize = 39;

/// A new password.
pub(super) fn password() -> String {
    let mut bytes = [0; PASSWORD_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    BASE64_STANDARD.encode(bytes)
}

fn admin_only(registry: &Registry) -> Result<(), Refusal> {
    if at(&registry.resource.body, "/properties/adminUserEnabled") == &json!(true) {
        return Ok(());
    }
    let message = format!(
        "Cannot perform credential operations for {} as admin user is disabled. Kindly enable admin user as per docs: https://docs.microsoft.com/en-us/azure/container-registry/container-registry-authentication#admin-account",
        registry.id
    );
    Err(Refusal::bad("UnauthorizedForCredentialOperations", message))
}

fn shown(registry: &Registry, hidden: &Map<String, Value>) -> Answer {
    let passwords =
        ["password", "password2"].map(|name| json!({ "name": name, "value": hidden.get(name) }));
    Answer::ok(json!({ "username": registry.name(), "passwords": passwords }))
}

pub(super) fn list(registry: &Registry) -> Answered {
    admin_only(registry)?;
    Ok(shown(registry, &registry.resource.hidden.0))
}

pub(super) fn regenerate(admitted: &Admitted<'_>, registry: &Registry) -> Answered {
    admin_only(registry)?;
    let document = admitted.call.object()?;
    let name = text(&document, "/name");
    if !["password", "password2"].contains(&name) {
        let message = "The password name is invalid: it must be 'password' or 'password2'.";
        return Err(Refusal::bad("InvalidPasswordName", message));
    }
    admitted.azure.store.change(|world| {
        let resource = world.resource_mut(&registry.id).ok_or_else(Refusal::internal)?;
        resource.hidden.0.insert(name.to_owned(), json!(password()));
        Ok(shown(registry, &resource.hidden.0))
    })
}
