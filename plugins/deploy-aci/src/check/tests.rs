use serde_json::{Value, json};

use super::*;
use crate::fake::{S, inputs, story};

fn wrong(more: &Value) -> String {
    let mut all = story();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let error = check(&inputs(&all)).expect_err(&format!("{more}"));
    assert_eq!(error.code(), "invalid.inputs");
    error.message().to_owned()
}

#[test]
fn a_group_has_an_id() {
    assert_eq!(
        check(&inputs(&story())).unwrap().to_string(),
        format!(
            "/subscriptions/{S}/resourceGroups/rg1/providers/Microsoft.ContainerInstance/\
             containerGroups/aci-demo"
        )
    );
}

#[test]
fn what_azure_would_refuse_is_told_before() {
    let long = "a".repeat(64);
    let many: Vec<Value> = (0..6).map(|port| json!(8000 + port)).collect();
    let user = format!(
        "/subscriptions/{S}/resourceGroups/rg1/providers/Microsoft.ManagedIdentity/\
         userAssignedIdentities/u"
    );
    let subnet = format!(
        "/subscriptions/{S}/resourceGroups/rg1/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
    );
    let container = |name: &str| json!({ "name": name, "image": "x" });
    for (more, why) in [
        (json!({ "subscription": "mine" }), "a GUID"),
        (json!({ "resource-group": "a." }), "a resource group is called"),
        (json!({ "name": "Aci" }), "`name`: `Aci` is not"),
        (json!({ "name": long }), "is not 1 to 63"),
        (json!({ "name": "-a" }), "no dash"),
        (json!({ "image": null }), "neither `image` nor `containers`"),
        (json!({ "image": " " }), "has no image"),
        (json!({ "containers": [container("aci-demo")] }), "two containers are called `aci-demo`"),
        (json!({ "init-containers": [container("a"), container("a")] }), "two containers"),
        (
            json!({ "containers": (0..60).map(|n| container(&format!("c{n}"))).collect::<Value>() }),
            "at most 60",
        ),
        (json!({ "env": { "1A": "x" } }), "`1A` is no name"),
        (json!({ "env": { "A-B": "x" } }), "`A-B` is no name"),
        (json!({ "mounts": { "files": { "path": "/x" } } }), "there is no volume `files`"),
        (json!({ "volumes": { "abc": { "empty-dir": true } } }), "is not 5 to 63"),
        (json!({ "volumes": { "files": {} } }), "is one of"),
        (
            json!({ "volumes": { "files": { "empty-dir": true, "git": { "repository": "x" } } } }),
            "is one of",
        ),
        (
            json!({ "os": "windows", "volumes": { "files": { "git": { "repository": "x" } } } }),
            "of Windows",
        ),
        (json!({ "dns-label": "abcd" }), "`dns-label`: `abcd`"),
        (json!({ "dns-label": "1abcd" }), "a letter first"),
        (json!({ "dns-label": "a".repeat(57), "dns-random": true }), "to 56"),
        (json!({ "ip": "none" }), "needs a public address"),
        (json!({ "dns-label": null, "dns-random": true }), "`dns-random` without"),
        (json!({ "dns-label": null, "health": {} }), "`health` without"),
        (json!({ "subnets": [subnet] }), "no public address"),
        (json!({ "dns-label": null, "ip": "private" }), "needs `subnets`"),
        (json!({ "dns": { "servers": ["1.1.1.1"] } }), "`dns` without"),
        (json!({ "ports": many }), "at most 5"),
        (json!({ "ports": [80, 80] }), "the same port"),
        (json!({ "cpu": 0 }), "more than 0"),
        (json!({ "cpu": 32 }), "at most 31"),
        (json!({ "memory": 241 }), "at most 31 and 240"),
        (json!({ "limits": { "cpu": 0.5 } }), "below what it asks for"),
        (json!({ "spot": true }), "a public address: a group on spare"),
        (json!({ "dns-label": null, "spot": true, "cpu": 5 }), "at most 4 and 16"),
        (json!({ "dns-label": null, "spot": true, "zones": ["1"] }), "`zones`: a group on spare"),
        (
            json!({ "registries": [{ "server": "s", "username": "u" }] }),
            "`username` and `password`, or",
        ),
        (json!({ "registries": [{ "server": "s" }] }), "`username` and `password`, or"),
        (json!({ "registries": [{ "server": "s/x", "identity": user }] }), "no registry's name"),
        (json!({ "registries": [{ "server": "s", "identity": user }] }), "one of the group's"),
        (json!({ "identities": ["u"] }), "no resource id"),
        (json!({ "confidential": { "policy": "x" } }), "without `sku"),
        (json!({ "security": { "privileged": true } }), "only a confidential group"),
        (json!({ "wait-for": "finished" }), "never ends"),
        (json!({ "within": "soon" }), "no duration"),
        (json!({ "health": { "path": "x" } }), "no path"),
        (json!({ "health": { "scheme": "ftp" } }), "neither"),
        (json!({ "liveness": {} }), "either `command` or `port`"),
        (json!({ "liveness": { "command": ["x"], "port": 80 } }), "either `command` or `port`"),
    ] {
        let message = wrong(&more);
        assert!(message.contains(why), "{more}: {message}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let message = wrong(&json!({ "name": "A", "cpu": 0, "dns-label": "x" }));
    assert_eq!(message.matches("; ").count(), 3, "{message}");
}

#[test]
fn other_actions_need_no_image() {
    let stop = json!({ "action": "stop" });
    assert!(check(&inputs(&stop)).is_ok());
    assert!(check(&inputs(&json!({ "action": "stop", "name": "A" }))).is_err());
}
