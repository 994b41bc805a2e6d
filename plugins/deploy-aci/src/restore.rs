//! The former group, as it can be put again.

use arm::{Body, Hole};
use serde_json::{Map, Value};

/// What Azure knows of a group and does not take back.
const KNOWN_TO_AZURE: [&str; 7] =
    ["clientId", "fqdn", "instanceView", "ip", "principalId", "provisioningState", "tenantId"];

/// Objects whose keys are the user's.
const FREE: [&str; 3] = ["keyValuePairs", "metadata", "tags"];

/// The body that makes `former` again. Azure has not told its secrets: they are taken from `wanted`
/// where the same thing needs one (the same registry, variable of a container, storage account,
/// workspace or volume).
///
/// # Errors
/// The places of secrets that nobody knows.
pub fn former(former: &Value, wanted: &Body<String>) -> Result<Body<String>, Vec<String>> {
    let keys = ["location", "tags", "zones", "identity", "properties"];
    let kept = keys.into_iter().filter_map(|key| {
        let value = former.get(key).filter(|value| !value.is_null())?;
        Some((key.to_owned(), if key == "tags" { value.clone() } else { without(value) }))
    });
    let mut value = Value::Object(kept.collect::<Map<_, _>>());
    let mut search = Search { wanted, holes: Vec::new(), lost: Vec::new() };
    search.registries(&mut value);
    for list in ["containers", "initContainers"] {
        search.variables(&mut value, list);
    }
    search.volumes(&mut value);
    search.workspace(&mut value);
    if !search.lost.is_empty() {
        return Err(search.lost);
    }
    Ok(Body { value, holes: search.holes })
}

fn without(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter(|(key, value)| !KNOWN_TO_AZURE.contains(&key.as_str()) && !value.is_null());
            let kept = kept.map(|(key, value)| {
                let free = FREE.contains(&key.as_str());
                (key.clone(), if free { value.clone() } else { without(value) })
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.iter().map(without).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

struct Search<'a> {
    wanted: &'a Body<String>,
    holes: Vec<Hole<String>>,
    lost: Vec<String>,
}

impl Search<'_> {
    /// The secret that is wanted at `there` goes to `here`.
    fn take(&mut self, there: Option<String>, here: String, parent: &mut Value, key: &str) {
        let hole = there.and_then(|at| self.wanted.holes.iter().find(|hole| hole.pointer == at));
        match (hole, parent) {
            (Some(hole), Value::Object(map)) => {
                map.insert(key.to_owned(), Value::Null);
                let Hole { secret, encoding, .. } = hole.clone();
                self.holes.push(Hole { pointer: here, secret, encoding });
            }
            _ => self.lost.push(here),
        }
    }

    /// Where in the wanted group's list the thing is that is the same in `keys`.
    fn same(&self, list: &str, thing: &Value, keys: &[&str]) -> Option<String> {
        let items = self.wanted.value.pointer(list)?.as_array()?;
        let same = |item: &Value| keys.iter().all(|key| item.pointer(key) == thing.pointer(key));
        items.iter().position(same).map(|index| format!("{list}/{index}"))
    }

    /// The credential for the same registry is the wanted one: that of today.
    fn registries(&mut self, group: &mut Value) {
        let list = "/properties/imageRegistryCredentials";
        for (index, credential) in items(group, list).iter_mut().enumerate() {
            if credential.get("username").is_some() {
                let twin = self.same(list, credential, &["/server"]);
                self.copy(twin, &format!("{list}/{index}"), credential);
            }
        }
    }

    /// `value`, which stands at `here`, becomes what is wanted at `there`, secrets included.
    fn copy(&mut self, there: Option<String>, here: &str, value: &mut Value) {
        let found = there.and_then(|at| Some((self.wanted.value.pointer(&at)?.clone(), at)));
        let Some((wanted, at)) = found else {
            self.lost.push(here.to_owned());
            return;
        };
        *value = wanted;
        for hole in &self.wanted.holes {
            if let Some(rest) = hole.pointer.strip_prefix(&format!("{at}/")) {
                let pointer = format!("{here}/{rest}");
                self.holes.push(Hole { pointer, ..hole.clone() });
            }
        }
    }

    fn variables(&mut self, group: &mut Value, kind: &str) {
        let list = format!("/properties/{kind}");
        for (index, container) in items(group, &list).iter_mut().enumerate() {
            let inside = "properties/environmentVariables";
            let twin = self.same(&list, container, &["/name"]);
            let wanted = twin.map(|at| format!("{at}/{inside}"));
            for (number, variable) in items(container, &format!("/{inside}")).iter_mut().enumerate()
            {
                if variable.get("value").is_some() {
                    continue;
                }
                let there = wanted.as_ref().and_then(|list| self.same(list, variable, &["/name"]));
                let there = there.map(|at| format!("{at}/secureValue"));
                let here = format!("{list}/{index}/{inside}/{number}/secureValue");
                self.take(there, here, variable, "secureValue");
            }
        }
    }

    fn volumes(&mut self, group: &mut Value) {
        let list = "/properties/volumes";
        for (index, volume) in items(group, list).iter_mut().enumerate() {
            let here = format!("{list}/{index}");
            let keys = ["/azureFile/storageAccountName"];
            let share = self
                .same(list, volume, &keys)
                .map(|at| format!("{at}/azureFile/storageAccountKey"));
            if let Some(file) = volume.get_mut("azureFile") {
                self.take(
                    share,
                    format!("{here}/azureFile/storageAccountKey"),
                    file,
                    "storageAccountKey",
                );
            }
            if let Some(files) = volume.get("secret").cloned() {
                let twin = self.same(list, volume, &["/name"]).map(|at| format!("{at}/secret"));
                let mut files = files;
                self.copy(twin, &format!("{here}/secret"), &mut files);
                if let Value::Object(map) = volume {
                    map.insert("secret".to_owned(), files);
                }
            }
        }
    }

    fn workspace(&mut self, group: &mut Value) {
        let at = "/properties/diagnostics/logAnalytics";
        let key = format!("{at}/workspaceKey");
        let id = |value: &Value| value.pointer(&format!("{at}/workspaceId")).cloned();
        let same = id(&self.wanted.value) == id(group);
        if let Some(logs) = group.pointer_mut(at) {
            self.take(same.then(|| key.clone()), key, logs, "workspaceKey");
        }
    }
}

fn items<'v>(value: &'v mut Value, pointer: &str) -> &'v mut [Value] {
    let list = value.pointer_mut(pointer).and_then(Value::as_array_mut);
    list.map_or(&mut [][..], Vec::as_mut_slice)
}

#[cfg(test)]
mod tests;
