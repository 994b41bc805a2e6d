//! The encrypted store of this machine.
//!
//! It has values and nothing beside them: what the step has to know of one, such as the id of a
//! password, is in the step's own state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::{Deleted, Inputs};
use crate::outputs::Stored;
use crate::place::{Present, Value};
use crate::wish::{Facts, time};

/// The store.
#[derive(Debug)]
pub struct Local<'h, H> {
    host: &'h H,
}

/// What is remembered of a secret.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    tags: BTreeMap<String, String>,
    expires: Option<u64>,
}

impl<'h, H: Host> Local<'h, H> {
    /// The store.
    #[must_use]
    pub fn new(host: &'h H) -> Self {
        Self { host }
    }

    /// What is there under `name`.
    ///
    /// # Errors
    /// If it was stored here once and cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Present<H::Secret>>> {
        let note: Option<Note> = match self.host.load(&key(name))? {
            Some(text) => Some(serde_json::from_slice(&text)?),
            None => None,
        };
        let value = match (self.host.secret(name), &note) {
            (Ok(value), _) => Some(value),
            (Err(error), None) if error.is("unauthorized") => return Ok(None),
            (Err(error), _) => {
                return Err(error.during(format!("look at `{name}` of the local store")).hint(
                    format!(
                        "declare it, `[secrets] {name} = {{ from = \"store\" }}`; or say `rotate = true` \
                         for a new one whatever is there"
                    ),
                ));
            }
        };
        let Note { tags, expires } = note.unwrap_or_default();
        Ok(Some(Present {
            value,
            id: None,
            content_type: None,
            tags,
            not_before: None,
            expires,
            closed: None,
        }))
    }

    /// Stores `value` under `name`.
    ///
    /// # Errors
    /// Those of the host.
    pub fn write(&self, name: &str, value: &Value<H::Secret>, facts: &Facts) -> Result<Stored> {
        let Value::Secret(secret) = value else {
            return Err(Error::failed(format!(
                "`{name}` is no secret, which the local store takes"
            )));
        };
        let expires = facts.expires.map(|when| when.from(self.host.clock()));
        self.host.put(name, secret)?;
        let note = Note { tags: facts.tags.clone(), expires };
        self.host.save(&key(name), &serde_json::to_vec(&note)?)?;
        Ok(Stored {
            name: name.to_owned(),
            id: None,
            version: None,
            changed: true,
            expires: expires.map(time),
        })
    }
}

/// Checks that `inputs` say nothing that the store does not have.
///
/// # Errors
/// `invalid.inputs` if they do.
pub fn checked(inputs: &Inputs) -> Result<()> {
    let said = [
        ("content-type", inputs.content_type.is_some()),
        ("tags", !inputs.tags.is_empty()),
        ("not-before", inputs.not_before.is_some()),
        ("expires", inputs.expires.is_some()),
        ("enabled", inputs.enabled.is_some()),
        ("deleted", inputs.deleted != Deleted::Explain),
    ];
    match said.iter().find(|(_, is_said)| *is_said) {
        None => Ok(()),
        Some((key, _)) => Err(Error::invalid(format!("the local store has no `{key}`"))
            .hint(format!("leave out `{key}`, or store it in a vault"))),
    }
}

fn key(name: &str) -> String {
    format!("local/{name}")
}
