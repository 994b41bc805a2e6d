//! A vault of Azure.

use std::collections::BTreeMap;
use std::time::Duration;

use arm::{Arm, Body, Failure};
use serde_json::{Value as Json, json};
use windlass_plugin::{Error, Result};

use crate::explain;
use crate::host::Host;
use crate::inputs::Deleted;
use crate::outputs::Stored;
use crate::place::{Present, Value, version};
use crate::wish::{Facts, time};

/// The version of Key Vault's interface, as az sends it.
const VERSION: &str = "7.4";

/// Between two tries while a vault recovers or purges: it takes seconds.
const PAUSE: Duration = Duration::from_secs(2);

/// Pages of versions, of 25 each: a secret has at most 500.
const MOST_PAGES: usize = 100;

/// How long that is waited for: what az waits for a recovery.
const PATIENCE: Duration = Duration::from_secs(120);

/// A vault.
#[derive(Debug)]
pub struct Vault<'h, H: Host> {
    host: &'h H,
    arm: Arm<'h, H>,
    origin: String,
    prefix: String,
    deleted: Deleted,
}

impl<'h, H: Host> Vault<'h, H> {
    /// The vault that `text` names.
    ///
    /// # Errors
    /// `invalid.inputs` if it is neither a vault's name nor a URL.
    pub fn new(host: &'h H, text: &str, deleted: Deleted) -> Result<Self> {
        let url = if text.contains("://") {
            text.to_owned()
        } else if is_name(text) {
            format!("https://{text}.vault.azure.net")
        } else {
            return Err(Error::invalid(format!("no vault can be called `{text}`")).hint(
                "a vault's name has 3 to 24 letters, digits and single dashes, a letter first; in other \
                 clouds write its URL",
            ));
        };
        // Behind a gateway a vault may be below a path.
        let slash = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
        let (origin, prefix) = url.split_at(slash);
        let prefix = prefix.trim_end_matches('/');
        if prefix.contains(['?', '#', '%', '\\']) || prefix.contains("..") {
            return Err(Error::invalid(format!("`{url}` is no URL of a vault"))
                .hint("write it as `https://NAME.vault.azure.net`"));
        }
        let arm = Arm::new(host, Some(origin))?;
        let (origin, prefix) = (origin.to_owned(), prefix.to_owned());
        Ok(Self { host, arm, origin, prefix, deleted })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin, self.prefix)
    }

    /// What is there under `name`; its value stays in the host.
    ///
    /// # Errors
    /// Those of Azure, explained.
    pub fn read(&self, name: &str) -> Result<Option<Present<H::Secret>>> {
        let path = self.path(&format!("secrets/{name}/"));
        let (answer, mut kept) = match self.arm.ask("GET", path, None, &["/value"]) {
            Ok(found) => found,
            Err(failure) if is_missing(&failure) => return Ok(None),
            Err(failure) => {
                let Some(word) = closed(&failure) else { return Err(self.explained(failure)) };
                return Ok(Some(Present {
                    value: None,
                    id: None,
                    content_type: None,
                    tags: BTreeMap::new(),
                    not_before: None,
                    expires: None,
                    closed: Some(word),
                }));
            }
        };
        Ok(Some(present(&answer.value, kept.pop())))
    }

    /// What stands beside the newest version of `name`. Its value is not asked for: what the host reads
    /// as a secret is hidden wherever it is shown, which the id of an application must not be.
    ///
    /// # Errors
    /// Those of Azure, explained.
    pub fn describe(&self, name: &str) -> Result<Option<Present<H::Secret>>> {
        let mut path = self.path(&format!("secrets/{name}/versions"));
        let mut newest: Option<(u64, Present<H::Secret>)> = None;
        for _ in 0..MOST_PAGES {
            let answer = match self.arm.ask("GET", &path, None, &[]) {
                Ok((answer, _)) => answer.value,
                Err(failure) if is_missing(&failure) => return Ok(None),
                Err(failure) => return Err(self.explained(failure)),
            };
            for version in answer.get("value").and_then(Json::as_array).into_iter().flatten() {
                let created = version.pointer("/attributes/created").and_then(Json::as_u64);
                let created = created.unwrap_or_default();
                if newest.as_ref().is_none_or(|(newest, _)| created >= *newest) {
                    newest = Some((created, present(version, None)));
                }
            }
            match answer.get("nextLink").and_then(Json::as_str) {
                Some(next) if !next.is_empty() => next.clone_into(&mut path),
                _ => return Ok(newest.map(|(_, present)| present)),
            }
        }
        Err(Error::new("azure.odd-answer", format!("the list of versions of `{name}` has no end")))
    }

    /// When the deleted secret that has the name `name` is gone for good; none if there is none, or
    /// nobody may know.
    #[must_use]
    pub fn purge_date(&self, name: &str) -> Option<String> {
        let path = self.path(&format!("deletedsecrets/{name}"));
        let (answer, _) = self.arm.ask("GET", path, None, &[]).ok()?;
        let date = answer.value.get("scheduledPurgeDate").and_then(Json::as_u64);
        Some(date.map_or_else(|| "a date that is not known".to_owned(), time))
    }

    /// Makes a new version of `name`.
    ///
    /// # Errors
    /// Those of Azure, explained.
    pub fn write(
        &self,
        name: &str,
        value: Value<H::Secret>,
        facts: &Facts,
        tags: &BTreeMap<String, String>,
    ) -> Result<Stored> {
        let mut json = json!({ "value": null });
        self.fill(&mut json, facts, tags);
        // Azure sends the value back.
        let (body, keep): (_, &[&str]) = match value {
            Value::Text(text) => {
                put(&mut json, "value", text.into());
                (Body::from(json), &[])
            }
            Value::Secret(secret) => (Body::from(json).sealed("/value", secret), &["/value"]),
        };
        let path = self.path(&format!("secrets/{name}"));
        let set = || Ok(self.arm.ask("PUT", &path, Some(&body), keep)?.0.value);
        let answer = match set() {
            Err(failure) if inner(&failure) == Some(DELETED) => {
                self.make_room(name, failure)?;
                self.patiently(true, set)?
            }
            Err(failure) if is_busy(&failure, false) => self.patiently(false, set)?,
            other => other.map_err(|failure| self.explained(failure))?,
        };
        Ok(Stored { changed: true, ..present::<H::Secret>(&answer, None).stored(name) })
    }

    /// Changes what is stored with the value of the version `id`, which stays.
    ///
    /// # Errors
    /// Those of Azure, explained.
    pub fn update(
        &self,
        name: &str,
        id: &str,
        facts: &Facts,
        tags: &BTreeMap<String, String>,
    ) -> Result<Stored> {
        let mut json = json!({});
        self.fill(&mut json, facts, tags);
        let version = version(id).unwrap_or_default();
        let path = self.path(&format!("secrets/{name}/{version}"));
        let asked = self.arm.ask("PATCH", path, Some(&Body::from(json)), &[]);
        let (answer, _) = asked.map_err(|failure| self.explained(failure))?;
        Ok(Stored { changed: true, ..present::<H::Secret>(&answer.value, None).stored(name) })
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}?api-version={VERSION}", self.prefix)
    }

    fn fill(&self, json: &mut Json, facts: &Facts, tags: &BTreeMap<String, String>) {
        let mut tags = tags.clone();
        tags.extend(facts.tags.clone());
        if !tags.is_empty() {
            put(json, "tags", json!(tags));
        }
        if let Some(kind) = &facts.content_type {
            put(json, "contentType", json!(kind));
        }
        let now = self.host.clock();
        let mut attributes = json!({});
        let times = [("nbf", facts.not_before), ("exp", facts.expires)];
        for (key, when) in times.into_iter().filter_map(|(key, when)| Some((key, when?))) {
            put(&mut attributes, key, when.from(now).into());
        }
        if let Some(enabled) = facts.enabled {
            put(&mut attributes, "enabled", enabled.into());
        }
        if attributes.as_object().is_some_and(|map| !map.is_empty()) {
            put(json, "attributes", attributes);
        }
    }

    /// Makes a deleted secret give up its name, as far as that is wanted.
    fn make_room(&self, name: &str, failure: Failure) -> Result<()> {
        let (method, path) = match self.deleted {
            Deleted::Explain => return Err(explain::deleted(failure, name, &self.url())),
            Deleted::Recover => ("POST", format!("deletedsecrets/{name}/recover")),
            Deleted::Purge => ("DELETE", format!("deletedsecrets/{name}")),
        };
        self.host.say(match self.deleted {
            Deleted::Purge => "a deleted secret has the name, and is purged",
            Deleted::Explain | Deleted::Recover => {
                "a deleted secret has the name, and is recovered"
            }
        });
        match self.arm.ask(method, self.path(&path), None, &[]) {
            Ok(_) => Ok(()),
            // Somebody else was faster.
            Err(failure) if failure.status() == Some(404) || is_busy(&failure, true) => Ok(()),
            Err(failure) => Err(self.explained(failure)),
        }
    }

    /// Until the vault has finished with what is going on with the name.
    fn patiently(&self, has_room: bool, set: impl Fn() -> arm::Result<Json>) -> Result<Json> {
        let begun = self.host.now();
        loop {
            match set() {
                Err(failure) if is_busy(&failure, has_room) => {
                    if self.host.now().saturating_sub(begun) >= PATIENCE {
                        return Err(self.explained(failure));
                    }
                    self.host.sleep(PAUSE);
                }
                other => return other.map_err(|failure| self.explained(failure)),
            }
        }
    }

    fn explained(&self, failure: Failure) -> Error {
        explain::vault(failure, &self.url())
    }
}

/// The word that Key Vault has for a name that a deleted secret has.
const DELETED: &str = "ObjectIsDeletedButRecoverable";

/// The innermost code, which says most.
fn inner(failure: &Failure) -> Option<&str> {
    let refusal = failure.refusal()?;
    let inner = refusal.inner.iter().map(|(code, _)| code.as_str()).find(|code| !code.is_empty());
    inner.or(Some(refusal.code.as_str()))
}

fn is_busy(failure: &Failure, has_room: bool) -> bool {
    match inner(failure) {
        Some("ObjectIsBeingRecovered" | "ObjectIsBeingDeleted") => true,
        Some(DELETED) => has_room,
        _ => false,
    }
}

fn is_missing(failure: &Failure) -> bool {
    failure.status() == Some(404) && failure.azure_code() == Some("SecretNotFound")
}

fn closed(failure: &Failure) -> Option<String> {
    let word = inner(failure).filter(|_| failure.status() == Some(403))?;
    ["SecretDisabled", "SecretExpired", "SecretNotYetValid"]
        .contains(&word)
        .then(|| word.to_owned())
}

fn present<S>(json: &Json, value: Option<S>) -> Present<S> {
    let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    let moment = |key: &str| json.pointer(key).and_then(Json::as_u64);
    let tags = json.get("tags").and_then(Json::as_object).into_iter().flatten();
    let tag = |(key, value): (&String, &Json)| Some((key.clone(), value.as_str()?.to_owned()));
    let is_disabled = json.pointer("/attributes/enabled").and_then(Json::as_bool) == Some(false);
    Present {
        value,
        id: text("id"),
        content_type: text("contentType"),
        tags: tags.filter_map(tag).collect(),
        not_before: moment("/attributes/nbf"),
        expires: moment("/attributes/exp"),
        closed: is_disabled.then(|| "SecretDisabled".to_owned()),
    }
}

fn put(json: &mut Json, key: &str, value: Json) {
    if let Some(map) = json.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn is_name(text: &str) -> bool {
    (3..=24).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains("--")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}
