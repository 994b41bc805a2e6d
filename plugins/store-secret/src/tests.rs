//! All of it over a table of answers. What the real `az` sent for the same intent stands beside ours.

mod inputs;
mod local;
mod principal;
mod requests;
mod role;
mod token;
mod value;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use arm::table::Table;
use arm::{Http, Request, Response};
use serde_json::{Value, json};
use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::{Alphabet, Inputs};
use crate::outputs::Outputs;
use crate::store::store;

/// 2026-11-22T15:27:39Z, when the captures were made.
const NOW: u64 = 1_795_361_259;

const DAY: u64 = 24 * 60 * 60;

/// The values of all secrets begin so, to be found where they must not be.
const SECRET: &str = "s3cr3t";

/// A world: a table of answers, secrets, a local store, memory.
#[derive(Default)]
struct World {
    table: Table,
    secrets: RefCell<BTreeMap<String, String>>,
    state: RefCell<BTreeMap<String, Vec<u8>>>,
    made: Cell<usize>,
    warned: RefCell<Vec<String>>,
    kept: RefCell<Vec<String>>,
}

/// What the plugin sees of an answer: never a secret.
fn unseen(response: Response) -> Response {
    let body = String::from_utf8_lossy(&response.body);
    assert!(!body.contains(SECRET), "the plugin sees {body}");
    response
}

impl World {
    fn new(table: Table) -> Self {
        let world = Self { table, ..Self::default() };
        for (name, value) in [("mine", "s3cr3t-mine"), ("bound", "bound s3cr3t"), ("empty", "")] {
            world.secrets.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        world
    }

    fn run(&self, inputs: Value, dry_run: bool) -> Result<(Outputs, String)> {
        let inputs: Inputs = serde_json::from_value(inputs).unwrap();
        let found = store(&inputs, dry_run, self);
        // No value is ever told.
        let told = match &found {
            Ok((outputs, summary)) => serde_json::to_string(outputs).unwrap() + summary,
            Err(error) => format!("{error:?}"),
        };
        let said = self.table.said().join("\n") + &self.warned.borrow().join("\n");
        assert!(!(told.clone() + &said).contains(SECRET), "{told}\n{said}");
        assert_eq!(self.table.left(), 0, "answers that nobody asked for; {:#?}", self.lines());
        found
    }

    fn lines(&self) -> Vec<String> {
        self.table.lines()
    }

    /// The body of the last request of this method.
    fn body(&self, method: &str, path: &str) -> Value {
        let calls = self.table.calls();
        let found = calls.iter().rfind(|call| call.method == method && call.url.contains(path));
        let call = found.unwrap_or_else(|| panic!("no {method} of {path}: {:#?}", self.lines()));
        serde_json::from_str(&call.body).unwrap()
    }
}

/// Runs over a table.
fn run(table: Table, inputs: Value) -> (World, Result<(Outputs, String)>) {
    let world = World::new(table);
    let found = world.run(inputs, false);
    (world, found)
}

/// Looks only.
fn look(table: Table, inputs: Value) -> (World, Result<(Outputs, String)>) {
    let world = World::new(table);
    let found = world.run(inputs, true);
    let changes: Vec<String> =
        world.lines().into_iter().filter(|line| !line.starts_with("GET ")).collect();
    assert!(changes.is_empty(), "a dry run changes nothing: {changes:?}");
    (world, found)
}

fn refusal(code: &str, inner: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "innererror": { "code": inner } } })
}

fn not_found() -> Value {
    refusal("SecretNotFound", "", "A secret with (name/id) x was not found in this key vault.")
}

/// A secret of a vault, as Azure answers with it.
fn secret(name: &str, value: &str, more: &Value) -> Value {
    let mut answer = json!({
        "value": value,
        "id": format!("https://v.vault.azure.net/secrets/{name}/b60452a73dca42f08b0f38cb5dd532cb"),
        "attributes": { "enabled": true, "created": NOW, "updated": NOW,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90 },
    });
    for (key, value) in more.as_object().unwrap() {
        match answer.pointer_mut(&format!("/{key}")).and_then(Value::as_object_mut) {
            Some(map) => map.extend(value.as_object().unwrap().clone()),
            None => answer[key] = value.clone(),
        }
    }
    answer
}

impl Http for World {
    type Secret = String;

    fn send(&self, request: &Request<'_, String>) -> Result<Response> {
        Ok(unseen(self.table.send(request)?))
    }

    fn send_keeping(
        &self,
        request: &Request<'_, String>,
        keep: &[&str],
    ) -> Result<(Response, Vec<String>)> {
        let (response, kept) = self.table.send_keeping(request, keep)?;
        self.kept.borrow_mut().extend(kept.clone());
        Ok((unseen(response), kept))
    }

    fn sleep(&self, pause: Duration) {
        self.table.sleep(pause);
    }

    fn now(&self) -> Duration {
        self.table.now()
    }

    fn say(&self, text: &str) {
        self.table.say(text);
    }
}

impl Host for World {
    fn secret(&self, name: &str) -> Result<String> {
        let secrets = self.secrets.borrow();
        secrets.get(name).cloned().ok_or_else(|| {
            Error::new("unauthorized.secrets", format!("the pipeline has no secret `{name}`"))
        })
    }

    fn generate(&self, length: u32, alphabet: Alphabet) -> Result<String> {
        self.made.set(self.made.get() + 1);
        Ok(format!("s3cr3t-{}-{length}-{alphabet:?}", self.made.get()))
    }

    fn put(&self, name: &str, secret: &String) -> Result<()> {
        self.secrets.borrow_mut().insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn is_empty(&self, secret: &String) -> bool {
        secret.is_empty()
    }

    fn equals(&self, one: &String, other: &String) -> Result<bool> {
        match one.starts_with("bound") || other.starts_with("bound") {
            true => Err(Error::new("denied.secrets", "it has an `only-to`")),
            false => Ok(one == other),
        }
    }

    fn load(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.state.borrow().get(key).cloned())
    }

    fn save(&self, key: &str, value: &[u8]) -> Result<()> {
        self.state.borrow_mut().insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn clock(&self) -> u64 {
        NOW + self.table.now().as_secs()
    }

    fn warn(&self, text: &str) {
        self.warned.borrow_mut().push(text.to_owned());
    }
}
