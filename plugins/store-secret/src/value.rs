//! One secret, from a handle or made up.

use std::fmt::Write as _;

use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::{Generate, Inputs};
use crate::outputs::Stored;
use crate::place::{Place, Present, Value};
use crate::wish::{Facts, When};

/// Where the value comes from.
enum Source<'a> {
    Secret(&'a str),
    Generate(&'a Generate),
}

/// What is to be done.
struct Job<'a, 'h, H: Host> {
    name: &'a str,
    facts: Facts,
    inputs: &'a Inputs,
    place: &'a Place<'h, H>,
    host: &'a H,
    dry_run: bool,
}

/// Stores the secret that `inputs` name; tells what was done, for a person.
///
/// # Errors
/// `invalid.inputs`, those of the host, and those of the place.
pub fn set<H: Host>(
    inputs: &Inputs,
    place: &Place<'_, H>,
    host: &H,
    dry_run: bool,
) -> Result<(Stored, String)> {
    let name = inputs.name.as_deref().ok_or_else(|| {
        Error::invalid("it is not said what the secret is called there")
            .hint("say `name = \"NAME\"`")
    })?;
    place.checked(name)?;
    let facts = Facts::of(inputs)?;
    let source =
        match (&inputs.secret, &inputs.generate) {
            (Some(secret), _) => Source::Secret(secret),
            (None, Some(generate)) => Source::Generate(generate),
            (None, None) => return Err(Error::invalid("there is nothing to store").hint(
                "say `secret = \"NAME\"`, a name in `[secrets]`, or `generate = { length = 32 }`",
            )),
        };
    let job = Job { name, facts, inputs, place, host, dry_run };
    match source {
        Source::Secret(secret) => job.given(secret),
        Source::Generate(generate) => job.made(generate),
    }
}

impl<H: Host> Job<'_, '_, H> {
    fn given(&self, secret: &str) -> Result<(Stored, String)> {
        let name = self.name;
        let value = self.host.secret(secret)?;
        if self.host.is_empty(&value) {
            return Err(empty(secret));
        }
        let mut present = None;
        if self.inputs.only_if_changed && !self.inputs.rotate {
            present = match self.place.read(name) {
                // Who may only write still writes; whoever may not do that either is told so there.
                Err(error) if error.is("denied") && !self.dry_run => {
                    self.host.say(&format!("`{name}` cannot be read, so it is written: {error}"));
                    None
                }
                // Nothing is known of the local store but what is declared; a new value mends all of it.
                Err(_) if self.place.is_local() => None,
                other => other?,
            };
        }
        let is_same = match present.as_ref().and_then(|present| present.value.as_ref()) {
            None => false,
            Some(other) => match self.host.equals(&value, other) {
                Ok(is_same) => is_same,
                Err(error) if error.is("denied") => {
                    self.host.say(&format!(
                        "`{secret}` has an `only-to` and cannot be compared, so it is written"
                    ));
                    false
                }
                Err(error) => return Err(error),
            },
        };
        if let Some(closed) = present.as_ref().and_then(|present| present.closed.as_deref()) {
            self.host.say(&format!(
                "`{name}` is there and cannot be compared, {closed}, so it is written"
            ));
        }
        match &present {
            Some(present) if is_same => self.settle(present),
            _ if self.dry_run => Ok(self.would(present.as_ref(), "stored")),
            _ => {
                let stored =
                    self.place.write(name, Value::Secret(value), &self.facts, present.as_ref())?;
                let summary = format!("stored `{name}` in {}", self.place.shown());
                Ok((stored, summary))
            }
        }
    }

    fn made(&self, generate: &Generate) -> Result<(Stored, String)> {
        let name = self.name;
        let present = if self.inputs.rotate && self.place.is_local() {
            None
        } else {
            self.place.read(name)?
        };
        let is_good = |present: &Present<H::Secret>| {
            let is_empty = present.value.as_ref().is_some_and(|value| self.host.is_empty(value));
            !is_empty && present.expires.is_none_or(|end| end > self.host.clock())
        };
        match &present {
            Some(present) if !self.inputs.rotate && is_good(present) => {
                if let Some(closed) = &present.closed {
                    self.host.warn(&format!("`{name}` is there, but cannot be read: {closed}"));
                    return Ok((present.stored(name), format!("`{name}` is there already")));
                }
                self.settle(present)
            }
            _ if self.dry_run => Ok(self.would(present.as_ref(), "generated and stored")),
            _ => {
                let value = self.host.generate(generate.length, generate.alphabet)?;
                let stored =
                    self.place.write(name, Value::Secret(value), &self.facts, present.as_ref())?;
                Ok((stored, format!("generated `{name}` and stored it in {}", self.place.shown())))
            }
        }
    }

    /// The value is as it should be; what is stored with it may not.
    fn settle(&self, present: &Present<H::Secret>) -> Result<(Stored, String)> {
        let name = self.name;
        let differs = differences(present, &self.facts, self.host.clock());
        let (Place::Vault(vault), Some(id), false) = (self.place, &present.id, differs.is_empty())
        else {
            return Ok((present.stored(name), format!("`{name}` is the same already")));
        };
        let what = differs.join(", ");
        if self.dry_run {
            let stored = Stored { changed: true, ..present.stored(name) };
            return Ok((stored, format!("would change {what} of `{name}`")));
        }
        let stored = vault.update(name, id, &self.facts, &present.tags)?;
        Ok((stored, format!("changed {what} of `{name}`; its value is the same")))
    }

    fn would(&self, present: Option<&Present<H::Secret>>, what: &str) -> (Stored, String) {
        let name = self.name;
        let stored = Stored { name: name.to_owned(), changed: true, ..Stored::default() };
        let mut summary = format!("`{name}` would be {what} in {}", self.place.shown());
        if let (None, Place::Vault(vault)) = (present, self.place)
            && let Some(date) = vault.purge_date(name)
        {
            let _ = write!(summary, "; a deleted secret has the name until {date}, see `deleted`");
        }
        (stored, summary)
    }
}

/// What is stored with a value and should be different. A duration counts from when it is written: it
/// is no difference until its end has come.
fn differences<S>(present: &Present<S>, facts: &Facts, now: u64) -> Vec<&'static str> {
    let is_kind = facts.content_type.is_none() || facts.content_type == present.content_type;
    let has_tags = facts.tags.iter().all(|(key, value)| present.tags.get(key) == Some(value));
    let begins = match (facts.not_before, present.not_before) {
        (None, _) | (Some(When::In(_)), Some(_)) => true,
        (wanted, found) => wanted.map(|when| when.from(now)) == found,
    };
    let ends = match (facts.expires, present.expires) {
        (None, _) => true,
        (Some(When::In(_)), Some(found)) => found > now,
        (wanted, found) => wanted.map(|when| when.from(now)) == found,
    };
    let is_open = match facts.enabled {
        None => true,
        Some(enabled) => enabled == present.closed.is_none(),
    };
    let same = [
        ("content-type", is_kind),
        ("tags", has_tags),
        ("not-before", begins),
        ("expires", ends),
        ("enabled", is_open),
    ];
    same.into_iter().filter(|(_, is_same)| !is_same).map(|(key, _)| key).collect()
}

fn empty(secret: &str) -> Error {
    Error::invalid(format!("the secret `{secret}` is empty")).hint(
        "find out where it comes from: `az ad sp show --query password` prints nothing, for Azure shows a \
         password only once; `service-principal` of this step makes one and stores it",
    )
}
