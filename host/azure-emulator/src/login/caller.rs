//! Who calls: what a token of ours says, and how one is made.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audience::{Audience, For};
use crate::answer::Refusal;
use crate::azure::Azure;
use crate::graph::Principal;
use crate::json::set;
use crate::token::TokenError;

/// The claims that services read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    pub(crate) aud: String,
    pub(crate) iss: String,
    pub(crate) appid: String,
    pub(crate) oid: String,
    pub(crate) tid: String,
}

/// A signed token for a principal.
pub(crate) fn issue(
    azure: &Azure,
    principal: &Principal,
    audience: &Audience,
    lifetime: i64,
) -> Result<String, Refusal> {
    let tenant = &azure.config.names.tenant;
    let now = azure.clock().seconds();
    let issuer = format!("https://sts.windows.net/{tenant}/");
    let mut claims = json!({
        "aud": audience.text, "iss": issuer, "iat": now, "nbf": now, "exp": now + lifetime,
        "appid": principal.app_id, "appidacr": "1", "idp": issuer, "idtyp": "app",
        "oid": principal.id, "sub": principal.id, "tid": tenant, "ver": "1.0",
        "uti": uuid::Uuid::new_v4().simple().to_string(),
    });
    if let Some(resource) = &principal.resource {
        set(&mut claims, "xms_mirid", json!(resource));
    }
    azure.keys.sign(&claims)
}

impl Caller {
    /// Who shows this token to a service, if it counts there.
    pub(crate) fn of(azure: &Azure, token: &str, service: For) -> Result<Self, CallerError> {
        let caller: Self =
            azure.keys.verify(token, azure.clock().seconds()).map_err(CallerError::Token)?;
        let audience = Audience::of_resource(&caller.aud);
        match audience.is_some_and(|audience| audience.is_for(service)) {
            true => Ok(caller),
            false => Err(CallerError::Audience(caller.aud)),
        }
    }
}

/// Why somebody is nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallerError {
    Token(TokenError),
    /// The token is for another service, this one.
    Audience(String),
}
