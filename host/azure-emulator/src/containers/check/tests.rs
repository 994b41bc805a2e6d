use serde_json::json;

use super::*;
use crate::json::set;

fn fine() -> Value {
    json!({ "location": "westeurope", "properties": {
        "osType": "Linux",
        "containers": [{ "name": "a", "properties": {
            "image": "nginx", "ports": [{ "port": 80 }],
            "resources": { "requests": { "cpu": 1, "memoryInGB": 1.5 } },
            "volumeMounts": [{ "name": "files", "mountPath": "/f" }],
            "environmentVariables": [{ "name": "A_1", "value": "x" }],
        } }],
        "volumes": [{ "name": "files", "emptyDir": {} }],
        "ipAddress": { "type": "Public", "ports": [{ "protocol": "TCP", "port": 80 }], "dnsNameLabel": "label-1" },
        "imageRegistryCredentials": [{ "server": "a.azurecr.io", "username": "u", "password": "p" }],
    } })
}

/// The code with which `fine` is refused once `pointer` is `value`.
fn with(pointer: &str, value: Value) -> String {
    let mut document = fine();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match name.parse::<usize>() {
        Ok(at) => parent[at] = value,
        Err(_) => set(parent, name, value),
    }
    let refused = group("group", &document).err();
    refused.map(|refusal| text(&refusal.body, "/error/code").to_owned()).unwrap_or_default()
}

#[test]
fn what_the_service_takes_is_taken() {
    assert!(group("group", &fine()).is_ok());
    assert_eq!(with("/properties/osType", json!("windows")), "");
    assert_eq!(with("/properties/restartPolicy", json!("never")), "");
}

#[test]
fn what_it_refuses_is_refused_by_its_code() {
    let container = "/properties/containers/0/properties";
    let cases = [
        ("/location", json!(""), "LocationRequired"),
        ("/properties/osType", json!(null), "InvalidOsType"),
        ("/properties/osType", json!(7), "InvalidOsType"),
        ("/properties/restartPolicy", json!("Sometimes"), "InvalidRestartPolicy"),
        ("/properties/containers", json!([]), "InvalidContainerCount"),
        ("/properties/containers", json!("x"), "InvalidContainerCount"),
        ("/properties/containers/0/name", json!("Upper"), "InvalidContainerName"),
        (&format!("{container}/image"), json!(""), "InvalidContainerImage"),
        (&format!("{container}/resources"), json!({}), "ResourceRequestsNotSpecified"),
        (
            &format!("{container}/resources/requests/cpu"),
            json!(0),
            "ResourceSomeRequestsNotSpecified",
        ),
        (&format!("{container}/resources/requests/cpu"), json!(64), "ServiceUnavailable"),
        (
            &format!("{container}/environmentVariables/0/name"),
            json!("1a"),
            "InvalidEnvironmentVariableName",
        ),
        (&format!("{container}/volumeMounts/0/name"), json!("other"), "VolumeMountNotFound"),
        (&format!("{container}/ports/0/port"), json!(0), "InvalidIPAddressPorts"),
        ("/properties/volumes/0/emptyDir", json!(null), "InvalidVolume"),
        ("/properties/ipAddress/type", json!("Secret"), "InvalidIPAddressType"),
        ("/properties/ipAddress/type", json!("Private"), "PrivateIPAddressNeedsSubnet"),
        ("/properties/ipAddress/ports", json!([{ "port": 81 }]), "InvalidIPAddressPorts"),
        ("/properties/ipAddress/ports", json!([]), "InvalidIPAddressPorts"),
        ("/properties/ipAddress/dnsNameLabel", json!("1abc"), "InvalidDnsNameLabel"),
        ("/properties/ipAddress/dnsNameLabel", json!("-"), "InvalidDnsNameLabel"),
        ("/properties/priority", json!("Spot"), "SpotPublicIPAddress"),
        (
            "/properties/imageRegistryCredentials/0/password",
            json!(""),
            "InvalidImageRegistryCredential",
        ),
        (
            "/properties/imageRegistryCredentials/0/server",
            json!("https://a"),
            "InvalidImageRegistryCredential",
        ),
        (
            "/properties/imageRegistryCredentials/0",
            json!({ "server": "a", "identity": "/x" }),
            "InvalidImageRegistryCredential",
        ),
    ];
    for (pointer, value, code) in cases {
        assert_eq!(with(pointer, value.clone()), code, "{pointer} = {value}");
    }
    assert!(group("No", &fine()).is_err() && group("", &fine()).is_err());
}

#[test]
fn nothing_in_a_document_makes_it_panic() {
    for document in [
        json!(null),
        json!([]),
        json!({ "properties": [] }),
        json!({ "location": "x", "properties": { "osType": "Linux", "containers": [null, 1] } }),
    ] {
        assert!(group("group", &document).is_err(), "{document}");
    }
}
