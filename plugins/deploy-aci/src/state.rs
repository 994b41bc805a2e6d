//! What Azure says of a group that is there.

use serde_json::Value;

use crate::outputs::{ContainerState, Outputs};

/// A group as Azure sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// `Pending`, `Creating`, `Succeeded`, `Failed`, …
    pub provisioning: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Stopped`, …
    pub state: String,
    /// Its address.
    pub ip: Option<String>,
    /// Its DNS name.
    pub fqdn: Option<String>,
    /// Its first port.
    pub port: Option<u16>,
    /// Its containers.
    pub containers: Vec<ContainerState>,
    /// What has happened, each as one line.
    pub events: Vec<String>,
}

impl Group {
    /// Reads what Azure gives; what is missing is empty.
    #[must_use]
    pub fn read(value: &Value) -> Self {
        let text =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let list = |pointer: &str| {
            value.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
        };
        let port = value.pointer("/properties/ipAddress/ports/0/port").and_then(Value::as_u64);
        let containers = list("/properties/containers");
        let first = list("/properties/initContainers");
        let mut events = Vec::new();
        lines("", value.pointer("/properties/instanceView/events"), &mut events);
        for container in first.iter().chain(containers) {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
            lines(name, container.pointer("/properties/instanceView/events"), &mut events);
        }
        Self {
            provisioning: text("/properties/provisioningState").unwrap_or_default(),
            state: text("/properties/instanceView/state").unwrap_or_default(),
            ip: text("/properties/ipAddress/ip"),
            fqdn: text("/properties/ipAddress/fqdn"),
            port: port.and_then(|port| u16::try_from(port).ok()),
            containers: containers.iter().map(container).collect(),
            events,
        }
    }

    /// Writes what is known into `outputs`.
    pub fn tell(&self, outputs: &mut Outputs) {
        outputs.state.clone_from(&self.state);
        outputs.fqdn.clone_from(&self.fqdn);
        outputs.ip.clone_from(&self.ip);
        outputs.containers.clone_from(&self.containers);
        outputs.url = self.fqdn.as_ref().map(|fqdn| match self.port {
            Some(443) => format!("https://{fqdn}"),
            Some(80) | None => format!("http://{fqdn}"),
            Some(port) => format!("http://{fqdn}:{port}"),
        });
    }
}

fn container(value: &Value) -> ContainerState {
    let view = |pointer: &str| {
        value.pointer(&format!("/properties/instanceView/{pointer}")).filter(|it| !it.is_null())
    };
    let text = |pointer: &str| view(pointer).and_then(Value::as_str).map(str::to_owned);
    ContainerState {
        name: value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        state: text("currentState/state").unwrap_or_default(),
        restart_count: view("restartCount").and_then(Value::as_u64).unwrap_or_default(),
        exit_code: view("currentState/exitCode").and_then(Value::as_i64),
        detail: text("currentState/detailStatus").filter(|detail| !detail.is_empty()),
    }
}

/// Events as lines: `web: Pulling: pulling image "…"`.
fn lines(name: &str, events: Option<&Value>, into: &mut Vec<String>) {
    for event in events.and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        let count = event.get("count").and_then(Value::as_u64).filter(|count| *count > 1);
        let of = if name.is_empty() { String::new() } else { format!("{name}: ") };
        let times = count.map_or(String::new(), |count| format!(" ({count} times)"));
        into.push(format!("{of}{}: {}{times}", text("name"), text("message")));
    }
}
