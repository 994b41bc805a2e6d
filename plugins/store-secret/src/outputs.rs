//! What later steps can refer to; never a value.

use serde::Serialize;
use windlass_plugin::Schema;

/// What has been stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, windlass_plugin::Outputs)]
#[serde(rename_all = "kebab-case")]
pub struct Outputs {
    /// Whether anything was written.
    pub changed: bool,
    /// The secret's name; of a service principal or token that of its password.
    pub name: String,
    /// Its id, with the version; null in the local store.
    pub id: Option<String>,
    /// Its version; null in the local store, and of what a dry run would write.
    pub version: Option<String>,
    /// Until when it is good: RFC 3339, UTC; null if it has no end.
    pub expires: Option<String>,
    /// All secrets: one, or the user and the password.
    pub secrets: Vec<Stored>,
    /// The application's id, by which a service principal logs in.
    pub app_id: Option<String>,
    /// The service principal's own id, for roles.
    pub object_id: Option<String>,
    /// The tenant of the service principal.
    pub tenant: Option<String>,
    /// The id of its password; no secret.
    pub key_id: Option<String>,
    /// The ids of its role assignments, in the order of the scopes; null where somebody else made it.
    pub role_assignments: Vec<Option<String>>,
    /// The resource id of the token.
    pub token: Option<String>,
    /// The name of the secret that holds the user.
    pub user_secret: Option<String>,
    /// The name of the secret that holds the password.
    pub password_secret: Option<String>,
}

/// A secret that is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Its id, with the version; null in the local store.
    pub id: Option<String>,
    /// Its version; null in the local store, and of what a dry run would write.
    pub version: Option<String>,
    /// Whether it was written.
    pub changed: bool,
    /// Until when it is good: RFC 3339, UTC.
    pub expires: Option<String>,
}
