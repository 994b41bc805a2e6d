//! The login service: discovery, and tokens for applications.
//!
//! There are no people in this cloud, so there are no flows in which somebody signs in: client
//! credentials alone, by secret, by certificate and by a token of somebody else's (federation).

mod assertion;
pub(crate) mod audience;
pub(crate) mod caller;
pub(crate) mod identity;

use serde_json::{Value, json};

use crate::answer::{Answer, Answered, Refusal};
use crate::azure::Azure;
use crate::call::{Call, Form};
use crate::clock;
use crate::graph::Application;
use crate::net::host;
use audience::Audience;

/// How long a token counts: an hour, as is usual.
const LIFETIME: i64 = 3600;

pub(crate) async fn answer(azure: &Azure, call: &Call) -> Answered {
    let (method, path) = call.route();
    match (method, path.as_slice()) {
        ("GET", [_, "v2.0", ".well-known", "openid-configuration"])
        | ("GET", [_, ".well-known", "openid-configuration"]) => configuration(azure, call),
        ("GET", [_, "discovery", "instance"]) => Ok(instances(azure, call)),
        ("GET", [_, "discovery", "v2.0", "keys"]) | ("GET", [_, "discovery", "keys"]) => {
            let tenant = tenant(azure, call)?;
            Ok(Answer::ok(azure.keys.jwks(&authority(call, tenant))))
        }
        ("POST", [_, "oauth2", "v2.0", "token"]) | ("POST", [_, "oauth2", "token"]) => {
            token(azure, call)
        }
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

/// `https://login.microsoftonline.com/TENANT/v2.0`
fn authority(call: &Call, tenant: &str) -> String {
    call.origin.url(host::LOGIN, &format!("/{tenant}/v2.0"))
}

/// The tenant that the path names; there is one.
fn tenant<'a>(azure: &'a Azure, call: &Call) -> Result<&'a str, Refusal> {
    let named = call.segment(0).to_ascii_lowercase();
    let own = azure.config.names.tenant.as_str();
    match named.as_str() {
        "common" | "organizations" => Ok(own),
        named if named == own => Ok(own),
        _ => Err(refuse(
            azure,
            400,
            "invalid_request",
            90002,
            &format!(
                "Tenant '{named}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
            ),
        )),
    }
}

fn configuration(azure: &Azure, call: &Call) -> Answered {
    let tenant = tenant(azure, call)?;
    let at = |path: &str| call.origin.url(host::LOGIN, &format!("/{tenant}/{path}"));
    Ok(Answer::ok(json!({
        "token_endpoint": at("oauth2/v2.0/token"),
        "authorization_endpoint": at("oauth2/v2.0/authorize"),
        "device_authorization_endpoint": at("oauth2/v2.0/devicecode"),
        "issuer": at("v2.0"),
        "jwks_uri": at("discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
    })))
}

fn instances(azure: &Azure, call: &Call) -> Answer {
    let tenant = &azure.config.names.tenant;
    let path = format!("/{tenant}/v2.0/.well-known/openid-configuration");
    let metadata = match call.origin {
        crate::origin::Origin::Names => vec![json!({
            "preferred_network": host::LOGIN,
            "preferred_cache": "login.windows.net",
            "aliases": [host::LOGIN, "login.windows.net", "login.microsoft.com", "sts.windows.net"],
        })],
        crate::origin::Origin::Base(_) => Vec::new(),
    };
    Answer::ok(json!({
        "tenant_discovery_endpoint": call.origin.url(host::LOGIN, &path),
        "api-version": "1.1",
        "metadata": metadata,
    }))
}

fn token(azure: &Azure, call: &Call) -> Answered {
    tenant(azure, call)?;
    let form = call.form();
    let grant = form.get("grant_type").unwrap_or_default();
    if grant != "client_credentials" {
        let text = format!("The app requested an unsupported grant type '{grant}'.");
        return Err(refuse(azure, 400, "unsupported_grant_type", 70003, &text));
    }
    let missing = |name: &str| {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        refuse(azure, 400, "invalid_request", 900_144, &text)
    };
    let id = form.get("client_id").ok_or_else(|| missing("client_id"))?;
    let wanted =
        form.get("scope").or_else(|| form.get("resource")).ok_or_else(|| missing("scope"))?;
    let application = azure.store.read(|world| world.application(id).cloned());
    let application = application.ok_or_else(|| {
        let tenant = &azure.config.names.tenant;
        let text = format!(
            "Application with identifier '{id}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
        );
        refuse(azure, 400, "unauthorized_client", 700_016, &text)
    })?;
    prove(azure, call, &form, &application)?;
    let audience = audience(azure, wanted)?;
    let principal = azure.store.read(|world| world.principal_of(&application.app_id).cloned());
    let principal = principal.filter(|principal| principal.enabled).ok_or_else(|| {
        let text = format!(
            "The service principal of the application '{id}' is missing or disabled in the tenant."
        );
        refuse(azure, 401, "invalid_client", 7_000_112, &text)
    })?;
    let token = caller::issue(azure, &principal, &audience, LIFETIME)?;
    Ok(Answer::ok(json!({
        "token_type": "Bearer",
        "expires_in": LIFETIME - 1,
        "ext_expires_in": LIFETIME - 1,
        "access_token": token,
    }))
    .with("cache-control", "no-store, no-cache"))
}

fn audience(azure: &Azure, wanted: &str) -> Result<Audience, Refusal> {
    Audience::of_scope(wanted).ok_or_else(|| {
        let text = format!(
            "The resource principal named {wanted} was not found in the tenant named emulated. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
        );
        refuse(azure, 400, "invalid_resource", 500_011, &text)
    })
}

/// Whether the client is the application: by its secret, or by an assertion.
fn prove(azure: &Azure, call: &Call, form: &Form, app: &Application) -> Result<(), Refusal> {
    let id = &app.app_id;
    if let Some(assertion) = form.get("client_assertion") {
        let kind = form.get("client_assertion_type").unwrap_or_default();
        if kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
            let text = format!("Unsupported client_assertion_type '{kind}'.");
            return Err(refuse(azure, 400, "invalid_request", 50027, &text));
        }
        return assertion::check(azure, call, assertion, app);
    }
    let Some(secret) = form.get("client_secret") else {
        let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(refuse(azure, 401, "invalid_client", 7_000_218, text));
    };
    let now = azure.clock().seconds();
    match app.passwords.iter().find(|password| password.is(secret)) {
        Some(password) if password.end > now => Ok(()),
        Some(password) => {
            let text = format!(
                "The provided client secret keys for app '{id}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds. Key id: {}.",
                password.key_id
            );
            Err(refuse(azure, 401, "invalid_client", 7_000_222, &text))
        }
        None => {
            let text = format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{id}'."
            );
            Err(refuse(azure, 401, "invalid_client", 7_000_215, &text))
        }
    }
}

/// An error as the login service writes them.
fn refuse(azure: &Azure, status: u16, error: &str, code: u64, text: &str) -> Refusal {
    let time = clock::spaced(azure.clock().now());
    let [trace, correlation] = [(); 2].map(|()| uuid::Uuid::new_v4().to_string());
    let body: Value = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"
        ),
        "error_codes": [code],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    Refusal::shaped(status, body)
}
