//! Applications, service principals and their passwords, in Microsoft Graph.

use std::fmt::Write as _;
use std::time::Duration;

use arm::{Arm, Body, Failure};
use serde_json::{Value as Json, json};
use windlass_plugin::{Error, Result};

use crate::explain;
use crate::host::Host;
use crate::wish::{read_time, time};

/// Between two tries while something new replicates; as az.
const PAUSE: Duration = Duration::from_secs(5);

/// How often it is tried; as az, three minutes in all.
const TRIES: usize = 36;

/// Graph.
#[derive(Debug)]
pub struct Graph<'h, H: Host> {
    host: &'h H,
    arm: Arm<'h, H>,
}

/// An application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// Its object's id.
    pub id: String,
    /// The id by which it logs in.
    pub app_id: String,
    /// Its passwords, without values.
    pub passwords: Vec<Password>,
}

/// A password, without its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Password {
    /// Its id.
    pub key_id: String,
    /// What it is called.
    pub name: String,
    /// Until when it is good, in seconds since 1970.
    pub end: u64,
}

/// A service principal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principal {
    /// Its object's id, which roles are given to.
    pub id: String,
    /// The tenant of its application.
    pub tenant: Option<String>,
}

impl<'h, H: Host> Graph<'h, H> {
    /// Graph at `endpoint`.
    ///
    /// # Errors
    /// `invalid.inputs` if it is more or less than an origin.
    pub fn new(host: &'h H, endpoint: &str) -> Result<Self> {
        Ok(Self { host, arm: Arm::new(host, Some(endpoint))? })
    }

    /// The application that has this name, or this id.
    ///
    /// # Errors
    /// Those of Graph; `conflict.azure` if several have the name.
    pub fn application(&self, name: &str, app_id: Option<&str>) -> Result<Option<Application>> {
        let filter = match app_id {
            Some(id) => filter("appId", id),
            None => filter("displayName", name),
        };
        let mut found = self.list("applications", &filter)?;
        let app = found.pop();
        if !found.is_empty() {
            return Err(Error::new(
                "conflict.azure",
                format!("several applications are called `{name}`"),
            )
            .hint(format!(
                "say `app-id`, one of `az ad app list --display-name {name} --query [].appId`"
            )));
        }
        app.map(|app| application(&app)).transpose()
    }

    /// Makes an application.
    ///
    /// # Errors
    /// Those of Graph.
    pub fn create_application(&self, name: &str) -> Result<Application> {
        let body = json!({ "displayName": name, "keyCredentials": [] });
        application(&self.post("/v1.0/applications", body).map_err(explain::graph)?)
    }

    /// The service principal of an application.
    ///
    /// # Errors
    /// Those of Graph.
    pub fn principal(&self, app_id: &str) -> Result<Option<Principal>> {
        let mut found = self.list("servicePrincipals", &filter("appId", app_id))?;
        found.pop().map(|found| principal(&found)).transpose()
    }

    /// Makes the service principal of an application; waits while Graph does not see that yet.
    ///
    /// # Errors
    /// Those of Graph.
    pub fn create_principal(&self, app_id: &str) -> Result<Principal> {
        let body = json!({ "appId": app_id, "accountEnabled": true });
        let create = || self.post("/v1.0/servicePrincipals", body.clone());
        let made = replicated(self.host, "the application", create, |failure| {
            let message = failure.refusal().map_or("", |refusal| refusal.message.as_str());
            failure.status() == Some(400)
                && ["does not reference", "does not exist", "must in the local tenant"]
                    .iter()
                    .any(|words| message.contains(words))
        });
        principal(&made.map_err(explain::graph)?)
    }

    /// Makes a password that is good from now; its value stays in the host.
    ///
    /// # Errors
    /// Those of Graph.
    pub fn add_password(
        &self,
        application: &str,
        name: &str,
        valid: u64,
    ) -> Result<(Password, H::Secret)> {
        let now = self.host.clock();
        let (start, end) = (time(now), time(now.saturating_add(valid)));
        let body = Body::from(json!({ "passwordCredential": {
            "displayName": name, "endDateTime": end, "startDateTime": start,
        } }));
        let path = format!("/v1.0/applications/{application}/addPassword");
        let add = || self.arm.ask("POST", &path, Some(&body), &["/secretText"]);
        let is_early = |failure: &Failure| failure.status() == Some(404);
        let made = replicated(self.host, "the application", add, is_early);
        let (answer, mut kept) = made.map_err(explain::graph)?;
        let password = password(&answer.value).ok_or_else(|| odd("a password without an id"))?;
        let secret = kept.pop().filter(|secret| !self.host.is_empty(secret));
        Ok((password, secret.ok_or_else(|| odd("an empty password"))?))
    }

    /// Removes a password. One that is not there is removed already.
    ///
    /// # Errors
    /// Those of Graph.
    pub fn remove_password(&self, application: &str, key_id: &str) -> Result<()> {
        let path = format!("/v1.0/applications/{application}/removePassword");
        match self.post(&path, json!({ "keyId": key_id })) {
            Ok(_) => Ok(()),
            Err(failure) if failure.status() == Some(404) => Ok(()),
            Err(failure) => Err(explain::graph(failure)),
        }
    }

    /// The application's id as a secret, for a place that takes nothing else.
    ///
    /// # Errors
    /// Those of Graph.
    pub fn app_id_as_secret(&self, application: &str) -> Result<H::Secret> {
        let path = format!("/v1.0/applications/{application}?$select=appId");
        let get = || self.arm.ask("GET", &path, None, &["/appId"]);
        let is_early = |failure: &Failure| failure.status() == Some(404);
        let found = replicated(self.host, "the application", get, is_early);
        let (_, mut kept) = found.map_err(explain::graph)?;
        kept.pop().ok_or_else(|| odd("an application without an id"))
    }

    fn post(&self, path: &str, body: Json) -> arm::Result<Json> {
        Ok(self.arm.ask("POST", path, Some(&Body::from(body)), &[])?.0.value)
    }

    /// What the filter finds: one page is enough to see whether it is one.
    fn list(&self, kind: &str, filter: &str) -> Result<Vec<Json>> {
        let path = format!("/v1.0/{kind}?$filter={filter}");
        let (mut answer, _) = self.arm.ask("GET", path, None, &[]).map_err(explain::graph)?;
        match answer.value.get_mut("value").map(Json::take) {
            Some(Json::Array(found)) => Ok(found),
            _ => Err(odd("an answer without the list `value`")),
        }
    }
}

/// Asks again while what was just made is not seen everywhere.
///
/// # Errors
/// Any other failure, and that one after three minutes.
pub fn replicated<T>(
    host: &impl Host,
    what: &str,
    ask: impl Fn() -> arm::Result<T>,
    is_early: impl Fn(&Failure) -> bool,
) -> arm::Result<T> {
    let mut tries = 1;
    loop {
        match ask() {
            Err(failure) if tries < TRIES && is_early(&failure) => {
                if tries == 1 {
                    host.say(&format!("waiting until Azure sees {what} everywhere"));
                }
                host.sleep(PAUSE);
                tries += 1;
            }
            other => return other,
        }
    }
}

/// `KEY eq 'VALUE'`, escaped as az does it.
pub(crate) fn filter(key: &str, value: &str) -> String {
    let mut text = format!("{key}%20eq%20%27");
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            // OData doubles it.
            b'\'' => text.push_str("%27%27"),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text + "%27"
}

fn application(json: &Json) -> Result<Application> {
    let passwords = json.get("passwordCredentials").and_then(Json::as_array).into_iter().flatten();
    Ok(Application {
        id: text(json, "id")?,
        app_id: text(json, "appId")?,
        passwords: passwords.filter_map(password).collect(),
    })
}

fn principal(json: &Json) -> Result<Principal> {
    let tenant = json.get("appOwnerOrganizationId").and_then(Json::as_str).map(str::to_owned);
    Ok(Principal { id: text(json, "id")?, tenant })
}

fn password(json: &Json) -> Option<Password> {
    let end = json.get("endDateTime").and_then(Json::as_str).and_then(read_time);
    Some(Password {
        key_id: text(json, "keyId").ok()?,
        name: text(json, "displayName").unwrap_or_default(),
        // What has no end that is understood is not relied on.
        end: end.unwrap_or(0),
    })
}

/// A text that is there, and can stand in a path.
fn text(json: &Json, key: &str) -> Result<String> {
    let found = json.get(key).and_then(Json::as_str).filter(|found| !found.is_empty());
    let found = found.ok_or_else(|| odd(&format!("an object without `{key}`")))?;
    if key != "displayName" && found.contains(['/', '?', '#', '%', ' ']) {
        return Err(odd(&format!("an odd `{key}`")));
    }
    Ok(found.to_owned())
}

fn odd(what: &str) -> Error {
    Error::new("azure.odd-answer", format!("Microsoft Graph gave {what}"))
        .hint("check `graph-endpoint`; a proxy or another server may have answered")
}
