//! The group as Azure writes it.

mod container;
mod volume;

use std::collections::BTreeMap;

use arm::{Body, Encoding, Hole};
use serde_json::{Value, json};

use crate::inputs::{Inputs, Port, Restart, Sku, Text};

/// The kind of resource.
pub const KIND: &str = "Microsoft.ContainerInstance/containerGroups";

/// The version of the API, as az has it; the emulator and 2023-05-01 know all that is used here.
pub const VERSION: &str = "2024-05-01-preview";

/// What is not in the inputs.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The region.
    pub location: String,
    /// The DNS label with its suffix.
    pub label: Option<String>,
    /// Images by what the inputs call them, as they are deployed.
    pub images: BTreeMap<String, String>,
}

/// The group that `inputs` want; secrets by name.
#[must_use]
pub fn spec(inputs: &Inputs, facts: &Facts) -> Body<String> {
    let mut writer = Writer { facts, holes: Vec::new() };
    let containers = writer.containers(inputs);
    let init = writer.init_containers(&inputs.init_containers);
    let properties = object([
        ("containers", Some(containers)),
        ("initContainers", some_list(init)),
        ("imageRegistryCredentials", some_list(writer.registries(inputs))),
        ("ipAddress", address(inputs, facts)),
        ("osType", Some(inputs.os.azure().into())),
        (
            "restartPolicy",
            (inputs.restart != Restart::Always).then(|| inputs.restart.azure().into()),
        ),
        ("sku", (inputs.sku != Sku::Standard).then(|| inputs.sku.azure().into())),
        ("priority", inputs.spot.then(|| "Spot".into())),
        ("volumes", some_list(writer.volumes(&inputs.volumes))),
        ("subnetIds", some_list(inputs.subnets.iter().map(|id| json!({ "id": id })).collect())),
        ("dnsConfig", name_servers(inputs)),
        ("diagnostics", writer.diagnostics(inputs)),
        ("encryptionProperties", encryption(inputs)),
        (
            "confidentialComputeProperties",
            inputs.confidential.as_ref().map(|it| json!({ "ccePolicy": it.policy })),
        ),
    ]);
    let value = object([
        ("location", Some(facts.location.as_str().into())),
        ("tags", Some(json!(inputs.tags))),
        ("zones", (!inputs.zones.is_empty()).then(|| json!(inputs.zones))),
        ("identity", identity(inputs)),
        ("properties", Some(properties)),
    ]);
    Body { value, holes: writer.holes }
}

/// Writes values, and remembers where secrets go.
struct Writer<'a> {
    facts: &'a Facts,
    holes: Vec<Hole<String>>,
}

impl Writer<'_> {
    /// `text`, which stands at `pointer`.
    fn text(&mut self, text: &Text, pointer: String) -> Value {
        match text {
            Text::Plain(text) => text.as_str().into(),
            Text::Secret(name) => self.secret(&name.secret, pointer, Encoding::Json),
        }
    }

    fn secret(&mut self, name: &str, pointer: String, encoding: Encoding) -> Value {
        self.holes.push(Hole { pointer, secret: name.to_owned(), encoding });
        Value::Null
    }

    fn registries(&mut self, inputs: &Inputs) -> Vec<Value> {
        let mut written = Vec::new();
        for (index, registry) in inputs.registries.iter().enumerate() {
            let at = format!("/properties/imageRegistryCredentials/{index}");
            let username = registry.username.as_ref();
            let username = username.map(|name| self.text(name, format!("{at}/username")));
            let password = registry.password.as_ref().map(|password| {
                self.secret(&password.secret, format!("{at}/password"), Encoding::Json)
            });
            written.push(object([
                ("server", Some(registry.server.as_str().into())),
                ("username", username),
                ("password", password),
                ("identity", registry.identity.as_deref().map(Value::from)),
            ]));
        }
        written
    }

    fn diagnostics(&mut self, inputs: &Inputs) -> Option<Value> {
        let logs = inputs.log_analytics.as_ref()?;
        let at = "/properties/diagnostics/logAnalytics/workspaceKey".to_owned();
        let key = self.secret(&logs.key.secret, at, Encoding::Json);
        let metadata = (!logs.metadata.is_empty()).then(|| json!(logs.metadata));
        let logs = object([
            ("workspaceId", Some(logs.workspace.as_str().into())),
            ("workspaceKey", Some(key)),
            ("logType", logs.kind.map(|kind| kind.azure().into())),
            ("metadata", metadata),
        ]);
        Some(json!({ "logAnalytics": logs }))
    }
}

/// The ports of a container: of the first one 80 where there is an address and none is said.
fn ports_of(inputs: &Inputs, index: usize, own: &[Port]) -> Vec<Port> {
    let said = inputs.all_containers().iter().any(|container| !container.ports.is_empty());
    match inputs.address() {
        Some(_) if index == 0 && !said => vec![Port { number: 80, is_udp: false }],
        _ => own.to_vec(),
    }
}

fn port(port: Port) -> Value {
    json!({ "protocol": port.protocol(), "port": port.number })
}

fn address(inputs: &Inputs, facts: &Facts) -> Option<Value> {
    let kind = inputs.address()?;
    let containers = inputs.all_containers();
    let ports = containers.iter().enumerate();
    let mut ports: Vec<Port> =
        ports.flat_map(|(index, container)| ports_of(inputs, index, &container.ports)).collect();
    ports.sort_unstable();
    ports.dedup();
    let ports: Vec<Value> = ports.into_iter().map(port).collect();
    Some(object([
        ("ports", Some(ports.into())),
        ("type", Some(kind.azure().into())),
        ("dnsNameLabel", facts.label.as_deref().map(Value::from)),
        ("autoGeneratedDomainNameLabelScope", Some(inputs.dns_scope.azure().into())),
    ]))
}

fn identity(inputs: &Inputs) -> Option<Value> {
    let kind = match (inputs.system_identity, inputs.identities.is_empty()) {
        (false, true) => return None,
        (false, false) => "UserAssigned",
        (true, true) => "SystemAssigned",
        (true, false) => "SystemAssigned, UserAssigned",
    };
    let users: BTreeMap<&str, Value> =
        inputs.identities.iter().map(|id| (id.as_str(), json!({}))).collect();
    let users = (!users.is_empty()).then(|| json!(users));
    Some(object([("type", Some(kind.into())), ("userAssignedIdentities", users)]))
}

fn name_servers(inputs: &Inputs) -> Option<Value> {
    let dns = inputs.dns.as_ref()?;
    Some(object([
        ("nameServers", Some(json!(dns.servers))),
        ("searchDomains", dns.search.as_deref().map(Value::from)),
        ("options", dns.options.as_deref().map(Value::from)),
    ]))
}

fn encryption(inputs: &Inputs) -> Option<Value> {
    let own = inputs.encryption.as_ref()?;
    Some(object([
        ("vaultBaseUrl", Some(own.vault.as_str().into())),
        ("keyName", Some(own.key.as_str().into())),
        ("keyVersion", Some(own.version.as_str().into())),
        ("identity", own.identity.as_deref().map(Value::from)),
    ]))
}

/// An object of what is there.
fn object<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Value {
    let pairs = pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(pairs.collect())
}

fn some_list(items: Vec<Value>) -> Option<Value> {
    (!items.is_empty()).then(|| items.into())
}

#[cfg(test)]
mod tests;
