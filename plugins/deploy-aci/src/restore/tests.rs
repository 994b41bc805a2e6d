use serde_json::json;

use super::*;
use crate::fake::{inputs, served, story};
use crate::spec::{Facts, spec};

fn body(more: &Value) -> Body<String> {
    let mut all = story();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let facts = Facts {
        location: "westeurope".to_owned(),
        label: Some("aci-demo-1".to_owned()),
        ..Facts::default()
    };
    spec(&inputs(&all), &facts)
}

/// What is sent, with secrets as `‹NAME›`.
fn sent(body: &Body<String>) -> Value {
    let parts = body.parts().expect("every secret has its place");
    let write = |part: &arm::Part<'_, String>| match part {
        arm::Part::Text(text) => text.clone(),
        arm::Part::Sealed(name, _) => format!("‹{name}›"),
    };
    serde_json::from_str(&parts.iter().map(write).collect::<String>()).unwrap()
}

#[test]
fn the_former_group_is_put_as_it_was() {
    let rich = json!({
        "image": "x:1", "env": { "A": "1", "S": { "secret": "s" } }, "tags": { "ip": "kept" },
        "volumes": { "share": { "azure-file": { "share": "s", "account": "a", "key": { "secret": "k" } } },
                     "files": { "secret": { "a": { "secret": "f" }, "b": "plain" } } },
        "log-analytics": { "workspace": "w", "key": { "secret": "wk" } },
    });
    let old = body(&rich);
    let mut found = served(&old.value, "Running", 0);
    found["properties"]["volumes"][0]["secret"] = json!({});
    let mut new = rich;
    new["image"] = "x:2".into();
    new["env"] = json!({ "Z": "9", "S": { "secret": "s2" } });
    let restored = former(&found, &body(&new)).unwrap();
    let mut expected = sent(&old);
    // What Azure has added stays, and secrets are those of today.
    expected["properties"]["sku"] = "Standard".into();
    expected["properties"]["restartPolicy"] = "Always".into();
    expected["properties"]["containers"][0]["properties"]["environmentVariables"][1]["secureValue"] =
        "‹s2›".into();
    assert_eq!(sent(&restored), expected);
}

#[test]
fn secrets_that_nobody_knows_are_named() {
    let old = json!({
        "env": { "S": { "secret": "s" } },
        "registries": [{ "server": "other.azurecr.io", "username": "u", "password": { "secret": "p" } }],
        "volumes": { "share": { "azure-file": { "share": "s", "account": "a", "key": { "secret": "k" } } },
                     "files": { "secret": { "a": { "secret": "f" } } } },
        "log-analytics": { "workspace": "w", "key": { "secret": "wk" } },
    });
    let mut found = served(&body(&old).value, "Running", 0);
    found["properties"]["volumes"][0]["secret"] = json!({});
    let lost = former(&found, &body(&json!({}))).expect_err("secrets are lost");
    assert_eq!(
        lost,
        [
            "/properties/imageRegistryCredentials/0",
            "/properties/containers/0/properties/environmentVariables/0/secureValue",
            "/properties/volumes/0/secret",
            "/properties/volumes/1/azureFile/storageAccountKey",
            "/properties/diagnostics/logAnalytics/workspaceKey",
        ]
    );
}

#[test]
fn any_json_is_a_former_group() {
    for odd in [
        json!(null),
        json!([1]),
        json!({ "properties": { "containers": [7], "volumes": { "a": 1 }, "imageRegistryCredentials": ["x"] } }),
    ] {
        assert!(former(&odd, &body(&json!({}))).is_ok(), "{odd}");
    }
}
