use serde_json::json;

use super::*;
use crate::fake::{S, inputs, story};

/// The request that `az` 2.91.0 sent: `path` and `body`.
///
/// What else is different from az's requests, and why: az names the image as it is written, and so do
/// these intents by leaving `pin` to `deploy`, which puts the digest in its place; az reads the subnet
/// first, to delegate it, which is left to its owner; it reads the resource group by
/// `/resourcegroups/`, where Azure's own ids have `/resourceGroups/`, which is the same to Azure; its
/// headers name its command, which the service ignores.
fn captured(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("captured.json")).unwrap();
    all[name].clone()
}

/// The body of the same intent, with secrets as `az` writes them.
fn ours(more: &Value) -> Value {
    let facts = Facts {
        location: "westeurope".to_owned(),
        label: more["dns-label"].as_str().map(str::to_owned),
        images: BTreeMap::new(),
    };
    let body = spec(&inputs(more), &facts);
    let parts = body.parts().expect("every secret has its place");
    let write = |part: &arm::Part<'_, String>| match part {
        arm::Part::Text(text) => text.clone(),
        arm::Part::Sealed(secret, _) => (*secret).clone(),
    };
    serde_json::from_str(&parts.iter().map(write).collect::<String>()).unwrap()
}

#[test]
fn bodies_are_those_of_az() {
    let plain = |name: &str| json!({ "name": name, "image": "nginx", "memory": 1 });
    let with = |name: &str, more: Value| {
        let mut all = plain(name);
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let mut full = story();
    full["registries"][0]["password"]["secret"] = "p".into();
    let subnet = format!(
        "/subscriptions/{S}/resourceGroups/rg1/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
    );
    let security = json!({
        "privileged": true, "privilege-escalation": false, "user": 1000,
        "capabilities": { "add": ["NET_ADMIN"] },
    });
    for (name, intent) in [
        ("aci-create-full", full),
        ("aci-create-lro-failed", plain("acifail")),
        ("aci-create-nowait", with("aci5", json!({ "ip": "public" }))),
        ("aci-create-vnet", with("aci6", json!({ "subnets": [subnet] }))),
        (
            "aci-create-confidential",
            with(
                "aci4",
                json!({
                    "sku": "confidential", "confidential": { "policy": "cG9saWN5" },
                    "security": security,
                }),
            ),
        ),
        (
            "aci-create-inaccessible-image",
            with(
                "aci7",
                json!({
                    "image": "myregistry.azurecr.io/inaccessible:1",
                    "registries": [{
                        "server": "myregistry.azurecr.io", "username": "u",
                        "password": { "secret": "p" },
                    }],
                }),
            ),
        ),
    ] {
        assert_eq!(ours(&intent), captured(name)["body"], "{name}");
        let id = crate::check::check(&inputs(&intent)).unwrap();
        assert_eq!(format!("{id}?api-version={VERSION}"), captured(name)["path"], "{name}");
    }
}

#[test]
fn the_storys_command_lacks_what_we_add() {
    let mut body = ours(&{
        let mut full = story();
        full["registries"][0]["password"]["secret"] = "p".into();
        full
    });
    let properties = body["properties"].as_object_mut().unwrap();
    assert_eq!(properties.shift_remove("osType"), Some("Linux".into()));
    let container = properties["containers"][0]["properties"].as_object_mut().unwrap();
    assert_eq!(
        container.shift_remove("resources"),
        Some(json!({ "requests": { "memoryInGB": 1.5, "cpu": 1.0 } }))
    );
    assert_eq!(body, captured("aci-create-seed004")["body"]);
}

#[test]
fn all_that_can_be_said_is_written() {
    let user = format!(
        "/subscriptions/{S}/resourceGroups/rg1/providers/Microsoft.ManagedIdentity/\
         userAssignedIdentities/u"
    );
    let intent = json!({
        "image": "a.io/x:1", "cpu": 2, "memory": 4, "limits": { "cpu": 3 },
        "gpu": { "count": 1, "sku": "V100" }, "command": ["/bin/sh", "-c", "echo hi"],
        "ports": [80, "53/udp"], "env": { "A": "1", "S": { "secret": "s" } },
        "mounts": { "share": { "path": "/mnt", "read-only": true }, "files": { "path": "/f" } },
        "liveness": { "command": ["true"], "period": 5 },
        "readiness": { "port": 80, "path": "/", "scheme": "http", "failures": 2,
                       "headers": [{ "name": "a", "value": "b" }] },
        "containers": [{ "name": "side", "image": "a.io/y", "ports": [8080] }],
        "init-containers": [{ "name": "first", "image": "a.io/z", "env": { "K": { "secret": "k" } } }],
        "restart": "on-failure", "dns-label": "label", "dns-scope": "nobody",
        "registries": [{ "server": "a.io", "identity": user }],
        "identities": [user], "system-identity": true,
        "volumes": {
            "share": { "azure-file": { "share": "s", "account": "a", "key": { "secret": "key" } } },
            "files": { "secret": { "a/b": { "secret": "file" }, "plain": "hi" } },
            "empty": { "empty-dir": true },
            "repos": { "git": { "repository": "https://g", "revision": "r", "directory": "." } },
        },
        "log-analytics": { "workspace": "w", "key": { "secret": "wk" }, "kind": "container-insights" },
        "spot": true, "sku": "dedicated", "zones": ["1"], "tags": { "t": "v" },
        "encryption": { "vault": "https://v", "key": "k", "version": "1" },
        "dns": { "servers": ["10.0.0.10"], "search": "x" },
    });
    let body = ours(&intent);
    let at = |pointer: &str| body.pointer(pointer).cloned().unwrap_or_default();
    let first = "/properties/containers/0/properties";
    assert_eq!(
        at(&format!("{first}/resources")),
        json!({
            "requests": { "memoryInGB": 4.0, "cpu": 2.0, "gpu": { "count": 1, "sku": "V100" } },
            "limits": { "cpu": 3.0 },
        })
    );
    assert_eq!(
        at(&format!("{first}/environmentVariables")),
        json!([
            { "name": "A", "value": "1" }, { "name": "S", "secureValue": "s" },
        ])
    );
    assert_eq!(
        at(&format!("{first}/volumeMounts")),
        json!([
            { "name": "files", "mountPath": "/f" },
            { "name": "share", "mountPath": "/mnt", "readOnly": true },
        ])
    );
    assert_eq!(
        at(&format!("{first}/livenessProbe")),
        json!({
            "exec": { "command": ["true"] }, "periodSeconds": 5,
        })
    );
    assert_eq!(
        at(&format!("{first}/readinessProbe")),
        json!({
            "httpGet": { "path": "/", "port": 80, "scheme": "http",
                         "httpHeaders": [{ "name": "a", "value": "b" }] },
            "failureThreshold": 2,
        })
    );
    assert_eq!(
        at("/properties/initContainers"),
        json!([{ "name": "first", "properties": {
        "image": "a.io/z", "environmentVariables": [{ "name": "K", "secureValue": "k" }],
    } }])
    );
    assert_eq!(
        at("/properties/ipAddress"),
        json!({
            "ports": [{ "protocol": "UDP", "port": 53 }, { "protocol": "TCP", "port": 80 },
                      { "protocol": "TCP", "port": 8080 }],
            "type": "Public", "dnsNameLabel": "label", "autoGeneratedDomainNameLabelScope": "Noreuse",
        })
    );
    assert_eq!(
        at("/properties/volumes"),
        json!([
            { "name": "empty", "emptyDir": {} },
            { "name": "files", "secret": { "a/b": "file", "plain": "aGk=" } },
            { "name": "repos", "gitRepo": { "directory": ".", "repository": "https://g", "revision": "r" } },
            { "name": "share", "azureFile": {
                "shareName": "s", "storageAccountName": "a", "storageAccountKey": "key" } },
        ])
    );
    assert_eq!(
        at("/identity"),
        json!({
            "type": "SystemAssigned, UserAssigned", "userAssignedIdentities": { (user.clone()): {} },
        })
    );
    assert_eq!(
        at("/properties/imageRegistryCredentials"),
        json!([{ "server": "a.io", "identity": user }])
    );
    assert_eq!(
        at("/properties/diagnostics"),
        json!({ "logAnalytics": {
        "workspaceId": "w", "workspaceKey": "wk", "logType": "ContainerInsights" } })
    );
    assert_eq!(
        at("/properties/dnsConfig"),
        json!({ "nameServers": ["10.0.0.10"], "searchDomains": "x" })
    );
    assert_eq!(
        at("/properties/encryptionProperties"),
        json!({
        "vaultBaseUrl": "https://v", "keyName": "k", "keyVersion": "1" })
    );
    for (pointer, value) in [
        ("/properties/restartPolicy", "OnFailure"),
        ("/properties/priority", "Spot"),
        ("/properties/sku", "Dedicated"),
        ("/zones/0", "1"),
        ("/tags/t", "v"),
    ] {
        assert_eq!(at(pointer), json!(value), "{pointer}");
    }
}

#[test]
fn a_file_of_a_secret_is_written_in_base64() {
    let volume =
        json!({ "image": "x", "volumes": { "files": { "secret": { "a": { "secret": "f" } } } } });
    let body = spec(&inputs(&volume), &Facts::default());
    assert_eq!(body.holes.len(), 1);
    assert_eq!(
        (body.holes[0].pointer.as_str(), body.holes[0].encoding),
        ("/properties/volumes/0/secret/a", Encoding::Base64)
    );
}
