//! Managed identities: tokens for the machine itself, by IMDS and by App Service's endpoint.

use serde_json::{Value, json};

use super::audience::Audience;
use super::caller;
use crate::answer::{Answer, Answered, Refusal};
use crate::azure::Azure;
use crate::call::Call;
use crate::graph::Principal;
use crate::world::key;

/// How long such tokens count: a day, as is usual.
const LIFETIME: i64 = 86_400;

/// What `IDENTITY_HEADER` has to be for App Service's endpoint.
pub(crate) const APP_SERVICE_HEADER: &str = "app-service-header";

/// `http://169.254.169.254/metadata/identity/oauth2/token`
pub(crate) fn imds(azure: &Azure, call: &Call) -> Answered {
    if !call.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(refuse("invalid_request", "Required metadata header not specified"));
    }
    if call.query("api-version").is_none() {
        return Err(refuse("invalid_request", "Required query variable 'api-version' is missing"));
    }
    token(azure, call, call.query("msi_res_id").or_else(|| call.query("mi_res_id")))
}

/// `IDENTITY_ENDPOINT` of App Service, Functions and Container Apps.
pub(crate) fn app_service(azure: &Azure, call: &Call) -> Answered {
    if call.header("x-identity-header") != Some(APP_SERVICE_HEADER) {
        let body =
            json!({ "statusCode": 401, "message": "The identity header is missing or wrong." });
        return Err(Refusal::shaped(401, body));
    }
    token(azure, call, call.query("mi_res_id"))
}

fn token(azure: &Azure, call: &Call, resource: Option<&str>) -> Answered {
    let wanted = call.query("resource").unwrap_or_default();
    let audience = Audience::of_resource(wanted).ok_or_else(|| {
        let text = format!(
            "AADSTS500011: The resource principal named {wanted} was not found in the tenant."
        );
        refuse("invalid_resource", &text)
    })?;
    let by = |principal: &Principal| {
        let same = |value: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let at = principal.resource.as_deref().unwrap_or_default();
        principal.resource.is_some()
            && same(&principal.app_id, call.query("client_id"))
            && same(&principal.id, call.query("object_id").or_else(|| call.query("principal_id")))
            && resource.is_none_or(|wanted| key(wanted) == key(at))
    };
    let found = azure.store.read(|world| world.principals.iter().find(|p| by(p)).cloned());
    let principal = found.ok_or_else(|| refuse("invalid_request", "Identity not found"))?;
    let now = azure.clock().seconds();
    let access_token = caller::issue(azure, &principal, &audience, LIFETIME)?;
    Ok(Answer::ok(json!({
        "access_token": access_token,
        "client_id": principal.app_id,
        "expires_in": LIFETIME.to_string(),
        "expires_on": (now + LIFETIME).to_string(),
        "ext_expires_in": LIFETIME.to_string(),
        "not_before": now.to_string(),
        "resource": wanted,
        "token_type": "Bearer",
    })))
}

fn refuse(error: &str, description: &str) -> Refusal {
    let body: Value = json!({ "error": error, "error_description": description });
    Refusal::shaped(400, body)
}
