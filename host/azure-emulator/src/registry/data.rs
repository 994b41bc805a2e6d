//! What is in registries, at `https://NAME.azurecr.io`: Azure's tokens, our own distribution API
//! behind them, and Azure's lists of manifests and tags.

pub(crate) mod auth;
mod distribution;
mod metadata;
mod scope;
mod token;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::Uri;
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::azure::Azure;
use crate::call::Call;
use crate::net::host;
use crate::world::Resource;

/// A registry that somebody speaks to.
pub(crate) struct Hall<'a> {
    azure: &'a Azure,
    registry: Resource,
    /// Its login server.
    server: String,
}

/// Answers for the registry whose login server begins with `label`.
pub(crate) async fn answer(
    azure: &Azure,
    label: &str,
    call: Call,
    uri: Uri,
    body: Body,
) -> Result<Response, Refusal> {
    let server = host::registry(label);
    let registry = azure.store.read(|world| world.registry_at(&server).cloned());
    let registry = registry.ok_or_else(|| {
        let message = format!("registry {server} not found");
        Refusal::shaped(404, errors("NAME_UNKNOWN", &message, Value::Null))
    })?;
    let hall = Hall { azure, registry, server };
    match call.path.first().map(String::as_str) {
        Some("v2") => hall.distribution(call, uri, body).await,
        Some("oauth2") => {
            let call = call.with_document(body).await?;
            hall.token(&call).map(crate::answer::Answer::into_response)
        }
        Some("acr") => hall.metadata(&call).await.map(crate::answer::Answer::into_response),
        _ => Err(Refusal::shaped(404, errors("NOT_FOUND", "there is no such page", Value::Null))),
    }
}

/// Errors as registries write them.
fn errors(code: &str, message: &str, detail: Value) -> Value {
    json!({ "errors": [{ "code": code, "message": message, "detail": detail }] })
}

/// The body and status of what a caller may not, or not yet.
fn unauthorized(detail: Value) -> Refusal {
    const MESSAGE: &str =
        "authentication required, visit https://aka.ms/acr/authorization for more information.";
    Refusal::shaped(401, errors("UNAUTHORIZED", MESSAGE, detail))
        .with("docker-distribution-api-version", "registry/2.0")
}
