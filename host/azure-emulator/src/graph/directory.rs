//! Applications and principals, as they are kept.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::world::World;

/// An application.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) app_id: String,
    pub(crate) name: String,
    pub(crate) created: i64,
    #[serde(default)]
    pub(crate) uris: Vec<String>,
    #[serde(default)]
    pub(crate) passwords: Vec<Password>,
    #[serde(default)]
    pub(crate) keys: Vec<Certificate>,
    #[serde(default)]
    pub(crate) federated: Vec<Federation>,
}

/// A client secret. It is shown once, when it is made; what is kept is its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Password {
    pub(crate) key_id: String,
    pub(crate) name: Option<String>,
    pub(crate) hint: String,
    digest: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// A certificate whose key may sign assertions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Certificate {
    pub(crate) key_id: String,
    pub(crate) name: Option<String>,
    /// Its DER in base64, as it came.
    key: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// An issuer whose tokens are taken for one subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Federation {
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
}

/// A service principal, or a managed identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Principal {
    pub(crate) id: String,
    pub(crate) app_id: String,
    pub(crate) name: String,
    pub(crate) enabled: bool,
    /// The resource whose identity it is.
    #[serde(default)]
    pub(crate) resource: Option<String>,
}

impl Password {
    pub(crate) fn new(
        key_id: String,
        name: Option<String>,
        secret: &str,
        life: (i64, i64),
    ) -> Self {
        // Azure keeps three characters for people to tell secrets apart.
        let hint = secret.chars().take(3).collect();
        Self { key_id, name, hint, digest: digest(secret), start: life.0, end: life.1 }
    }

    /// Whether it is this secret.
    pub(crate) fn is(&self, secret: &str) -> bool {
        self.digest == digest(secret)
    }

    /// As Graph lists it: without the secret.
    pub(crate) fn document(&self) -> Value {
        json!({
            "customKeyIdentifier": null, "displayName": self.name, "hint": self.hint,
            "keyId": self.key_id, "secretText": null,
            "startDateTime": time(self.start), "endDateTime": time(self.end),
        })
    }
}

impl Certificate {
    /// Its DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.key).unwrap_or_default()
    }

    fn document(&self) -> Value {
        let thumbprint = hex::encode_upper(Sha256::digest(self.der()));
        json!({
            "customKeyIdentifier": thumbprint, "displayName": self.name, "keyId": self.key_id,
            "type": "AsymmetricX509Cert", "usage": "Verify", "key": null,
            "startDateTime": time(self.start), "endDateTime": time(self.end),
        })
    }

    /// Of a `keyCredentials` entry.
    pub(super) fn parse(entry: &Value, now: i64) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        BASE64_STANDARD.decode(text("key")?).ok()?;
        let seconds = |name| text(name)?.parse::<jiff::Timestamp>().ok().map(|t| t.as_second());
        Some(Self {
            key_id: text("keyId").map_or_else(guid, str::to_owned),
            name: text("displayName").map(str::to_owned),
            key: text("key")?.to_owned(),
            start: seconds("startDateTime").unwrap_or(now),
            end: seconds("endDateTime").unwrap_or(now + super::application::YEAR),
        })
    }
}

impl Federation {
    pub(super) fn document(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "issuer": self.issuer, "subject": self.subject,
            "audiences": self.audiences, "description": self.description,
        })
    }
}

impl Application {
    pub(super) fn document(&self) -> Value {
        let passwords: Vec<Value> = self.passwords.iter().map(Password::document).collect();
        let keys: Vec<Value> = self.keys.iter().map(Certificate::document).collect();
        json!({
            "id": self.id, "appId": self.app_id, "displayName": self.name,
            "identifierUris": self.uris, "signInAudience": "AzureADMyOrg",
            "createdDateTime": time(self.created),
            "passwordCredentials": passwords, "keyCredentials": keys,
        })
    }
}

impl Principal {
    /// The identity of a resource.
    pub(crate) fn of_resource(name: &str, resource: &str) -> Self {
        let (id, app_id) = (guid(), guid());
        Self {
            id,
            app_id,
            name: name.to_owned(),
            enabled: true,
            resource: Some(resource.to_owned()),
        }
    }

    pub(super) fn document(&self) -> Value {
        let kind = if self.resource.is_some() { "ManagedIdentity" } else { "Application" };
        json!({
            "id": self.id, "appId": self.app_id, "displayName": self.name,
            "accountEnabled": self.enabled, "servicePrincipalType": kind,
            "servicePrincipalNames": [self.app_id],
            "passwordCredentials": [], "keyCredentials": [],
        })
    }
}

impl World {
    /// By application id.
    pub(crate) fn application(&self, app_id: &str) -> Option<&Application> {
        self.applications.iter().find(|app| app.app_id.eq_ignore_ascii_case(app_id))
    }

    /// The principal of an application.
    pub(crate) fn principal_of(&self, app_id: &str) -> Option<&Principal> {
        self.principals.iter().find(|principal| principal.app_id.eq_ignore_ascii_case(app_id))
    }

    /// By its own id.
    pub(crate) fn principal(&self, id: &str) -> Option<&Principal> {
        self.principals.iter().find(|principal| principal.id.eq_ignore_ascii_case(id))
    }
}

pub(super) fn guid() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub(super) fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(clock::zulu).unwrap_or_default()
}

fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}
