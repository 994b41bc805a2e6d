//! Container groups: their life, and whose images they get.

use azure_emulator::{Fault, Planned};
use serde_json::{Value, json};

use crate::cloud::{APP, GROUP};
use crate::registry::filled;

fn group(credential: Value) -> Value {
    json!({ "location": "westeurope", "properties": {
        "osType": "Linux",
        "containers": [{ "name": "main", "properties": {
            "image": "myregistry.azurecr.io/app:1", "ports": [{ "port": 80 }],
            "resources": { "requests": { "cpu": 1, "memoryInGB": 1 } },
            "environmentVariables": [{ "name": "S", "secureValue": "hush-1" }],
        } }],
        "ipAddress": { "type": "Public", "ports": [{ "port": 80 }], "dnsNameLabel": "label-one" },
        "imageRegistryCredentials": [credential],
    } })
}

fn at(name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/{name}")
}

fn by_password(password: &str) -> Value {
    json!({ "server": "myregistry.azurecr.io", "username": APP, "password": password })
}

#[tokio::test]
async fn a_group_comes_up_with_its_own_credential_and_shows_no_secrets() {
    let (cloud, _upstream) = filled().await;
    let refused = cloud.arm("PUT", &at("demo"), group(by_password("wrong"))).await;
    assert_eq!((refused.status, refused.code()), (400, "InaccessibleImage"));
    let made = cloud.arm("PUT", &at("demo"), group(by_password("s3cr3t"))).await;
    assert_eq!(
        (made.status, &made.body["properties"]["provisioningState"]),
        (201, &json!("Pending"))
    );
    cloud.azure.settle().await;
    let up = cloud.arm("GET", &at("demo"), Value::Null).await.body;
    assert_eq!(up["properties"]["instanceView"]["state"], "Running");
    assert_eq!(up["properties"]["ipAddress"]["fqdn"], "label-one.westeurope.azurecontainer.io");
    for answer in [&made.body, &up] {
        let text = answer.to_string();
        assert!(!text.contains("hush-1") && !text.contains("s3cr3t"), "{text}");
    }
    assert!(up.to_string().contains("emulated"), "it says that nothing was run");
    let log = cloud.arm("GET", &format!("{}/containers/main/logs", at("demo")), Value::Null).await;
    assert!(log.body["content"].as_str().unwrap().contains("emulated"));
    assert_eq!(
        cloud.arm("GET", &format!("{}/containers/none/logs", at("demo")), Value::Null).await.status,
        404
    );
    let exec = cloud.arm("POST", &format!("{}/containers/main/exec", at("demo")), json!({})).await;
    assert_eq!(exec.code(), "NotEmulated");

    let other = cloud.arm("PUT", &at("other"), group(by_password("s3cr3t"))).await;
    assert_eq!(other.code(), "DnsNameLabelNotAvailable");
    let mut larger = group(by_password("s3cr3t"));
    larger["properties"]["containers"][0]["properties"]["resources"]["requests"]["cpu"] = json!(2);
    assert_eq!(cloud.arm("PUT", &at("demo"), larger).await.code(), "InvalidContainerGroupUpdate");
    assert_eq!(cloud.arm("PUT", &at("demo"), group(by_password("s3cr3t"))).await.status, 200);
    assert_eq!(
        cloud.arm("PUT", &at("demo"), group(by_password("s3cr3t"))).await.code(),
        "ContainerGroupTransitioning"
    );
    cloud.azure.settle().await;
    assert_eq!(cloud.arm("POST", &format!("{}/stop", at("demo")), Value::Null).await.status, 204);
    let stopped = cloud.arm("GET", &at("demo"), Value::Null).await.body;
    assert_eq!(stopped["properties"]["instanceView"]["state"], "Stopped");
    assert_eq!(cloud.arm("DELETE", &at("demo"), Value::Null).await.status, 200);
    assert_eq!(cloud.arm("DELETE", &at("demo"), Value::Null).await.status, 204);
}

#[tokio::test]
async fn an_identity_pulls_if_it_is_the_groups_own_and_has_the_right() {
    let (cloud, _upstream) = filled().await;
    let identity =
        format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/puller");
    let made = cloud.arm("PUT", &identity, json!({ "location": "westeurope" })).await.body;
    let principal = made["properties"]["principalId"].as_str().unwrap();
    let mut body = group(json!({ "server": "myregistry.azurecr.io", "identity": identity }));
    assert_eq!(
        cloud.arm("PUT", &at("demo"), body.clone()).await.code(),
        "InvalidImageRegistryCredential"
    );
    body["identity"] =
        json!({ "type": "UserAssigned", "userAssignedIdentities": { identity.as_str(): {} } });
    assert_eq!(cloud.arm("PUT", &at("demo"), body.clone()).await.code(), "InaccessibleImage");
    cloud.assign(principal, "7f951dda-4ed3-4680-a7ca-43fe172d538d", crate::cloud::REGISTRY).await;
    assert_eq!(cloud.arm("PUT", &at("demo"), body).await.status, 201);
}

#[tokio::test]
async fn faults_strike_once_and_are_gone() {
    let (cloud, _upstream) = filled().await;
    let fine = group(by_password("s3cr3t"));
    for (fault, code) in [
        (Fault::InaccessibleImage, "InaccessibleImage"),
        (Fault::LabelTaken, "DnsNameLabelNotAvailable"),
        (Fault::Throttle { retry_after: 3 }, "TooManyRequests"),
    ] {
        let on = String::new();
        cloud.token("https://management.azure.com").await;
        let on =
            if matches!(fault, Fault::Throttle { .. }) { "containerGroups".to_owned() } else { on };
        cloud.azure.faults().plan(Planned { fault, on, times: 1 }).unwrap();
        assert_eq!(cloud.arm("PUT", &at("demo"), fine.clone()).await.code(), code);
    }
    let (code, message) = ("Broken".to_owned(), "it broke".to_owned());
    let fault = Fault::OperationFails { code, message };
    cloud.azure.faults().plan(Planned { fault, on: "demo".to_owned(), times: 1 }).unwrap();
    assert_eq!(cloud.arm("PUT", &at("demo"), fine).await.status, 201);
    cloud.azure.settle().await;
    let failed = cloud.arm("GET", &at("demo"), Value::Null).await.body;
    assert_eq!(failed["properties"]["provisioningState"], "Failed");
    assert!(cloud.azure.faults().waiting().is_empty());
}
