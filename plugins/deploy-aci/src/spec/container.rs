//! Containers as Azure writes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Writer, object, port, ports_of, some_list};
use crate::inputs::{Container, Init, Inputs, Mount, Probe, Security, Text};

impl Writer<'_> {
    pub(super) fn containers(&mut self, inputs: &Inputs) -> Value {
        let containers = inputs.all_containers();
        let written = containers.iter().enumerate().map(|(index, container)| {
            let ports = ports_of(inputs, index, &container.ports).into_iter().map(port).collect();
            self.container(container, index, ports)
        });
        written.collect::<Vec<_>>().into()
    }

    fn container(&mut self, container: &Container, index: usize, ports: Vec<Value>) -> Value {
        let at = format!("/properties/containers/{index}/properties");
        let gpu = container.gpu.as_ref();
        let requests = object([
            ("memoryInGB", Some(container.memory.into())),
            ("cpu", Some(container.cpu.into())),
            ("gpu", gpu.map(|gpu| json!({ "count": gpu.count, "sku": gpu.sku }))),
        ]);
        let limits = container.limits.map(|limits| {
            object([
                ("memoryInGB", limits.memory.map(Value::from)),
                ("cpu", limits.cpu.map(Value::from)),
            ])
        });
        let properties = object([
            ("image", Some(self.image(&container.image))),
            ("command", command(&container.command)),
            ("ports", some_list(ports)),
            ("environmentVariables", self.env(&container.env, &at)),
            ("resources", Some(object([("requests", Some(requests)), ("limits", limits)]))),
            ("volumeMounts", mounts(&container.mounts)),
            ("livenessProbe", container.liveness.as_ref().map(probe)),
            ("readinessProbe", container.readiness.as_ref().map(probe)),
            ("securityContext", container.security.as_ref().map(security)),
            // az sends it with every container.
            ("configMap", Some(json!({ "keyValuePairs": {} }))),
        ]);
        json!({ "name": container.name, "properties": properties })
    }

    pub(super) fn init_containers(&mut self, containers: &[Init]) -> Vec<Value> {
        let written = containers.iter().enumerate().map(|(index, container)| {
            let at = format!("/properties/initContainers/{index}/properties");
            let properties = object([
                ("image", Some(self.image(&container.image))),
                ("command", command(&container.command)),
                ("environmentVariables", self.env(&container.env, &at)),
                ("volumeMounts", mounts(&container.mounts)),
                ("securityContext", container.security.as_ref().map(security)),
            ]);
            json!({ "name": container.name, "properties": properties })
        });
        written.collect()
    }

    fn image(&self, image: &str) -> Value {
        self.facts.images.get(image).map_or(image, String::as_str).into()
    }

    fn env(&mut self, env: &BTreeMap<String, Text>, at: &str) -> Option<Value> {
        let written = env.iter().enumerate().map(|(index, (name, text))| {
            let key = match text {
                Text::Plain(_) => "value",
                Text::Secret(_) => "secureValue",
            };
            let value = self.text(text, format!("{at}/environmentVariables/{index}/{key}"));
            json!({ "name": name, key: value })
        });
        some_list(written.collect())
    }
}

fn command(command: &[String]) -> Option<Value> {
    (!command.is_empty()).then(|| json!(command))
}

fn mounts(mounts: &BTreeMap<String, Mount>) -> Option<Value> {
    let written = mounts.iter().map(|(volume, mount)| {
        object([
            ("name", Some(volume.as_str().into())),
            ("mountPath", Some(mount.path.as_str().into())),
            ("readOnly", mount.read_only.then_some(Value::Bool(true))),
        ])
    });
    some_list(written.collect())
}

fn probe(probe: &Probe) -> Value {
    let headers = probe.headers.iter();
    let headers = headers.map(|it| json!({ "name": it.name, "value": it.value })).collect();
    let http_get = probe.port.map(|port| {
        object([
            ("path", probe.path.as_deref().map(Value::from)),
            ("port", Some(port.into())),
            ("scheme", probe.scheme.as_deref().map(Value::from)),
            ("httpHeaders", some_list(headers)),
        ])
    });
    let exec = command(&probe.command).map(|command| json!({ "command": command }));
    let number = |number: Option<u32>| number.map(Value::from);
    object([
        ("exec", exec),
        ("httpGet", http_get),
        ("initialDelaySeconds", number(probe.initial_delay)),
        ("periodSeconds", number(probe.period)),
        ("failureThreshold", number(probe.failures)),
        ("successThreshold", number(probe.successes)),
        ("timeoutSeconds", number(probe.timeout)),
    ])
}

fn security(security: &Security) -> Value {
    let capabilities = security.capabilities.as_ref().map(|it| {
        object([
            ("add", (!it.add.is_empty()).then(|| json!(it.add))),
            ("drop", (!it.drop.is_empty()).then(|| json!(it.drop))),
        ])
    });
    object([
        ("privileged", security.privileged.map(Value::from)),
        ("allowPrivilegeEscalation", security.privilege_escalation.map(Value::from)),
        ("capabilities", capabilities),
        ("runAsUser", security.user.map(Value::from)),
        ("runAsGroup", security.group.map(Value::from)),
        ("seccompProfile", security.seccomp.as_deref().map(Value::from)),
    ])
}
