//! A table in place of Azure and the host.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use arm::table::Table;
use arm::{Http, Request, Response};
use serde_json::{Value, json};
use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::Inputs;

pub(crate) const S: &str = "11111111-1111-1111-1111-111111111111";
pub(crate) const DIGEST: &str =
    "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// Azure and the host.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) table: Table,
    pub(crate) images: BTreeMap<String, Result<Option<(String, String)>>>,
    pub(crate) probes: RefCell<VecDeque<Result<u16>>>,
    pub(crate) probed: RefCell<Vec<String>>,
    pub(crate) written: RefCell<Vec<(String, String)>>,
    pub(crate) warned: RefCell<Vec<String>>,
}

impl Fake {
    pub(crate) fn new(table: Table) -> Self {
        let found =
            Ok(Some(("myregistry.azurecr.io/aci-helloworld".to_owned(), DIGEST.to_owned())));
        let images = [("myregistry.azurecr.io/aci-helloworld:v1".to_owned(), found)];
        Self { table, images: images.into(), ..Self::default() }
    }
}

impl Http for Fake {
    type Secret = String;

    fn send(&self, request: &Request<'_, String>) -> Result<Response> {
        self.table.send(request)
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

impl Host for Fake {
    fn secret(&self, name: &str) -> Result<String> {
        match name {
            "denied" => Err(Error::new("denied.secrets", "not granted")),
            name => Ok(name.to_owned()),
        }
    }

    fn resolve(&self, reference: &str) -> Result<Option<(String, String)>> {
        self.images.get(reference).cloned().unwrap_or(Ok(None))
    }

    fn probe(&self, url: &str) -> Result<u16> {
        self.probed.borrow_mut().push(url.to_owned());
        let answer = self.probes.borrow_mut().pop_front();
        answer.unwrap_or_else(|| Err(Error::new("transient.http", "nobody listens")))
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        self.written.borrow_mut().push((path.to_owned(), text.to_owned()));
        Ok(())
    }

    fn random(&self) -> u64 {
        0xabcd_ef01_2345
    }

    fn warn(&self, text: &str) {
        self.warned.borrow_mut().push(text.to_owned());
    }
}

/// The inputs that `more` makes of the least that must be said.
pub(crate) fn inputs(more: &Value) -> Inputs {
    let mut all = json!({ "subscription": S, "resource-group": "rg1", "name": "aci-demo" });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap_or_else(|error| panic!("{error}"))
}

/// What story D deploys.
pub(crate) fn story() -> Value {
    json!({
        "image": "myregistry.azurecr.io/aci-helloworld:v1",
        "dns-label": "aci-demo-1",
        "registries": [{
            "server": "myregistry.azurecr.io", "username": "u", "password": { "secret": "pwd" },
        }],
    })
}

/// A group as Azure gives it: `body` of a PUT without secrets, with what Azure adds.
pub(crate) fn served(body: &Value, state: &str, restarts: u64) -> Value {
    let mut group = body.clone();
    let id = format!(
        "/subscriptions/{S}/resourceGroups/rg1/providers/Microsoft.ContainerInstance/containerGroups/aci-demo"
    );
    group["id"] = id.into();
    group["name"] = "aci-demo".into();
    group["properties"]["provisioningState"] = "Succeeded".into();
    group["properties"]["sku"] = "Standard".into();
    group["properties"]["restartPolicy"] = "Always".into();
    group["properties"]["instanceView"] = json!({ "events": [], "state": state });
    if group["properties"].get("ipAddress").is_some() {
        group["properties"]["ipAddress"]["ip"] = "20.50.60.70".into();
        group["properties"]["ipAddress"]["fqdn"] = "aci-demo-1.westeurope.azurecontainer.io".into();
    }
    for container in group["properties"]["containers"].as_array_mut().unwrap() {
        container["properties"]["instanceView"] = json!({
            "restartCount": restarts,
            "currentState": { "state": state, "startTime": "2026-11-22T15:28:14Z", "detailStatus": "" },
            "events": [{ "count": 1, "name": "Started", "message": "Started container", "type": "Normal" }],
        });
    }
    strip(&mut group);
    group
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for secret in ["password", "secureValue", "storageAccountKey", "workspaceKey"] {
                map.shift_remove(secret);
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
