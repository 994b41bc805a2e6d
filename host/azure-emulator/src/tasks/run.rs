//! Runs: what became of what was asked for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{container, log, sas};
use crate::answer::{Answer, Answered, Refusal};
use crate::arm::{Admitted, not_found};
use crate::azure::{Azure, equalities};
use crate::clock;
use crate::json::{at, set, text};
use crate::net::host;
use crate::registry::KIND;
use crate::registry::control::Registry;
use crate::world::{Resource, World, key};

/// The states that a run does not leave.
const TERMINAL: [&str; 5] = ["Succeeded", "Failed", "Canceled", "Error", "Timeout"];

/// Runs of one page, if nobody says how many there shall be.
const PAGE: usize = 100;

/// Ids of runs begin with the two letters of where they are run.
const PREFIX: &str = "ca";

/// Those that can still be stopped, by their ids.
#[derive(Default)]
pub(crate) struct Running(Mutex<BTreeMap<String, CancellationToken>>);

impl Running {
    pub(super) fn begin(&self, id: &str) -> CancellationToken {
        let token = CancellationToken::new();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key(id), token.clone());
        token
    }

    pub(super) fn end(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(id));
    }

    fn cancel(&self, id: &str) {
        if let Some(token) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key(id)) {
            token.cancel();
        }
    }
}

pub(super) fn answer(admitted: &Admitted<'_>, registry: &Registry, rest: &[&str]) -> Answered {
    let Admitted { azure, call, .. } = admitted;
    let method = call.method.as_str();
    if let ("GET", []) = (method, rest) {
        return list(admitted, registry);
    }
    let name = call.segment(9);
    let id = format!("{}/runs/{name}", registry.id);
    let found = azure.store.read(|world| world.resource(&id).cloned());
    let missing = || not_found(&format!("{KIND}/runs"), name, call.segment(3));
    let run = found.ok_or_else(missing)?;
    match (method, rest) {
        ("GET", [_]) => Ok(Answer::ok(run.body)),
        ("PATCH", [_]) => {
            let document = call.object()?;
            let kept = document
                .get("isArchiveEnabled")
                .or_else(|| document.pointer("/properties/isArchiveEnabled"));
            let kept = kept.and_then(Value::as_bool);
            change(azure, &id, |properties| {
                if let Some(kept) = kept {
                    set(properties, "isArchiveEnabled", kept);
                }
            })?;
            let body = azure.store.read(|world| world.resource(&id).map(|run| run.body.clone()));
            Ok(Answer::ok(body.unwrap_or_default()))
        }
        ("POST", [_, "cancel"]) => {
            azure.running.cancel(&id);
            Ok(Answer::empty(200))
        }
        ("POST", [_, "listlogsasurl"]) => {
            let path = format!("/{}/logs/{}/rawtext.log", container(registry), run.name());
            let query = sas::query(azure, &path, "r");
            let link = call.origin.url(host::BLOB, &format!("{path}?{query}"));
            Ok(Answer::ok(json!({ "logLink": link, "logArtifactLink": "" })))
        }
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

fn list(admitted: &Admitted<'_>, registry: &Registry) -> Answered {
    let call = admitted.call;
    let filter = call.query("$filter").unwrap_or_default();
    let wanted = Filter::parse(filter).ok_or_else(|| {
        let message = format!("The filter '{filter}' is not understood by the emulator.");
        Refusal::bad("InvalidFilter", message).target("request")
    })?;
    let top = call.query("$top").map(|top| top.parse().unwrap_or_default());
    if top == Some(0) {
        return Err(Refusal::bad("InvalidTop", "'$top' has to be a positive number."));
    }
    let skip = call.query("$skipToken").unwrap_or("0").parse::<usize>().map_err(|_| {
        Refusal::bad("InvalidSkipToken", "'$skipToken' is not one that a list gave.")
    })?;
    let mut runs: Vec<Value> = admitted.azure.store.read(|world| {
        let runs = world.children(&registry.id, "runs").filter(|run| wanted.fits(&run.body));
        admitted.list(world, runs)
    });
    // The newest first; ids count up.
    runs.sort_by_key(|run| std::cmp::Reverse(number(text(run, "/name"))));
    let mut page = runs.split_off(skip.min(runs.len()));
    // Who says how many gets them at once; who does not gets them by pages.
    let size = top.unwrap_or(PAGE);
    let is_last = top.is_some() || page.len() <= size;
    page.truncate(size);
    if is_last {
        return Ok(Answer::list(page));
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["api-version", "$filter"] {
        query.extend_pairs(call.query(name).map(|value| (name, value)));
    }
    query.append_pair("$skipToken", &(skip + size).to_string());
    let next = call.origin.url(host::ARM, &format!("{}/runs?{}", registry.id, query.finish()));
    Ok(Answer::ok(json!({ "value": page, "nextLink": next })))
}

/// What `$filter` asks of runs.
struct Filter {
    equal: BTreeMap<String, String>,
    manifests: Vec<String>,
}

impl Filter {
    fn parse(filter: &str) -> Option<Self> {
        let (mut manifests, mut rest) = (Vec::new(), Vec::new());
        for part in filter.split(" and ").map(str::trim).filter(|part| !part.is_empty()) {
            match part.strip_prefix("contains(OutputImageManifests,") {
                Some(inner) => {
                    let image =
                        inner.strip_suffix(')')?.trim().strip_prefix('\'')?.strip_suffix('\'')?;
                    manifests.push(image.to_owned());
                }
                None => rest.push(part),
            }
        }
        let equal = equalities(&rest.join(" and "))?;
        let known = ["runid", "runtype", "status", "taskname", "agentpoolname", "isarchiveenabled"];
        equal.keys().all(|name| known.contains(&name.as_str())).then_some(Self { equal, manifests })
    }

    fn fits(&self, run: &Value) -> bool {
        let properties = at(run, "/properties");
        let equal = self.equal.iter().all(|(name, wanted)| {
            let member = match name.as_str() {
                "runid" => "runId",
                "runtype" => "runType",
                "taskname" => "task",
                "agentpoolname" => "agentPoolName",
                "isarchiveenabled" => "isArchiveEnabled",
                name => name,
            };
            let found = at(properties, &format!("/{member}"));
            let shown = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            shown.eq_ignore_ascii_case(wanted)
        });
        equal
            && self.manifests.iter().all(|wanted| {
                let images = at(properties, "/outputImages").as_array();
                images.into_iter().flatten().any(|image| {
                    format!("{}@{}", text(image, "/repository"), text(image, "/digest"))
                        .contains(wanted)
                })
            })
    }
}

/// The number behind the letters of an id.
fn number(id: &str) -> u64 {
    id.strip_prefix(PREFIX).and_then(|rest| u64::from_str_radix(rest, 36).ok()).unwrap_or_default()
}

/// `ca1`, …, `caz`, `ca10`: letters of the place and a number in base 36.
fn name_of(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        digits.extend(char::from_digit(digit, 36));
        number /= 36;
    }
    let digits: String = digits.into_iter().rev().collect();
    format!("{PREFIX}{digits}")
}

/// What is known of a run when it is queued.
pub(super) struct New<'a> {
    pub(super) kind: &'a str,
    pub(super) platform: Value,
    pub(super) agent: Value,
    pub(super) task: Option<&'a str>,
    pub(super) archived: bool,
    pub(super) token: Option<&'a str>,
    /// The bases that started it, by being others.
    pub(super) update: Option<&'a Value>,
}

/// Makes a run. Gives its id, and what the client is told.
pub(super) fn queue(
    azure: &Azure,
    registry: &Registry,
    new: &New<'_>,
) -> Result<(String, Value), Refusal> {
    let now = clock::arm(azure.clock().now());
    azure.store.change(|world| {
        let last = world.children(&registry.id, "runs").map(|run| number(run.name())).max();
        let name = name_of(last.unwrap_or_default() + 1);
        let id = format!("{}/runs/{name}", registry.id);
        let short = json!({
            "runId": name, "status": "Queued", "lastUpdatedTime": now,
            "provisioningState": "Succeeded", "isArchiveEnabled": new.archived,
        });
        let body = |properties: &Value| {
            json!({ "type": format!("{KIND}/runs"), "properties": properties, "id": id, "name": name })
        };
        let mut full = short.clone();
        let more = [
            ("runType", json!(new.kind)),
            ("createTime", json!(now)),
            ("platform", new.platform.clone()),
            ("agentConfiguration", new.agent.clone()),
        ];
        for (name, value) in more {
            set(&mut full, name, value);
        }
        for (name, value) in [("task", new.task), ("updateTriggerToken", new.token)] {
            if let Some(value) = value {
                set(&mut full, name, value);
            }
        }
        if let Some(update) = new.update {
            set(&mut full, "imageUpdateTrigger", update.clone());
        }
        world.put(Resource::new(body(&full)));
        let shown = body(&short);
        Ok((id, shown))
    })
}

/// Changes the properties of a run, and notes when.
pub(super) fn change(
    azure: &Azure,
    id: &str,
    change: impl FnOnce(&mut Value),
) -> Result<(), Refusal> {
    let now = clock::arm(azure.clock().now());
    azure.store.change(|world| {
        let Some(run) = world.resource_mut(id) else { return Ok(()) };
        let mut properties = at(&run.body, "/properties").clone();
        change(&mut properties);
        set(&mut properties, "lastUpdatedTime", now);
        set(&mut run.body, "properties", properties);
        Ok(())
    })
}

/// Runs that a stopped emulator left behind will never end: they end here.
pub(crate) fn sweep(world: &mut World, now: &str) -> bool {
    let mut changed = false;
    let kind = format!("{KIND}/runs");
    for run in world.resources.values_mut().filter(|resource| resource.text("/type") == kind) {
        if !TERMINAL.contains(&run.text("/properties/status")) {
            let properties = run.properties();
            properties.insert("status".to_owned(), json!("Error"));
            properties.insert("finishTime".to_owned(), json!(now));
            properties.insert("runErrorMessage".to_owned(), json!("the emulator was stopped"));
            changed = true;
        }
    }
    changed
}

/// What a log's metadata says about its end, once the run has ended.
pub(super) fn outcome_of_log(azure: &Azure, path: &[String]) -> Option<&'static str> {
    let [container, kind, run, _] = path else { return None };
    if kind != "logs" {
        return None;
    }
    let suffix = container.rsplit('-').next()?;
    azure.store.read(|world| {
        let found = world.resources.values().find(|resource| {
            let of = resource.id().rsplit_once("/runs/").map(|(registry, _)| registry);
            resource.name() == run && of.is_some_and(|registry| sas::suffix(registry) == suffix)
        })?;
        match found.text("/properties/status") {
            "Succeeded" => Some("successful"),
            "Failed" => Some("failed"),
            "Canceled" => Some("canceled"),
            "Timeout" => Some("timedout"),
            "Error" => Some("internalerror"),
            _ => None,
        }
    })
}

/// The file of a run's log.
pub(super) fn log_file(azure: &Azure, registry: &Registry, id: &str) -> std::path::PathBuf {
    let name = id.rsplit('/').next().unwrap_or_default();
    log::file(&azure.config.state, &container(registry), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_in_base_36() {
        assert_eq!([1, 9, 10, 35, 36].map(name_of), ["ca1", "ca9", "caa", "caz", "ca10"]);
        assert_eq!(["ca1", "caz", "ca10", "xx", ""].map(number), [1, 35, 36, 0, 0]);
    }

    #[test]
    fn filters_of_az_are_understood() {
        let run = json!({ "properties": {
            "task": "t", "status": "Succeeded", "isArchiveEnabled": false,
            "outputImages": [{ "repository": "a", "digest": "sha256:1" }],
        } });
        let fits = |text| Filter::parse(text).map(|filter| filter.fits(&run));
        assert_eq!(fits(""), Some(true));
        assert_eq!(fits("TaskName eq 'T' and Status eq 'Succeeded'"), Some(true));
        assert_eq!(fits("Status eq 'Failed'"), Some(false));
        assert_eq!(fits("contains(OutputImageManifests, 'a@sha256:1')"), Some(true));
        for text in ["Nothing eq 'x'", "Status ne 'x'", "contains(OutputImageManifests, a)", "x"] {
            assert_eq!(fits(text), None, "{text}");
        }
    }
}
