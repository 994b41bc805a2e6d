//! Secrets and their versions, as they are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::hidden::Hidden;
use crate::json::set;

/// What a vault holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Vault {
    /// By names in lower case, which Key Vault does not tell apart.
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) deleted: BTreeMap<String, Deleted>,
}

/// A secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Secret {
    /// As it was written first.
    pub(crate) name: String,
    /// Oldest first; never empty.
    pub(crate) versions: Vec<Version>,
}

/// One value of a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) value: Hidden,
    pub(crate) content_type: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) nbf: Option<i64>,
    pub(crate) exp: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) tags: Map<String, Value>,
}

/// A secret that can still be recovered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deleted {
    pub(crate) secret: Secret,
    pub(crate) at: i64,
    pub(crate) purge: i64,
}

impl Secret {
    pub(crate) fn current(&self) -> Option<&Version> {
        self.versions.last()
    }

    pub(crate) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id.eq_ignore_ascii_case(id))
    }
}

/// What every document about a secret needs to know of its vault.
pub(super) struct Shown<'a> {
    /// `https://NAME.vault.azure.net`
    pub(super) base: String,
    /// Days for which deleted secrets are kept.
    pub(super) days: i64,
    /// What protects them.
    pub(super) level: &'a str,
}

impl Shown<'_> {
    /// A version with its id, but without its value.
    pub(super) fn version(&self, name: &str, version: &Version) -> Value {
        let id = format!("{}/secrets/{name}/{}", self.base, version.id);
        self.described(id, version)
    }

    /// A secret in a list: its current version, under the id of the secret.
    pub(super) fn item(&self, secret: &Secret) -> Option<Value> {
        let id = format!("{}/secrets/{}", self.base, secret.name);
        secret.current().map(|version| self.described(id, version))
    }

    pub(super) fn deleted(&self, deleted: &Deleted) -> Value {
        let secret = &deleted.secret;
        let mut shown = secret.current().map(|v| self.version(&secret.name, v)).unwrap_or_default();
        set(
            &mut shown,
            "recoveryId",
            json!(format!("{}/deletedsecrets/{}", self.base, secret.name)),
        );
        set(&mut shown, "deletedDate", json!(deleted.at));
        set(&mut shown, "scheduledPurgeDate", json!(deleted.purge));
        shown
    }

    fn described(&self, id: String, version: &Version) -> Value {
        let mut attributes = Map::new();
        attributes.insert("enabled".to_owned(), json!(version.enabled));
        for (name, time) in [("nbf", version.nbf), ("exp", version.exp)] {
            if let Some(time) = time {
                attributes.insert(name.to_owned(), json!(time));
            }
        }
        attributes.insert("created".to_owned(), json!(version.created));
        attributes.insert("updated".to_owned(), json!(version.updated));
        attributes.insert("recoveryLevel".to_owned(), json!(self.level));
        attributes.insert("recoverableDays".to_owned(), json!(self.days));
        let mut shown = Map::new();
        if let Some(kind) = &version.content_type {
            shown.insert("contentType".to_owned(), json!(kind));
        }
        shown.insert("id".to_owned(), json!(id));
        shown.insert("attributes".to_owned(), Value::Object(attributes));
        shown.insert("tags".to_owned(), Value::Object(version.tags.clone()));
        Value::Object(shown)
    }
}
